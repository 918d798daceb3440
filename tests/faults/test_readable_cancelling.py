"""Cancelling, releasing and dropping readable streams (R17 to R20)."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from webstreams import Promise, ReadableStream, WritableStream

from .helpers import (
    BOTH_KINDS,
    SOURCES,
    ByteSource,
    RecordingSource,
    failure,
    other_tasks,
    quiet,
    soon,
    stream_of,
    turns,
)

# Cancelling and releasing.


@BOTH_KINDS
async def test_r17_cancel_with_a_read_pending(kind: str) -> None:
    """cancel() while a read waits: the read is done at once, cancel settles with the source's, no task is left."""
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def slow() -> None:
        await gate

    source = SOURCES[kind](slow)
    reader = stream_of(source).get_reader()
    pending = reader.read()
    await turns()
    cancelled = reader.cancel("enough")
    assert pending.done()
    assert await pending == (None, True)
    await turns()
    assert source.cancellations == ["enough"]
    assert not cancelled.done()
    gate.set_result(None)
    await soon(cancelled)
    await turns()
    assert not other_tasks()


def test_r17_program_can_exit() -> None:
    """A program that ends with a read pending on a cancelled stream comes to its end."""

    async def main() -> tuple[Any, bool]:
        reader = stream_of(RecordingSource()).get_reader()
        pending = asyncio.ensure_future(reader.read())
        await turns()
        await reader.cancel()
        return await pending

    assert asyncio.run(main()) == (None, True)


@BOTH_KINDS
async def test_r18_release_with_reads_pending(kind: str) -> None:
    """release_lock() with reads pending: TypeError for each of them, the later chunk goes to the next reader."""
    source = SOURCES[kind]()
    stream = stream_of(source)
    reader = stream.get_reader()
    reads = [reader.read(), reader.read()]
    await turns()
    reader.release_lock()
    source.controller.enqueue(b"later")
    for each in reads:
        assert isinstance(await failure(each), TypeError)
    assert await soon(stream.get_reader().read()) == (b"later", False)


async def test_r18_release_with_byob_reads_pending() -> None:
    """The same with BYOB reads: the later bytes go to the next reader."""
    source = ByteSource()
    stream = stream_of(source)
    reader = stream.get_reader(mode="byob")
    reads = [reader.read(bytearray(3)), reader.read(bytearray(3))]
    await turns()
    reader.release_lock()
    for each in reads:
        assert isinstance(await failure(each), TypeError)
    source.controller.enqueue(b"later")
    assert await soon(stream.get_reader().read()) == (b"later", False)


@pytest.mark.parametrize("mode", [None, "byob"])
@pytest.mark.parametrize("looked_at", [False, True])
async def test_r19_release_with_nobody_watching_closed(mode: Any, looked_at: bool) -> None:
    """release_lock() when nobody waits for `closed`: nothing is reported, not even by the garbage collection."""
    with quiet():
        reader = stream_of(ByteSource()).get_reader(mode=mode)
        if looked_at:
            assert not reader.closed.done()
        reader.release_lock()
        assert isinstance(reader.closed.exception(), TypeError) is True
        del reader
        await turns()


@pytest.mark.parametrize("mode", [None, "byob"])
async def test_r19_release_and_error_unseen(mode: Any) -> None:
    """A stream that errors and a lock that is released, with `closed` created and never used: nothing is reported."""
    with quiet():
        source = ByteSource()
        reader = stream_of(source).get_reader(mode=mode)
        _ = reader.closed
        source.controller.error("nobody cares")
        reader.release_lock()
        del reader, source
        await turns()


class Waking:
    """Ends its stream from a coroutine that only its own task keeps alive."""

    def __init__(self, ending: str) -> None:
        self._ending = ending

    async def pull(self, controller: Any) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        if self._ending == "close":
            controller.close()
        else:
            controller.error(KeyError(self._ending))


@pytest.mark.parametrize("ending", ["close", "error"])
async def test_r20_closed_settles_when_only_it_is_kept(ending: str) -> None:
    """Only `reader.closed` is kept, stream and reader are dropped and collected: it settles all the same."""
    closed: Promise[None] = ReadableStream[Any](Waking(ending)).get_reader().closed
    for _ in range(6):
        gc.collect()
        await asyncio.sleep(0)
    gc.collect()
    if ending == "close":
        await soon(closed)
    else:
        assert isinstance(await failure(closed), KeyError)


async def test_r20_pipe_settles_when_only_its_promise_is_kept() -> None:
    """Only the promise of pipe_to() is kept, both streams are dropped and collected: it settles all the same."""
    finished = ReadableStream[Any](Waking("close")).pipe_to(WritableStream())
    for _ in range(6):
        gc.collect()
        await asyncio.sleep(0)
    await soon(finished)
