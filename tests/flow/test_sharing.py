"""`share`: its policies, its ends, and what it must never do."""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

import pytest

from tests.dropping import Dropped
from tests.faults.helpers import Counted, count_living, failure, quiet, read_all, reason, soon, turns
from tests.grids import each_of, each_row
from tests.loops import LOOP_FACTORIES
from webstreams import (
    AbortController,
    AbortError,
    Lagged,
    ReadableStream,
    Shared,
    StreamError,
    Subscription,
    WritableStream,
    share,
)

from .support import CallsLater, Later, Silent, Source, nothing_alive

Policy = Literal["wait", "error", "drop-oldest", "drop-newest"]
POLICIES: list[Policy] = ["wait", "error", "drop-oldest", "drop-newest"]
ERROR = ValueError("of the source")
REASON = object()


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
    chunks = 150 if count < 64 else 50
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
    readers = [shared.subscribe().get_reader() for _ in range(3000)]
    reads = [reader.read() for reader in readers for _ in range(4)]
    results = [await soon(each) for each in reads]
    assert Counter(each.value for each in results) == {0: 3000, 1: 3000, 2: 3000, None: 3000}


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


# The ends.


@each_of(kind=[Source, Later])
async def test_the_end_comes_after_what_was_not_read(kind: type[Source]) -> None:
    source = kind(3)
    shared = share(source.stream)
    slow = shared.subscribe()
    assert await soon(shared.subscribe().list()) == [0, 1, 2]
    assert not source.stream.locked
    assert shared.subscribers == 1
    assert await read_all(slow) == [0, 1, 2]
    assert shared.subscribers == 0
    await nothing_alive(source)


@each_of(error=[ERROR, REASON])
async def test_an_error_comes_after_what_was_not_read(error: Any) -> None:
    source = Source(3, error=error)
    shared = share(source.stream)
    slow, chunks = shared.subscribe(), []
    with quiet():
        assert await reason(shared.subscribe().list()) is error
        with slow.get_reader() as reader:
            for _ in range(3):
                chunks.append((await reader.read()).value)
            assert await reason(reader.read()) is error
    assert chunks == [0, 1, 2]
    assert source.cancelled == []
    await nothing_alive(source)


async def test_an_error_reaches_those_that_have_read_everything_without_a_read() -> None:
    source = Source(1, error=ERROR)
    shared = share(source.stream)
    idle, other = shared.subscribe().get_reader(), shared.subscribe().get_reader()
    await idle.read()
    await other.read()
    assert await failure(other.read()) is ERROR
    assert await failure(idle.closed) is ERROR


async def test_cancelling_the_last_one_cancels_the_source_with_all_reasons() -> None:
    source = Source()
    shared = share(source.stream)
    streams = [shared.subscribe() for _ in range(3)]
    for number, stream in enumerate(streams):
        assert source.cancelled == []
        await soon(stream.cancel(number))
    assert source.cancelled == [[0, 1, 2]]
    await nothing_alive(source)


async def test_the_last_cancellation_waits_for_the_source_and_tells_of_its_failure() -> None:
    gate = asyncio.Event()

    async def cancel(reason: object) -> None:
        await gate.wait()
        raise ERROR

    shared = share(ReadableStream({"cancel": cancel}))
    first, last = shared.subscribe(), shared.subscribe()
    await soon(first.cancel())
    cancelling = last.cancel()
    await turns(20)
    assert not cancelling.done()
    gate.set()
    assert await failure(cancelling) is ERROR


async def test_break_leaves_and_the_others_go_on() -> None:
    source = Source(50)
    shared = share(source.stream, high_water_mark=1)

    async def leave_early(stream: ReadableStream[int]) -> None:
        async for chunk in stream:
            if chunk == 3:
                break

    rest, _ = await soon(asyncio.gather(shared.subscribe().list(), leave_early(shared.subscribe())))
    assert rest == list(range(50))
    await nothing_alive(source)


async def test_unsubscribing_the_slow_one_inside_the_loop_goes_on() -> None:
    """As grafana#119937: the one that holds the others up is cancelled by another one's loop."""
    shared = share(Source(100).stream, high_water_mark=2)
    slow = shared.subscribe()
    chunks: list[int] = []

    async def consume() -> None:
        async for chunk in shared.subscribe():
            chunks.append(chunk)
            if chunk == 1:
                await slow.cancel()

    await soon(consume())
    assert chunks == list(range(100))


async def test_a_cancelled_task_leaves() -> None:
    source = Silent()
    shared = share(source.stream)
    tasks = [asyncio.ensure_future(shared.subscribe().list()) for _ in range(3)]
    await turns()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert [len(reasons) for reasons in source.cancelled] == [3]  # type: ignore[arg-type]
    await nothing_alive(source)


async def test_an_error_of_one_consumer_is_its_own() -> None:
    source = Source(20)
    shared = share(source.stream)
    failing = shared.subscribe().pipe_to(WritableStream({"write": lambda chunk, controller: 1 / 0}))
    chunks = await soon(shared.subscribe().list())
    assert chunks == list(range(20))
    assert isinstance(await failure(failing), ZeroDivisionError)


@each_of(given=[None, ERROR, REASON])
async def test_cancelling_all(given: Any) -> None:
    source = Source()
    shared = share(source.stream)
    readers = [shared.subscribe().get_reader() for _ in range(2)]
    await readers[0].read()
    await soon(shared.cancel(given))
    assert source.cancelled == [given]
    for reader in readers:
        if given is None:
            assert (await reader.read()).done
        else:
            assert await reason(reader.read()) is given
        reader.release_lock()
    assert shared.subscribers == 0
    assert await read_all(shared.subscribe()) == [] if given is None else True
    await soon(shared.cancel())
    assert source.cancelled == [given]
    await nothing_alive(source)


async def test_keep_leaves_the_source_open() -> None:
    source = Source()
    shared = share(source.stream, keep=True)
    for expected in range(3):
        with shared.subscribe().get_reader() as reader:
            assert (await soon(reader.read())).value == expected
            await reader.cancel()
        assert (source.cancelled, shared.queued) == ([], 0)
    await soon(shared.cancel(REASON))
    assert source.cancelled == [REASON]
    await nothing_alive(source)


# Late subscribers.


async def test_a_late_subscriber_gets_the_replay_first() -> None:
    source = Source(10)
    shared = share(source.stream, replay=3)
    early = shared.subscribe().get_reader()
    for _ in range(5):
        await soon(early.read())
    late = shared.subscribe()
    rest, chunks = await soon(asyncio.gather(_drain(early), late.list()))
    assert chunks == list(range(2, 10))
    assert rest == list(range(5, 10))


async def _drain(reader: Any) -> list[Any]:
    chunks = []
    while not (result := await reader.read()).done:
        chunks.append(result.value)
    return chunks


@each_of(policy=POLICIES)
async def test_the_replay_is_longer_than_the_mark(policy: Policy) -> None:
    source = Source(40)
    shared = share(source.stream, replay=20, high_water_mark=2)
    early = shared.subscribe().get_reader()
    for _ in range(30):
        await soon(early.read())
    late = shared.subscribe(policy=policy)
    with late.get_reader() as reader:
        assert [(await soon(reader.read())).value for _ in range(10)] == list(range(10, 20))
        await soon(early.read())
        assert late.lost == 0
        assert (await soon(reader.read())).value == 20
        rest, _ = await soon(asyncio.gather(_drain(reader), _drain(early)))
    assert rest == list(range(21, 40))


@each_of(error=[None, ERROR])
async def test_a_subscriber_after_the_end_gets_the_replay_and_then_the_end(error: Any) -> None:
    """Not an empty stream that never ends (Effect#8374)."""
    shared = share(Source(5, error=error).stream, replay=2)
    first = shared.subscribe()
    if error is None:
        assert await read_all(first) == [0, 1, 2, 3, 4]
        assert [await read_all(shared.subscribe()) for _ in range(2)] == [[3, 4]] * 2
        return
    assert await failure(first.list()) is error
    with shared.subscribe().get_reader() as reader:
        assert [(await reader.read()).value for _ in range(2)] == [3, 4]
        assert await failure(reader.read()) is error


async def test_a_subscriber_after_the_end_without_a_replay() -> None:
    shared = share(Source(5).stream)
    await read_all(shared.subscribe())
    assert await read_all(shared.subscribe()) == []
    failed = share(Source(0, error=ERROR).stream)
    assert await failure(failed.subscribe().list()) is ERROR
    assert await failure(failed.subscribe().list()) is ERROR


# What is dropped, and what is held.


@each_of(policy=POLICIES)
async def test_what_all_have_read_is_not_held_by_one_that_is_still_referred_to(policy: Policy) -> None:
    """Neither by a subscription that goes on, nor by one that has ended."""
    source: ReadableStream[Counted] = ReadableStream.from_(map(Counted, range(100)))
    shared = share(source, policy=policy, high_water_mark=2)
    reader = shared.subscribe(policy="wait").get_reader()
    going_on, left, slow = shared.subscribe().get_reader(), shared.subscribe(), shared.subscribe()
    await soon(left.cancel())
    for _ in range(50):
        await asyncio.gather(soon(reader.read()), soon(going_on.read()), *([] if slow.lost else [_read_once(slow)]))
    assert count_living(Counted) <= 2
    assert repr(left).endswith("desired_size 0>")
    await soon(asyncio.gather(reader.cancel(), going_on.cancel(), *([] if policy == "error" else [slow.cancel()])))


async def _read_once(stream: ReadableStream[Any]) -> None:
    with stream.get_reader() as reader:
        await soon(reader.read())


@each_of(policy=POLICIES)
@each_of(count=[1, 2, 5])
async def test_dropping_all_cancels_the_source_and_gives_the_memory_back(policy: Policy, count: int) -> None:
    source = Source()
    shared = share(source.stream, policy=policy)
    dropped = Dropped()
    subscriptions = [shared.subscribe() for _ in range(count)]
    readers = [each.get_reader() for each in subscriptions]
    await soon(readers[0].read())
    dropped.add(*subscriptions, *readers)
    for number in range(count):
        del subscriptions[0], readers[0]
        await turns()
        gc.collect()
        await turns()
        assert shared.subscribers == count - number - 1
        assert len(source.cancelled) == (number == count - 1)
    assert all(isinstance(each, AbortError) for each in source.cancelled[0])  # type: ignore[attr-defined]
    assert dropped.alive() == []
    await nothing_alive(source)


async def test_dropping_the_slowest_lets_the_others_go_on() -> None:
    shared = share(Source(30).stream, high_water_mark=2)
    slow = shared.subscribe()
    task = asyncio.ensure_future(shared.subscribe().list())
    await turns(20)
    assert not task.done()
    del slow
    gc.collect()
    assert await soon(task) == list(range(30))


async def test_dropping_everything_cancels_the_source() -> None:
    source = Source()
    shared = share(source.stream)
    reader = shared.subscribe().get_reader()
    await reader.read()
    del shared, reader
    await turns()
    gc.collect()
    await turns()
    assert len(source.cancelled) == 1
    await nothing_alive(source)


@each_of(keep=[False, True])
async def test_a_shared_stream_that_nobody_can_subscribe_to_any_more_is_cancelled(keep: bool) -> None:
    source = Source()
    shared = share(source.stream, keep=keep)
    if keep:
        await shared.subscribe().cancel()
    assert source.cancelled == []
    del shared
    gc.collect()
    await turns()
    assert len(source.cancelled) == 1
    await nothing_alive(source)


async def test_a_pipe_that_nobody_refers_to_goes_on() -> None:
    shared = share(Later(10).stream)
    chunks: list[int] = []
    done = asyncio.Event()
    sink: WritableStream[int] = WritableStream(
        {"write": lambda chunk, controller: chunks.append(chunk), "close": done.set}
    )
    shared.subscribe().pipe_to(sink)
    del sink
    while not done.is_set():
        gc.collect()
        await asyncio.sleep(0)
    assert chunks == list(range(10))


async def test_what_all_have_read_is_not_held() -> None:
    shared: Shared[Counted] = share(ReadableStream.from_(map(Counted, range(100))), replay=2)
    readers = [shared.subscribe().get_reader() for _ in range(3)]
    for _ in range(50):
        for reader in readers:
            await soon(reader.read())
    await turns()
    assert count_living(Counted) == 2
    for reader in readers:
        await reader.cancel()
    await turns()
    assert count_living(Counted) == 0


@each_of(policy=POLICIES)
async def test_subscribing_and_cancelling_100_000_times_leaves_nothing(policy: Policy) -> None:
    source = Source()
    shared = share(source.stream, policy=policy)
    first = shared.subscribe().get_reader()
    samples = []
    times = 100_000 // len(POLICIES) // len(LOOP_FACTORIES)
    for number in range(times):
        subscription = shared.subscribe()
        if number % 1000 == 0:
            await subscription.get_reader().read()
            await first.read()
        else:
            await subscription.cancel(number)
        if number in {times // 3, times - 1}:
            del subscription
            await turns()
            gc.collect()
            await turns()
            samples.append(len(gc.get_objects()))
    assert abs(samples[1] - samples[0]) < 50
    assert shared.subscribers <= 10
    await first.cancel()
    assert len(source.cancelled[0]) <= 64  # type: ignore[arg-type]


# As five issues of Node's share() have it.


async def test_drop_newest_drops_and_does_not_drain_the_source() -> None:
    """As nodejs/node#64416 and #65337."""
    source = Source()
    shared = share(source.stream, high_water_mark=2, policy="drop-newest")
    slow, fast = shared.subscribe(), shared.subscribe().get_reader()
    for _ in range(100):
        await soon(fast.read())
    await turns(20)
    assert (source.given, slow.lost, shared.queued) == (100, 98, 2)
    await fast.cancel()
    await slow.cancel()


async def test_a_consumer_whose_signal_is_aborted_is_not_left_behind() -> None:
    """As nodejs/node#65298 and #63997."""
    source = Source()
    shared = share(source.stream)
    aborted, late = AbortController(), AbortController()
    aborted.abort(ERROR)
    pipes = [shared.subscribe().pipe_to(WritableStream(), signal=signal) for signal in (aborted.signal, late.signal)]
    assert await failure(pipes[0]) is ERROR
    assert shared.subscribers == 1
    await turns(20)
    late.abort(ERROR)
    assert await failure(pipes[1]) is ERROR
    assert shared.subscribers == 0
    assert source.cancelled == [[ERROR, ERROR]]
    await nothing_alive(source)


async def test_the_steps_for_a_chunk_grow_with_those_that_read_not_with_those_that_are_behind() -> None:
    """As nodejs/node#63262: nothing is looked through to free what all have read."""
    calls = Counter[str]()

    def count(frame: Any, event: str, argument: object) -> None:
        calls[event] += frame.f_code.co_filename.endswith("branches.py")

    async def calls_for(behind: int) -> int:
        shared = share(Source().stream, high_water_mark=1000)
        idle = [shared.subscribe() for _ in range(behind)]
        reader = shared.subscribe().get_reader()
        await reader.read()
        calls.clear()
        sys.setprofile(count)
        for _ in range(50):
            await reader.read()
        sys.setprofile(None)
        for each in idle:
            await each.cancel()
        await reader.cancel()
        return calls["call"]

    few, many = await calls_for(0), await calls_for(200)
    assert few > 0
    assert many <= few + 50 * 200 * 4


# Debug mode.


async def test_in_debug_mode_the_branch_that_holds_the_others_up_is_named() -> None:
    asyncio.get_running_loop().set_debug(True)
    shared = share(Source(100).stream, high_water_mark=3)
    slow = shared.subscribe()  # the place that is named
    task = asyncio.ensure_future(shared.subscribe().list())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        while not caught:
            await asyncio.sleep(0.05)
    asyncio.get_running_loop().set_debug(False)
    message = str(caught[0].message)
    assert caught[0].category is ResourceWarning
    assert "has held 1 other subscription up for 1 second: it has 3 chunks unread" in message
    assert message.endswith(
        f"{__file__}:{slow_line()} in test_in_debug_mode_the_branch_that_holds_the_others_up_is_named"
    )
    assert (caught[0].filename, caught[0].lineno) == (__file__, slow_line())
    await slow.cancel()
    assert await soon(task) == list(range(100))
    await nothing_alive()


def slow_line() -> int:
    with open(__file__, encoding="utf-8") as lines:
        return next(number for number, line in enumerate(lines, 1) if line.endswith("# the place that is named\n"))


async def test_in_debug_mode_no_timer_is_left_when_things_go_on() -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    source = Source(100)
    shared = share(source.stream, high_water_mark=1)
    slow, fast = shared.subscribe(), shared.subscribe()
    chunks, other = await soon(asyncio.gather(slow.list(), fast.list()))
    loop.set_debug(False)
    assert chunks == other == list(range(100))
    await nothing_alive(source)


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
        ({"subscribers": -1}, ValueError, "subscribers must not be negative"),
        ({"subscribers": 1.5}, TypeError, "subscribers must be an integer"),
        ({"replay": -1}, ValueError, "replay must not be negative"),
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
