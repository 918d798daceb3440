"""The main job of `examples/`: what comes out of its stages, its exit status, and how it ends early."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import io
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from examples.files import READ_SIZE, FileSource, Input, files_under
from examples.main_job import main
from examples.monitor import Monitor, Stage
from examples.stages import LONGEST_LINE, Pipeline
from webstreams import ReadableStream

ROOT = Path(__file__).parent.parent
FAST = 1e9


async def run_pipeline(path: Path, at_least: int = 0) -> Pipeline:
    pipeline = Pipeline(Input(lambda: files_under(path), at_least), FAST)
    await asyncio.wait_for(pipeline.run(), 60)
    return pipeline


def digest_of(*lines: str) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


async def test_keeps_every_line_that_is_wanted(tmp_path: Path) -> None:
    lines = [f"{number} grüße 😀 " * (number % 40) for number in range(20_000)]
    (tmp_path / "text").write_text("\n".join(f"# comment\n\n{line}" for line in lines), encoding="utf-8")
    pipeline = await run_pipeline(tmp_path)
    wanted = [line for line in lines if line.strip()]
    assert pipeline.sink.lines == len(wanted)
    assert pipeline.sink.digest.hexdigest() == digest_of(*wanted)
    assert pipeline.read.bytes == (tmp_path / "text").stat().st_size
    assert pipeline.write.bytes == sum(len(line.encode()) + 1 for line in wanted)
    assert [stage.queued for stage in pipeline.stages] == [0] * 5


async def test_small_files_share_a_chunk(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number:02}").write_text(f"{number}\n", encoding="utf-8")
    pipeline = await run_pipeline(tmp_path)
    assert pipeline.read.chunks == 1
    assert pipeline.sink.digest.hexdigest() == digest_of(*map(str, range(50)))


async def test_bytes_that_are_no_utf8_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"a\xff\nb\xe2\x82")
    pipeline = await run_pipeline(tmp_path)
    assert pipeline.sink.digest.hexdigest() == digest_of("a\ufffd", "b\ufffd")


async def test_a_long_line_is_cut(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"x" * (3 * LONGEST_LINE))
    pipeline = await run_pipeline(tmp_path)
    assert 2 <= pipeline.sink.lines <= 3
    assert pipeline.filter.bytes == 3 * LONGEST_LINE + pipeline.sink.lines


async def test_the_input_is_repeated_until_it_is_enough(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(b"line\n" * 100)
    pipeline = await run_pipeline(tmp_path, at_least=1800)
    assert pipeline.read.bytes == 2000
    pipeline = await run_pipeline(tmp_path, at_least=1300)
    assert pipeline.read.bytes == 1500
    pipeline = await run_pipeline(tmp_path, at_least=10)
    assert pipeline.read.bytes == 1000


async def test_empty_files_are_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    pipeline = await run_pipeline(tmp_path, at_least=1000)
    assert pipeline.read.bytes == pipeline.read.chunks == 0


async def test_a_default_reader_can_read_the_byte_source(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"x" * (READ_SIZE + 1))
    stream = ReadableStream(FileSource(Input(lambda: files_under(tmp_path)), Stage("read", 0)))
    assert [len(chunk) async for chunk in stream] == [READ_SIZE, 1]


async def test_full_queues_stop_the_stages_before(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"some text\n" * 1_000_000)
    pipeline = Pipeline(Input(lambda: files_under(tmp_path)), bytes_per_second=1e6)
    task = asyncio.create_task(pipeline.run())
    while not all(stage.full for stage in pipeline.stages):
        await asyncio.sleep(0)
    marks = sum(stage.high_water_mark for stage in pipeline.stages)
    assert pipeline.read.bytes < marks + 10 * READ_SIZE
    task.cancel()
    await asyncio.wait([task])
    assert pipeline.read.bytes < marks + 10 * READ_SIZE


async def test_chunks_are_freed_without_the_garbage_collector(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"some text\n" * 1_000_000)
    gc.collect()
    gc.disable()
    try:
        pipeline = await run_pipeline(tmp_path)
        unreachable = gc.collect()
    finally:
        gc.enable()
    # The streams themselves are made of cycles, but no chunk leaves one behind.
    assert pipeline.read.chunks > 150
    assert unreachable < 150


async def test_the_monitor_names_the_stage_that_was_at_work_most() -> None:
    stages = [Stage("first", 10), Stage("second", 10), Stage("last", 10)]
    out = io.StringIO()
    monitor = Monitor(stages, out)
    stages[1].seconds = 5.0
    stages[0].queue = FullQueue()
    monitor.show()
    assert out.getvalue().splitlines()[-2] == "held up by: second (1 of the 1 queues before it are full)"
    stages[2].seconds = 7.0
    monitor.show()
    assert out.getvalue().splitlines()[-2] == "held up by: last (1 of the 3 queues before it are full)"


class FullQueue:
    desired_size = -2.0


def test_a_terminal_gets_one_table_that_is_rewritten() -> None:
    out = Terminal()
    monitor = Monitor([Stage("only", 10)], out)
    monitor.show()
    assert "\x1b[4A" not in out.getvalue()
    monitor.show()
    assert out.getvalue().count("\x1b[4A") == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# The program.


def test_a_run_prints_table_and_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_text("one\n\ntwo\n", encoding="utf-8")
    assert main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    for stage in ("read", "decode", "split", "filter", "sink"):
        assert re.search(rf"^{stage} +1 +\d+ B +0 / \d+ KiB ", out, re.MULTILINE)
    assert "9 B read from 1 file,\n2 lines (8 B) written" in out
    assert re.search(r"^peak memory .* more, for 9 B that went through$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "cannot read .*missing: No such file or directory"),
        ("empty", "there are no files in .*empty"),
        ("/dev/null", "/dev/null is neither a file nor a directory"),
    ],
)
def test_a_bad_path_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / name)]) == 2
    assert re.fullmatch(f"main_job: {message}\n", capsys.readouterr().err)


@pytest.mark.parametrize("number", ["0", "-1", "nan", "inf", "many"])
def test_a_bad_number_is_told(capsys: pytest.CaptureFixture[str], number: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--megabytes", number])
    assert stop.value.code == 2
    assert "must be a number above 0" in capsys.readouterr().err


def test_an_error_of_the_source_ends_the_job(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text").write_text("text", encoding="utf-8")
    monkeypatch.setattr(FileSource, "_read_into", lambda source, view: int(Path("/nope").read_text()))
    assert main([str(tmp_path)]) == 1
    assert "main_job: cannot read on: [Errno 2]" in capsys.readouterr().err


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-m", "examples.main_job", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_ctrl_c_ends_it_cleanly() -> None:
    # A program that was started in the background may have been told to ignore Ctrl-C, and tells its children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with start("--sink-speed", "5") as process:
        signal.signal(signal.SIGINT, before)
        assert process.stdout is not None
        assert process.stdout.readline() == "reading the standard library\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert "interrupted after" in out


def test_memory_stays_flat() -> None:
    with start("--megabytes", "100", "--sink-speed", "1000") as process:
        out, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (0, "")
    more = re.search(r": ([\d.]+) MB more, for (\d+)\.\d MB that went through$", out.strip())
    assert more is not None and int(more[2]) >= 100
    assert float(more[1]) < 10


def test_output_that_nobody_reads_ends_it_cleanly() -> None:
    with start("--megabytes", "1", "--sink-speed", "100") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.wait(timeout=60) == 1
        assert process.stderr.read() == ""
