"""What the run of coroutine callbacks must not do: each of them is a call with a task and a context of its own."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from webstreams import Promise, ReadableStream, WritableStream, queue_microtask

from .pipelines import assert_alike
from .programs import ON, fast_paths, periods

LAST = 120
LATE = 60

VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="as new")


def numbers(log: list[Any]) -> ReadableStream[int]:
    """A stream of numbers, whose source is a coroutine function."""
    count = iter(range(LAST))

    async def pull(controller: Any) -> None:
        log.append("pull")
        number = next(count)
        controller.enqueue(number)
        if number == LAST - 1:
            controller.close()

    return ReadableStream({"pull": pull})


def test_a_promise_that_a_coroutine_returns_is_waited_for() -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        gate, open_gate, _ = Promise.with_resolvers()

        async def write(chunk: int, controller: Any) -> Any:
            log.append(chunk)
            return gate if chunk == LATE else None

        pipe = numbers(log).pipe_to(WritableStream({"write": write}))
        while LATE not in log:
            await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)
        log.append("the gate is opened")
        open_gate(None)
        await pipe
        log.append(periods() > LATE // 2)
        return log

    log = assert_alike(program)
    assert log.index("the gate is opened") < log.index(LATE + 1)


def test_a_microtask_of_a_coroutine_comes_before_the_next_callback() -> None:
    async def program() -> list[Any]:
        log: list[Any] = []

        async def write(chunk: int, controller: Any) -> None:
            log.append(chunk)
            if chunk == LATE:
                queue_microtask(log.append, "microtask")

        await numbers(log).pipe_to(WritableStream({"write": write}))
        log.append(periods() > LATE // 2)
        return log

    log = assert_alike(program)
    assert log[log.index(LATE) :][:3] == [LATE, "microtask", "pull"]


Trace = tuple[Callable[[Any, list[Any]], object], Callable[[Any, list[Any]], object]]

# What a callback does with its task, and how a later one would tell the task by that.
TRACES: dict[str, Trace] = {
    "kept": (lambda task, kept: kept.append(task), lambda task, kept: task in kept),
    "referred to weakly": (
        lambda task, kept: kept.append(weakref.ref(task)),
        lambda task, kept: task in [each() for each in kept],
    ),
    "with an attribute": (lambda task, _: setattr(task, "mark", 1), lambda task, _: hasattr(task, "mark")),
    "with a name": (lambda task, _: task.set_name("mine"), lambda task, _: task.get_name() == "mine"),
}


@pytest.mark.parametrize("trace", TRACES)
def test_a_task_that_somebody_could_tell_again_is_that_of_one_callback(trace: str) -> None:
    leave, is_found = TRACES[trace]

    async def program() -> list[Any]:
        log: list[Any] = []
        kept: list[Any] = []

        async def write(chunk: int, controller: Any) -> None:
            task = asyncio.current_task()
            log.append((chunk, is_found(task, kept)))
            if chunk == LATE:
                leave(task, kept)

        await numbers(log).pipe_to(WritableStream({"write": write}))
        log.append(periods() > LATE // 2)
        return log

    assert (LATE + 1, False) in assert_alike(program)


def test_a_variable_that_a_coroutine_sets_is_not_set_for_the_next_one() -> None:
    async def program() -> list[Any]:
        log: list[Any] = []

        async def write(chunk: int, controller: Any) -> None:
            log.append((chunk, VARIABLE.get()))
            if chunk == LATE:
                VARIABLE.set("touched")

        await numbers(log).pipe_to(WritableStream({"write": write}))
        log.append(periods() > LATE // 2)
        return log

    assert (LATE + 1, "as new") in assert_alike(program)


def test_each_coroutine_runs_in_the_context_of_its_own_stream() -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        count = iter(range(LAST))

        async def pull(controller: Any) -> None:
            log.append(("pull", VARIABLE.get()))
            number = next(count)
            controller.enqueue(number)
            if number == LAST - 1:
                controller.close()

        async def write(chunk: int, controller: Any) -> None:
            log.append(("write", VARIABLE.get()))

        stream: ReadableStream[int] = made_with("source", ReadableStream, {"pull": pull})
        sink: WritableStream[int] = made_with("sink", WritableStream, {"write": write})
        await stream.pipe_to(sink)
        log.append(periods() > LAST // 2)
        return log

    assert set(assert_alike(program)) == {("pull", "source"), ("write", "sink")}


def made_with(value: str, make: Any, *arguments: Any) -> Any:
    """Make something in a context of its own."""

    def make_it() -> Any:
        VARIABLE.set(value)
        return make(*arguments)

    return copy_context().run(make_it)


@pytest.mark.parametrize("is_first", [False, True])
async def test_a_callback_that_was_suspended_keeps_its_name(is_first: bool) -> None:
    """The run goes on without it, and calls others."""
    names: list[str] = []

    async def write(chunk: int, controller: Any) -> None:
        if chunk == LATE:
            for _ in range(5):
                await asyncio.sleep(0)
                names.append(repr(asyncio.current_task()))

    async def write_beside(chunk: int, controller: Any) -> None:
        """Goes on meanwhile."""

    with fast_paths(ON):
        writes = [write, write_beside] if is_first else [write_beside, write]
        sinks = [WritableStream({"write": each}) for each in writes]
        await asyncio.gather(*(numbers([]).pipe_to(sink) for sink in sinks))
        assert periods() > LATE
    assert len(names) == 5
    assert all(".write()" in name for name in names)
