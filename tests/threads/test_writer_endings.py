"""`ThreadSafeWriter`: errors, abort and close; which thread may call what."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from tests.faults.helpers import turns
from tests.grids import each_of
from webstreams import (
    ReadableStream,
    StreamError,
    WritableStream,
)
from webstreams.threads import ThreadSafeReader, ThreadSafeWriter, readable_from_thread

from .support import (
    A_MOMENT,
    BOOM,
    READER_CALLS,
    WRITER_CALLS,
    FailingSink,
    Reported,
    SlowSink,
    Worker,
    in_thread,
    quick,
    slow,
    threads_wait,
    write_all,
)


@each_of(error=[BOOM, TimeoutError("of the stream"), OSError(5, "of the disk")])
async def test_the_stored_error_is_raised_as_itself(error: Exception) -> None:
    writer = ThreadSafeWriter(WritableStream(FailingSink(error)))

    def produce() -> None:
        while True:
            writer.write("chunk", timeout=20)

    for action in (produce, writer.close):
        with pytest.raises(type(error)) as caught:
            await in_thread(action)
        assert caught.value is error


async def test_a_stored_reason_that_is_no_exception_is_raised_as_a_stream_error() -> None:
    writer = ThreadSafeWriter(WritableStream(FailingSink("full")))
    for action in (lambda: write_all(writer, "chunk", "next"), writer.close):
        with pytest.raises(StreamError) as caught:
            await in_thread(action)
        assert caught.value.reason == "full"


async def test_a_failed_write_reaches_the_next_call_and_is_not_reported(reported: Reported) -> None:
    def write(chunk: Any, controller: Any) -> None:
        raise BOOM

    writer = ThreadSafeWriter(WritableStream({"write": write}))
    await in_thread(writer.write, "chunk")
    await turns(10)
    with pytest.raises(ValueError, match="boom"):
        await in_thread(writer.write, "next")
    gc.collect()
    assert reported == []


async def test_a_chunk_that_cannot_be_measured_is_an_error_of_its_write() -> None:
    def size(chunk: Any) -> float:
        if chunk == "bad":
            raise BOOM
        return -1 if chunk == "negative" else 1

    for chunk, kind in (("bad", ValueError), ("negative", ValueError)):
        sink = SlowSink()
        writer = ThreadSafeWriter(WritableStream(sink, {"high_water_mark": 5, "size": size}))
        await in_thread(writer.write, "good")
        await turns(10)
        assert sink.begun == ["good"]  # and it is in flight: the queue is not empty
        with pytest.raises(kind):
            await in_thread(writer.write, chunk)
        sink.go_on()
        await turns(10)
        assert sink.begun == ["good"]


async def test_raising_the_stored_error_does_not_grow_its_traceback() -> None:
    writer = ThreadSafeWriter(WritableStream(FailingSink(BOOM)))
    lengths: list[int] = []

    def produce() -> None:
        for _ in range(20):
            try:
                writer.write("next")
            except ValueError as error:
                lengths.append(traceback_length(error))

    await in_thread(produce)
    assert len(lengths) == 20
    assert max(lengths) == lengths[1]


def traceback_length(error: BaseException) -> int:
    traceback, length = error.__traceback__, 0
    while traceback is not None:
        traceback, length = traceback.tb_next, length + 1
    return length


# The writer: abort and close.


async def test_abort_while_threads_wait_makes_their_writes_raise_the_reason() -> None:
    sink, writer = slow()
    await in_thread(writer.write, "first")
    workers = [Worker(writer.write, "waits") for _ in range(3)]
    await threads_wait(3)
    abort = Worker(writer.abort, BOOM)
    for worker in workers:
        with pytest.raises(ValueError, match="boom"):
            await worker.outcome()
    sink.go_on()
    await abort.outcome()
    assert (sink.written, sink.aborted) == (["first"], [BOOM])


async def test_abort_takes_any_object_and_raises_what_the_sinks_abort_raises() -> None:
    def abort(reason: Any) -> None:
        raise RuntimeError(f"cannot abort: {reason}")

    writer = ThreadSafeWriter(WritableStream({"abort": abort}))
    with pytest.raises(RuntimeError, match=r"^cannot abort: why$"):
        await in_thread(writer.abort, "why")
    with pytest.raises(StreamError) as caught:
        await in_thread(writer.write, "chunk")
    assert caught.value.reason == "why"


async def test_close_waits_for_what_was_written_and_for_the_sinks_close() -> None:
    sink, writer = slow(3)
    await in_thread(write_all, writer, "a", "b")
    closer = Worker(writer.close)
    await threads_wait()
    assert (closer.is_alive(), sink.closed) == (True, 0)
    sink.go_on()
    await closer.outcome()
    assert (sink.written, sink.closed) == (["a", "b"], 1)


async def test_writes_after_close_and_those_that_still_wait_are_a_type_error() -> None:
    sink, writer = slow()
    await in_thread(writer.write, "first")
    waits = Worker(writer.write, "waits")
    await threads_wait()
    closer = Worker(writer.close)
    with pytest.raises(TypeError, match="closed or closing"):
        await waits.outcome()
    with pytest.raises(TypeError, match="closed or closing"):
        await in_thread(writer.write, "after")
    sink.go_on()
    await closer.outcome()
    assert (sink.written, sink.closed) == (["first"], 1)


async def test_a_close_that_timed_out_goes_on_and_the_next_one_waits_for_it() -> None:
    sink, writer = slow()
    await in_thread(writer.write, "first")
    with pytest.raises(TimeoutError):
        await in_thread(writer.close, A_MOMENT)
    closer = Worker(writer.close)
    await threads_wait()
    sink.go_on()
    await closer.outcome()
    await in_thread(writer.close)
    assert (sink.written, sink.closed) == (["first"], 1)


async def test_a_close_that_timed_out_before_the_loop_ran_is_carried_out_all_the_same() -> None:
    sink, writer = slow()
    worker = Worker(writer.close, A_MOMENT)
    with pytest.raises(TimeoutError):
        worker.joined()  # blocks the loop
    await turns(10)
    assert sink.closed == 1


async def test_an_abort_that_timed_out_goes_on() -> None:
    sink, writer = slow()
    await in_thread(writer.write, "first")
    with pytest.raises(TimeoutError):
        await in_thread(writer.abort, BOOM, A_MOMENT)
    sink.go_on()
    await turns(10)
    assert sink.aborted == [BOOM]


async def test_close_raises_what_the_sinks_close_raises() -> None:
    def close() -> None:
        raise BOOM

    writer = ThreadSafeWriter(WritableStream({"close": close}))
    for _ in range(2):
        with pytest.raises(ValueError, match="boom"):
            await in_thread(writer.close)


async def test_the_context_manager_closes() -> None:
    sink, writer = slow()
    sink.go_on()

    def produce() -> None:
        with writer as the_same:
            the_same.write("a")

    await in_thread(produce)
    assert (sink.written, sink.closed, sink.aborted) == (["a"], 1, [])


async def test_the_context_manager_aborts_if_the_block_raised() -> None:
    sink, writer = slow()
    sink.go_on()

    def produce() -> None:
        with writer:
            raise BOOM

    with pytest.raises(ValueError, match="boom"):
        await in_thread(produce)
    assert (sink.closed, sink.aborted) == (0, [BOOM])


async def test_the_context_manager_waits_for_a_close_in_the_block_and_raises_an_abort_in_it() -> None:
    sink, writer = slow()

    def close_inside() -> None:
        with writer:
            writer.close()

    await in_thread(close_inside)
    assert sink.closed == 1
    aborted, writer = slow()

    def abort_inside() -> None:
        with writer:
            writer.abort(BOOM)

    with pytest.raises(ValueError, match="boom"):
        await in_thread(abort_inside)
    assert aborted.aborted == [BOOM]


# Which thread.


async def test_the_stream_is_locked() -> None:
    writable: WritableStream[Any] = WritableStream()
    readable = ReadableStream.from_(["a"])
    ThreadSafeWriter(writable)
    ThreadSafeReader(readable)
    assert (writable.locked, readable.locked) == (True, True)
    with pytest.raises(TypeError, match="locked"):
        ThreadSafeWriter(writable)
    with pytest.raises(TypeError, match="locked"):
        ThreadSafeReader(readable)


async def test_making_one_in_another_thread_is_a_runtime_error() -> None:
    with pytest.raises(RuntimeError, match="event loop"):
        await in_thread(ThreadSafeWriter, WritableStream())
    with pytest.raises(RuntimeError, match="event loop"):
        await in_thread(ThreadSafeReader, ReadableStream())
    with pytest.raises(RuntimeError, match="event loop"):
        await in_thread(readable_from_thread, lambda writer: None)


@each_of(call=WRITER_CALLS)
async def test_a_writer_in_the_loops_own_thread_is_a_runtime_error(call: str) -> None:
    chunks, writer = quick()
    with pytest.raises(RuntimeError, match=r"^a ThreadSafeWriter is not for the thread of its event loop"):
        WRITER_CALLS[call](writer)
    await in_thread(writer.write, "still open")
    assert chunks == ["still open"]


@each_of(call=READER_CALLS)
async def test_a_reader_in_the_loops_own_thread_is_a_runtime_error(call: str) -> None:
    reader = ThreadSafeReader(ReadableStream.from_(["a"]))
    with pytest.raises(RuntimeError, match=r"^a ThreadSafeReader is not for the thread of its event loop"):
        READER_CALLS[call](reader)
    assert await in_thread(reader.read) == ("a", False)


async def test_the_thread_of_another_loop_may_use_them() -> None:
    chunks, writer = quick()

    async def main() -> None:
        writer.write("from there")

    await in_thread(asyncio.run, main())
    assert chunks == ["from there"]
