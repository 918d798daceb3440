"""Readable streams that are closed while something else goes on, and their end (R1, R2, R22 and others)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from webstreams import ReadableStream, TransformStream, WritableStream

from .helpers import (
    BOTH_KINDS,
    SOURCES,
    RecordingSource,
    failure,
    other_tasks,
    quiet,
    read_all,
    reason,
    soon,
    stream_of,
    turns,
)

# Closing and enqueueing.


@BOTH_KINDS
async def test_r1_second_close_is_a_type_error_at_the_call(kind: str) -> None:
    """The last chunk and close() in one pull, another path closes too: TypeError there, the reader sees no trouble."""
    refusals: list[Exception] = []

    def close_again(controller: Any) -> None:
        with pytest.raises(TypeError) as caught:
            controller.close()
        refusals.append(caught.value)

    def pull(controller: Any) -> None:
        asyncio.get_running_loop().call_soon(close_again, controller)
        controller.enqueue(b"last")
        controller.close()
        close_again(controller)

    source = SOURCES[kind]()
    source.pull = pull
    with quiet():
        assert await read_all(stream_of(source, 0)) == [b"last"]
        await turns()
    assert len(refusals) == 2


async def test_r1_second_close_inside_the_library_does_nothing() -> None:
    """terminate() in flush() closes the readable side that the end of flush() closes as well: nothing is raised."""

    def flush(controller: Any) -> None:
        controller.enqueue("last")
        controller.terminate()

    with quiet():
        transform: TransformStream[Any, Any] = TransformStream({"flush": flush})
        closing = transform.writable.close()
        assert await read_all(transform.readable) == ["last"]
        await soon(closing)


async def test_r2_producer_goes_on_after_cancel() -> None:
    """The consumer of a from_() stream cancels: what the producer emits or raises afterwards reaches nobody."""
    go_on = asyncio.Event()
    emitted: list[str] = []

    async def produce() -> AsyncIterator[str]:
        try:
            yield "first"
            await go_on.wait()
            yield "second"
        finally:
            emitted.append("end")

    with quiet():
        reader = ReadableStream.from_(produce()).get_reader()
        assert (await soon(reader.read())).value == "first"
        pending = reader.read()
        await turns()
        cancelled = reader.cancel("enough")
        go_on.set()
        await soon(cancelled)
        assert await soon(pending) == (None, True)
        await turns()
    assert emitted == ["end"]


class LateProducer:
    """Emits, ends or fails only when it is closed or its task is cancelled."""

    def __init__(self, ending: str) -> None:
        self._ending = ending
        self._closed = asyncio.Event()

    def __aiter__(self) -> LateProducer:
        return self

    async def __anext__(self) -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await self._closed.wait()
        if self._ending == "emit":
            return "late"
        raise StopAsyncIteration if self._ending == "end" else KeyError("late")

    async def aclose(self) -> None:
        self._closed.set()


@pytest.mark.parametrize("ending", ["emit", "end", "fail"])
async def test_r2_producer_emits_or_ends_when_it_is_cancelled(ending: str) -> None:
    """The iterator behind a from_() stream emits, ends or fails because it is cancelled: nothing escapes."""
    with quiet():
        reader = ReadableStream.from_(LateProducer(ending)).get_reader()
        pending = reader.read()
        await turns()
        await soon(reader.cancel("enough"))
        assert await soon(pending) == (None, True)
        await turns()
        assert not other_tasks()


@pytest.mark.parametrize("ending", ["write", "close", "abort"])
async def test_r2_writer_goes_on_after_the_readable_side_is_cancelled(ending: str) -> None:
    """The readable side of a transform stream is cancelled, then the producer writes, closes or aborts: nothing
    escapes."""
    with quiet():
        transform: TransformStream[Any, Any] = TransformStream()
        writer = transform.writable.get_writer()
        await soon(transform.readable.cancel("enough"))
        outcome = getattr(writer, ending)()
        if ending == "write":
            assert await reason(outcome) == "enough"
        elif ending == "close":
            assert isinstance(await failure(outcome), TypeError)
        else:
            await soon(outcome)
        await turns()


@BOTH_KINDS
@pytest.mark.parametrize("ending", ["enqueue", "close", "error"])
async def test_r2_source_goes_on_after_both_branches_are_cancelled(kind: str, ending: str) -> None:
    """Both branches of a tee are cancelled, then the producer emits or ends: TypeError or nothing, at the call."""
    source = SOURCES[kind]()
    with quiet():
        branches = stream_of(source).tee()
        await soon(asyncio.gather(*(branch.cancel() for branch in branches)))
        if ending == "error":
            source.controller.error("late")
        else:
            with pytest.raises(TypeError):
                getattr(source.controller, ending)(*[b"late"][: ending == "enqueue"])
        await turns()


@BOTH_KINDS
async def test_r3_enqueue_after_cancel_is_a_type_error_at_the_call(kind: str) -> None:
    """enqueue() after cancel(): TypeError at the call, from inside and outside of pull(), and everything else lives."""
    released = asyncio.Event()
    refusals: list[Exception] = []

    async def pull(controller: Any) -> None:
        await released.wait()
        with pytest.raises(TypeError, match="closed") as caught:
            controller.enqueue(b"late")
        refusals.append(caught.value)

    source = SOURCES[kind]()
    source.pull = pull
    with quiet():
        stream = stream_of(source, 1)
        await turns()
        await soon(stream.cancel())
        with pytest.raises(TypeError, match="closed"):
            source.controller.enqueue(b"late")
        released.set()
        await turns()
        assert len(refusals) == 1
        assert await read_all(stream) == []


# Ending with chunks in the queue.


@BOTH_KINDS
async def test_r21_error_after_a_close_that_waits_for_the_queue(kind: str) -> None:
    """close() with a chunk queued, then error(): errored, the queue dropped, `desired_size` right before and after."""
    source = SOURCES[kind]()
    stream = stream_of(source, 10)
    source.controller.enqueue(b"x")
    source.controller.enqueue(b"y")
    source.controller.close()
    assert source.controller.desired_size == 8
    source.controller.error("broken")
    assert source.controller.desired_size is None
    assert await reason(stream.get_reader().read()) == "broken"


def sized_stream(size: Callable[[Any, Any], float]) -> tuple[ReadableStream[Any], RecordingSource]:
    """A stream whose size function gets the controller too."""
    source = RecordingSource()
    return stream_of(source, 5, lambda chunk: size(source.controller, chunk)), source


async def test_r22_enqueue_inside_size() -> None:
    """size() enqueues: the inner chunk comes first."""

    def size(controller: Any, chunk: str) -> int:
        if chunk == "outer":
            controller.enqueue("inner")
        return 1

    stream, source = sized_stream(size)
    source.controller.enqueue("outer")
    source.controller.close()
    assert await read_all(stream) == ["inner", "outer"]


async def test_r22_read_inside_size() -> None:
    """size() reads: the read waits for the next chunk, which overtakes the measured one."""
    reads: list[Any] = []

    def size(controller: Any, chunk: str) -> int:
        reads.append(reader.read())
        return 1

    stream, source = sized_stream(size)
    reader = stream.get_reader()
    source.controller.enqueue("first")
    source.controller.enqueue("second")
    assert await soon(reads[0]) == ("second", False)
    assert await soon(reader.read()) == ("first", False)
    assert len(reads) == 1


async def test_r22_close_inside_size() -> None:
    """size() closes: with an empty queue at once, with chunks in the queue after these."""

    def size(controller: Any, chunk: str) -> int:
        if chunk == "last":
            controller.close()
        return 1

    stream, source = sized_stream(size)
    source.controller.enqueue("last")
    assert await read_all(stream) == []
    stream, source = sized_stream(size)
    source.controller.enqueue("first")
    source.controller.enqueue("last")
    assert await read_all(stream) == ["first", "last"]


@pytest.mark.parametrize("chunk", ["good", "bad"])
async def test_r22_error_inside_size(chunk: str) -> None:
    """size() errors the stream, and may raise or give nonsense after that: the first error stays."""

    def size(controller: Any, chunk: str) -> float:
        controller.error("first error")
        return 1 if chunk == "good" else -1

    stream, source = sized_stream(size)
    if chunk == "good":
        source.controller.enqueue(chunk)
    else:
        with pytest.raises(ValueError):
            source.controller.enqueue(chunk)
    assert await reason(stream.get_reader().read()) == "first error"


async def test_r22_cancel_inside_size() -> None:
    """size() cancels: the source hears it once, reads are done."""
    streams: list[ReadableStream[Any]] = []

    def size(controller: Any, chunk: str) -> int:
        streams[0].cancel("inside")
        return 1

    stream, source = sized_stream(size)
    streams.append(stream)
    source.controller.enqueue("chunk")
    assert source.cancellations == ["inside"]
    assert await read_all(stream) == []


@pytest.mark.parametrize(("ending", "started"), [("error", False), ("error", True), ("abort", True)])
async def test_r23_write_while_erroring_does_not_call_size(ending: str, started: bool) -> None:
    """write() on a stream that is erroring or errored: rejected with the error, and a cleared size() is not called."""
    measured: list[Any] = []
    controllers: list[Any] = []
    gate = asyncio.Event()

    async def start(controller: Any) -> None:
        controllers.append(controller)
        if not started:
            await gate.wait()

    def size(chunk: Any) -> int:
        measured.append(chunk)
        return 1

    writer = WritableStream[Any]({"start": start}, {"high_water_mark": 1, "size": size}).get_writer()
    await turns()
    if ending == "error":
        controllers[0].error("broken")
    else:
        writer.abort("broken")._mark_handled()
    assert await reason(writer.write("while erroring")) == "broken"
    gate.set()
    await turns()
    assert await reason(writer.write("when errored")) == "broken"
    assert measured == []


async def test_r23_size_that_aborts_its_own_stream() -> None:
    """size() itself makes the stream erroring: the write that is being measured is rejected with that reason."""
    calls: list[Any] = []

    def size(chunk: Any) -> int:
        calls.append(chunk)
        writer.abort("from size")._mark_handled()
        return 1

    writer = WritableStream[Any]({}, {"high_water_mark": 1, "size": size}).get_writer()
    await turns()
    assert await reason(writer.write("a")) == "from size"
    assert await reason(writer.write("b")) == "from size"
    assert calls == ["a"]


# The end.


@pytest.mark.parametrize("watch_first", ["read", "closed"])
@BOTH_KINDS
async def test_r28_closed_settles_before_the_pending_read(kind: str, watch_first: str) -> None:
    """The stream closes with a read pending: `closed` settles first, whatever is watched first."""
    events: list[str] = []
    source = SOURCES[kind]()
    reader = stream_of(source).get_reader()
    await turns()
    read = reader.read()
    if watch_first == "closed":
        reader.closed.then(lambda _: events.append("closed"))
    read.then(lambda _: events.append("read"))
    if watch_first == "read":
        reader.closed.then(lambda _: events.append("closed"))
    source.controller.close()
    await turns()
    assert events == ["closed", "read"]


def sticky_stream(kind: str) -> ReadableStream[Any]:
    """A stream that was closed with a chunk in it while nobody was there."""
    source = SOURCES[kind]()
    stream = stream_of(source)
    source.controller.enqueue(b"final")
    source.controller.close()
    return stream


@BOTH_KINDS
async def test_r29_final_chunk_waits_for_a_later_iteration(kind: str) -> None:
    """The source closes with a chunk queued and no reader: a later iteration gets it."""
    stream = sticky_stream(kind)
    await turns()
    assert [chunk async for chunk in stream] == [b"final"]


@BOTH_KINDS
async def test_r29_final_chunk_waits_for_a_later_pipe(kind: str) -> None:
    """The source closes with a chunk queued and no reader: a later pipe writes it."""
    stream = sticky_stream(kind)
    await turns()
    written: list[Any] = []
    await soon(stream.pipe_to(WritableStream({"write": lambda chunk, controller: written.append(chunk)})))
    assert written == [b"final"]


@BOTH_KINDS
async def test_r29_final_chunk_waits_for_a_later_tee(kind: str) -> None:
    """The source closes with a chunk queued and no reader: both branches of a later tee get it."""
    stream = sticky_stream(kind)
    await turns()
    assert [await read_all(branch) for branch in stream.tee()] == [[b"final"], [b"final"]]


class ReusingSource:
    """Fills one and the same buffer for every chunk."""

    type = "bytes"
    count = 20

    def __init__(self) -> None:
        self._buffer = bytearray(4)
        self._number = 0

    def pull(self, controller: Any) -> None:
        if self._number == self.count:
            controller.close()
            return
        self._buffer[:] = self._number.to_bytes(4, "big")
        self._number += 1
        controller.enqueue(memoryview(self._buffer) if self._number % 2 else self._buffer)
        self._buffer[:] = b"used"

    def expected(self) -> bytes:
        return b"".join(number.to_bytes(4, "big") for number in range(self.count))


@pytest.mark.parametrize("high_water_mark", [0, 10, 1000])
async def test_r30_source_that_reuses_its_buffer_and_a_slow_reader(high_water_mark: int) -> None:
    """A slow reader over a source with one buffer: no chunk is lost or altered."""
    source = ReusingSource()
    chunks = []
    async for chunk in stream_of(source, high_water_mark):
        await turns(3)
        chunks.append(chunk)
    assert b"".join(chunks) == source.expected()
    assert len(chunks) == source.count


@pytest.mark.parametrize("high_water_mark", [0, 10, 1000])
@pytest.mark.parametrize("room", [3, 4, 10])
async def test_r30_source_that_reuses_its_buffer_and_a_slow_byob_reader(high_water_mark: int, room: int) -> None:
    """The same with a BYOB reader whose views do not match the chunks."""
    source = ReusingSource()
    reader = stream_of(source, high_water_mark).get_reader(mode="byob")
    received = bytearray()
    while len(received) < source.count * 4:
        value, _ = await soon(reader.read(bytearray(room)))
        await turns(3)
        assert value is not None
        received += value
    assert received == source.expected()


async def test_r30_source_that_reuses_its_buffer_and_a_slow_sink() -> None:
    """The same through a tee and a pipe with a slow sink."""
    source = ReusingSource()
    received: list[bytes] = []

    async def write(chunk: bytes, _: Any) -> None:
        await turns(3)
        received.append(chunk)

    one, two = stream_of(source).tee()
    chunks, _ = await soon(asyncio.gather(read_all(one), two.pipe_to(WritableStream({"write": write}))))
    assert b"".join(received) == b"".join(chunks) == source.expected()
