"""What no run must begin with, or take for a part of a pipeline: each test is a program that would go wrong."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

import pytest

from webstreams import AbortController, Promise, ReadableStream, TransformStream, WritableStream, queue_microtask
from webstreams.operations import tee

from .pipelines import assert_alike, mapping, numbers, on_both_paths
from .programs import periods

LAST = 120
LATE = 60


class Thing:
    """Can be referred to weakly."""


def test_a_microtask_that_was_queued_at_an_entry_is_forgotten() -> None:
    """A state that it is a job of would keep it for as long as the run."""

    async def program() -> list[Any]:
        log: list[Any] = []
        seen: list[weakref.ref[Thing]] = []

        def again(thing: Thing, count: int) -> None:
            if count:
                queue_microtask(again, thing, count - 1)

        def write(chunk: int, controller: Any) -> None:
            if chunk == LATE:
                thing = Thing()
                seen.append(weakref.ref(thing))
                queue_microtask(again, thing, 12)
            elif chunk == LATE + 20:
                log.append(seen[0]() is None)

        await numbers(LAST).pipe_to(WritableStream({"write": write}))
        log.append(periods() > 10)
        return log

    assert assert_alike(program) == [True]


def test_a_run_begins_while_a_tee_is_about_to_pass_on_a_chunk() -> None:
    """A chunk that was not told from others there would make each state a new one, and no period would be found."""

    async def program() -> list[Any]:
        log: list[Any] = []

        def written_by(name: str) -> WritableStream[int]:
            return WritableStream({"write": lambda chunk, controller: log.append((name, chunk))})

        one, other = numbers(LAST).tee()
        same = mapping(lambda chunk, controller: controller.enqueue(chunk))
        piped = one.pipe_through(same).pipe_to(written_by("one"))
        for _ in range(2):  # so much later it begins to read in the middle of a period of the first pipe
            await Promise.resolve(None)
        await asyncio.gather(piped, other.pipe_to(written_by("other")))
        return [*log, periods() > LATE]

    assert_alike(program)


@pytest.mark.parametrize("side", ["the first writable", "the first readable", "the last writable"])
def test_size_is_called_with_chunks_only(side: str) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []

        def size(chunk: int) -> int:
            log.append((side, chunk))
            return 1

        def strategy(of: str) -> Any:
            return {"high_water_mark": 2, "size": size} if of == side else {"high_water_mark": 2}

        mapped: TransformStream[int, int] = TransformStream(
            {"transform": lambda chunk, controller: controller.enqueue(chunk)},
            strategy("the first writable"),
            strategy("the first readable"),
        )
        sink: WritableStream[int] = WritableStream(
            {"write": lambda chunk, _: log.append(chunk)}, strategy("the last writable")
        )
        await numbers(LAST).pipe_through(mapped).pipe_to(sink)
        return log

    plain, fast = on_both_paths(program)
    assert fast == plain


def test_each_chunk_is_cloned_for_the_second_branch() -> None:
    async def program() -> list[Any]:
        logs: list[list[Any]] = [[], []]
        chunks = [[number] for number in range(LAST)]
        branches = tee(ReadableStream.from_(chunks))
        sinks = [WritableStream({"write": lambda chunk, _, log=log: log.append(chunk)}) for log in logs]
        await asyncio.gather(*(branch.pipe_to(sink) for branch, sink in zip(branches, sinks, strict=True)))
        return [
            logs[0] == logs[1] == chunks,
            [given is chunk for given, chunk in zip(logs[0], chunks, strict=True)],
            [given is chunk for given, chunk in zip(logs[1], chunks, strict=True)],
        ]

    expected = [True, [True] * LAST, [False] * LAST]
    assert on_both_paths(program) == (expected, expected)


@pytest.mark.parametrize(("stages", "marks"), [(1, (2, 0)), (3, (2, 3))])
def test_a_pipe_hears_of_a_sink_that_errors_itself(stages: int, marks: tuple[int, int]) -> None:
    """The job that ends its write errors the stream: a simulation that ran it would leave nothing to be heard of."""

    async def program() -> list[Any]:
        log: list[Any] = []

        def write(chunk: int, controller: Any) -> None:
            log.append(chunk)
            if chunk == LATE:
                controller.error(RuntimeError("enough"))

        stream = numbers(LAST)
        for _ in range(stages):
            stream = stream.pipe_through(mapping(lambda chunk, controller: controller.enqueue(chunk), *marks))
        pipe = stream.pipe_to(WritableStream({"write": write}, {"high_water_mark": marks[0]}))
        pipe._mark_handled()
        for _ in range(6):
            await asyncio.sleep(0)
        log.append(repr(pipe))
        log.append(periods() > 10)
        return log

    assert "rejected" in assert_alike(program)[-1]


@pytest.mark.parametrize(("marks", "by_coroutine"), [((2, 0), False), ((1, 1), True)])
def test_a_pipe_that_is_aborted_shuts_down(marks: tuple[int, int], by_coroutine: bool) -> None:
    """It waits for the write, whose end no simulation may tell it."""

    async def program() -> list[Any]:
        log: list[Any] = []
        stop = AbortController()

        def write(chunk: int, controller: Any) -> None:
            log.append(chunk)
            if chunk == LATE:
                stop.abort("enough")

        async def write_later(chunk: int, controller: Any) -> None:
            write(chunk, controller)

        sink: Any = {"write": write_later if by_coroutine else write, "abort": lambda reason: log.append(str(reason))}
        stream = numbers(LAST).pipe_through(mapping(lambda chunk, controller: controller.enqueue(chunk), *marks))
        pipe = stream.pipe_to(WritableStream(sink, {"high_water_mark": marks[0]}), signal=stop.signal)
        pipe._mark_handled()
        for _ in range(6):
            await asyncio.sleep(0)
        log.append(repr(pipe))
        log.append(periods() > 10)
        return log

    assert "rejected" in assert_alike(program)[-1]


@pytest.mark.parametrize(("filled", "mark"), [(0, 1), (0, 3), (LATE, 40)])
def test_a_pipe_hears_of_a_stream_that_was_closed_with_chunks_in_its_queue(filled: int, mark: int) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        controllers: list[Any] = []
        count = iter(range(LAST))

        def start(controller: Any) -> None:
            controllers.append(controller)
            for number in range(filled):
                controller.enqueue(number)
            if filled:
                controller.close()

        def pull(controller: Any) -> None:
            controller.enqueue(next(count))

        def write(chunk: int, controller: Any) -> None:
            log.append(chunk)
            if chunk == LATE and not filled:
                controllers[0].close()

        stream: ReadableStream[int] = ReadableStream({"start": start, "pull": pull}, {"high_water_mark": mark})
        pipe = stream.pipe_to(WritableStream({"write": write, "close": lambda: log.append("close")}))
        for _ in range(6):
            await asyncio.sleep(0)
        log.append(repr(pipe))
        return log

    plain, fast = on_both_paths(program)
    assert fast == plain
    assert "close" in fast


def test_a_task_that_awaits_settled_promises_has_its_turns_beside_a_pipe() -> None:
    """Such an await takes exactly the jobs that are queued: a run would make it many more."""

    async def program() -> list[Any]:
        log: list[Any] = []
        pipe = numbers(LAST).pipe_to(WritableStream({"write": lambda chunk, _: log.append(chunk)}))
        for number in range(LAST):
            await Promise.resolve(None)
            log.append(("turn", number))
        await pipe
        return log

    plain, fast = on_both_paths(program)
    assert fast == plain


@pytest.mark.parametrize(("count", "by_coroutine"), [(2, True), (3, False)])
def test_pipes_that_begin_and_end_beside_each_other_take_turns(count: int, by_coroutine: bool) -> None:
    """A run begins with the read of its own pipe only, and its states differ in the jobs that are queued."""

    async def program() -> list[Any]:
        log: list[Any] = []

        def begin(name: int, last: int) -> Promise[None]:
            def write(chunk: int, controller: Any) -> None:
                log.append((name, chunk))
                if (name, chunk) == (0, 20):
                    log.append(repr(controller))
                if (name, chunk) == (0, 25):
                    begin(count, 20)

            async def write_later(chunk: int, controller: Any) -> None:
                write(chunk, controller)

            stream = numbers(last)
            if name % 2:
                stream = stream.pipe_through(mapping(lambda chunk, controller: controller.enqueue(chunk)))
            pipe = stream.pipe_to(WritableStream({"write": write_later if by_coroutine and name % 2 else write}))
            pipe.add_done_callback(lambda _: log.append((name, "done")))
            return pipe

        await asyncio.gather(*[begin(name, 60 + 20 * name) for name in range(count)])
        log.append(periods() > 10)
        return log

    assert_alike(program)
