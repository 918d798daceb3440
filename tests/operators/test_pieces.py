"""``lines()`` makes many chunks of one: those that are made wait in the queue, and nobody can tell but by the speed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.fastpath.pipelines import on_both_paths
from webstreams import ReadableStream, WritableStream
from webstreams.consumers import LimitExceeded
from webstreams.observe import observe

COUNT = 700
TEXT = "".join(f"{number}\n" for number in range(COUNT))
LINES = TEXT.split()

Program = Callable[[list[Any]], Awaitable[Any]]


def chunks(log: list[Any], size: int = 100) -> ReadableStream[str]:
    """Return the text in parts, and note when each is asked for."""

    def parts() -> Any:
        for start in range(0, len(TEXT), size):
            log.append(("asked", start))
            yield TEXT[start : start + size]

    return ReadableStream.from_(parts())


async def piped(log: list[Any]) -> None:
    """Into a sink."""
    await chunks(log).lines().pipe_to(WritableStream({"write": lambda line, _: log.append(line)}))


async def looped(log: list[Any]) -> None:
    """In a loop."""
    async for line in chunks(log).lines():
        log.append(line)


async def read(log: list[Any]) -> None:
    """By a reader."""
    with chunks(log).lines().get_reader() as reader:
        while not (result := await reader.read()).done:
            log.append(result.value)


async def read_ahead(log: list[Any]) -> None:
    """By many reads at once."""
    with chunks(log).lines().get_reader() as reader:
        while True:
            reads = [reader.read() for _ in range(30)]
            for each in reads:
                result = await each
                if result.done:
                    return
                log.append(result.value)


async def in_two_kinds(log: list[Any]) -> None:
    """Some by a reader, the others in a loop."""
    stream = chunks(log).lines()
    with stream.get_reader() as reader:
        for _ in range(5):
            log.append((await reader.read()).value)
    async for line in stream:
        log.append(line)


async def through_more(log: list[Any]) -> None:
    """With steps behind that give several chunks, too."""
    words = chunks(log).lines().flat_map(lambda line: [line, "x"]).filter(lambda word: word != "x")
    async for word in words:
        log.append(word)


PROGRAMS: list[Program] = [piped, looped, read, read_ahead, in_two_kinds, through_more]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_lines_come_in_order_and_nothing_is_asked_for_early(program: Program) -> None:
    async def run() -> list[Any]:
        log: list[Any] = []
        await program(log)
        return log

    plain, fast = on_both_paths(run)
    assert fast == plain
    lines = [entry for entry in plain if isinstance(entry, str)]
    assert lines == LINES
    if program is not read_ahead:
        # All lines of what came before have been read.
        asked = [(index, entry[1]) for index, entry in enumerate(plain) if isinstance(entry, tuple)]
        assert all(index == number + TEXT[:start].count("\n") for number, (index, start) in enumerate(asked))


def test_an_error_comes_behind_the_lines_that_were_right() -> None:
    async def run() -> list[Any]:
        log: list[Any] = []
        with pytest.raises(LimitExceeded):
            async for line in ReadableStream.from_(["a\nb\nccccc\nd\n"]).lines(limit=3):
                log.append(line)
        return log

    assert on_both_paths(run) == (["a", "b"], ["a", "b"])


def test_leaving_early_drops_the_rest_and_cancels_the_source() -> None:
    async def run() -> list[Any]:
        log: list[Any] = []

        class Source:
            def pull(self, controller: Any) -> None:
                controller.enqueue("a\nb\nc\n")

            def cancel(self, reason: object) -> None:
                log.append("cancelled")

        stream = ReadableStream(Source(), {"high_water_mark": 0}).lines()
        async for line in stream:
            log.append(line)
            if len(log) == 4:
                break
        log.append(stream.locked)
        return log

    plain, fast = on_both_paths(run)
    assert fast == plain == ["a", "b", "c", "a", "cancelled", False]


def test_a_pipeline_that_is_observed_counts_every_line() -> None:
    async def run() -> list[Any]:
        stream = chunks([]).lines()
        pipeline = observe(stream)
        lines = [line async for line in stream]
        return [lines == LINES, pipeline.stages[-1].chunks_out]

    plain, fast = on_both_paths(run)
    assert fast == plain == [True, COUNT]
