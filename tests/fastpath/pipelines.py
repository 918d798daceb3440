"""Pipelines that the tests of the fast path run, and the mode that they run in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from webstreams import ReadableStream, TransformStream

from .programs import EMITTED, OFF, ON, fast_paths


def numbers(last: int) -> ReadableStream[int]:
    """A stream of the numbers from 0 on, which is closed after so many."""
    count = iter(range(last))

    def pull(controller: Any) -> None:
        number = next(count)
        controller.enqueue(number)
        if number == last - 1:
            controller.close()

    return ReadableStream({"pull": pull})


def mapping(transform: Callable[[Any, Any], Any], *marks: int) -> TransformStream[Any, Any]:
    """A transform stream with the high-water marks of both sides."""
    strategies: list[Any] = [{"high_water_mark": mark} for mark in marks]
    return TransformStream({"transform": transform}, *strategies)


def on_both_paths(program: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, Any]:
    """Run a program on the plain path, and with the fast path: without code for its periods, and with it."""
    results = []
    for mode in (OFF, ON, EMITTED):
        with fast_paths(mode):
            results.append(asyncio.run(program()))
    plain, fast, emitted = results
    assert emitted == fast
    return plain, fast


def assert_alike(program: Callable[[], Coroutine[Any, Any, list[Any]]]) -> list[Any]:
    """Return the log of a program, the same on both paths but for the last entry: whether the fast path was taken."""
    plain, fast = on_both_paths(program)
    assert (plain.pop(), fast.pop()) == (False, True)
    assert fast == plain
    log: list[Any] = fast
    return log


def await_outside_of_tasks(promises: list[Any], log: list[Any]) -> None:
    """Step the await of the last promise as a callback of the event loop does, and note what came of it."""
    log.append("step")
    try:
        next(promises[-1].__await__())
    except StopIteration:
        log.append("came at once")
    else:
        log.append("has to wait")
