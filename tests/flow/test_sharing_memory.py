"""`share`: what is dropped and what is held, and who is named when nothing goes on."""

from __future__ import annotations

import asyncio
import gc
import sys
import warnings
from collections import Counter
from typing import Any

from tests.dropping import Dropped
from tests.faults.helpers import Counted, count_living, failure, soon, turns
from tests.grids import each_of
from webstreams import (
    AbortController,
    AbortError,
    ReadableStream,
    Shared,
    WritableStream,
    share,
)

from .sharing import ERROR, POLICIES, Policy
from .support import Later, Source, nothing_alive

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
async def test_subscribing_and_cancelling_thousands_of_times_leaves_nothing(policy: Policy) -> None:
    source = Source()
    shared = share(source.stream, policy=policy)
    first = shared.subscribe().get_reader()
    samples = []
    times = 2_000
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
