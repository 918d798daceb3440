"""Readable streams: enqueueing, closing, pulling, locks and `from_` (R1-R3, R15-R31)."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from webstreams import Promise, ReadableStream, TransformStream, WritableStream

from .helpers import (
    ENOUGH,
    LIMIT,
    SOURCES,
    WORKERS,
    ByteSource,
    Heartbeat,
    RecordingSource,
    count_living,
    failure,
    other_tasks,
    quiet,
    read_all,
    reason,
    soon,
    stream_of,
    turns,
)

BOTH_KINDS = pytest.mark.parametrize("kind", ["default", "bytes"])

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


# Pulling.


@BOTH_KINDS
async def test_r15_no_second_pull_at_once(kind: str) -> None:
    """Reads and an enqueue while an async pull() runs: never two at once, and exactly one follows."""
    gate = asyncio.Event()
    running = 0
    started: list[int] = []

    async def pull(_: Any) -> None:
        nonlocal running
        running += 1
        started.append(running)
        await gate.wait()
        running -= 1

    source = SOURCES[kind]()
    source.pull = pull
    reader = stream_of(source, 0).get_reader()
    await turns()
    reads = [reader.read(), reader.read(), reader.read()]
    await turns()
    source.controller.enqueue(b"one")
    await turns()
    assert started == [1]
    gate.set()
    await turns()
    assert started == [1, 1]
    source.controller.close()
    assert [(await each).value for each in reads] == [b"one", None, None]


@BOTH_KINDS
async def test_r15_no_follow_up_when_nothing_is_wanted(kind: str) -> None:
    """A read that an enqueue from outside has answered while an async pull() ran: no pull follows."""
    gate = asyncio.Event()
    pulls = 0

    async def pull(_: Any) -> None:
        nonlocal pulls
        pulls += 1
        await gate.wait()

    source = SOURCES[kind]()
    source.pull = pull
    reader = stream_of(source, 0).get_reader()
    await turns()
    first, second = reader.read(), reader.read()
    source.controller.enqueue(b"one")
    source.controller.enqueue(b"two")
    gate.set()
    await turns()
    assert [(await first).value, (await second).value] == [b"one", b"two"]
    assert pulls == 1


# Fairness.


@pytest.mark.parametrize("worker", WORKERS)
async def test_r16_always_ready_ends_let_other_tasks_run(worker: Callable[[Heartbeat], Awaitable[None]]) -> None:
    """A worker whose ends never suspend, beside a heartbeat task and a timer: both get their turns."""
    heart = Heartbeat()
    heart.tick()
    beating = asyncio.create_task(heart.beat())
    await worker(heart)
    beating.cancel()
    assert heart.beats >= ENOUGH
    assert heart.ticks >= ENOUGH
    assert heart.steps < LIMIT


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


# Linear time.


def test_r31_a_million_queued_chunks_drain() -> None:
    """1,000,000 queued chunks are drained in order; quadratic time would take minutes and hit the limit."""
    count = 1_000_000

    async def main() -> None:
        source = RecordingSource()
        stream = stream_of(source)
        for number in range(count):
            source.controller.enqueue(number)
        source.controller.close()
        async with asyncio.timeout(90):
            reader = stream.get_reader()
            for number in range(count):
                assert (await reader.read()).value == number
            assert (await reader.read()).done

    asyncio.run(main())


def count_calls(work: Callable[[], object]) -> int:
    """How many Python and C functions are called, finalizers of other tests' objects not counted."""
    calls = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    gc.disable()
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


@pytest.mark.parametrize(("kind", "sized"), [("default", False), ("default", True), ("bytes", False)])
async def test_r31_the_work_for_a_chunk_does_not_depend_on_the_queue(kind: str, sized: bool) -> None:
    """A read calls as many functions with 10 chunks in the queue as with 10,000."""
    calls = []
    for count in (10, 10_000):
        source = SOURCES[kind]()
        reader = stream_of(source, None, (lambda chunk: 1) if sized else None).get_reader()
        for _ in range(count):
            source.controller.enqueue(b"chunk")
        await turns()
        await reader.read()
        calls.append(count_calls(reader.read))
    assert calls[0] == calls[1]


async def test_r31_the_work_for_a_byob_read_does_not_depend_on_the_queue() -> None:
    """The same for a BYOB read, with 10 and with 10,000 chunks in the queue."""
    calls = []
    for count in (10, 10_000):
        source = ByteSource()
        reader = stream_of(source).get_reader(mode="byob")
        for _ in range(count):
            source.controller.enqueue(b"chunk")
        await turns()
        await reader.read(bytearray(2))
        calls.append(count_calls(partial(reader.read, bytearray(2))))
    assert calls[0] == calls[1]


async def test_r31_drained_promises_are_gone() -> None:
    """Reading 10,000 queued chunks leaves no promises behind."""
    source = RecordingSource()
    reader = stream_of(source).get_reader()
    for number in range(10_000):
        source.controller.enqueue(number)
    await reader.read()
    before = count_living(Promise)
    for _ in range(9_999):
        await reader.read()
    assert count_living(Promise) <= before + 2
