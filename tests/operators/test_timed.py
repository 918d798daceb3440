"""Operators that look at the clock, in a loop whose time is moved on as soon as nothing else is to be done."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from tests.faults.helpers import RecordingSource, failure, stream_of, turns
from tests.grids import each_of, each_row
from webstreams import ReadableStream

from .table import BOOM, Numbers, fail, same, timers


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that does not wait for its timers."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self.now = max(self.now, self._scheduled[0].when())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


def now() -> float:
    return round(asyncio.get_running_loop().time(), 6)


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    def run(**arguments: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(**arguments))

    run.__name__ = test.__name__
    return run


async def at(*moments: float) -> AsyncIterator[float]:
    """Give each moment when it has come."""
    for moment in moments:
        await asyncio.sleep(moment - asyncio.get_running_loop().time())
        yield moment


async def timed(stream: ReadableStream[Any]) -> list[tuple[float, Any]]:
    return [(now(), chunk) async for chunk in stream]


@in_virtual_time
async def test_a_batch_is_given_after_its_time() -> None:
    stream = ReadableStream.from_(at(1, 2, 2.5, 9, 20)).batched(seconds=3)
    assert await timed(stream) == [(4, [1, 2, 2.5]), (12, [9]), (20, [20])]
    assert timers() == []


@in_virtual_time
async def test_a_batch_is_given_when_it_is_full() -> None:
    stream = ReadableStream.from_(at(1, 2, 3, 4, 11)).batched(2, seconds=5)
    assert await timed(stream) == [(2, [1, 2]), (4, [3, 4]), (11, [11])]


@in_virtual_time
async def test_backpressure_makes_batches_bigger() -> None:
    source = Numbers(100)
    reader = source.stream().batched(10, seconds=1).get_reader()
    assert (await reader.read()).value == list(range(10))
    await turns(20)
    assert source.pulls == 10  # none is begun before somebody reads
    slow = ReadableStream.from_(at(1, 2, 4, 5, 6, 7, 8, 9)).batched(4, seconds=2).get_reader()
    assert (await slow.read()).value == [1, 2]
    await asyncio.sleep(10)
    assert (await slow.read()).value == [4, 5, 6, 7]


@in_virtual_time
async def test_no_chunk_of_a_timed_batch_is_lost_or_doubled() -> None:
    chance = random.Random(1)

    async def numbers() -> AsyncIterator[int]:
        for number in range(6_000):
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random())
            yield number

    seen: list[int] = []
    began: dict[int, float] = {}

    def note(number: int) -> int:
        began[number] = asyncio.get_running_loop().time()
        return number

    async for batch in ReadableStream.from_(numbers()).map(note).batched(7, seconds=0.5):
        assert 1 <= len(batch) <= 7
        assert asyncio.get_running_loop().time() - began[batch[0]] <= 0.5 + 1e-9
        seen += batch
    assert seen == list(range(6_000))


@in_virtual_time
async def test_throttled_delays() -> None:
    stream = ReadableStream.from_(range(6)).throttled(2, per=1.0)
    assert await timed(stream) == [(0, 0), (0, 1), (0.5, 2), (1, 3), (1.5, 4), (2, 5)]
    begin = now()
    stream = ReadableStream.from_(range(3)).throttled(1, per=2.0, burst=1)
    assert [moment - begin for moment, _ in await timed(stream)] == [0, 2, 4]
    assert timers() == []


@in_virtual_time
async def test_throttled_reads_nothing_before_there_is_a_token() -> None:
    source = Numbers(100)
    reader = source.stream().throttled(1, per=10).get_reader()
    await reader.read()
    read = reader.read()
    await asyncio.sleep(9)
    assert source.pulls == 1
    await reader.cancel("reason")
    assert (await read).done
    assert source.cancellations == ["reason"]
    assert timers() == []


@in_virtual_time
async def test_only_chunks_wait_for_a_token() -> None:
    """Neither an error nor the end does, if the stream has come to it without being read."""
    for fails in (True, False):
        for wait in (0, 9):
            source = RecordingSource()
            reader = stream_of(source, 0).map(same).throttled(1, per=100).get_reader()
            source.controller.enqueue(0)
            began, read = now(), reader.read()
            assert (await read).value == 0
            call_later = asyncio.get_running_loop().call_later
            if fails:
                call_later(wait, source.controller.error, BOOM)
            else:
                call_later(wait, source.controller.close)
            read = reader.read()
            try:
                assert (await read).done
            except ValueError as error:
                assert error is BOOM
            assert now() - began == wait
            assert timers() == []


@in_virtual_time
async def test_the_last_batch_waits_for_a_token() -> None:
    source = RecordingSource()
    reader = stream_of(source, 0).batched(2).throttled(1, per=100).get_reader()
    for chunk in range(3):
        source.controller.enqueue(chunk)
    began = now()
    assert (await reader.read()).value == [0, 1]
    asyncio.get_running_loop().call_later(9, source.controller.close)
    assert (await reader.read()).value == [2]
    assert now() - began == 100
    assert (await reader.read()).done
    assert now() - began == 100


@in_virtual_time
async def test_debounced_gives_the_last_of_a_burst() -> None:
    stream = ReadableStream.from_(at(1, 1.5, 2, 9, 9.1, 15)).debounced(1)
    assert await timed(stream) == [(3, 2), (10.1, 9.1), (15, 15)]
    assert timers() == []


@in_virtual_time
async def test_debounced_reads_little_that_nobody_takes() -> None:
    source = RecordingSource()
    reader = stream_of(source, 0).debounced(1).get_reader()
    read = reader.read()
    source.controller.enqueue("a")
    assert (await read).value == "a"
    for chunk in "bcdefg":
        source.controller.enqueue(chunk)
        await asyncio.sleep(2)
    assert source.controller.desired_size == -4
    assert [(await reader.read()).value for _ in range(2)] == ["b", "c"]


@each_of(way=["batched", "throttled", "debounced"])
def test_ends(way: str) -> None:
    _test_ends(way=way)


@in_virtual_time
async def _test_ends(way: str) -> None:
    def apply(stream: ReadableStream[Any]) -> ReadableStream[Any]:
        if way == "batched":
            return stream.batched(seconds=5)
        return stream.throttled(1, per=5) if way == "throttled" else stream.debounced(5)

    assert await failure_in_virtual_time(apply(Numbers(2, "error").stream()).list()) is BOOM
    source = Numbers(2, "nothing")
    reader = apply(source.stream()).get_reader()
    read = reader.read()
    await turns(10)
    await reader.cancel("reason")
    assert source.cancellations == ["reason"]
    await read
    assert timers() == []


async def failure_in_virtual_time(awaitable: Any) -> BaseException:
    try:
        await awaitable
    except Exception as error:
        return error
    raise AssertionError("it succeeded")


async def test_a_size_function_that_fails() -> None:
    source = Numbers(9)
    stream = source.stream().batched(size=3, size_of=fail, seconds=9)
    assert await failure(stream.list()) is BOOM
    assert source.cancellations == [BOOM]
    assert timers() == []


TEXT: Any = "text"
REFUSED: list[tuple[Callable[[ReadableStream[Any]], Any], type[Exception], str]] = [
    (lambda s: s.batched(seconds=0), ValueError, "seconds must be greater than 0"),
    (lambda s: s.batched(seconds=TEXT), TypeError, "seconds must be a number"),
    (lambda s: s.throttled(0, per=1), ValueError, "limit must be greater than 0"),
    (lambda s: s.throttled(1, per=-1), ValueError, "per must be greater than 0"),
    (lambda s: s.throttled(1, per=1, burst=0), ValueError, "burst must be at least 1"),
    (lambda s: s.debounced(0), ValueError, "seconds must be greater than 0"),
    (lambda s: s.debounced(TEXT), TypeError, "seconds must be a number"),
    (lambda s: s.lines(newline=""), ValueError, "newline must not be empty"),
    (lambda s: s.chunked(0), ValueError, "size must be at least 1"),
]


@each_row(("use", "kind", "words"), REFUSED)
async def test_a_bad_argument_leaves_the_stream_unlocked(use: Any, kind: type[Exception], words: str) -> None:
    stream = Numbers().stream()
    with pytest.raises(kind, match=words):
        use(stream)
    assert not stream.locked


# Lines and chunks of one size.


@each_of(pull=["iterator", "source"])
async def test_lines_and_chunks_pull(pull: str) -> None:
    def stream(*chunks: Any) -> Any:
        numbers = Numbers(len(chunks)).stream().map(lambda number: chunks[number])
        return ReadableStream.from_(list(chunks)) if pull == "iterator" else numbers

    assert await stream("a\nb", "c\r\n", "\nd").lines().list() == ["a", "bc", "", "d"]
    data = stream
    assert await data(b"a\0b", b"c\0").lines(newline="\0", keep_ends=True).list() == [b"a\0", b"bc\0"]
    assert await stream("x", "").lines().map(str.upper).batched(2).list() == [["X"]]
    data = stream
    assert await data(b"abc", bytearray(b"defgh")).chunked(3).list() == [b"abc", b"def", b"gh"]
    assert await stream("a\nb\nc\nd").lines().take(2).list() == ["a", "b"]
    assert isinstance(await failure(stream("a", b"b").lines().list()), TypeError)


async def test_a_line_that_is_too_long() -> None:
    from webstreams import LimitExceeded

    source = Numbers(100)
    error = await failure(source.stream().map(lambda _: "spam").lines(limit=10).list())
    assert isinstance(error, LimitExceeded)
    assert source.pulls == 3
    assert source.cancellations == [error]


@in_virtual_time
async def test_a_slow_source_works_while_calls_run() -> None:
    """With a window there is always a chunk under way: so many seconds as chunks, not twice as many."""

    async def call(number: int) -> int:
        await asyncio.sleep(1)
        return number

    async def numbers() -> AsyncIterator[int]:
        for number in range(100):
            await asyncio.sleep(1)  # it takes as long as a call, from when it is asked
            yield number

    for concurrency, window in ((1, 2), (4, None)):
        begin = now()
        stream = ReadableStream.from_(numbers()).map(call, concurrency=concurrency, window=window)
        assert await stream.list() == list(range(100))
        assert now() - begin <= 102


@in_virtual_time
async def test_a_slow_call_of_one_key_holds_no_other_up() -> None:
    ended: list[tuple[float, str]] = []

    async def call(name: str) -> str:
        await asyncio.sleep(50 if name == "slow" else 1)
        ended.append((now(), name))
        return name

    names = ["slow", *"abcdefgh"]
    stream = ReadableStream.from_(names).map(call, concurrency=2, window=9, key=lambda name: name)
    assert await stream.list() == names
    assert ended == [*((index + 1, name) for index, name in enumerate("abcdefgh")), (50, "slow")]
