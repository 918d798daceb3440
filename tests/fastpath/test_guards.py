"""Guards of the fast path, each with a pipeline that needs it; and shapes of pipelines that have to take it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest

from webstreams import (
    AbortController,
    AbortSignal,
    ReadableStream,
    StreamError,
    WritableStream,
    queue_microtask,
)
from webstreams._engine import jobs as _jobs

from .pipelines import assert_alike, mapping, numbers
from .programs import EMITTED, ON, fast_paths, periods

LATE = 2000
LAST = 3000
MIDDLE = 48
FEW = 100


@pytest.fixture(autouse=True, params=[ON, EMITTED])
def _on_a_quiet_machine(request: pytest.FixtureRequest) -> Iterator[None]:
    """On a busy one the time of a turn may be over before a pipeline has been watched for long enough."""
    with fast_paths(request.param):
        yield


async def test_a_signal_that_is_first_taken_inside_a_run_is_aborted() -> None:
    taken: list[AbortSignal] = []

    def write(chunk: int, controller: Any) -> None:
        if chunk == LATE:
            taken.append(controller.signal)
        if chunk == LATE + 500:
            stream_controller.append(controller)
            controller.error(RuntimeError("enough"))

    stream_controller: list[Any] = []
    written_before = WritableStream({"write": write})
    with pytest.raises(RuntimeError, match="enough"):
        await numbers(LAST).pipe_to(written_before)
    assert periods() > LATE // 2
    (signal,) = taken
    assert signal is stream_controller[0].signal, "the signal belongs to the controller"


async def test_a_signal_that_was_taken_inside_a_run_tells_of_the_abort() -> None:
    taken: list[AbortSignal] = []
    stop = AbortController()

    def write(chunk: int, controller: Any) -> None:
        if chunk == LATE:
            taken.append(controller.signal)
        if chunk == LATE + 500:
            stop.abort("enough")

    with pytest.raises(StreamError, match="enough"):
        await numbers(LAST).pipe_to(WritableStream({"write": write}), signal=stop.signal)
    assert periods() > LATE // 2
    assert taken[0].aborted
    assert taken[0].reason == "enough"


def test_a_microtask_that_a_callback_queues_before_it_enqueues_comes_first() -> None:
    """Also if all that was queued for a long time was chunks."""

    async def program() -> list[Any]:
        log: list[Any] = []

        def transform(chunk: int, controller: Any) -> None:
            if chunk == LATE:
                queue_microtask(log.append, "microtask")
            controller.enqueue(chunk)
            if chunk == LATE + 10:
                queue_microtask(log.append, "another")

        def write(chunk: int, controller: Any) -> None:
            log.append(chunk)

        await numbers(LAST).pipe_through(mapping(transform)).pipe_to(WritableStream({"write": write}))
        log.append(periods() > 1000)
        return log

    log = assert_alike(program)
    assert log.index("microtask") < log.index(LATE)


def test_a_microtask_of_the_source_comes_before_its_chunk() -> None:
    async def program() -> list[Any]:
        from_here = iter(range(LAST))
        log: list[Any] = []

        def pull(controller: Any) -> None:
            number = next(from_here)
            if number == LATE:
                queue_microtask(log.append, "microtask")
            controller.enqueue(number)
            if number == LAST - 1:
                controller.close()

        def write(chunk: int, controller: Any) -> None:
            log.append(chunk)

        await ReadableStream({"pull": pull}).pipe_to(WritableStream({"write": write}))
        log.append(periods() > 1000)
        return log

    assert_alike(program)


async def test_a_future_that_a_callback_returns_in_a_run_is_waited_for() -> None:
    """It queues no job when it is returned."""
    log: list[Any] = []
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def write(chunk: int, controller: Any) -> Any:
        log.append(chunk)
        return future if chunk == LATE else None

    pipe = numbers(LAST).pipe_to(WritableStream({"write": write}))
    await asyncio.sleep(0)
    while len(log) <= LATE:
        await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)
    assert periods() > LATE // 2
    assert log == list(range(LATE + 1))
    future.set_result(None)
    await pipe
    assert log == list(range(LAST))


def ticking(log: list[Any], ticks: int) -> None:
    """Log a microtask, and one after the other behind it: each is as late as the steps of a chunk that come after."""
    log.append(f"tick {ticks}")
    if ticks:
        queue_microtask(ticking, log, ticks - 1)


@pytest.mark.parametrize("source", ["pull", "iterator"])
def test_microtasks_of_a_source_keep_their_place_between_the_steps_of_its_chunk(source: str) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []

        def items() -> Iterator[int]:
            for number in range(LAST):
                if number == LATE:
                    queue_microtask(ticking, log, 12)
                yield number

        numbers_to_come = items()

        def pull(controller: Any) -> None:
            number = next(numbers_to_come)
            controller.enqueue(number)
            if number == LAST - 1:
                controller.close()

        strategy: Any = {"high_water_mark": 0}  # the chunk goes to the read that waits, which queues a job
        stream = ReadableStream({"pull": pull}, strategy) if source == "pull" else ReadableStream.from_(items())
        await stream.pipe_to(WritableStream({"write": lambda chunk, _: log.append(chunk)}))
        log.append(periods() > 1000)
        return log

    log = assert_alike(program)
    assert log.index("tick 12") < log.index(LATE)


@pytest.mark.parametrize("giver", ["source", "transformer"])
async def test_another_thread_cannot_give_the_chunk_that_a_run_expects(giver: str) -> None:
    written: list[int] = []
    errors: list[BaseException] = []

    def give(chunk: int, controller: Any, here: str) -> None:
        if chunk == LATE and here == giver:
            thread = Thread(target=enqueue_from_a_thread, args=(controller, errors))
            thread.start()
            thread.join()
        controller.enqueue(chunk)

    count = iter(range(LAST))

    def pull(controller: Any) -> None:
        number = next(count)
        give(number, controller, "source")
        if number == LAST - 1:
            controller.close()

    await (
        ReadableStream({"pull": pull})
        .pipe_through(mapping(lambda chunk, controller: give(chunk, controller, "transformer")))
        .pipe_to(WritableStream({"write": lambda chunk, _: written.append(chunk)}))
    )
    assert periods() > LATE // 2
    assert [type(error) for error in errors] == [RuntimeError]
    assert written == list(range(LAST))


def enqueue_from_a_thread(controller: Any, errors: list[BaseException]) -> None:
    try:
        controller.enqueue(-1)
    except RuntimeError as error:
        errors.append(error)


def test_a_callback_that_enqueues_into_another_stream_does_not_give_its_own_chunk() -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        first: list[Any] = []
        seen = 0

        def transform(chunk: int, controller: Any) -> None:
            nonlocal seen
            seen += 1
            if seen == LATE:
                first[0].enqueue("into the source")
                return
            controller.enqueue(chunk)

        count = iter(range(LAST))

        def pull(controller: Any) -> None:
            number = next(count, None)
            controller.close() if number is None else controller.enqueue(number)

        stream: ReadableStream[Any] = ReadableStream({"start": first.append, "pull": pull})
        await stream.pipe_through(mapping(transform)).pipe_to(
            WritableStream({"write": lambda chunk, _: log.append(chunk)})
        )
        log.append(periods() > 1000)
        return log

    log = assert_alike(program)
    assert "into the source" in log


def test_a_callback_that_enqueues_into_another_stream_after_its_own_chunk_gives_one_chunk() -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        first: list[Any] = []

        def transform(chunk: Any, controller: Any) -> None:
            controller.enqueue(chunk)
            if chunk == MIDDLE:
                first[0].enqueue("into the source")

        def change(chunk: Any, controller: Any) -> None:
            log.append(("change", chunk))
            controller.enqueue(chunk)

        count = iter(range(FEW))

        def pull(controller: Any) -> None:
            number = next(count, None)
            controller.close() if number is None else controller.enqueue(number)

        stream: ReadableStream[Any] = ReadableStream({"start": first.append, "pull": pull})
        stream = stream.pipe_through(mapping(change)).pipe_through(mapping(transform))
        await stream.pipe_to(WritableStream({"write": lambda chunk, _: log.append(chunk)}))
        log.append(periods() > MIDDLE // 2)
        return log

    log = assert_alike(program)
    assert ("change", "into the source") in log


def test_a_microtask_that_a_callback_queues_between_two_chunks_comes_between_their_jobs() -> None:
    """The first chunk goes to the pipe, and the second one fills the queue, which ends the pull."""

    async def program() -> list[Any]:
        log: list[Any] = []

        def transform(chunk: int, controller: Any) -> None:
            for number in range(3 if chunk % 3 == 0 else 0):
                controller.enqueue((chunk, number))
                if chunk == MIDDLE and number == 0:
                    queue_microtask(lambda: log.append(repr(stream._controller)))

        stream = numbers(FEW).pipe_through(mapping(transform, 1, 1))
        await stream.pipe_to(WritableStream({"write": lambda chunk, _: log.append(chunk)}))
        log.append(periods() > MIDDLE // 2)
        return log

    log = assert_alike(program)
    assert any("pulling" in str(each) for each in log)


# Shapes of pipelines.


@pytest.mark.parametrize("marks", [(1, 0), (2, 0), (4, 0), (1, 1), (2, 3), (4, 1)])
@pytest.mark.parametrize("stages", [1, 2])
async def test_the_fast_path_is_taken_whatever_the_marks(stages: int, marks: tuple[int, int]) -> None:
    """Among them are marks with which a write waits for the end of backpressure."""
    written: list[int] = []
    stream = numbers(LAST)
    for _ in range(stages):
        stream = stream.pipe_through(mapping(lambda chunk, controller: controller.enqueue(chunk), *marks))
    await stream.pipe_to(WritableStream({"write": lambda chunk, _: written.append(chunk)}))
    assert written == list(range(LAST))
    assert periods() > 2500 // max(marks)


async def test_the_fast_path_is_taken_by_coroutines_in_transforms() -> None:
    written: list[int] = []

    async def transform(chunk: int, controller: Any) -> None:
        controller.enqueue(chunk + 1)

    async def write(chunk: int, controller: Any) -> None:
        written.append(chunk)

    stream = numbers(LAST).pipe_through(mapping(transform)).pipe_through(mapping(transform))
    await stream.pipe_to(WritableStream({"write": write}))
    assert written == list(range(2, LAST + 2))
    assert periods() > 1200  # of two chunks each


async def test_the_fast_path_is_taken_by_a_tee_behind_a_transform() -> None:
    written: list[list[int]] = [[], []]
    branches = numbers(LAST).pipe_through(mapping(lambda chunk, controller: controller.enqueue(chunk))).tee()
    sinks = [WritableStream({"write": lambda chunk, _, log=log: log.append(chunk)}) for log in written]
    await asyncio.gather(*(branch.pipe_to(sink) for branch, sink in zip(branches, sinks, strict=True)))
    assert written == [list(range(LAST))] * 2
    assert periods() > 2500


@pytest.mark.parametrize("mark", [2, 16])
def test_the_fast_path_is_taken_by_a_sink_for_which_the_next_chunk_waits(
    mark: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its write() is called from the job that ends the write before. (No turn ends: the clock stands.)"""
    monkeypatch.setattr(_jobs, "monotonic", lambda: 0.0)

    async def program() -> list[Any]:
        log: list[Any] = []

        def transform(chunk: int, controller: Any) -> None:
            controller.enqueue(chunk)
            controller.enqueue(-chunk)

        async def write(chunk: int, controller: Any) -> None:
            log.append(chunk)

        sink: WritableStream[int] = WritableStream({"write": write}, {"high_water_mark": mark})
        await numbers(200).pipe_through(mapping(transform)).pipe_to(sink)
        log.append(periods() > 100)
        return log

    assert_alike(program)
