"""Guards of operators on the fast path, each with a pipeline that needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.grids import each_of
from webstreams import Promise, ReadableStream, TransformStream, WritableStream
from webstreams.observe import observe

from .pipelines import assert_alike, mapping, on_both_paths
from .programs import periods

CHUNKS = 300

Stream = ReadableStream[Any]


def asked(log: list[Any], mark: int = 1, looked_at: int = CHUNKS) -> Stream:
    """A stream of numbers whose source notes that it is asked, and at every so many chunks leaves the run."""
    count = iter(range(CHUNKS))

    def pull(controller: Any) -> None:
        number = next(count)
        log.append(("asked", number))
        if number % looked_at == looked_at - 1:
            log.append(repr(stream))
        controller.enqueue(number)
        if number == CHUNKS - 1:
            controller.close()

    stream: Stream = ReadableStream({"pull": pull}, {"high_water_mark": mark})
    return stream


def passing(mark: int = 0) -> TransformStream[Any, Any]:
    return mapping(lambda chunk, controller: controller.enqueue(chunk), 1, mark)


async def piped(stream: Stream, log: list[Any]) -> None:
    await stream.pipe_to(WritableStream({"write": lambda chunk, _: log.append(chunk)}))


async def read(stream: Stream, log: list[Any]) -> None:
    reader = stream.get_reader()
    while True:
        reading = reader.read()
        log.append("reading")
        result = await reading
        if result.done:
            return
        log.append(result.value)


async def visited(stream: Stream, log: list[Any]) -> None:
    await stream.for_each(log.append)


ENDS = (piped, read, visited)


@pytest.mark.parametrize("end", ENDS)
def test_a_chunk_that_becomes_several_passes_once(end: Callable[..., Coroutine[Any, Any, None]]) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        await end(asked(log).pipe_through(passing()).flat_map(lambda chunk: [chunk] * (chunk % 4)), log)
        return log

    plain, fast = on_both_paths(program)
    assert len(plain) > 2 * CHUNKS
    assert fast == plain


@pytest.mark.parametrize("end", ENDS)
def test_calls_that_overlap_ask_for_no_more_than_they_can_take(end: Callable[..., Coroutine[Any, Any, None]]) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []

        async def call(chunk: int) -> int:
            log.append(("called", chunk))
            await asyncio.sleep(0)
            return chunk

        await end(asked(log).pipe_through(passing()).map(call, concurrency=2), log)
        return log

    plain, fast = on_both_paths(program)
    assert fast == plain


@pytest.mark.parametrize("mark", [0, 1])
def test_a_pull_of_operators_ends_when_their_chunk_has_come(mark: int) -> None:
    """Not when the callback of a source returns that has left the run: the next read would call the source itself."""

    async def program() -> list[Any]:
        log: list[Any] = []
        await read(asked(log, mark, looked_at=50).map(lambda chunk: chunk + 1), log)
        return [*log, periods() > CHUNKS // 2]

    log = assert_alike(program)
    assert log[-1] == "reading"


@each_of(end=ENDS)
@each_of(mark=[1, 2])
def test_a_chunk_out_of_the_queue_comes_after_the_pull(end: Callable[..., Any], mark: int) -> None:
    """Operators that drop a chunk read the next one in the same job: it is there when the source has returned."""

    async def program() -> list[Any]:
        log: list[Any] = []
        await end(asked(log, mark, looked_at=7).filter(lambda chunk: chunk % 3 == 0), log)
        return log

    plain, fast = on_both_paths(program)
    assert [each for each in plain if isinstance(each, int)] == list(range(0, CHUNKS, 3))
    assert fast == plain


@each_of(end=ENDS)
@each_of(kind=["await", "promise"])
def test_a_branch_runs_while_a_function_is_waited_for_in_the_other(end: Callable[..., Any], kind: str) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        held: list[Any] = []

        def hold(chunk: int) -> Any:
            log.append(("called", chunk))
            if chunk % 60 > 0:
                return chunk
            promise, resolve, _ = Promise[None].with_resolvers()
            held.append(resolve)
            return promise.then(lambda _: chunk)

        async def hold_and_await(chunk: int) -> int:
            held_back = hold(chunk)
            return chunk if held_back is chunk else await held_back  # type: ignore[no-any-return]

        def let_go(chunk: int) -> int:
            if held and chunk % 50 == 49:
                log.append("let go")
                held.pop()(None)
            return chunk

        first, second = asked(log).pipe_through(passing()).tee()
        function: Any = hold if kind == "promise" else hold_and_await
        waiting = second.map(function).for_each(lambda chunk: log.append(("second", chunk)))
        await end(first.map(let_go), log)
        while not waiting.done():
            if held:
                held.pop()(None)
            await asyncio.sleep(0)
        return [*log, periods() > 20]

    log = assert_alike(program)
    assert "let go" in log


@pytest.mark.parametrize("end", ENDS)
def test_what_passes_operators_is_counted_in_time(end: Callable[..., Coroutine[Any, Any, None]]) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []

        def count(chunk: int) -> bool:
            if chunk % 60 == 0:
                log.append([(stage.name, stage.chunks_in, stage.chunks_out) for stage in pipeline.stages])
            return chunk % 3 > 0

        stream = asked(log, looked_at=50).pipe_through(passing()).filter(count)
        pipeline = observe(stream)
        await end(stream, log)
        return [*log, [(stage.name, stage.chunks_in, stage.chunks_out) for stage in pipeline.stages]]

    plain, fast = on_both_paths(program)
    assert CHUNKS in {count for stage in plain[-1] for count in stage}
    assert fast == plain
