"""Standard input, output and error of a real process: a child that uses this library."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import pty
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

import webstreams
from webstreams import Process, ReadableStream, open_process

from ..loops import LOOP_FACTORIES

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(webstreams.__file__).parent.parent)}
HEAD = """
import asyncio, os, sys, time
from webstreams import ReadableStream, standard_error, standard_input, standard_output
"""
COPY = """
async def main():
    await standard_input().pipe_to(standard_output())
    for descriptor in (0, 1, 2):
        os.fstat(descriptor)
asyncio.run(main())
"""

# For what does not depend on how the child begins.
FORKED = pytest.mark.usefixtures("from_nursery")
# How the child reads and writes: as the system can, or always in threads; what it does for that before anything else.
WAYS = {"at once": "", "in threads": 'os.__dict__.pop("RWF_NOWAIT", None)\n'}
FIRST: ContextVar[str] = ContextVar("FIRST", default="")


def in_each_way(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Have a test run for each way, on different event loops: the child, which it is about, has a loop of its own."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        for way, (loop, factory) in zip(WAYS, cycle(LOOP_FACTORIES.items())):
            try:
                with asyncio.Runner(loop_factory=factory) as runner:
                    context = contextvars.copy_context()
                    context.run(FIRST.set, WAYS[way])
                    runner.run(test(**fixtures), context=context)
            except BaseException as error:
                error.add_note(f"{way}, on the loop {loop!r}")
                raise

    return run


async def child(program: str, **options: Any) -> Process:
    return await open_process(
        sys.executable, "-W", "error", "-c", HEAD + FIRST.get() + program, env=ENVIRONMENT, **options
    )


@in_each_way
async def test_pipes() -> None:
    data = [os.urandom(100_000) for _ in range(20)]
    async with await child(COPY) as process:
        assert await ReadableStream.from_(data).pipe_through(process).bytes() == b"".join(data)


@FORKED
@in_each_way
async def test_files(tmp_path: Path) -> None:
    data = os.urandom(1_000_000)
    (tmp_path / "in").write_bytes(data)
    with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as target:
        async with await child(COPY, stdin=source, stdout=target) as process:
            assert await process.wait() == 0
    assert (tmp_path / "out").read_bytes() == data


@FORKED
@in_each_way
async def test_a_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = await child(COPY, stdin=theirs, stdout=theirs)
        async with process:
            ours.sendall(b"tea")
            ours.shutdown(socket.SHUT_WR)
            assert await asyncio.to_thread(ours.recv, 10) == b"tea"


@FORKED
@in_each_way
async def test_a_terminal() -> None:
    ours, theirs = pty.openpty()
    try:
        process = await child(COPY, stdin=theirs, stdout=subprocess.PIPE)
        async with process:
            os.write(ours, b"tea\n\x04")
            assert await process.readable.text() == "tea\n"
        # The terminal is as it was: other processes have it, too.
        assert os.get_blocking(theirs)
    finally:
        os.close(theirs)
        os.close(ours)


@FORKED
@in_each_way
async def test_an_empty_input() -> None:
    async with await child(COPY, stdin=subprocess.DEVNULL) as process:
        assert await process.readable.bytes() == b""


@FORKED
@in_each_way
async def test_standard_error() -> None:
    program = """
async def main():
    await ReadableStream.from_([b"no ", b"tea"]).pipe_to(standard_error())
asyncio.run(main())
"""
    async with await child(program, stdin=None, stdout=None, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert await process.stderr.text() == "no tea"


@FORKED
@in_each_way
async def test_a_byob_reader() -> None:
    program = """
async def main():
    reader = standard_input().get_reader(mode="byob")
    result = await reader.read(bytearray(3), min=3)
    print(bytes(result.value), flush=True)
    result = await reader.read(bytearray(3))
    print(bytes(result.value))
    print((await reader.read(bytearray(3))).done)
asyncio.run(main())
"""
    async with await child(program) as process:
        text = await ReadableStream.from_([b"te", b"apo"]).pipe_through(process).text()
    assert text == "b'tea'\nb'po'\nTrue\n"


@FORKED
@in_each_way
async def test_nothing_is_read_before_somebody_reads() -> None:
    program = """
async def main():
    stream = standard_input()
    await asyncio.sleep(0.02)
    await stream.cancel()
asyncio.run(main())
print(os.read(0, 10))
"""
    async with await child(program) as process:
        assert await ReadableStream.from_([b"tea"]).pipe_through(process).text() == "b'tea'\n"


@FORKED
@in_each_way
async def test_a_read_that_waits_holds_up_neither_cancelling_nor_the_end() -> None:
    program = """
async def main():
    reader = standard_input().get_reader()
    reading = reader.read()
    await asyncio.sleep(0.02)
    await reader.cancel()
    os.write(1, b"%r\\n" % (await reading).done)
    other = standard_input().get_reader()
    task = asyncio.ensure_future(asyncio.wait_for(other.read(), 100))
    await asyncio.sleep(0.02)
asyncio.run(main())
os.write(1, b"over\\n")
print(os.read(0, 10))
"""
    async with await child(program) as process:
        reader = process.readable.get_reader()
        said = b""
        while not said.endswith(b"over\n"):
            said += (await reader.read()).value or b""
        assert said == b"True\nover\n"
        await ReadableStream.from_([b"tea"]).pipe_to(process.writable)
        reader.release_lock()
        assert await process.readable.text() == "b'tea'\n"


@FORKED
@in_each_way
async def test_cancelling_leaves_no_descriptor() -> None:
    program = """
async def main():
    await asyncio.sleep(0)
    before = os.listdir("/proc/self/fd")
    reader = standard_input().get_reader()
    reading = reader.read()
    writer = standard_output().get_writer()
    await writer.write(b"tea")
    await asyncio.sleep(0.02)
    await reader.cancel()
    await writer.close()
    assert os.listdir("/proc/self/fd") == before
    assert asyncio.all_tasks() == {asyncio.current_task()}
asyncio.run(main())
"""
    async with await child(program) as process:
        assert await process.readable.text() == "tea"


@FORKED
@in_each_way
async def test_aborting_a_write_that_waits() -> None:
    program = """
async def main():
    writer = standard_output().get_writer()
    written = writer.write(b"x" * 10_000_000)
    await asyncio.sleep(0.02)
    assert not written.done()
    await writer.abort(ValueError("stop"))
    try:
        await written
    except ValueError as error:
        await ReadableStream.from_([b"aborted"]).pipe_to(standard_error())
asyncio.run(main())
"""
    async with await child(program, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert await process.stderr.text() == "aborted"


@FORKED
@in_each_way
async def test_a_reader_that_has_gone_is_a_broken_pipe() -> None:
    program = """
async def main():
    try:
        while True:
            await ReadableStream.from_([b"x" * 100_000]).pipe_to(standard_output())
    except BrokenPipeError as error:
        await ReadableStream.from_([repr(error).encode()]).pipe_to(standard_error())
asyncio.run(main())
"""
    async with await child(program, stderr=subprocess.PIPE) as process:
        reader = process.readable.get_reader()
        await reader.read()
        await reader.cancel()
        assert process.stderr is not None
        assert await process.stderr.text() == "BrokenPipeError(32, 'Broken pipe')"


@FORKED
@in_each_way
async def test_an_input_that_cannot_be_read() -> None:
    program = """
async def main():
    os.dup2(os.open("/", os.O_RDONLY), 0)
    try:
        await standard_input().get_reader().read()
    except OSError as error:
        print(repr(error))
asyncio.run(main())
"""
    async with await child(program) as process:
        assert await process.readable.text() == "IsADirectoryError(21, 'Is a directory')\n"


@in_each_way
async def test_a_process_that_was_begun_with_a_closed_descriptor() -> None:
    """What got the number since then, as the event loop or a file, is neither read nor written."""
    program = """
async def main():
    for use in (standard_input().bytes(), ReadableStream.from_([b"lost"]).pipe_to(standard_output())):
        try:
            await use
        except OSError as error:
            os.write(2, f"{error}\\n".encode())
asyncio.run(main())
"""
    shell = "sh", "-c", 'exec "$0" -c "$1" <&- >&-', sys.executable
    code = HEAD + FIRST.get() + program
    async with await open_process(
        *shell, code, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        said = await process.stderr.lines().list()
    assert [each.partition(b":")[0] for each in said] == [
        b"[Errno 9] this process was begun with a closed stdin",
        b"[Errno 9] this process was begun with a closed stdout",
    ]


@FORKED
@in_each_way
async def test_the_loop_runs_on_while_nobody_reads_the_output() -> None:
    program = """
async def main():
    writing = ReadableStream({"pull": lambda controller: controller.enqueue(b"x" * 10_000)}).pipe_to(standard_output())
    for turn in range(10):
        await asyncio.sleep(0.001)
    os.write(2, b"turned\\n")
    await writing
asyncio.run(main())
"""
    async with await child(program, stderr=subprocess.PIPE, check=False) as process:
        assert process.stderr is not None
        assert (await process.stderr.get_reader().read()).value == b"turned\n"
        process.kill()


async def test_there_must_be_a_loop() -> None:
    with pytest.raises(RuntimeError):
        await asyncio.to_thread(webstreams.standard_input)
