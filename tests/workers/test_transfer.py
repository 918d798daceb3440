"""Streams that are transferred: here, into a thread and into a process; every kind of end, and what is left behind."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import signal
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from multiprocessing import resource_sharer
from typing import Any

import pytest

from tests.ends.descriptors import open_sockets
from tests.faults.helpers import failure
from tests.waiting import until
from webstreams import (
    AbortController,
    AbortSignal,
    CompressionStream,
    DecompressionStream,
    Promise,
    ReadableStream,
    TextDecoderStream,
    TextEncoderStream,
    TransformStream,
    WritableStream,
    chunked,
    lines,
    share,
)
from webstreams._platform.errors import LoopEndedError
from webstreams.types import ReadableWritablePair
from webstreams.workers import Port, RemoteError, WorkerDied, message_channel, receive, transfer, worker, workers

from . import functions

pytestmark = pytest.mark.usefixtures("from_nursery")

KINDS = ("process", "thread")
BOTH = pytest.mark.parametrize("kind", KINDS)


@asynccontextmanager
async def elsewhere(kind: Any, function: Any, port: Port) -> AsyncIterator[ReadableStream[Any]]:
    """Run ``function(port)`` in another event loop; the stream has what it returns."""
    async with worker(partial(functions.use_port, function, port), kind=kind) as stage:
        yield stage.readable
    if kind == "thread":
        port.close()


async def result_of(readable: ReadableStream[Any]) -> Any:
    (value,) = await readable.list()
    return value


# Across threads and processes.


@BOTH
async def test_a_readable_stream_goes_there(kind: Any, channel: Any) -> None:
    here, there = channel
    chunks = ["text", b"bytes", bytearray(b"x" * 300_000), memoryview(b"view"), {"a": [1, None]}, "\ud800"]
    async with elsewhere(kind, functions.list_of, there) as returned:
        transfer(ReadableStream.from_(chunks), here)
        assert await result_of(returned) == [(type(chunk).__name__, chunk) for chunk in chunks]


@BOTH
async def test_a_readable_stream_comes_from_there(kind: Any, channel: Any) -> None:
    here, there = channel
    async with elsewhere(kind, functions.give_numbers, there) as returned:
        stream: Any = await receive(here)
        assert await stream.list() == list(range(100))
        here.close()
        assert await result_of(returned) is None


@BOTH
async def test_a_writable_stream_comes_from_there(kind: Any, channel: Any) -> None:
    here, there = channel
    async with elsewhere(kind, functions.collect_slowly, there) as returned:
        stream: Any = await receive(here)
        await ReadableStream.from_(range(50)).pipe_to(stream)
        here.close()
        assert await result_of(returned) == list(range(50))


@BOTH
async def test_a_transform_stream_comes_from_there(kind: Any, channel: Any) -> None:
    here, there = channel
    async with elsewhere(kind, functions.double_all, there) as returned:
        stream: Any = await receive(here)
        assert isinstance(stream, TransformStream)
        assert await ReadableStream.from_([1, "a"]).pipe_through(stream).list() == [2, "aa"]
        here.close()
        assert await result_of(returned) is None


@BOTH
async def test_credits_are_never_exceeded(kind: Any, channel: Any) -> None:
    """Counted at the source: the window, one chunk in the writable side there, and one that is being made."""
    here, there = channel
    acknowledgements: TransformStream[int, int] = TransformStream()
    writer = acknowledgements.writable.get_writer()
    async with elsewhere(kind, functions.count_credits, there) as returned:
        transfer(acknowledgements.readable, here)
        stream: Any = await receive(here)
        async for number in stream:
            await writer.write(number)
        await writer.close()
        # What is acknowledged is behind what is read by two chunks: one in each direction.
        assert 1 <= await result_of(returned) <= 4 + 2 + 2


@BOTH
async def test_the_end_of_the_other_loop_errors_both_sides(kind: Any, channel: Any) -> None:
    here, there = channel
    async with elsewhere(kind, functions.leave_with_streams, there):
        readable: Any = await receive(here)
        writable: Any = await receive(here)
        reader, writer = readable.get_reader(), writable.get_writer()
        # That of the loop, or what a loop that was ended abruptly leaves.
        for awaitable in (reader.closed, writer.closed):
            assert isinstance(await failure(awaitable), LoopEndedError | WorkerDied)


async def test_a_killed_process_errors_both_sides(channel: Any) -> None:
    here, there = channel
    async with worker(partial(functions.use_port, functions.hang_with_streams, there)) as stage:
        readable: Any = await receive(here)
        writable: Any = await receive(here)
        reader, writer = readable.get_reader(), writable.get_writer()
        await writer.write(b"x")
        pid = (await reader.read()).value
        os.kill(pid, signal.SIGKILL)
        for awaitable in (reader.closed, writer.closed):
            assert isinstance(await failure(awaitable), WorkerDied)
        assert isinstance(await failure(writer.write(1)), WorkerDied)
        assert isinstance(await failure(receive(here)), EOFError)
        with pytest.raises(WorkerDied) as caught:
            await stage.readable.list()
        assert caught.value.exitcode == -9


async def test_our_own_end_is_told_when_the_other_process_is_killed(channel: Any) -> None:
    here, there = channel
    reasons: list[Any] = []
    async with worker(partial(functions.use_port, functions.hang_with_streams, there)) as stage:
        transfer(ReadableStream({"pull": lambda controller: controller.enqueue(b"x"), "cancel": reasons.append}), here)
        transfer(WritableStream({"abort": reasons.append}), here)
        readable: Any = await receive(here)
        pid = (await readable.get_reader().read()).value
        os.kill(pid, signal.SIGKILL)
        await until(lambda: len(reasons) == 2)
        assert [type(reason) for reason in reasons] == [WorkerDied, WorkerDied]
        assert reasons[0].exitcode is None
        with pytest.raises(WorkerDied):
            await stage.readable.list()


async def test_a_port_moves_by_multiprocessing_and_its_pickle_is_its_end_here(channel: Any) -> None:
    here, there = channel
    data = pickle.dumps(there)
    assert "moved" in repr(there)
    with pytest.raises(ValueError, match="moved into another process"):
        transfer(ReadableStream(), there)
    moved = pickle.loads(data)
    transfer(ReadableStream.from_([1]), moved)
    stream: Any = await receive(here)
    assert await stream.list() == [1]
    moved.close()
    resource_sharer.stop()  # the socket of multiprocessing that the duplicate was asked of


async def test_one_port_is_for_one_worker(channel: Any) -> None:
    with pytest.raises(ValueError, match="one worker only"):
        workers(partial(functions.use_port, functions.list_of, channel[1]), count=2)


# The original.


async def test_the_original_is_locked_for_good(channel: Any) -> None:
    here, there = channel
    source: ReadableStream[int] = ReadableStream.from_([1])
    sink: WritableStream[int] = WritableStream()
    transfer(source, here)
    transfer(sink, here)
    assert source.locked
    assert sink.locked
    readable: Any = await receive(there)
    await readable.pipe_to(await receive(there))
    await until(lambda: "closed" in repr(source) and "closed" in repr(sink))
    for _ in range(10):
        await asyncio.sleep(0)
        assert source.locked
        assert sink.locked
    with pytest.raises(TypeError, match="locked to a transfer"):
        source.get_reader()
    with pytest.raises(TypeError, match="locked to a transfer"):
        sink.get_writer()


async def test_what_is_locked_cannot_be_transferred_and_stays_as_it_is(channel: Any) -> None:
    here, _ = channel
    pair: TransformStream[Any, Any] = TransformStream()
    reader = pair.readable.get_reader()
    for stream in (pair, pair.readable):
        with pytest.raises(TypeError, match="cannot transfer the stream: it is locked"):
            transfer(stream, here)
    assert not pair.writable.locked
    reader.release_lock()
    pair.writable.get_writer()
    with pytest.raises(TypeError, match="cannot transfer the stream: it is locked"):
        transfer(pair, here)
    assert not pair.readable.locked


async def test_streams_and_what_belongs_to_them_are_neither_pickled_nor_copied() -> None:
    reader: Any = ReadableStream({"type": "bytes"}).get_reader(mode="byob")
    controllers: list[Any] = []
    start: Any = {"start": controllers.append}
    ReadableStream(start)
    source: Any = {"type": "bytes", **start}
    stream: Any = ReadableStream(source)
    request = stream.get_reader(mode="byob").read(bytearray(1))
    WritableStream(start)
    TransformStream(start)
    things: list[Any] = [
        *(ReadableStream(), WritableStream(), TransformStream(), *controllers, controllers[1].byob_request),
        *(reader, ReadableStream().get_reader(), ReadableStream().values(), WritableStream().get_writer()),
        *(request, reader.closed, reader.read(bytearray(1)), Promise.resolve(1), WritableStream().close()),
        *(AbortController(), AbortSignal.abort(), share(ReadableStream())),
        *(TextEncoderStream(), TextDecoderStream(), CompressionStream("gzip"), DecompressionStream("gzip")),
        *(lines(), chunked(1)),
    ]
    assert len(things) == 26
    for thing in things:
        for function in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match=rf"cannot pickle or copy a {type(thing).__name__}: .*transfer\(\)"):
                function(thing)


async def test_any_pair_arrives_as_a_transform_stream(channel: Any) -> None:
    here, there = channel
    written: list[Any] = []

    class Pair:
        readable = ReadableStream.from_(["read"])
        writable: WritableStream[Any] = WritableStream({"write": lambda chunk, _: written.append(chunk)})

    pair: ReadableWritablePair[Any, Any] = Pair()
    transfer(pair, here)
    received: Any = await receive(there)
    assert "transform" in type(received).__name__.lower()
    assert "backpressure" not in repr(received)
    assert await received.readable.list() == ["read"]
    await ReadableStream.from_(["written"]).pipe_to(received.writable)
    await until(lambda: written == ["written"])


# Ends.


@pytest.mark.parametrize("window", [1, 8])
async def test_errors_go_over(window: int, channel: Any) -> None:
    here, there = channel

    async def failing() -> AsyncIterator[int]:
        yield 1
        raise KeyError("source")

    transfer(ReadableStream.from_(failing()), here, window=window)
    stream: Any = await receive(there)
    reader = stream.get_reader()
    assert (await reader.read()).value == 1
    with pytest.raises(KeyError, match="source") as caught:
        await reader.read()
    assert "in failing" in "".join(caught.value.__notes__)


@pytest.mark.parametrize("window", [1, 8])
async def test_cancelling_and_aborting_go_over_and_wait_for_nobody(window: int, channel: Any) -> None:
    here, there = channel
    reasons: dict[str, Any] = {}

    async def hang(where: str, reason: object) -> None:
        reasons[where] = reason
        await asyncio.get_running_loop().create_future()

    transfer(ReadableStream({"cancel": partial(hang, "source")}), here, window=window)
    transfer(WritableStream({"abort": partial(hang, "sink")}), here, window=window)
    readable: Any = await receive(there)
    writable: Any = await receive(there)
    await readable.cancel({"any": "object"})
    await writable.abort(lambda: None)
    await until(lambda: len(reasons) == 2)
    assert reasons["source"] == {"any": "object"}
    assert isinstance(reasons["sink"], RemoteError)
    assert "lambda" in str(reasons["sink"])


async def test_an_aborted_write_does_not_wait_for_the_other_end(channel: Any) -> None:
    """Not as the Standard has it: there, the write waits for a "pull"."""
    here, there = channel
    transfer(WritableStream({"start": lambda controller: asyncio.get_running_loop().create_future()}), here)
    writable: Any = await receive(there)
    writer = writable.get_writer()
    await writer.write(1)  # the writable side there has room for one
    written = writer.write(2)
    await writer.abort("stop")
    assert "stop" in str(await failure(written))


async def test_what_cannot_be_pickled_errors_both_ends(channel: Any) -> None:
    here, there = channel
    transfer(ReadableStream.from_([lambda: None]), here)
    stream: Any = await receive(there)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        await stream.list()
    reasons: list[Any] = []
    transfer(WritableStream({"abort": reasons.append}), here)
    writer = (await receive(there)).get_writer()
    with pytest.raises((AttributeError, pickle.PicklingError)) as caught:
        await writer.write(lambda: None)
    assert type(await failure(writer.closed)) is type(caught.value)
    await until(lambda: reasons)
    assert type(reasons[0]) is type(caught.value)


class Unpicklable:
    """Fails where it arrives."""

    def __reduce__(self) -> Any:
        return (int, ("no number",))


async def test_what_cannot_be_unpickled_errors_both_ends(channel: Any) -> None:
    here, there = channel
    reasons: list[Any] = []
    transfer(ReadableStream({"pull": lambda c: c.enqueue(Unpicklable()), "cancel": reasons.append}), here)
    stream: Any = await receive(there)
    with pytest.raises(ValueError, match="no number"):
        await stream.list()
    await until(lambda: reasons)
    assert isinstance(reasons[0], ValueError)


async def test_a_dropped_stream_is_cancelled_or_aborted(channel: Any) -> None:
    here, there = channel
    reasons: list[Any] = []
    transfer(ReadableStream({"cancel": reasons.append}), here)
    transfer(WritableStream({"abort": reasons.append}), here)
    for _ in range(2):
        await receive(there)
    await until(lambda: gc.collect() >= 0 and len(reasons) == 2)
    assert [str(reason) for reason in reasons] == ["the stream was dropped"] * 2


async def test_a_stream_that_only_a_pipe_has_is_kept(channel: Any) -> None:
    here, there = channel
    written: list[int] = []
    controllers: list[Any] = []
    transfer(ReadableStream({"start": controllers.append}), here)

    async def connect() -> None:
        stream: Any = await receive(there)
        stream.pipe_to(WritableStream({"write": lambda chunk, _: written.append(chunk)})).then(None, lambda _: None)

    await connect()
    for number in range(3):
        gc.collect()
        controllers[0].enqueue(number)
        await until(lambda: len(written) == number + 1)  # noqa: B023
    controllers[0].close()


async def test_streams_that_nobody_has_received_are_ended_with_their_port(channel: Any) -> None:
    here, there = channel
    reasons: list[Any] = []
    transfer(ReadableStream({"cancel": reasons.append}), here)
    transfer(WritableStream({"abort": reasons.append}), here)
    there.close()
    await until(lambda: len(reasons) == 2)
    assert [type(reason) for reason in reasons] == [WorkerDied, WorkerDied]
    with pytest.raises(BrokenPipeError):
        transfer(ReadableStream(), here)


async def test_the_port_can_be_closed_while_streams_go_on(channel: Any) -> None:
    here, there = channel
    transfer(ReadableStream.from_(range(100)), here)
    stream: Any = await receive(there)
    here.close()
    there.close()
    assert await stream.list() == list(range(100))


def test_the_end_of_a_loop_is_told_and_leaves_no_descriptor() -> None:
    before = open_sockets()
    told: list[BaseException] = []
    here, there = message_channel()

    async def leave() -> None:
        transfer(ReadableStream(), here)
        transfer(WritableStream(), here)

    async def hear() -> None:
        for _ in range(2):
            stream: Any = await receive(there)
            end = stream.get_reader() if isinstance(stream, ReadableStream) else stream.get_writer()
            told.append(await failure(end.closed))

    asyncio.run(leave())
    asyncio.run(hear())
    assert [type(reason) for reason in told] == [LoopEndedError, LoopEndedError]
    here.close()
    there.close()
    gc.collect()
    assert open_sockets() <= before


# Receiving.


async def test_a_cancelled_receive_takes_nothing_and_others_get_them_in_turn(channel: Any) -> None:
    here, there = channel
    first, second, third = (asyncio.ensure_future(receive(there)) for _ in range(3))
    await asyncio.sleep(0)
    transfer(ReadableStream.from_([1]), here)
    transfer(ReadableStream.from_([2]), here)
    await until(lambda: not there._waiters or len(there._waiters) < 3)
    first.cancel()
    await asyncio.wait([first])
    found = []
    if not first.cancelled():
        found.append(await first.result().list())
    for task in (second, third)[: 2 - len(found)]:
        found.append(await (await task).list())
    assert sorted(found) == [[1], [2]]
    for task in (second, third):
        task.cancel()
    await asyncio.wait([second, third])


async def test_a_stream_that_came_for_a_cancelled_receive_is_for_the_next(channel: Any) -> None:
    here, there = channel
    task = asyncio.ensure_future(receive(there))
    await asyncio.sleep(0)
    transfer(ReadableStream.from_([1]), here)
    there._readable()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    stream: Any = await receive(there)
    assert await stream.list() == [1]


async def test_receiving_ends_with_the_other_port(channel: Any) -> None:
    here, there = channel
    task = asyncio.ensure_future(receive(there))
    await asyncio.sleep(0)
    here.close()
    with pytest.raises(EOFError, match="other end of the channel has gone"):
        await task
    with pytest.raises(ValueError, match="the port is closed"):
        await receive(there)


async def test_a_port_is_used_by_one_loop_at_a_time(channel: Any) -> None:
    here, there = channel
    task = asyncio.ensure_future(receive(there))
    await asyncio.sleep(0)
    errors: list[BaseException] = []

    def use() -> None:
        try:
            asyncio.run(receive(there))
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert "another event loop" in str(errors[0])
    transfer(ReadableStream.from_([1]), here)
    assert await (await task).list() == [1]


async def test_a_full_port_says_so_and_leaves_the_stream_as_it_was(channel: Any) -> None:
    here, _ = channel
    connections = socket.socketpair()
    try:
        with pytest.raises(BlockingIOError):
            while True:
                here.send(1, 1, [connections[0]])
        stream: ReadableStream[int] = ReadableStream.from_([1])
        with pytest.raises(BlockingIOError):
            transfer(stream, here)
        assert not stream.locked
        assert await stream.list() == [1]
    finally:
        for connection in connections:
            connection.close()
