"""`share`: its policies, when it reads, and its arguments."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.faults.helpers import failure, quiet, soon, turns
from tests.grids import each_of, each_row
from webstreams import (
    Lagged,
    ReadableStream,
    Shared,
    StreamError,
    Subscription,
    share,
)

from .sharing import POLICIES, Policy, _drain
from .support import CallsLater, Later, Source, nothing_alive


async def gather(shared: Shared[Any], count: int) -> list[list[Any]]:
    """Read so many subscriptions at the same time."""
    return await soon(asyncio.gather(*(shared.subscribe().list() for _ in range(count))))


# All policies, at random speeds.


class Reader:
    """Reads a subscription at a speed of its own; what it has got, and how it ended."""

    def __init__(self, shared: Shared[int], policy: Policy | None, pace: Callable[[], int]) -> None:
        self.subscription = shared.subscribe(policy=policy)
        self.pace = pace
        self.got: list[int] = []
        self.error: BaseException | None = None

    async def run(self) -> None:
        try:
            async for chunk in self.subscription:
                self.got.append(chunk)
                await turns(self.pace())
        except Lagged as error:
            self.error = error

    def check(self, policy: Policy, given: list[int]) -> None:
        """Everything that was given was received or is counted as lost, in the right order."""
        position = iter(given)
        assert all(each in position for each in self.got), "a subsequence"
        if policy == "wait":
            assert (self.got, self.subscription.lost, self.error) == (given, 0, None)
        elif isinstance(self.error, Lagged):
            assert policy == "error"
            assert self.got == given[: len(self.got)]
            assert self.error.lost == self.subscription.lost > 0
            assert len(self.got) + self.error.lost <= len(given)
        else:
            assert len(self.got) + self.subscription.lost == len(given)


@each_of(count=[1, 2, 7, 64])
@each_of(policy=POLICIES)
@each_of(kind=[Source, Later])
async def test_the_queue_is_bounded_and_nothing_is_lost_silently(
    policy: Policy, count: int, kind: type[Source]
) -> None:
    seed = random.Random(count)
    chunks = 40 if count < 64 else 24
    mark = seed.choice([1, 3, 16])
    source = kind(chunks)
    shared = share(source.stream, high_water_mark=mark, policy=policy)
    paces = [seed.choice([0, 1, 5, 20]) for _ in range(count)]
    readers = [Reader(shared, None, lambda most=pace: seed.randint(0, most)) for pace in paces]  # type: ignore[misc]
    tasks = [asyncio.ensure_future(each.run()) for each in readers]
    while not all(task.done() for task in tasks):
        assert shared.queued <= mark
        await asyncio.sleep(0)
    for task, reader in zip(tasks, readers, strict=True):
        await task
        reader.check(policy, list(range(chunks)))
    assert (shared.subscribers, shared.queued) == (0, 0)
    if policy != "error":
        assert source.cancelled == []
    await nothing_alive(source)


async def test_policies_of_their_own() -> None:
    source = Source(500)
    shared = share(source.stream, high_water_mark=4)
    slow = {policy: Reader(shared, policy, lambda: 15) for policy in POLICIES if policy != "wait"}
    fast = Reader(shared, None, lambda: 0)
    await soon(asyncio.gather(fast.run(), *(each.run() for each in slow.values())))
    fast.check("wait", list(range(500)))
    for policy, reader in slow.items():
        reader.check(policy, list(range(500)))
        assert reader.subscription.lost > 0
    assert slow["error"].error is not None


async def test_what_the_dropping_policies_keep() -> None:
    source = Source()
    shared = share(source.stream, high_water_mark=3, policy="drop-newest")
    fast = shared.subscribe(policy="drop-oldest").get_reader()
    newest, oldest = shared.subscribe(), shared.subscribe(policy="drop-oldest")
    failing = shared.subscribe(policy="error")
    assert [(await soon(fast.read())).value for _ in range(10)] == list(range(10))
    assert (newest.lost, oldest.lost, failing.lost) == (7, 7, 4)
    error = await failure(failing.list())
    assert isinstance(error, Lagged) and error.lost == 4
    assert "it has lost 4 chunks" in str(error)
    with newest.get_reader() as reader, oldest.get_reader() as other:
        assert [(await reader.read()).value for _ in range(3)] == [0, 1, 2]
        assert [(await other.read()).value for _ in range(3)] == [7, 8, 9]
        reading = reader.read()
        assert (await soon(fast.read())).value == 10
        assert (await soon(reading)).value == 10, "it has room again"
        await reader.cancel()
        await other.cancel()
    await fast.cancel()
    fast.release_lock()
    await nothing_alive(source)


async def test_the_slowest_governs() -> None:
    source = Source()
    shared = share(source.stream, high_water_mark=4)
    slow, fast = shared.subscribe().get_reader(), shared.subscribe().get_reader()
    for _ in range(4):
        await soon(fast.read())
    waiting = fast.read()
    await turns(20)
    assert (source.given, shared.queued, waiting.done()) == (4, 4, False)
    assert (await slow.read()).value == 0
    assert (await soon(waiting)).value == 4
    await slow.cancel()
    await soon(fast.read())
    assert shared.subscribers == 1
    await fast.cancel()


async def test_sizes_are_measured() -> None:
    source: ReadableStream[str] = ReadableStream.from_(["aaa", "bb", "cccc", "d"])
    shared = share(source, high_water_mark=5, size=len)
    slow, fast = shared.subscribe(), shared.subscribe().get_reader()
    assert [(await soon(fast.read())).value for _ in range(2)] == ["aaa", "bb"]
    waiting = fast.read()
    await turns(20)
    assert (shared.queued, waiting.done()) == (5, False)
    reader = slow.get_reader()
    assert (await reader.read()).value == "aaa"
    assert (await soon(waiting)).value == "cccc"
    assert shared.queued == 6
    await reader.cancel()
    await fast.cancel()


@each_of(error=[StopIteration(1), GeneratorExit(2), asyncio.CancelledError(3)])
async def test_a_size_that_raises_what_steers_coroutines(error: BaseException) -> None:
    def fail(chunk: int) -> float:
        raise error

    source = Source()
    shared = share(source.stream, size=fail)
    first, second = await soon(asyncio.gather(*(failure(shared.subscribe().list()) for _ in range(2))))
    assert isinstance(first, StreamError)
    assert first is second
    assert first.reason is error
    assert source.cancelled == [first]
    await nothing_alive(source)


@each_of(size=[lambda chunk: -1, lambda chunk: float("nan"), lambda chunk: "1", lambda chunk: 1 / 0])
async def test_a_size_that_is_none_errors_all_and_cancels_the_source(size: Any) -> None:
    source = Source()
    shared = share(source.stream, size=size)
    streams = [shared.subscribe(), shared.subscribe()]
    with quiet():
        errors = [await failure(each.list()) for each in streams]
    assert errors[0] is errors[1]
    assert isinstance(errors[0], (ValueError, ZeroDivisionError))
    assert source.cancelled == errors[:1]
    await nothing_alive(source)


# When the source is read.


async def test_nothing_is_read_before_the_first_read() -> None:
    source = Source()
    shared = share(source.stream)
    subscription = shared.subscribe()
    await turns(20)
    assert source.given == 0
    with subscription.get_reader() as reader:
        await reader.read()
        await turns(20)
        assert source.given == 1
        await reader.cancel()


async def test_nothing_is_read_before_there_are_enough_subscribers() -> None:
    source = Source(3)
    shared = share(source.stream, subscribers=2)
    first = asyncio.ensure_future(shared.subscribe().list())
    await turns(20)
    assert (source.given, first.done()) == (0, False)
    assert await soon(shared.subscribe().list()) == [0, 1, 2]
    assert await first == [0, 1, 2]


async def test_many_reads_of_many_subscriptions_with_a_source_that_is_always_ready() -> None:
    """No recursion, however many wait."""
    shared = share(Source(3).stream)
    readers = [shared.subscribe().get_reader() for _ in range(1500)]
    reads = [reader.read() for reader in readers for _ in range(4)]
    results = [await soon(each) for each in reads]
    assert Counter(each.value for each in results) == {0: 1500, 1: 1500, 2: 1500, None: 1500}


async def test_one_that_left_while_the_chunk_was_read_loses_nothing_for_the_next() -> None:
    source = Later()
    shared = share(source.stream, keep=True)
    reader = shared.subscribe().get_reader()
    reading = reader.read()
    await turns(2)
    await reader.cancel()
    assert (await reading).done
    assert source.given == 0
    await turns(20)
    assert source.given == 1
    with shared.subscribe().get_reader() as second:
        assert [(await soon(second.read())).value for _ in range(2)] == [0, 1]
    await shared.cancel()
    await nothing_alive(source)


async def test_a_cancelled_task_loses_nothing() -> None:
    shared = share(Later(5).stream)
    chunks: list[int] = []

    async def read() -> None:
        result = await reader.read()
        if not result.done:
            chunks.append(result.value)

    with shared.subscribe().get_reader() as reader:
        for waited in range(12):
            task = asyncio.ensure_future(read())
            await turns(waited)
            task.cancel()
            await asyncio.wait([task])
        chunks += await soon(_drain(reader))
    assert chunks == [0, 1, 2, 3, 4]


# Arguments, and what is shown.


async def test_a_subscription_is_a_readable_stream() -> None:
    shared = share(Source(3).stream)
    subscription = shared.subscribe()
    assert isinstance(subscription, Subscription) and isinstance(subscription, ReadableStream)
    assert subscription.lost == 0
    assert repr(shared) == "<Shared 1 subscriber, queue 0/16>"
    assert "no chunks to read" in repr(subscription)
    with pytest.raises(AttributeError):
        subscription.lost = 3  # type: ignore[misc]
    await subscription.cancel()


@each_row(
    ("arguments", "error", "message"),
    [
        ({"high_water_mark": 0}, ValueError, "greater than 0"),
        ({"high_water_mark": -1}, ValueError, "non-negative"),
        ({"high_water_mark": float("nan")}, ValueError, "non-negative"),
        ({"high_water_mark": "16"}, TypeError, "must be a number, not str"),
        ({"size": 3}, TypeError, "size must be a function"),
        ({"size": asyncio.sleep}, TypeError, "size must be a plain function"),
        ({"size": CallsLater()}, TypeError, "size must be a plain function"),
        ({"policy": "block"}, ValueError, "'drop-oldest'"),
        ({"policy": None}, ValueError, "'drop-oldest'"),
        ({"subscribers": -1}, ValueError, "subscribers must be at least 0"),
        ({"subscribers": 1.5}, TypeError, "subscribers must be an integer"),
        ({"replay": -1}, ValueError, "replay must be at least 0"),
        ({"replay": "all"}, TypeError, "replay must be an integer"),
    ],
)
async def test_bad_arguments_are_refused_and_nothing_is_locked(
    arguments: Any, error: type[Exception], message: str
) -> None:
    source = Source()
    with pytest.raises(error, match=message):
        share(source.stream, **arguments)
    await nothing_alive(source)


async def test_what_is_no_free_stream_is_refused() -> None:
    source = Source()
    with pytest.raises(TypeError, match=r"its stream is list: ReadableStream.from_\(\)"):
        share([1, 2])  # type: ignore[arg-type]
    with source.stream.get_reader(), pytest.raises(TypeError, match="is locked to"):
        share(source.stream)
    shared = share(source.stream)
    with pytest.raises(ValueError, match="subscribe"):
        shared.subscribe(policy="block")  # type: ignore[arg-type]
    assert shared.subscribers == 0
    with pytest.raises(TypeError, match=r"share\(\) returns one"):
        Shared()
    with pytest.raises(TypeError, match="cannot be constructed"):
        Subscription()


async def test_a_shared_byte_stream_gives_bytes() -> None:
    def pull(controller: Any) -> None:
        controller.enqueue(bytearray(b"chunk"))
        controller.close()

    shared = share(ReadableStream({"type": "bytes", "pull": pull}))
    assert await gather(shared, 2) == [[b"chunk"], [b"chunk"]]


async def test_all_get_the_same_objects() -> None:
    chunk = object()
    first, second = await gather(share(ReadableStream.from_([chunk])), 2)
    assert first[0] is second[0] is chunk


async def test_sharing_an_async_generator_closes_it() -> None:
    ended: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            ended.append("closed")

    shared = share(ReadableStream.from_(numbers()))
    with shared.subscribe().get_reader() as reader:
        await soon(reader.read())
        await soon(reader.cancel())
    assert ended == ["closed"]
    assert isinstance(StreamError(None), Exception)
