"""Child processes as streams, with real ones."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import Buffer

from webstreams import AbortError, Process, ReadableStream, TransformStream, open_process
from webstreams.ends._processes.pipe_ends import PipeSink, PipeSource

from ..waiting import until
from .descriptors import open_descriptors

PYTHON = sys.executable
PIECE = 64 * 1024


def descriptors() -> set[str]:
    """Pipes and files that are open; sockets are the event loop's."""
    return {f"{number} {target}" for number, target in open_descriptors().items() if target.startswith(("pipe:", "/"))}


def is_waiting(end: PipeSink | PipeSource | None) -> bool:
    """Whether the loop watches a pipe."""
    return bool(end._waiting if isinstance(end, PipeSink) else end and end._is_waiting)


def is_gone(pid: int) -> bool:
    """Whether a child has ended and was reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture(autouse=True)
async def nothing_is_left(reported: list[dict[str, Any]]) -> AsyncIterator[None]:
    """No descriptor, no task, nothing reported."""
    async with await open_process("true"):
        pass  # whatever the event loop needs for children
    before = descriptors()
    yield
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in tasks if "webstreams" in repr(task) or "processes" in repr(task)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert descriptors() == before
    assert reported == []


async def python(program: str, **options: Any) -> Process:
    return await open_process(PYTHON, "-c", program, **options)


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


# Backpressure, and who stops.


async def test_a_consumer_that_stops_stops_the_child() -> None:
    program = """
import os, sys
os.set_blocking(1, False)
done = 0
while True:
    try:
        done += os.write(1, b"x" * 4096)
    except BlockingIOError:
        print(done, file=sys.stderr, flush=True)
        os.set_blocking(1, True)
        done += os.write(1, b"x")
"""
    async with await python(program, stderr=subprocess.PIPE, check=False) as process:
        assert process.stderr is not None
        reader = process.readable.get_reader()
        assert (await reader.read()).value
        first = (await process.stderr.get_reader().read()).value
        assert first is not None
        assert int(first.split()[-1]) < 1_000_000
        process.kill()


async def test_a_consumer_that_stops_stops_the_source() -> None:
    taken = 0

    def pull(controller: Any) -> None:
        nonlocal taken
        taken += 10_000
        controller.enqueue(b"x" * 10_000)

    async with await open_process("cat") as process:
        reader = ReadableStream({"pull": pull}).pipe_through(process).get_reader()
        assert (await reader.read()).value
        await until(lambda: is_waiting(process._ends.stdin))
        assert taken < 1_000_000
        process.kill()


async def test_an_endless_child_leaves_the_loop_its_turn() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with await open_process("yes", check=False) as process:
        counting = asyncio.ensure_future(count())
        received = 0
        async for chunk in process.readable:
            received += len(chunk)
            if received > 10_000_000:
                break
        counting.cancel()
        with suppress(asyncio.CancelledError):
            await counting
    assert turns > 10


async def test_cancelling_closes_the_pipe() -> None:
    async with await open_process("yes") as process:
        reader = process.readable.get_reader()
        assert (await reader.read()).value
        await reader.cancel()
        assert await process.wait() == -signal.SIGPIPE
    assert is_gone(process.pid)


async def test_cancelling_while_a_read_waits() -> None:
    async with await open_process("cat") as process:
        reader = process.readable.get_reader()
        reading = reader.read()
        await asyncio.sleep(0)
        await reader.cancel()
        assert (await reading).done


async def test_a_cancelled_task_loses_no_byte() -> None:
    async with await open_process("cat") as process:
        reader = process.readable.get_reader()
        task = asyncio.ensure_future(take(reader))
        await until(lambda: is_waiting(process._ends.stdout))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        reader.release_lock()
        await ReadableStream.from_([b"tea"]).pipe_to(process.writable)
        assert await process.readable.text() == "tea"


async def take(reader: Any) -> Any:
    return await reader.read()


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


# Groups.

FAMILY = "sleep 1000 & echo $!; echo $$; wait"


async def family(**options: Any) -> tuple[Process, int]:
    """A child that has started another; and the process id of that."""
    process = await open_process("sh", "-c", options.pop("program", FAMILY), group=True, **options)
    reader = process.readable.get_reader()
    line = b""
    while line.count(b"\n") < 2:
        line += (await reader.read()).value or b""
    reader.release_lock()
    grandchild, child = map(int, line.split())
    assert child == process.pid and os.getpgid(grandchild) == process.pid != os.getpgid(0)
    return process, grandchild


def has_ended(pid: int) -> bool:
    """Whether a process that is not ours has ended; whoever has adopted it may not have reaped it."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("end", ["kill", "terminate", "send_signal"])
async def test_a_signal_reaches_the_whole_group(end: str) -> None:
    process, grandchild = await family()
    getattr(process, end)(*([signal.SIGUSR1] if end == "send_signal" else []))
    await process.wait()
    await until(lambda: has_ended(grandchild))
    await process.readable.cancel()


async def test_what_is_left_of_a_group_ends_with_its_leader() -> None:
    """It holds the pipe open: without the group, the output would not end for a thousand seconds."""
    process, grandchild = await family(program="sleep 1000 & echo $!; echo $$")
    async with process:
        assert await process.readable.bytes() == b""
        assert process.returncode == 0
    await until(lambda: has_ended(grandchild))


async def test_a_block_that_raises_ends_the_group() -> None:
    process, grandchild = await family()
    with pytest.raises(ValueError, match="stop"):
        async with process:
            raise ValueError("stop")
    await until(lambda: has_ended(grandchild))


async def test_aborting_the_input_ends_the_group() -> None:
    process, grandchild = await family()
    await process.writable.abort("stop")
    await process.wait()
    await until(lambda: has_ended(grandchild))


async def test_a_signal_after_the_end_reaches_nobody() -> None:
    process, _ = await family(program="sleep 1000 & echo $!; echo $$")
    await process.readable.cancel()
    await process.wait()
    process.kill()
    process.terminate()


async def test_a_system_without_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "killpg")
    with pytest.raises(ValueError, match="group=True needs process groups"):
        await open_process("true", group=True)


async def test_a_system_that_only_reaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "waitid")
    process, grandchild = await family(program="sleep 1000 & echo $!; echo $$")
    async with process:
        assert await process.readable.bytes() == b""
    await until(lambda: has_ended(grandchild))


async def test_waiting_can_be_cancelled() -> None:
    async with await open_process("cat") as process:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(process.wait(), 0.01)
        assert process.returncode is None
        assert "running" in repr(process)
    assert "returncode=0" in repr(process)


async def test_without_a_block() -> None:
    process = await open_process("echo", "tea")
    assert await process.readable.text() == "tea\n"
    assert await process.wait() == 0


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
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


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
