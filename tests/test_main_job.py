"""The main job of `examples/`: what comes out of its stages, its exit status, and how it ends early."""

from __future__ import annotations

import asyncio
import gzip
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from examples.http_exchange import download, serve
from examples.main_job import main
from examples.sample import write_sample
from examples.stages import Filtering
from tests.ends.web import nothing_left
from webstreams.ends.files import read_file

ROOT = Path(__file__).parent.parent


def wanted_of(text: str) -> bytes:
    kept = [
        line for line in text.splitlines(keepends=True) if line.strip() and line[0] != "#" and " DEBUG " not in line
    ]
    return "".join(kept).encode()


LINES = 700  # of each kind


def write_text(path: Path, is_compressed: bool) -> str:
    text = "".join(f"# comment\n\n{number} {'DEBUG' if number % 3 else 'INFO'} grüße 😀\n" for number in range(LINES))
    path.write_bytes(gzip.compress(text.encode()) if is_compressed else text.encode())
    return text


@pytest.mark.parametrize("is_compressed", [True, False])
async def test_keeps_every_line_that_is_wanted(tmp_path: Path, is_compressed: bool) -> None:
    text = write_text(tmp_path / "in", is_compressed)
    async with nothing_left():
        filtering = Filtering("read file", read_file(tmp_path / "in"), is_compressed, tmp_path / "out.gz")
        await asyncio.wait_for(filtering.done, 60)
    assert gzip.decompress((tmp_path / "out.gz").read_bytes()) == wanted_of(text)
    assert filtering.stage("read file").size_out == (tmp_path / "in").stat().st_size
    assert filtering.stage("lines").chunks_out == 3 * LINES
    assert filtering.stage("filter").chunks_out == wanted_of(text).count(b"\n")
    assert filtering.stage("write file").size_in == (tmp_path / "out.gz").stat().st_size
    assert not any(stage.queued for stage in filtering.observed.stages)


async def test_reads_logs_that_were_appended_to(tmp_path: Path) -> None:
    """A gzip member for each day, and zero bytes that fill up the last block of a tape."""
    days = [f"day {number} INFO grüße\n" * 300 for number in range(5)]
    (tmp_path / "in").write_bytes(b"".join(gzip.compress(day.encode()) for day in days) + bytes(10_240))
    filtering = Filtering("read file", read_file(tmp_path / "in"), True, tmp_path / "out.gz")
    await asyncio.wait_for(filtering.done, 60)
    assert gzip.decompress((tmp_path / "out.gz").read_bytes()) == "".join(days).encode()


async def test_the_same_over_http(tmp_path: Path) -> None:
    text = write_text(tmp_path / "in", True)
    async with nothing_left(), serve(tmp_path / "in") as url, download(url) as body:
        await asyncio.wait_for(Filtering("receive", body, True, tmp_path / "out.gz").done, 60)
    assert gzip.decompress((tmp_path / "out.gz").read_bytes()) == wanted_of(text)


async def test_cancelling_leaves_nothing(tmp_path: Path) -> None:
    write_sample(tmp_path / "in.gz", 2_000_000)
    async with nothing_left(), serve(tmp_path / "in.gz") as url, download(url) as body:
        filtering = Filtering("receive", body, True, tmp_path / "out.gz")
        task = asyncio.ensure_future(filtering.done)
        while not filtering.stage("filter").chunks_out:
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    assert [path.name for path in tmp_path.iterdir()] == ["in.gz"]


def test_the_sample_is_text_of_the_size_that_was_asked_for(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_sample(tmp_path / name, 500_000)
    text = gzip.decompress((tmp_path / "a").read_bytes())
    assert text == gzip.decompress((tmp_path / "b").read_bytes())
    assert 500_000 <= len(text) < 700_000
    assert b" DEBUG " in text and b" INFO " in text


# The program.


def test_a_run_prints_tables_digests_and_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_text("one\n\ntwo\n", encoding="utf-8")
    assert main([str(tmp_path / "text")]) == 0
    out = capsys.readouterr().out
    for source in ("read file", "receive"):
        assert re.search(rf"^{source}: [\d.]+ s, 100 %, \d chunk", out, re.MULTILINE)
    assert re.search(r"^`- decode +busy .* blocked .* starved .* queue 0/1", out, re.MULTILINE)
    assert "3 lines read, 2 lines kept, both times" in out
    assert len(set(re.findall(r"^sha256 from the \w+ +([0-9a-f]{64})$", out, re.MULTILINE))) == 1
    assert re.search(r"^peak memory .* more, for 18 B of text \(18 B as read\) that went through$", out, re.MULTILINE)


def test_the_result_is_kept_where_the_user_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_text("one\n\ntwo\n", encoding="utf-8")
    assert main([str(tmp_path / "text"), "--output", str(tmp_path / "kept.gz")]) == 0
    assert gzip.decompress((tmp_path / "kept.gz").read_bytes()) == b"one\ntwo\n"
    assert f"the result is in {tmp_path / 'kept.gz'}" in capsys.readouterr().out


def test_the_page_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(url: str) -> None:
        with urlopen(url, timeout=60) as answer:
            seen.append(answer.read().decode())

    seen: list[str] = []
    monkeypatch.setattr("webbrowser.open", look)
    (tmp_path / "text").write_text("one\n", encoding="utf-8")
    assert main([str(tmp_path / "text"), "--web"]) == 0
    assert '"name": "write file"' in seen[0]


@pytest.mark.parametrize(("name", "message"), [("missing", "No such file or directory"), ("", "Is a directory")])
def test_a_bad_path_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, message: str) -> None:
    assert main([str(tmp_path / name)]) == 1
    assert message in capsys.readouterr().err


def test_a_damaged_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.gz").write_bytes(gzip.compress(b"text\n" * 1000)[:-9])
    assert main([str(tmp_path / "in.gz")]) == 1
    assert capsys.readouterr().err.startswith("main_job: ")


@pytest.mark.parametrize("number", ["0", "-1", "nan", "inf", "many"])
def test_a_bad_number_is_told(capsys: pytest.CaptureFixture[str], number: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--megabytes", number])
    assert stop.value.code == 2
    assert "must be a number above 0" in capsys.readouterr().err


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-m", "examples.main_job", *arguments]
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.usefixtures("from_nursery")
def test_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    # A program that was started in the background may have been told to ignore Ctrl-C, and tells its children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with start(tmp_path, "--megabytes", "1") as process:
        signal.signal(signal.SIGINT, before)
        assert process.stdout is not None
        while not process.stdout.readline().startswith("from the server"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert out.endswith("interrupted\n")
    assert not list(tmp_path.iterdir())


def test_memory_stays_flat(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "log.gz", "wb") as log:  # long lines: what takes time is their number
        for number in range(1000):
            log.write(b"%d INFO %s\n" % (number, random.Random(number).randbytes(100).hex().encode() * 50))
    with start(tmp_path, str(tmp_path / "log.gz")) as process:
        out, err = process.communicate(timeout=110)
    assert (process.returncode, err) == (0, "")
    more = re.search(r": ([\d.]+) MB more, for (\d+)\.\d MB of text", out)
    assert more is not None and int(more[2]) >= 19
    assert float(more[1]) < 12


def test_output_that_nobody_reads_ends_it_cleanly(tmp_path: Path) -> None:
    with start(tmp_path, "--megabytes", "1") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.wait(timeout=60) == 1
        assert process.stderr.read() == ""
