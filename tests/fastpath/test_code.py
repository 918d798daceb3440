"""The code that is made for periods that run often (`_fastpath.codegen`)."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from webstreams import ReadableStream, TransformStream, WritableStream, compiled
from webstreams._engine.jobs import current_jobs
from webstreams._fastpath.codegen import FILE_NAME
from webstreams._fastpath.policy import TracePolicy

from .pipelines import assert_alike
from .programs import EMITTED, fast_paths, periods

MANY = 3000
LATE = 2500


def has_code() -> bool:
    """Whether code was made for a period of the last run of a pipe."""
    policy = current_jobs().policy
    assert isinstance(policy, TracePolicy)
    run = policy._run
    return run is not None and any(segment.once is not None for segment in run._segments)


def copying(copies: int) -> TransformStream[int, int]:
    def transform(chunk: int, controller: Any) -> None:
        for _ in range(copies):
            controller.enqueue(chunk)

    return TransformStream({"transform": transform})


async def into_a_sink(stages: int) -> bool:
    """Pipe many chunks through so many stages; whether there was code for a period before the last chunk."""
    seen: list[bool] = []

    def write(chunk: int, _: Any) -> None:
        if chunk == LATE:
            seen.append(has_code())

    stream: ReadableStream[int] = ReadableStream.from_(range(MANY))
    for _ in range(stages):
        stream = stream.pipe_through(copying(1))
    await stream.pipe_to(WritableStream({"write": write}))
    assert periods() > 0
    return seen == [True]


async def test_code_is_made_for_a_period_that_runs_often() -> None:
    assert await into_a_sink(2) is not compiled, "the compiled build makes none: its loop is quicker"


async def test_no_code_is_made_for_a_long_period() -> None:
    assert not await into_a_sink(20)


async def test_a_traceback_shows_no_code_that_was_made() -> None:
    def write(chunk: int, _: Any) -> None:
        if chunk == LATE:
            raise ValueError("enough")

    with fast_paths(EMITTED), pytest.raises(ValueError, match="enough") as caught:
        await ReadableStream.from_(range(MANY)).pipe_to(WritableStream({"write": write}))
    frames = traceback.extract_tb(caught.tb)
    assert [frame.name for frame in frames if frame.filename == FILE_NAME] == []
    assert frames[-1].name == "write"


def test_an_iterator_may_do_what_it_likes_in_the_midst_of_code() -> None:
    """It gives what is awaitable, looks at a stream, queues a job, fails: each leaves the run at its item."""

    async def program() -> list[Any]:
        log: list[Any] = []
        sinks: list[WritableStream[Any]] = []

        def items() -> Any:
            for number in range(MANY):
                if number % 500 == 100:
                    log.append(("locked", sinks[0].locked))
                if number % 500 == 200:
                    current_jobs().push(lambda: log.append("job"))
                if number % 500 == 300:
                    yield at_once(number)
                if number == LATE:
                    raise KeyError(number)
                yield number

        async def at_once(number: int) -> int:
            return -number

        def write(chunk: int, _: Any) -> None:
            log.append(chunk)

        sinks.append(WritableStream({"write": write, "abort": lambda reason: log.append(repr(reason))}))
        with pytest.raises(KeyError):
            await ReadableStream.from_(items()).pipe_to(sinks[0])
        return [*log, periods() > LATE // 4]

    assert len(assert_alike(program)) > LATE
