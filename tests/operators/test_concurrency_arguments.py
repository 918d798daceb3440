"""``map()`` with several calls at a time: what is refused, and what is shown."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults.helpers import soon, turns
from tests.grids import each_of, each_row

from .gauge import Gauge, square
from .table import Numbers

# Bad arguments.


async def async_function(chunk: int) -> int:
    return chunk


class AsyncCallable:
    async def __call__(self, chunk: int) -> int:
        return chunk


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"concurrency": 0}, ValueError, "concurrency must be at least 1, is 0"),
    ({"concurrency": -2}, ValueError, "concurrency must be at least 1"),
    ({"concurrency": True}, TypeError, "concurrency must be an integer, not True"),
    ({"concurrency": 1.5}, TypeError, "concurrency must be an integer"),
    ({"function": square, "concurrency": 2}, TypeError, "executor="),
    ({"function": lambda chunk: chunk, "concurrency": 2}, TypeError, "needs a coroutine function"),
    ({"concurrency": 4, "window": 3}, ValueError, "window must be at least the concurrency, 4; is 3"),
    ({"window": 0}, ValueError, "window must be at least 1"),
    ({"timeout": 0}, ValueError, "timeout must be greater than 0"),
    ({"timeout": "soon"}, TypeError, "timeout must be a number"),
    ({"limiter": 3}, TypeError, "limiter must be an async context manager, not int"),
    ({"limiter": asyncio.Semaphore}, TypeError, "not the class Semaphore"),
    ({"timeout": float("nan")}, ValueError, "timeout must be greater than 0 and finite"),
    ({"executor": 3}, TypeError, "executor must be a concurrent.futures.Executor, not int"),
    ({"executor": ThreadPoolExecutor}, TypeError, "must be a concurrent.futures.Executor, not the class ThreadPoolEx"),
    ({"executor": ThreadPoolExecutor()}, TypeError, "runs plain functions"),
    ({"key": async_function}, TypeError, r"the key of map\(\) must be a plain function"),
    ({"key": AsyncCallable()}, TypeError, r"the key of map\(\) must be a plain function"),
    ({"key": 3}, TypeError, "key of map"),
    ({"on_error": 3}, TypeError, "on_error of map"),
    ({"function": 7, "concurrency": 2}, TypeError, "needs a function, not int"),
]


@each_row(("options", "kind", "words"), REFUSED)
async def test_a_bad_option_is_refused_at_the_call(options: dict[str, Any], kind: type[Exception], words: str) -> None:
    stream = Numbers().stream()
    with pytest.raises(kind, match=words):
        stream.map(**{"function": async_function, **options})
    assert not stream.locked


async def test_what_counts_as_a_coroutine_function() -> None:
    import functools

    for function in (async_function, AsyncCallable(), AsyncCallable().__call__, functools.partial(async_function)):
        assert await soon(Numbers().stream().map(function, concurrency=2).list()) == [0, 1, 2, 3]


@each_of(function=[lambda number: number + 1, (1).__add__, lambda number: later(number + 1)])
@each_of(options=[{}, {"ordered": False}, {"key": lambda number: number % 2}])
async def test_a_plain_function_may_have_a_window(function: Any, options: dict[str, Any]) -> None:
    assert await soon(Numbers().stream().map(function, window=3, **options).list()) == [1, 2, 3, 4]


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


# What is shown.


async def test_repr_shows_what_runs_and_the_window() -> None:
    gauge = Gauge()
    stream = Numbers(100).stream().map(gauge, concurrency=3, window=5)
    assert "0 of 3 calls under way, window 0/5" in repr(stream)
    reader = stream.get_reader()
    reader.read()
    await turns(10)
    gauge.open(1)
    await turns(10)
    assert "3 of 3 calls under way, window 5/5" in repr(stream)
    assert "3 of 3 calls under way, window 5/5" in repr(reader)
    await soon(reader.cancel())
    assert "under way" not in repr(stream)
