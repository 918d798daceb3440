"""Calls that end at once are gathered; one of them that does not is like any other from then on."""

from __future__ import annotations

import asyncio
import contextvars
import random
import re
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.faults.helpers import soon, turns
from tests.grids import each_of
from webstreams import SKIP, ReadableStream, ReadableStreamDefaultController
from webstreams._engine.jobs import current_jobs
from webstreams._engine.workers import QUICK, Slot, Workers
from webstreams.observe import observe

from .table import settle

# By then the calls are known to end at once.
KNOWN = 4 * QUICK
VARIABLE: contextvars.ContextVar[int] = contextvars.ContextVar("VARIABLE", default=-1)

Function = Callable[[int], Awaitable[Any]]


class Slow:
    """A function whose calls end at once, but for some, which wait until they are told to go on."""

    def __init__(self, *slow: int) -> None:
        self.gates = {number: asyncio.Event() for number in slow}
        self.started: list[int] = []

    async def __call__(self, number: int) -> int:
        self.started.append(number)
        if number in self.gates:
            await self.gates[number].wait()
        return number


async def test_a_call_that_takes_time_lets_others_begin_and_keeps_its_place() -> None:
    function = Slow(KNOWN)
    reader = ReadableStream.from_(range(200)).map(function, concurrency=4, window=1000).get_reader()
    for number in range(KNOWN):
        assert (await soon(reader.read())).value == number
    read = reader.read()
    await turns(20)
    assert not read.done()
    assert function.started == list(range(200))
    function.gates[KNOWN].set()
    assert (await soon(read)).value == KNOWN
    for number in range(KNOWN + 1, 200):
        assert (await soon(reader.read())).value == number
    assert (await soon(reader.read())).done
    await settle()


async def test_results_before_a_call_that_takes_time_are_there() -> None:
    function = Slow(KNOWN + 10)
    reader = ReadableStream.from_(range(200)).map(function, concurrency=16).get_reader()
    for number in range(KNOWN + 10):
        assert (await soon(reader.read())).value == number
    assert not function.gates[KNOWN + 10].is_set()
    await soon(reader.cancel())
    await settle()


async def test_no_more_calls_than_allowed_while_several_take_time() -> None:
    slow = range(KNOWN, 200)
    function = Slow(*slow)
    reader = ReadableStream.from_(range(200)).map(function, concurrency=3, window=1000).get_reader()
    for _ in range(KNOWN):
        await soon(reader.read())
    for number in slow:
        read = reader.read()
        await turns(20)
        assert function.started == list(range(min(number + 3, 200)))
        function.gates[number].set()
        assert (await soon(read)).value == number
    await settle()


class Calls:
    """Keeps the results of calls, as an owner of workers does that keeps their order."""

    def __init__(self) -> None:
        self.results: deque[Any] = deque()
        self._slots: deque[Slot] = deque()

    def slot_of(self, item: Any) -> Slot:
        slot = Slot(item)
        self.place(slot)
        return slot

    def place(self, slot: Slot) -> None:
        self._slots.append(slot)

    def may_gather(self) -> bool:
        return not self._slots

    def items_at_once(self) -> None:
        return None

    def put_back(self, item: Any) -> None:
        raise NotImplementedError

    def calls_returned(self, goes_on: bool) -> None:
        pass

    def call_returned(self, slot: Slot, value: Any) -> None:
        slot.is_done, slot.value = True, value
        while self._slots and self._slots[0].is_done:
            self.results.append(self._slots.popleft().value)

    def call_failed(self, slot: Slot | None, error: BaseException) -> None:
        raise error


async def test_a_worker_that_was_woken_before_ends_the_gathering_of_another() -> None:
    """Both were woken for calls that may take time; the first learns that they end at once, and gathers the next."""
    function, calls = Slow(0, 1, 100), Calls()
    workers = Workers(current_jobs(), function, 2, calls, calls.results)
    workers.submit_all([0, 1])
    await turns(20)
    for number in (0, 1):
        function.gates[number].set()
    await turns(20)
    for number in range(2, QUICK):
        workers.submit(number)
        await turns(20)
    assert workers.quick_calls == QUICK - 1
    workers.submit_all([99, 100, 101])
    await turns(20)
    assert function.started == [*range(QUICK), 99, 100, 101]
    function.gates[100].set()
    await turns(20)
    assert list(calls.results) == function.started
    workers.close()
    await settle()


@each_of(concurrency=[1, 2, 16], window=[16, 64])
async def test_any_mixture_keeps_the_order(concurrency: int, window: int) -> None:
    dice = random.Random(concurrency * window)
    running = most = 0

    async def call(number: int) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            if number // 50 % 2 and not dice.randrange(4):
                for _ in range(dice.randrange(4)):
                    await asyncio.sleep(0)
            return SKIP if number % 7 == 3 else number
        finally:
            running -= 1

    mapped = ReadableStream.from_(range(1000)).map(call, concurrency=concurrency, window=window)
    found = []
    async for number in mapped:
        found.append(number)
        if not dice.randrange(10):
            await asyncio.sleep(0)
    assert found == [number for number in range(1000) if number % 7 != 3]
    assert most <= concurrency
    await settle()


async def test_a_variable_that_a_call_has_set_is_not_seen_by_the_next() -> None:
    seen = []

    async def call(number: int) -> int:
        seen.append(VARIABLE.get())
        if number % 3 == 0:
            VARIABLE.set(number)
        return number

    assert await ReadableStream.from_(range(100)).map(call, concurrency=4).list() == list(range(100))
    assert seen == [-1] * 100


async def test_a_failure_is_told_and_nothing_is_called_after_it() -> None:
    started = []

    async def call(number: int) -> int:
        started.append(number)
        if number == KNOWN + 3:
            raise KeyError(number)
        return number

    reader = ReadableStream.from_(range(200)).map(call, concurrency=4, window=1000).get_reader()
    await turns(20)
    error = None
    while error is None:
        try:
            await soon(reader.read())
        except KeyError as caught:
            error = caught
    assert error.args == (KNOWN + 3,)
    assert started == list(range(KNOWN + 4))
    await settle()


async def test_a_call_that_cancels_its_own_task_is_the_last_one_of_its_worker() -> None:
    tasks: list[Any] = []

    async def call(number: int) -> int:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        if number == KNOWN:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.sleep(0)
        return number

    assert await ReadableStream.from_(range(100)).map(call, concurrency=2).list() == list(range(100))
    cancelled = tasks[KNOWN]
    assert cancelled not in tasks[KNOWN + 1 :]
    await settle()


@each_of(place=range(KNOWN, KNOWN + 8))
async def test_a_call_that_cancels_its_own_task_and_ends_at_once_is_the_last_one_too(place: int) -> None:
    tasks: list[Any] = []

    async def call(number: int) -> int:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        if number == place:
            task.cancel()
        return number

    assert await ReadableStream.from_(range(100)).map(call, concurrency=8).list() == list(range(100))
    assert tasks[place] not in tasks[place + 1 :]
    await settle()


async def test_a_call_that_leaves_its_own_stream_is_the_last_one() -> None:
    started: list[int] = []
    cancelled: Any = None

    async def call(number: int) -> int:
        nonlocal cancelled
        started.append(number)
        if number == KNOWN:
            cancelled = reader.cancel("enough")
        return number

    reader: Any = ReadableStream.from_(range(200)).map(call, concurrency=4, window=1000).get_reader()
    while cancelled is None:
        await soon(reader.read())
    await soon(cancelled)
    assert started == list(range(KNOWN + 1))
    await settle()


async def test_a_read_while_a_gathered_call_is_under_way_gets_its_result_at_once() -> None:
    function = Slow(KNOWN + 1, KNOWN + 2)
    reader = ReadableStream.from_(range(KNOWN + 3)).map(function, concurrency=1, window=64).get_reader()
    for number in range(KNOWN + 1):
        assert (await soon(reader.read())).value == number
    read = reader.read()
    await turns(5)
    function.gates[KNOWN + 1].set()
    assert (await soon(read)).value == KNOWN + 1
    function.gates[KNOWN + 2].set()
    assert (await soon(reader.read())).value == KNOWN + 2
    assert (await soon(reader.read())).done
    await soon(reader.closed)
    await settle()


async def test_while_a_call_takes_time_others_begin_though_nobody_reads() -> None:
    """The window is filled, by workers that the calls that ended at once did not need."""
    function = Slow(KNOWN)
    reader = ReadableStream.from_(range(200)).map(function, concurrency=8, window=32).get_reader()
    for number in range(KNOWN):
        assert (await soon(reader.read())).value == number
    await turns(20)
    assert function.started == list(range(KNOWN + 32))
    await soon(reader.cancel())
    await settle()


async def test_while_a_call_of_for_each_takes_time_the_others_go_on() -> None:
    function = Slow(KNOWN, 2 * KNOWN)
    ended = ReadableStream.from_(range(200)).for_each(function, concurrency=4)
    await turns(200)
    assert function.started == list(range(200))
    assert not ended.done()
    function.gates[KNOWN].set()
    await turns(20)
    assert not ended.done()
    function.gates[2 * KNOWN].set()
    await soon(ended)
    await settle()


async def test_calls_of_for_each_in_any_mixture() -> None:
    dice = random.Random(7)
    running = most = 0
    started = []

    async def call(number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        started.append(number)
        if number // 50 % 2 and not dice.randrange(4):
            for _ in range(dice.randrange(4)):
                await asyncio.sleep(0)
        running -= 1

    await ReadableStream.from_(range(1000)).for_each(call, concurrency=5)
    assert started == list(range(1000))
    assert most == 5
    await settle()


async def test_the_failure_of_a_call_of_for_each_is_told_with_the_source_cancelled() -> None:
    reasons: list[object] = []
    failure = ValueError(KNOWN)

    async def call(number: int) -> None:
        if number == KNOWN:
            raise failure

    numbers = iter(range(200))

    def pull(controller: ReadableStreamDefaultController[int]) -> None:
        controller.enqueue(next(numbers))

    source = ReadableStream[int]({"pull": pull, "cancel": reasons.append})
    with pytest.raises(ValueError) as caught:
        await soon(source.for_each(call, concurrency=4))
    assert caught.value is failure
    assert reasons == [failure]
    await settle()


class Item:
    """Neither a number nor awaitable."""


async def later(value: Any) -> Any:
    """Return it in the next turn."""
    await asyncio.sleep(0)
    return value


async def same(value: Any) -> Any:
    """Return it at once."""
    return value


@each_of(place=[0, KNOWN, KNOWN + 1, KNOWN + 17, 199])
async def test_an_item_of_a_list_that_is_awaitable_is_waited_for(place: int) -> None:
    items: list[Any] = list(range(200))
    items[place] = later("came")
    expected = [*range(place), "came", *range(place + 1, 200)]
    assert await ReadableStream.from_(items).map(same, concurrency=4).list() == expected
    await settle()


async def test_items_of_any_kind_keep_their_order() -> None:
    items: list[Any] = [Item() if number % 5 == 3 and number > 2 * KNOWN else number for number in range(200)]
    assert await ReadableStream.from_(items).map(same, concurrency=4).list() == items
    assert await ReadableStream.from_(tuple(items)).map(same, concurrency=4).list() == items
    assert await ReadableStream.from_(iter(items)).map(same, concurrency=4).list() == items
    await settle()


async def test_a_list_that_grows_while_it_is_read() -> None:
    items = list(range(KNOWN))

    async def call(number: int) -> int:
        if len(items) < 300:
            items.append(len(items))
        return number

    assert await ReadableStream.from_(items).map(call, concurrency=4).list() == list(range(300))
    await settle()


async def test_no_more_items_are_taken_from_an_iterator_than_the_window_admits() -> None:
    numbers = iter(range(1000))
    reader = ReadableStream.from_(numbers).map(same, concurrency=4, window=16).get_reader()
    for number in range(KNOWN):
        assert (await soon(reader.read())).value == number
    await turns(20)
    assert next(numbers) == KNOWN + 16


@each_of(keys=[1, 3])
async def test_calls_with_a_key_wait_for_each_other_although_they_end_at_once(keys: int) -> None:
    function = Slow(KNOWN)
    mapped = ReadableStream.from_(range(200)).map(function, concurrency=4, window=64, key=lambda number: number % keys)
    reader = mapped.get_reader()
    for number in range(KNOWN):
        assert (await soon(reader.read())).value == number
    await turns(20)
    assert [each for each in function.started if each > KNOWN and each % keys == KNOWN % keys] == []
    function.gates[KNOWN].set()
    for number in range(KNOWN, 200):
        assert (await soon(reader.read())).value == number
    assert (await soon(reader.read())).done
    await settle()


async def test_out_of_order_what_is_left_out_makes_room_at_once() -> None:
    """The window is for what somebody may read."""
    started = []

    async def call(number: int) -> Any:
        started.append(number)
        return number if number == 0 else SKIP

    reader = ReadableStream.from_(range(200)).map(call, concurrency=4, window=16, ordered=False).get_reader()
    assert (await soon(reader.read())).value == 0
    await turns(100)
    assert started == list(range(200))
    assert (await soon(reader.read())).done
    await settle()


async def test_a_call_that_reads_its_own_stream_gives_its_result_to_that_read() -> None:
    reads: list[Any] = []
    controllers: list[Any] = []

    async def call(number: int) -> int:
        if number == KNOWN:
            reads.append(reader.read())
        return number

    numbers: ReadableStream[int] = ReadableStream({"start": controllers.append})
    reader: Any = numbers.map(call, concurrency=2, window=64).get_reader()
    for number in range(KNOWN):
        controllers[0].enqueue(number)
        assert (await soon(reader.read())).value == number
    controllers[0].enqueue(KNOWN)  # nobody waits for it, and nothing comes behind it
    await turns(20)
    assert (await soon(reads[0])).value == KNOWN
    await soon(reader.cancel())
    await settle()


@each_of(count=range(6 * QUICK, 7 * QUICK))
async def test_for_each_ends_with_the_last_calls_however_many_there_are(count: int) -> None:
    called: list[int] = []

    async def call(number: int) -> None:
        called.append(number)

    await soon(ReadableStream.from_(range(count)).for_each(call, concurrency=4))
    assert called == list(range(count))
    await settle()


async def test_for_each_with_a_key_calls_with_the_chunks() -> None:
    called: list[int] = []

    async def call(number: int) -> None:
        called.append(number)

    await soon(ReadableStream.from_(range(200)).for_each(call, concurrency=4, key=lambda number: number))
    assert called == list(range(200))
    await settle()


class Clock:
    """What the queue of jobs takes for the time: a tenth of a millisecond passes with each call."""

    def __init__(self) -> None:
        self.calls = 0
        self.waits: list[int] = []

    def time(self) -> float:
        """The time in seconds."""
        return self.calls / 10_000

    async def __call__(self, number: int) -> int:
        self.calls += 1
        return number

    async def watch(self) -> None:
        """Note how many calls this task has to wait for each of its turns."""
        while True:
            before = self.calls
            await asyncio.sleep(0)
            self.waits.append(self.calls - before)


async def test_other_tasks_have_their_turns_between_calls_that_are_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is ready for a worker, it takes about the time of a turn, 8 ms: the rest is for other workers."""
    clock = Clock()
    controllers: list[Any] = []
    numbers: ReadableStream[int] = ReadableStream({"start": controllers.append})
    monkeypatch.setattr("webstreams._engine.jobs.monotonic", clock.time)
    reader = numbers.map(clock, concurrency=1000, window=1000).get_reader()
    feed = controllers[0].enqueue
    feed(0)
    feed(1)  # so that there are two workers
    for number in range(KNOWN):
        assert (await soon(reader.read())).value == number
        feed(number + 2)
    await turns(20)
    watching = asyncio.create_task(clock.watch())
    await turns(2)
    for number in range(KNOWN + 2, 900):
        feed(number)
    for number in range(KNOWN, 900):
        assert (await soon(reader.read())).value == number
    watching.cancel()
    await asyncio.wait({watching})
    assert 0 < next(filter(None, clock.waits)) <= 120
    await soon(reader.cancel())
    await settle()


async def test_other_tasks_have_their_turns_between_calls_for_items_that_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reads, which take no time here, and calls, which do, have each a pace of their own."""
    clock = Clock()
    monkeypatch.setattr("webstreams._engine.jobs.monotonic", clock.time)
    reader = ReadableStream.from_(range(3000)).map(clock, concurrency=16, window=1000).get_reader()
    for number in range(KNOWN):
        assert (await soon(reader.read())).value == number
    watching = asyncio.create_task(clock.watch())
    await turns(2)
    for number in range(KNOWN, 3000):
        assert (await soon(reader.read())).value == number
    watching.cancel()
    await asyncio.wait({watching})
    assert 0 < max(clock.waits) <= 120
    assert (await soon(reader.read())).done
    await settle()


@each_of(make=[range, lambda count: list(range(count))])
async def test_the_window_that_is_shown_counts_calls_whose_results_are_gathered(make: Any) -> None:
    taken = 0
    shown: list[str] = []

    async def call(number: int) -> int:
        window = re.search(r"(\d) of 4 calls under way, window (\d+)/16", repr(stream))
        assert window is not None
        assert number + 1 - taken <= int(window[2]) <= 16 or int(window[2]) == number - taken  # one is being given
        shown.append(window[1])
        return number

    stream = ReadableStream.from_(make(300)).map(call, concurrency=4, window=16)
    async for number in stream:
        taken += 1
        assert number == taken - 1
    assert set(shown) == {"1"}
    await settle()


@each_of(concurrency=[1, 4])
async def test_calls_of_for_each_that_all_change_their_context(concurrency: int) -> None:
    """Each of them is the last one of its worker."""
    seen = []

    async def call(number: int) -> None:
        seen.append(VARIABLE.get())
        if number > KNOWN:
            VARIABLE.set(number)

    await soon(ReadableStream.from_(range(100)).for_each(call, concurrency=concurrency))
    assert seen == [-1] * 100
    await settle()


async def test_observing_begins_in_a_call_whose_result_is_gathered() -> None:
    """From then on items are counted that a worker would have taken itself."""
    pipelines: list[Any] = []

    async def call(number: int) -> int:
        if number == KNOWN:
            pipelines.append(observe(mapped))
        return number

    mapped = ReadableStream.from_(range(200)).map(call, concurrency=4, window=100)
    assert await mapped.list() == list(range(200))
    counted = pipelines[0].stages[0].chunks_out
    assert counted == 200 - KNOWN - 1
    await settle()
