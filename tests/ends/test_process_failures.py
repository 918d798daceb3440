"""Child processes that fail, or are failed by the other end."""

from __future__ import annotations

import signal
import subprocess
from typing import Any

import pytest

from webstreams import ReadableStream, TransformStream, open_process

from ..waiting import until
from . import processes
from .processes import is_waiting

nothing_is_left = pytest.fixture(autouse=True)(processes.nothing_is_left)

# Failures.


async def test_a_failing_child_is_an_error_after_the_last_byte() -> None:
    async with await open_process("sh", "-c", "printf tea; exit 3") as process:
        reader = process.readable.get_reader()
        assert (await reader.read()).value == b"tea"
        with pytest.raises(subprocess.CalledProcessError) as caught:
            await reader.read()
        assert caught.value.returncode == 3
        assert str(caught.value.cmd) == str(["sh", "-c", "printf tea; exit 3"])
        reader.release_lock()
        assert await process.wait() == process.returncode == 3


async def test_check_can_be_left_out() -> None:
    async with await open_process("sh", "-c", "printf tea; exit 3", check=False) as process:
        assert await process.readable.text() == "tea"
        assert await process.wait() == 3


async def test_only_standard_output_tells_of_a_failure() -> None:
    async with await open_process("sh", "-c", "echo no >&2; exit 3", stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert await process.stderr.text() == "no\n"
        with pytest.raises(subprocess.CalledProcessError):
            await process.readable.text()


async def test_standard_error_tells_of_a_failure_if_it_is_alone() -> None:
    options: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    async with await open_process("sh", "-c", "echo no >&2; exit 3", **options) as process:
        assert process.stderr is not None
        with pytest.raises(subprocess.CalledProcessError):
            await process.stderr.text()


async def test_without_a_reading_end_wait_tells_of_a_failure() -> None:
    process = await open_process("false", stdin=None, stdout=subprocess.DEVNULL)
    with pytest.raises(subprocess.CalledProcessError):
        await process.wait()
    with pytest.raises(subprocess.CalledProcessError):
        async with await open_process("false", stdin=None, stdout=None):
            pass


async def test_a_child_killed_in_the_middle() -> None:
    async with await open_process("yes") as process:
        reader = process.readable.get_reader()
        assert (await reader.read()).value
        process.kill()
        with pytest.raises(subprocess.CalledProcessError) as caught:
            while not (await reader.read()).done:
                pass
        assert caught.value.returncode == process.returncode == -signal.SIGKILL
        reader.release_lock()
        process.kill()
        process.terminate()


async def test_a_killed_child_errors_a_whole_pipeline() -> None:
    async with await open_process("cat") as process:
        endless = ReadableStream({"pull": lambda controller: controller.enqueue(b"x" * 10_000)})
        received = 0
        with pytest.raises(subprocess.CalledProcessError):
            async for chunk in endless.pipe_through(process).pipe_through(TransformStream()):
                received += len(chunk)
                if received > 1_000_000:
                    process.terminate()
        assert process.returncode == -signal.SIGTERM
    assert received > 1_000_000


async def test_writing_to_a_dead_child() -> None:
    async with await open_process("true") as process:
        assert await process.wait() == 0
        writer = process.writable.get_writer()
        with pytest.raises(BrokenPipeError) as caught:
            for _ in range(10):
                await writer.write(b"x")
        with pytest.raises(BrokenPipeError) as again:
            await writer.closed
        assert again.value is caught.value


async def test_a_child_that_dies_while_a_write_waits() -> None:
    async with await open_process("sleep", "100", check=False) as process:
        writer = process.writable.get_writer()
        written = writer.write(b"x" * 1_000_000)
        await until(lambda: is_waiting(process._ends.stdin))
        assert not written.done()
        process.kill()
        with pytest.raises(BrokenPipeError):
            await written
        with pytest.raises(BrokenPipeError):
            await writer.closed


async def test_a_child_that_closes_its_input() -> None:
    async with await open_process("sh", "-c", "exec <&-; echo closed; exec sleep 100") as process:
        assert (await process.readable.get_reader().read()).value == b"closed\n"
        with pytest.raises(BrokenPipeError):
            await ReadableStream.from_([b"x" * 1000] * 1000).pipe_to(process.writable)
        process.kill()


async def test_a_child_that_wants_only_the_beginning() -> None:
    cancelled: list[object] = []
    endless = ReadableStream(
        {"pull": lambda controller: controller.enqueue(b"line\n" * 1000), "cancel": cancelled.append}
    )
    async with await open_process("head", "-n", "2") as process:
        assert await endless.pipe_through(process).text() == "line\nline\n"
    assert [type(reason) for reason in cancelled] == [BrokenPipeError]


async def test_a_source_that_fails_kills_the_child_and_reaches_the_reader() -> None:
    """Else the child would take a part for the whole."""
    error = OSError("no more")
    chunks = [b"tea", error]
    source = ReadableStream({"pull": lambda controller: feed(controller, chunks.pop(0))})
    async with await open_process("sort") as process:
        with pytest.raises(OSError, match="no more") as caught:
            await source.pipe_through(process).text()
        assert caught.value is error
        assert await process.wait() == -signal.SIGKILL


def feed(controller: Any, item: Any) -> None:
    if isinstance(item, Exception):
        controller.error(item)
    else:
        controller.enqueue(item)


async def test_a_chunk_that_is_none() -> None:
    async with await open_process("cat") as process:
        writer: Any = process.writable.get_writer()
        with pytest.raises(TypeError, match="bytes-like"):
            await writer.write("text")
        with pytest.raises(TypeError, match="bytes-like"):
            await process.readable.text()
        with pytest.raises(TypeError, match="bytes-like"):
            await writer.closed


async def test_aborting_a_write_that_waits() -> None:
    error = ValueError("stop")
    async with await open_process("sleep", "100") as process:
        writer = process.writable.get_writer()
        written = writer.write(b"x" * 1_000_000)
        await until(lambda: is_waiting(process._ends.stdin))
        assert not written.done()
        await writer.abort(error)
        for promise in (written, writer.closed):
            with pytest.raises(ValueError, match="stop"):
                await promise
        with pytest.raises(ValueError, match="stop"):
            await process.readable.text()
        assert await process.wait() == -signal.SIGKILL
