"""Backpressure between streams and child processes, and who stops."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from typing import Any

import pytest

from webstreams import ReadableStream, open_process

from ..waiting import another_task, until
from . import processes
from .processes import is_gone, is_waiting, python

nothing_is_left = pytest.fixture(autouse=True)(processes.nothing_is_left)

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
    async with await open_process("yes", check=False) as process, another_task() as beats:
        received = 0
        async for chunk in process.readable:
            received += len(chunk)
            if received > 10_000_000:
                break
    assert beats.count > 11


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


@pytest.mark.parametrize("mode", [None, "byob"])
async def test_reads_that_wait_together_get_what_comes(mode: Any) -> None:
    """The first one is answered by what comes, and the next one waits on: the pipe is looked at for that one, too."""
    async with await open_process("cat") as process:
        assert process.stdin and process.stdout
        reader: Any = process.stdout.get_reader(mode=mode)
        reads = [reader.read(*([] if mode is None else [bytearray(8)])) for _ in range(4)]
        writer: Any = process.stdin.get_writer()
        async with asyncio.timeout(30):
            for read, data in zip(reads, [b"one", b"two", b"three"], strict=False):
                await writer.write(data)
                value, _ = await read
                assert bytes(value) == data
            await writer.close()
            assert (await reads[-1]).done


async def test_a_read_that_asks_for_more_than_comes_at_once_waits_for_the_rest() -> None:
    async with await open_process("cat") as process:
        assert process.stdin and process.stdout
        reader: Any = process.stdout.get_reader(mode="byob")
        writer: Any = process.stdin.get_writer()
        async with asyncio.timeout(30):
            given = 0
            read = reader.read(bytearray(64), min=40)
            while not read.done():
                await writer.write(b"0123456789")
                given += 10
                await asyncio.sleep(0.01)
            assert given >= 40
            value, _ = await read
            assert len(value) >= 40
            await writer.close()
