"""The block that uses a child process: what its end does."""

from __future__ import annotations

import asyncio
import signal
import subprocess

import pytest

from webstreams import AbortError, Process, ReadableStream, open_process

from ..waiting import until
from . import processes
from .processes import is_gone, is_waiting

nothing_is_left = pytest.fixture(autouse=True)(processes.nothing_is_left)

# The block that uses a child.


async def test_a_block_that_raises_kills_the_child() -> None:
    error = ValueError("stop")
    with pytest.raises(ValueError, match="stop"):
        async with await open_process("sleep", "100") as process:
            reading = process.readable.get_reader().read()
            raise error
    assert process.returncode == -signal.SIGKILL
    assert is_gone(process.pid)
    with pytest.raises(ValueError, match="stop"):
        await reading


async def test_a_block_that_is_cancelled_kills_the_child() -> None:
    started: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(read_in_block(started))
    process = await started
    await until(lambda: is_waiting(process._ends.stdout))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert process.returncode == -signal.SIGKILL
    assert is_gone(process.pid)


async def read_in_block(started: asyncio.Future[Process]) -> None:
    async with await open_process("sleep", "100") as process:
        started.set_result(process)
        await process.readable.text()


async def test_the_end_of_a_block_that_is_cancelled_kills_the_child() -> None:
    started: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(leave_block(started))
    process = await started
    await until(lambda: process._ends.was_dropped)  # the end of the block has begun
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert is_gone(process.pid)


async def leave_block(started: asyncio.Future[Process]) -> None:
    async with await open_process("sleep", "100") as process:
        started.set_result(process)


async def test_the_end_of_a_block_drops_what_is_not_read() -> None:
    async with await open_process("yes") as process:
        pass
    assert process.returncode == -signal.SIGPIPE


async def test_the_end_of_a_block_lets_go_of_streams_in_use() -> None:
    async with await open_process("cat") as process:
        writer = process.writable.get_writer()
        await writer.write(b"x")
        reader = process.readable.get_reader()
        assert (await reader.read()).value == b"x"
    assert is_gone(process.pid)
    for closed in (writer.closed, reader.closed):
        with pytest.raises(AbortError):
            await closed


SILENT = "cat > /dev/null; exit 3"


async def test_a_failure_that_nobody_reads_is_raised_by_the_end_of_the_block() -> None:
    """Issue 11, 4: `unread_failure_is_silent`."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        async with await open_process("sh", "-c", SILENT) as process:
            await ReadableStream.from_([b"precious"]).pipe_to(process.writable)
    assert caught.value.returncode == process.returncode == 3


@pytest.mark.parametrize("stdout", [subprocess.PIPE, subprocess.DEVNULL, None])
@pytest.mark.parametrize("stderr", [subprocess.PIPE, subprocess.DEVNULL, None])
async def test_whatever_its_ends_are_a_failure_is_told(stdout: int | None, stderr: int | None) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        async with await open_process("sh", "-c", SILENT, stdout=stdout, stderr=stderr):
            pass
    async with await open_process("sh", "-c", SILENT, stdout=stdout, stderr=stderr, check=False) as process:
        pass
    assert process.returncode == 3


async def test_a_failure_after_a_part_was_read() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        async with await open_process("sh", "-c", f"printf tea; {SILENT}") as process:
            assert (await process.readable.get_reader().read()).value == b"tea"


async def test_a_failure_after_only_the_complaints_were_read() -> None:
    """It is standard output that would tell, and nobody has read it. Issue 11, 4."""
    with pytest.raises(subprocess.CalledProcessError):
        async with await open_process("sh", "-c", f"echo tea >&2; {SILENT}", stderr=subprocess.PIPE) as process:
            await process.writable.close()
            assert process.stderr is not None
            assert await process.stderr.bytes() == b"tea\n"


async def test_a_failure_while_a_read_waits() -> None:
    """It closes its output first: the reader waits for the verdict when the block ends, and gets another error."""
    with pytest.raises(subprocess.CalledProcessError):
        async with await open_process("sh", "-c", f"exec >&-; {SILENT}") as process:
            reading = process.readable.get_reader().read()
    with pytest.raises(AbortError):
        await reading


async def test_a_failure_that_a_reader_was_told_of_is_not_raised_again() -> None:
    async with await open_process("sh", "-c", SILENT) as process:
        await process.writable.close()
        with pytest.raises(subprocess.CalledProcessError):
            await process.readable.bytes()


async def test_who_cancels_the_output_does_not_want_to_be_told() -> None:
    async with await open_process("sh", "-c", f"printf tea; {SILENT}") as process:
        async for chunk in process.readable:
            assert chunk == b"tea"
            break
    assert process.returncode == 3


@pytest.mark.parametrize("program", ["yes", "yes; true | exit 141"])
async def test_a_child_that_cannot_write_any_more_has_not_failed(program: str) -> None:
    async with await open_process("sh", "-c", program) as process:
        assert (await process.readable.get_reader().read()).value
    assert process.returncode in (-signal.SIGPIPE, 141)


@pytest.mark.parametrize("end", ["kill", "terminate"])
async def test_a_signal_of_ours_is_no_failure(end: str) -> None:
    async with await open_process("sleep", "100") as process:
        getattr(process, end)()
    assert process.returncode in (-signal.SIGKILL, -signal.SIGTERM)


async def test_a_signal_of_somebody_else_is_a_failure() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        async with await open_process("sh", "-c", "kill -TERM $$"):
            pass


async def test_a_pipe_into_a_child_that_has_failed_says_why() -> None:
    async with await open_process("sh", "-c", "exit 3") as process:
        await process.wait()
        with pytest.raises(subprocess.CalledProcessError):
            await process.readable.bytes()
    with pytest.raises(BrokenPipeError) as caught:
        async with await open_process("sh", "-c", "exit 3") as process:
            await process.wait()
            await ReadableStream.from_([b"precious"]).pipe_to(process.writable)
    stage = "in the stage open_process(), in its write()"
    assert caught.value.__notes__ == [stage, "Command '['sh', '-c', 'exit 3']' returned non-zero exit status 3."]
