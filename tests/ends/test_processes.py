"""Child processes as streams, with real ones."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import Buffer

from tests.children import children, staying
from webstreams import ReadableStream, open_process

from . import processes
from .processes import PIECE, is_gone, python

nothing_is_left = pytest.fixture(autouse=True)(processes.nothing_is_left)

# Round trips.


async def test_a_child_is_something_to_pipe_through() -> None:
    data = [os.urandom(100_000) for _ in range(20)]
    async with await open_process("cat") as process:
        received = await ReadableStream.from_(data).pipe_through(process).bytes()
        assert await process.wait() == 0
    assert received == b"".join(data)
    assert is_gone(process.pid)


async def test_children_in_a_row() -> None:
    async with await open_process("tr", "a-z", "A-Z") as first, await open_process("tr", "L", "_") as second:
        chunks: list[Buffer] = [b"hel", bytearray(b"lo"), memoryview(b" you")]
        stream = ReadableStream.from_(chunks)
        assert await stream.pipe_through(first).pipe_through(second).text() == "HE__O YOU"


async def test_chunks_have_at_most_64_kib() -> None:
    async with await open_process("head", "-c", "1000000", "/dev/zero", stdin=subprocess.DEVNULL) as process:
        sizes = [len(chunk) async for chunk in process.readable]
    assert sum(sizes) == 1_000_000
    assert max(sizes) <= PIECE


async def test_a_byob_reader_has_its_memory_filled() -> None:
    async with await open_process("printf", "hello", stdin=subprocess.DEVNULL) as process:
        reader = process.readable.get_reader(mode="byob")
        result = await reader.read(bytearray(10), min=5)
        assert result.value is not None
        assert bytes(result.value) == b"hello"
        result = await reader.read(bytearray(10))
        assert result.done
        reader.release_lock()


async def test_standard_error_is_a_stream_of_its_own() -> None:
    async with await open_process("sh", "-c", "echo out; echo err >&2", stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert list(await asyncio.gather(process.stdout.text(), process.stderr.text())) == ["out\n", "err\n"]


async def test_standard_error_together_with_standard_output() -> None:
    async with await open_process("sh", "-c", "echo out; echo err >&2", stderr=subprocess.STDOUT) as process:
        assert process.stderr is None
        assert await process.readable.text() == "out\nerr\n"


async def test_directory_environment_and_files(tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as file:
        async with await open_process(
            "sh",
            "-c",
            "pwd; echo $NAME",
            stdin=None,
            stdout=file,
            cwd=tmp_path,
            env={"NAME": "tea", "PATH": os.defpath},
        ) as process:
            assert process.stdin is None
            assert process.stdout is None
            with pytest.raises(TypeError, match="stdout"):
                _ = process.readable
            with pytest.raises(TypeError, match="stdin"):
                _ = process.writable
            assert await process.wait() == 0
    assert (tmp_path / "out").read_text() == f"{tmp_path}\ntea\n"


# Starting.


async def test_a_program_that_does_not_exist() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        await open_process("/no/such/program", stderr=subprocess.PIPE)
    assert caught.value.filename == "/no/such/program"


async def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("tea")
    with pytest.raises(PermissionError):
        await open_process(tmp_path / "file")


async def test_cancelling_the_start_leaves_nothing() -> None:
    for turns in range(4):
        task = asyncio.ensure_future(open_process("sleep", "100"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        try:
            process = await task
        except asyncio.CancelledError:
            continue
        with suppress(ValueError):
            async with process:
                raise ValueError
    assert children() <= staying  # none that nobody has waited for, either


async def test_arguments_that_are_wrong() -> None:
    wrong: Any = open_process
    with pytest.raises(TypeError, match="name of a program"):
        await wrong()
    with pytest.raises(TypeError, match="list"):
        await wrong(["cat", "file"])
    with pytest.raises(TypeError, match="stdout must be"):
        await wrong("cat", stdout="file")
    with pytest.raises(ValueError, match="stdin cannot be"):
        await wrong("cat", stdin=subprocess.STDOUT)


async def test_signals() -> None:
    program = "import signal; signal.signal(signal.SIGUSR1, lambda *_: exit(7)); print(flush=True); signal.pause()"
    async with await python(program, check=False) as process:
        reader = process.readable.get_reader()
        await reader.read()
        process.send_signal(signal.SIGUSR1)
        assert await process.wait() == 7
