"""`merge`, `concat` and `zip_streams`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.dropping import Dropped
from tests.faults.helpers import chunks_stream, failure, quiet, read_all, reason, soon, turns
from tests.grids import by_key, each_of, each_row
from webstreams import ReadableStream, StreamError, concat, merge, zip_streams

from .support import Later, Silent, Source, nothing_alive

Combine = Callable[..., ReadableStream[Any]]
COMBINATIONS: dict[str, Combine] = {"merge": merge, "concat": concat, "zip_streams": zip_streams}

REASON = object()
ERROR = ValueError("of a source")


EVERY_COMBINATION = each_of(combine=by_key(COMBINATIONS))


# The table: every function, every way to end.


@EVERY_COMBINATION
async def test_the_end_closes_and_frees_the_locks(combine: Combine) -> None:
    sources = [Source(3), Later(3, first=10), Source(3, first=20)]
    chunks = await read_all(combine(*(each.stream for each in sources)))
    flat = sorted(number for each in chunks for number in (each if isinstance(each, tuple) else [each]))
    assert flat == [0, 1, 2, 10, 11, 12, 20, 21, 22]
    # zip cancels those that might have more; the first one that closes ends it.
    assert [each.cancelled for each in sources] in ([[], [], []], [[], [None], [None]])
    await nothing_alive(*sources)


@EVERY_COMBINATION
async def test_an_error_of_one_ends_all(combine: Combine) -> None:
    sources = [Source(1, error=ERROR), Silent(), Silent()]
    if combine is not concat:
        sources[1:] = [Later(), Later()]
    with quiet():
        stream = combine(*(each.stream for each in sources))
        assert await failure(stream.list()) is ERROR
    assert [each.cancelled for each in sources] == [[], [ERROR], [ERROR]]
    await nothing_alive(*sources)


@EVERY_COMBINATION
async def test_an_error_that_is_no_exception_travels_unchanged(combine: Combine) -> None:
    marker = object()
    sources = [Source(0, error=marker), Silent()]
    error = await failure(combine(*(each.stream for each in sources)).list())
    assert isinstance(error, StreamError) and error.reason is marker
    assert sources[1].cancelled == [marker]
    await nothing_alive(*sources)


@each_of(read=[0, 1, 2, 3])
@EVERY_COMBINATION
async def test_cancel_reaches_all_with_the_same_object(combine: Combine, read: int) -> None:
    sources = [Source(), Source(), Later()]
    stream = combine(*(each.stream for each in sources))
    with stream.get_reader() as reader:
        for _ in range(read):
            await soon(reader.read())
        await soon(reader.cancel(REASON))
        assert (await reader.read()).done
    assert [each.cancelled for each in sources] == [[REASON]] * 3
    await nothing_alive(*sources)


@EVERY_COMBINATION
async def test_cancel_waits_until_all_have_cancelled(combine: Combine) -> None:
    sources = [Source(), Source()]
    gate = asyncio.Event()
    slow: ReadableStream[int] = ReadableStream({"cancel": lambda reason: gate.wait()}, {"high_water_mark": 0})
    failing: ReadableStream[int] = ReadableStream({"cancel": lambda reason: 1 / 0}, {"high_water_mark": 0})
    cancelling = combine(sources[0].stream, slow, failing, sources[1].stream).cancel(REASON)
    await turns(20)
    assert not cancelling.done()
    assert [each.cancelled for each in sources] == [[REASON], [REASON]]
    gate.set()
    assert isinstance(await failure(cancelling), ZeroDivisionError)
    await nothing_alive(*sources)


@EVERY_COMBINATION
async def test_break_cancels_all(combine: Combine) -> None:
    sources = [Source(), Later()]
    async for _ in combine(*(each.stream for each in sources)):
        break
    await turns()
    assert [each.cancelled for each in sources] == [[None], [None]]
    await nothing_alive(*sources)


@EVERY_COMBINATION
async def test_a_cancelled_task_loses_nothing(combine: Combine) -> None:
    """A read that was withdrawn leaves its chunk to the next one."""
    sources = [Later(3), Later(3, first=10)]
    chunks: list[Any] = []
    with combine(*(each.stream for each in sources)).get_reader() as reader:
        while True:
            task = asyncio.ensure_future(_read_into(chunks, reader))
            await turns(len(chunks) % 9)
            task.cancel()
            await asyncio.wait([task])
            if await soon(_read_into(chunks, reader)):
                break
    flat = [number for each in chunks for number in (each if isinstance(each, tuple) else [each])]
    assert sorted(flat) == [0, 1, 2, 10, 11, 12]
    await nothing_alive(*sources)


async def _read_into(chunks: list[Any], reader: Any) -> bool:
    value, done = await reader.read()
    if not done:
        chunks.append(value)
    return bool(done)


@EVERY_COMBINATION
async def test_cancelling_a_task_that_iterates_cancels_all(combine: Combine) -> None:
    sources = [Silent(), Silent()]
    task = asyncio.ensure_future(combine(*(each.stream for each in sources)).list())
    await turns()
    task.cancel()
    await asyncio.wait([task])
    assert [len(each.cancelled) for each in sources] == [1, 1]
    assert sources[0].cancelled[0] is sources[1].cancelled[0]
    await nothing_alive(*sources)


@EVERY_COMBINATION
async def test_a_stream_that_is_dropped_leaves_nothing(combine: Combine) -> None:
    dropped = Dropped()
    source = Source()
    stream = combine(source.stream, Source().stream)
    reader = stream.get_reader()
    await reader.read()
    dropped.add(stream, reader, source)
    del stream, reader, source
    await turns()
    assert dropped.alive() == []
    await nothing_alive()


@EVERY_COMBINATION
async def test_nothing_is_read_before_the_first_read(combine: Combine) -> None:
    sources = [Source(), Source()]
    stream = combine(*(each.stream for each in sources))
    await turns(20)
    assert [each.given for each in sources] == [0, 0]
    await stream.cancel()
    await nothing_alive(*sources)


@EVERY_COMBINATION
async def test_of_no_streams_it_is_closed(combine: Combine) -> None:
    assert await read_all(combine()) == []


@each_of(wrong=[[1, 2], "ab", None, (1,), 3])
@EVERY_COMBINATION
async def test_what_is_no_stream_is_refused_and_nothing_stays_locked(combine: Combine, wrong: Any) -> None:
    source = Source()
    with pytest.raises(TypeError, match=r"argument 2 is .*ReadableStream.from_\(\)"):
        combine(source.stream, wrong)
    assert not source.stream.locked


@EVERY_COMBINATION
async def test_a_locked_stream_is_refused_and_nothing_stays_locked(combine: Combine) -> None:
    first, second = Source(), Source()
    with second.stream.get_reader(), pytest.raises(TypeError, match="argument 2: it is locked to"):
        combine(first.stream, second.stream)
    with pytest.raises(TypeError, match="twice"):
        combine(first.stream, second.stream, first.stream)
    await nothing_alive(first, second)


@EVERY_COMBINATION
def test_a_stream_of_another_loop_is_refused_and_nothing_stays_locked(combine: Combine) -> None:
    async def make() -> ReadableStream[int]:
        return Source().stream

    async def use(foreign: ReadableStream[int]) -> None:
        own = Source()
        with pytest.raises(RuntimeError, match="another"):
            combine(own.stream, foreign)
        assert not own.stream.locked

    asyncio.run(use(asyncio.run(make())))


@EVERY_COMBINATION
async def test_the_lock_tells_who_has_it(combine: Combine) -> None:
    source = Source()
    stream = combine(source.stream)
    name = next(name for name, each in COMBINATIONS.items() if each is combine)
    with pytest.raises(TypeError, match=rf"locked to {name}\(\)"):
        source.stream.get_reader()
    await stream.cancel()


# Each for itself.


async def test_merge_reads_one_chunk_of_each_ahead_at_most() -> None:
    sources = [Source(), Source(), Later()]
    with merge(*(each.stream for each in sources)).get_reader() as reader:
        for read in range(1, 30):
            await soon(reader.read())
            await turns(10)
            assert sum(each.given for each in sources) <= read + len(sources)
        await reader.cancel()


@each_of(fast=[1, 2, 5])
async def test_merge_serves_a_slow_stream_soon_after_it_is_ready(fast: int) -> None:
    """Beside streams that always have more: those are each given once before it at most, and what was ready before."""
    controllers: list[Any] = []
    ready: ReadableStream[str] = ReadableStream({"start": controllers.append})
    endless = [Source() for _ in range(fast)]
    with merge(*(each.stream for each in endless), ready).get_reader() as reader:
        for number in range(50):
            await soon(reader.read())
            if number % 10 == 9:
                controllers[0].enqueue("slow")
                passed = 0
                while (await soon(reader.read())).value != "slow":
                    passed += 1
                assert passed <= max(fast, 2)
        await reader.cancel()


async def test_merge_of_an_endless_iterable_and_a_slow_stream() -> None:
    async def slow() -> AsyncIterator[str]:
        for _ in range(5):
            await turns(20)
            yield "slow"

    chunks: list[Any] = []
    async for chunk in merge(ReadableStream.from_(iter(int, 1)), ReadableStream.from_(slow())):
        chunks.append(chunk)
        await asyncio.sleep(0)
        if chunks.count("slow") == 5:
            break
    assert len(chunks) < 1000


async def test_merge_keeps_the_order_of_each_stream() -> None:
    sources = [Source(100), Later(100, first=1000), Source(100, first=2000)]
    chunks = await read_all(merge(*(each.stream for each in sources)))
    for first in (0, 1000, 2000):
        assert [each for each in chunks if first <= each < first + 1000] == list(range(first, first + 100))


async def test_merge_of_many_streams_that_are_closed_or_ready() -> None:
    streams = [chunks_stream(*range(number % 3)) for number in range(3000)]
    assert len(await read_all(merge(*streams))) == 3000


async def test_merge_gives_an_error_before_what_waits() -> None:
    sources = [Source(), Source(1, error=ERROR)]
    with merge(*(each.stream for each in sources)).get_reader() as reader:
        await soon(reader.read())
        await turns()
        chunks = 1
        with pytest.raises(ValueError, match="of a source"):
            while chunks < 10:
                await soon(reader.read())
                chunks += 1
    assert sources[0].cancelled == [ERROR]


async def test_concat_reads_nothing_ahead_and_in_order() -> None:
    sources = [Source(2), Source(2, first=10)]
    with concat(*(each.stream for each in sources)).get_reader() as reader:
        seen = []
        for expected in ([1, 0], [2, 0], [2, 1], [2, 2]):
            seen.append((await soon(reader.read())).value)
            await turns(10)
            assert [each.given for each in sources] == expected
        assert (await reader.read()).done
    assert seen == [0, 1, 10, 11]


async def test_concat_of_thousands_of_closed_streams() -> None:
    streams = [chunks_stream() for _ in range(2_000)]
    assert await read_all(concat(*streams, chunks_stream(1))) == [1]


async def test_concat_cancels_only_what_is_left() -> None:
    sources = [Source(1), Source(), Source()]
    with concat(*(each.stream for each in sources)).get_reader() as reader:
        assert [(await soon(reader.read())).value for _ in range(2)] == [0, 0]
        await reader.cancel(REASON)
    assert [each.cancelled for each in sources] == [[], [REASON], [REASON]]
    await nothing_alive(*sources)


async def test_zip_takes_one_of_each_and_nothing_ahead() -> None:
    sources = [Source(), Later(first=10), Source(first=20)]
    with zip_streams(*(each.stream for each in sources)).get_reader() as reader:
        for number in range(5):
            assert (await soon(reader.read())).value == (number, number + 10, number + 20)
            await turns(10)
            assert [each.given for each in sources] == [number + 1] * 3
        await reader.cancel()


async def test_zip_ends_with_the_shortest_and_waits_for_no_other() -> None:
    sources = [Silent(), Source(0), Source()]
    assert await read_all(zip_streams(*(each.stream for each in sources))) == []
    assert [each.cancelled for each in sources] == [[None], [], [None]]
    await nothing_alive(*sources)


async def test_zip_closes_when_the_others_have_cancelled() -> None:
    gate = asyncio.Event()
    other: ReadableStream[int] = ReadableStream({"cancel": lambda reason: gate.wait()}, {"high_water_mark": 0})
    with zip_streams(chunks_stream(), other).get_reader() as reader:
        reading = reader.read()
        await turns(20)
        assert not reading.done()
        gate.set()
        assert (await soon(reading)).done


async def test_zip_tells_of_a_cancel_that_fails() -> None:
    other: ReadableStream[int] = ReadableStream({"cancel": lambda reason: 1 / 0}, {"high_water_mark": 0})
    assert isinstance(await failure(zip_streams(chunks_stream(), other).list()), ZeroDivisionError)


async def test_zip_that_is_cancelled_while_it_ends_waits_too() -> None:
    gate = asyncio.Event()
    other: ReadableStream[int] = ReadableStream({"cancel": lambda reason: gate.wait()}, {"high_water_mark": 0})
    reader = zip_streams(chunks_stream(), other).get_reader()
    reading = reader.read()
    await turns()
    cancelling = reader.cancel(REASON)
    await turns(20)
    assert reading.done() and not cancelling.done()
    gate.set()
    await soon(cancelling)


@each_row(
    ("counts", "message"),
    [
        ((2, 3), r"argument 1 is shorter than argument 2"),
        ((3, 2), r"argument 2 is shorter than argument 1"),
        ((3, 3, 2), r"argument 3 is shorter than argument 1"),
        ((2, 2, 5), r"argument 1 is shorter than argument 3"),
    ],
)
@each_of(kind=[Source, Later])
async def test_zip_strict_is_an_error_for_unequal_lengths(
    counts: tuple[int, ...], message: str, kind: type[Source]
) -> None:
    sources = [kind(count) for count in counts]
    chunks: list[Any] = []
    with pytest.raises(ValueError, match=message) as caught:
        async for row in zip_streams(*(each.stream for each in sources), strict=True):
            chunks.append(row)
    assert chunks == [(number,) * len(counts) for number in range(min(counts))]
    cancelled = [each.cancelled for each in sources if each.cancelled]
    assert all(reasons == [caught.value] for reasons in cancelled)
    assert cancelled
    await nothing_alive(*sources)


async def test_zip_strict_of_equal_lengths_ends() -> None:
    sources = [Source(3), Later(3), Source(3)]
    rows = await read_all(zip_streams(*(each.stream for each in sources), strict=True))
    assert rows == [(number,) * 3 for number in range(3)]
    assert [each.cancelled for each in sources] == [[], [], []]
    await nothing_alive(*sources)


async def test_zip_tells_at_once_of_an_error_behind_a_chunk_that_waits() -> None:
    controllers: list[Any] = []
    reasons: list[object] = []
    first = ReadableStream[int]({"start": controllers.append})
    silent = ReadableStream[int]({"cancel": reasons.append})
    row = zip_streams(first, silent).get_reader().read()
    controllers[0].enqueue(1)
    await turns()
    error = ZeroDivisionError("behind a chunk")
    controllers[0].error(error)
    assert await failure(row) is error
    assert reasons == [error] and not first.locked and not silent.locked


async def test_zip_with_many_reads_waiting() -> None:
    sources = [Later(50), Source(50)]
    with zip_streams(*(each.stream for each in sources)).get_reader() as reader:
        rows = [(await soon(each)).value for each in [reader.read() for _ in range(50)]]
    assert rows == [(number, number) for number in range(50)]


async def test_they_can_be_combined() -> None:
    streams = [Source(3).stream for _ in range(4)]
    rows = await read_all(zip_streams(concat(*streams[:2]), merge(*streams[2:])))
    assert [first for first, _ in rows] == [0, 1, 2, 0, 1, 2]
    assert sorted(second for _, second in rows) == [0, 0, 1, 1, 2, 2]


async def test_an_input_that_is_errored_already() -> None:
    source = Source()
    source.controller.error(ERROR)
    assert await reason(merge(source.stream, Source().stream).list()) is ERROR
    assert await reason(concat(Source(1).stream, source.stream).list()) is ERROR
