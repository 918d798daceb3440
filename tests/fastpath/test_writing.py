"""Guards of the runs that begin where a user writes, each with a program that needs it: the user's code runs in
between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakSet

import pytest

from webstreams import Promise, TransformStream, WritableStream, queue_microtask
from webstreams._streams.door import fail_writable

from ..grids import each_of
from .pipelines import assert_alike, await_outside_of_tasks, mapping, on_both_paths
from .programs import ON, fast_paths, periods
from .test_reading import in_run, tick

LAST = 60
MIDDLE = LAST // 2

Write = Callable[[Any, Any], Awaitable[None]]


class Chunk:
    """Can be referred to weakly."""


async def when_ready(writer: Any, chunk: Any) -> None:
    await writer.ready
    writer.write(chunk)


async def and_wait(writer: Any, chunk: Any) -> None:
    await writer.write(chunk)


WAYS = (when_ready, and_wait)


def logged(log: list[Any], stages: int = 1, look: Callable[[], Any] | None = None) -> WritableStream[Any]:
    """A chain of stages that log what they get, and what `look` gives there."""

    def transform(chunk: Any, controller: Any) -> None:
        log.append(("transform", chunk, None if look is None else look()))
        controller.enqueue(chunk)

    def write(chunk: Any, controller: Any) -> None:
        log.append(("write", chunk, None if look is None else look()))

    sink: WritableStream[Any] = WritableStream({"write": write})
    for _ in range(stages):
        first = mapping(transform)
        first.readable.pipe_to(sink).then(None, lambda error: log.append(("piped in vain", repr(error))))
        sink = first.writable
    return sink


@each_of(way=WAYS, stages=(0, 1, 3), copies=((1,), (0, 1), (2,), (1, 30, 0)))
def test_the_fast_path_is_taken_by_writes(way: Write, stages: int, copies: tuple[int, ...]) -> None:
    """Whatever the stages make of a chunk."""

    async def program() -> list[Any]:
        log: list[Any] = []

        def transform(chunk: int, controller: Any) -> None:
            for _ in range(copies[chunk % len(copies)]):
                controller.enqueue(chunk)

        sink: WritableStream[int] = WritableStream({"write": lambda chunk, _: log.append(chunk)})
        for number in range(stages):
            first = mapping(transform) if number == 0 else TransformStream()
            first.readable.pipe_to(sink)
            sink = first.writable
        async with sink.get_writer() as writer:
            for number in range(4 * LAST):
                await way(writer, number)
                log.append("goes on")
        return [*log, periods() > 2 * LAST]

    assert_alike(program)


@each_of(stages=(0, 1, 2))
def test_a_write_that_nobody_waits_for_goes_on_by_itself(stages: int) -> None:
    """It comes when no jobs are scheduled: a run that began with it would be parked, and nobody would leave it."""

    async def program() -> list[Any]:
        log: list[Any] = []
        writer = logged(log, stages).get_writer()
        promises = []
        for number in range(LAST):
            promises.append(writer.write(number))
            for turn in range(4):
                log.append(turn)
                await asyncio.sleep(0)
        done = [promise.done() for promise in promises]
        await writer.close()
        return [*log, done]

    plain, fast = on_both_paths(program)
    assert fast == plain
    assert all(fast[-1])


@each_of(way=WAYS, stages=(0, 1, 2))
def test_a_microtask_that_is_queued_before_a_write_comes_first(way: Write, stages: int) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        writer = logged(log, stages).get_writer()
        for number in range(LAST):
            if number == MIDDLE:
                ran = in_run()
                queue_microtask(tick, log, 9)
            await way(writer, number)
            log.append("goes on")
        await writer.close()
        return [*log, ran and periods() > MIDDLE]

    assert_alike(program)


@each_of(stages=(0, 1, 2))
def test_a_microtask_that_is_queued_before_an_await_comes_first(stages: int) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        writer = logged(log, stages).get_writer()
        for number in range(LAST):
            promise = writer.write(number)
            if number == MIDDLE:
                ran = in_run()
                queue_microtask(tick, log, 9)
            await promise
        await writer.close()
        return [*log, ran and periods() > MIDDLE]

    assert_alike(program)


@each_of(way=WAYS, what=("done", "desired_size", "ready", "is_ready", "repr", "exception"), stages=(0, 1, 2))
def test_what_a_callback_sees_of_the_writer(way: Write, what: str, stages: int) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        kept: list[Any] = []

        def look() -> Any:
            if len(log) < LAST or len(log) % 7:
                return None
            if what in ("done", "exception"):
                return [exception_of(each) if what == "exception" else each.done() for each in kept[-3:]]
            if what == "desired_size":
                return writer.desired_size
            if what == "repr":
                return repr(writer), repr(kept[-2:])
            return writer.ready.done() if what == "is_ready" else writer.ready is writer.ready

        writer = logged(log, stages, look).get_writer()
        for number in range(LAST):
            kept.append(writer.ready)
            if way is when_ready:
                await kept[-1]
                kept.append(writer.write(number))
            else:
                kept.append(writer.write(number))
                await kept[-1]
            log.append([each.done() for each in kept[-3:]])
        await writer.close()
        return [*log, periods() > LAST // 2]

    assert_alike(program)


def exception_of(promise: Any) -> str:
    """What `exception()` says, or raises."""
    try:
        return repr(promise.exception())
    except asyncio.InvalidStateError:
        return "pending"


@each_of(way=WAYS)
def test_a_promise_that_is_looked_at_by_another_task(way: Write) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []

        async def wait(promise: Any, name: str) -> None:
            log.append(await promise)
            log.append(name)

        writer = logged(log).get_writer()
        tasks = []
        for number in range(LAST):
            if number == MIDDLE:
                ran = in_run()
                tasks.append(asyncio.create_task(wait(writer.ready, "ready")))
                tasks.append(asyncio.create_task(wait(writer.write("between"), "written")))
                writer.ready.then(lambda _: log.append("then"))
            await way(writer, number)
        await asyncio.gather(*tasks)
        await writer.close()
        return [*log, ran and periods() > MIDDLE]

    assert_alike(program)


@each_of(way=WAYS, stages=(0, 1))
def test_another_writer_is_left_alone(way: Write, stages: int) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        writer = logged(log, stages).get_writer()
        other = logged(log, 1).get_writer()
        for number in range(LAST):
            await way(writer, number)
            if number == MIDDLE:
                ran = in_run()
                await way(other, "other")
        await asyncio.gather(writer.close(), other.close())
        return [*log, ran and periods() > MIDDLE]

    assert_alike(program)


@each_of(waits_for=("ready", "write"), stages=(1, 2, 3))
def test_what_a_callback_sees_of_the_promises(waits_for: str, stages: int) -> None:
    """A promise that is settled in the middle of a period is so for the callbacks that follow there."""

    async def program() -> list[Any]:
        log: list[Any] = []
        promises: list[Any] = []
        ran = False

        def look() -> list[bool]:
            is_time = MIDDLE <= len(promises) < MIDDLE + 6
            return [promise.done() for promise in promises[-2:]] if is_time else []

        writer = logged(log, stages, look).get_writer()
        for number in range(LAST):
            if waits_for == "ready":
                promises.append(writer.ready)
                await promises[-1]
                writer.write(number)
            else:
                promises.append(writer.write(number))
                await promises[-1]
            if number == MIDDLE - 2:
                ran = in_run()
        await writer.close()
        return [*log, ran]

    assert_alike(program)


@each_of(stages=(0, 1))
def test_ready_of_another_writer_tells_of_its_own_queue(stages: int) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        writer = logged(log, stages).get_writer()
        other = WritableStream({"write": lambda chunk, controller: Promise.with_resolvers()[0]}).get_writer()
        other.write("that is never done")
        for number in range(LAST):
            await writer.write(number)
            if number == MIDDLE:
                ran = in_run()
                log.append(other.ready.done())
        await writer.close()
        return [*log, ran and periods() > MIDDLE]

    assert False in assert_alike(program)


@each_of(place=("before", "after"), stages=(0, 1))
def test_an_await_of_a_promise_that_is_not_the_writers(place: str, stages: int) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        ran: list[bool] = []

        async def wait() -> None:
            ran.append(in_run())
            gate, open_gate, _ = Promise.with_resolvers()
            asyncio.get_running_loop().call_soon(open_gate, "the gate is open")
            log.append(await gate)

        writer = logged(log, stages).get_writer()
        for number in range(LAST):
            await writer.ready
            if number == MIDDLE and place == "before":
                await wait()
            written = writer.write(number)
            if number == MIDDLE and place == "after":
                await wait()
            await written
        await writer.close()
        return [*log, any(ran) and periods() > MIDDLE]

    assert "the gate is open" in assert_alike(program)


@each_of(stages=(0, 1))
def test_an_await_outside_of_all_tasks_has_to_wait(stages: int) -> None:
    """Who steps it may be anywhere on the stack: no jobs run there."""

    async def program() -> list[Any]:
        log: list[Any] = []
        promises: list[Any] = []
        ran = False
        asyncio.get_running_loop().call_soon(await_outside_of_tasks, promises, log)  # before the jobs of the turn
        writer = logged(log, stages).get_writer()
        for number in range(LAST):
            promises.append(writer.write(number))
            if number == MIDDLE:
                ran = in_run()
                await asyncio.sleep(0)
            await promises[-1]
        await writer.close()
        return [*log, ran and periods() > LAST // 3]

    log = assert_alike(program)
    assert log[log.index("step") + 1] == "has to wait"


@each_of(way=WAYS, stages=(0, 1))
def test_a_stream_that_is_errored_between_two_writes(way: Write, stages: int) -> None:
    """By what the library does when the other side of a pair has failed."""

    async def program() -> list[Any]:
        log: list[Any] = []
        stream = logged(log, stages)
        writer = stream.get_writer()
        with pytest.raises(RuntimeError, match="lost"):
            for number in range(LAST):
                await way(writer, number)
                if number == MIDDLE:
                    ran = in_run()
                    fail_writable(stream, RuntimeError("lost"))
        log.append(repr(stream))
        return [*log, ran and periods() > MIDDLE]

    assert_alike(program)


@each_of(way=WAYS, ending=("error", "raise", "terminate"))
def test_a_callback_that_ends_the_stream(way: Write, ending: str) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []

        def transform(chunk: int, controller: Any) -> None:
            log.append(chunk)
            if chunk == MIDDLE:
                if ending == "raise":
                    raise RuntimeError("enough")
                controller.terminate() if ending == "terminate" else controller.error(RuntimeError("enough"))
            else:
                controller.enqueue(chunk)

        first = mapping(transform)
        pipe = first.readable.pipe_to(logged(log, 1))
        pipe.add_done_callback(lambda promise: log.append(repr(promise.exception())))
        writer = first.writable.get_writer()
        try:
            for number in range(LAST):
                await way(writer, number)
        except Exception as error:
            log.append((number, repr(error)))
        await asyncio.sleep(0)
        return [*log, periods() > LAST // 2]

    assert_alike(program)


@each_of(stages=(0, 1), writes=range(8))
def test_what_is_written_after_the_close_is_refused(stages: int, writes: int) -> None:
    """However often was written before: no run begins then, and none goes on."""

    async def program() -> list[Any]:
        log: list[Any] = []
        writer = logged(log, stages).get_writer()
        for number in range(writes):
            await writer.write(number)
        closing = writer.close()
        for _ in range(4):
            with pytest.raises(TypeError, match="closed or closing"):
                await writer.write("late")
        await closing
        assert "late" not in [each[1] for each in log]
        return log

    plain, fast = on_both_paths(program)
    assert plain == fast


@each_of(way=WAYS)
def test_a_task_that_is_cancelled_while_it_waits(way: Write) -> None:
    """The sink cancels it, and the chunk is written all the same."""

    async def program() -> list[Any]:
        log: list[Any] = []

        def write(chunk: int, controller: Any) -> None:
            log.append(chunk)
            if chunk == MIDDLE:
                writing.cancel()

        async def write_all() -> None:
            for number in range(LAST):
                await way(writer, number)
                log.append("goes on")

        first = mapping(lambda chunk, controller: controller.enqueue(chunk))
        first.readable.pipe_to(WritableStream({"write": write}))
        writer = first.writable.get_writer()
        writing = asyncio.create_task(write_all())
        with pytest.raises(asyncio.CancelledError):
            await writing
        log.append(repr(writer))
        await writer.close()
        return [*log, periods() > LAST // 2]

    assert_alike(program)


async def test_no_chunk_is_kept_alive_when_nobody_writes_any_more() -> None:
    given: WeakSet[Chunk] = WeakSet()
    with fast_paths(ON):
        writer = mapping_away().get_writer()
        for _ in range(LAST):
            chunk = Chunk()
            given.add(chunk)
            await writer.write(chunk)
        ran = in_run()
        del chunk
        for _ in range(3):
            await asyncio.sleep(0)
        assert ran
        assert len(given) == 0


def mapping_away() -> WritableStream[Any]:
    """A chain that keeps nothing."""
    first = mapping(lambda chunk, controller: controller.enqueue(chunk))
    first.readable.pipe_to(WritableStream())
    return first.writable
