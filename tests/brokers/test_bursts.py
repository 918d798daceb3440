"""What a source has received together passes a pipe together, and nobody can tell but by the time that it takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.brokers.test_piped import QuickBroker
from tests.waiting import another_task, until
from webstreams import AbortController, Promise, WritableStream
from webstreams.brokers import Deliveries, acknowledging
from webstreams.observe import observe

COUNT = 300


class PageBroker(QuickBroker):
    """Delivers as many as may be open at a time, in one page, when all before are acknowledged."""

    pulls = 0

    def _push(self) -> None:
        if not len(self.ledger) and not self.is_over:
            page = [self.waiting.popleft() for _ in range(min(self.ledger.limit, len(self.waiting)))]
            self._attempts.update(page)
            self.deliver_all([(number, number, None, attempt) for number, attempt in page])

    def pull(self, controller: Any) -> None:
        self.pulls += 1
        super().pull(controller)


async def run(write: Callable[[int, Any], Any], **options: Any) -> tuple[PageBroker, list[int]]:
    """Pipe everything into a sink; return the broker, and what was written."""
    broker = PageBroker(30, COUNT)
    stream = Deliveries[int](broker)
    written: list[int] = []

    def note(value: int, controller: Any) -> Any:
        written.append(value)
        return write(value, controller)

    pipe = stream.pipe_to(acknowledging(WritableStream({"write": note})), **options)
    await until(lambda: len(broker.acknowledged) >= COUNT or pipe.done())
    await stream.drain()
    await pipe
    return broker, written


async def test_they_are_not_asked_for_one_by_one() -> None:
    broker, written = await run(lambda value, controller: None)
    assert broker.acknowledged == written == list(range(COUNT))
    assert broker.pulls < COUNT / 4 or not is_on()


def is_on() -> bool:
    """Whether the environment lets pipes take short cuts."""
    from webstreams._fastpath.policy import FAST_PATHS, OFF

    return FAST_PATHS != OFF


async def test_the_order_stays_when_some_writes_take_longer() -> None:
    broker, written = await run(lambda value, controller: asyncio.sleep(0) if value % 7 == 3 else None)
    assert sorted(broker.acknowledged) == written == list(range(COUNT))


async def test_a_pipe_that_is_aborted_in_a_write_writes_nothing_more() -> None:
    controller = AbortController()
    written: list[int] = []
    broker = PageBroker(30, COUNT)

    def write(value: int, _: object) -> None:
        written.append(value)
        if value == 40:
            controller.abort(ValueError("enough"))

    with pytest.raises(ValueError, match="enough"):
        await Deliveries[int](broker).pipe_to(acknowledging(WritableStream({"write": write})), signal=controller.signal)
    assert broker.acknowledged == written == list(range(41))
    assert sorted(number for number, _ in broker.waiting) == list(range(41, COUNT))


async def test_what_a_write_has_set_off_comes_before_the_next_write() -> None:
    order: list[int] = []

    def write(value: int, controller: object) -> None:
        order.append(value)
        if value % 5 == 0:
            Promise.resolve(-value).then(order.append)

    await run(write)
    for value in range(5, COUNT, 5):
        assert order[order.index(value) + 1] == -value


async def test_the_failure_of_a_write_ends_the_pipe_before_the_next_one() -> None:
    written: list[int] = []
    broker = PageBroker(30, COUNT)

    def write(value: int, controller: object) -> None:
        written.append(value)
        if value == 40:
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        await Deliveries[int](broker).pipe_to(acknowledging(WritableStream({"write": write})))
    assert written == list(range(41))
    assert broker.acknowledged == list(range(40))
    assert sorted(number for number, _ in broker.waiting) == list(range(40, COUNT))


async def test_whoever_observes_is_told_of_each() -> None:
    broker = PageBroker(30, COUNT)
    stream = Deliveries[int](broker)
    pipeline = observe(stream)
    pipe = stream.pipe_to(acknowledging(WritableStream[int]()))
    await until(lambda: len(broker.acknowledged) >= COUNT)
    assert pipeline.stages[0].chunks_out == COUNT
    await stream.drain()
    await pipe


async def test_other_tasks_have_their_turns() -> None:
    before: list[int] = []

    def write(value: int, controller: object) -> None:
        before.append(beats.count)
        end = time.perf_counter() + 0.0005
        while time.perf_counter() < end:
            pass

    async with another_task() as beats:
        await asyncio.sleep(0)
        await run(write)
    # Each turn may take eight milliseconds, which is less than a page takes: pages are interrupted.
    assert len(set(before)) > COUNT / 30 + 5


class SilentBroker(PageBroker):
    """Tells nobody of its acknowledgements before it is asked to."""

    acknowledges_at_once = False

    def tell(self, count: int) -> None:
        """The first ones have been acknowledged."""
        self.ledger.told(list(self.ledger.entered)[:count])


async def some_turns() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_closing_waits_for_acknowledgements_that_nobody_waits_for() -> None:
    calls: list[str] = []
    gate = asyncio.Event()
    broker = SilentBroker(100, 100)  # more than acknowledging() takes while the sink is busy
    stream = Deliveries[int](broker)

    def write(value: int, controller: object) -> Any:
        return gate.wait() if value == 0 else None

    pipe = stream.pipe_to(acknowledging(WritableStream({"write": write, "close": lambda: calls.append("close")})))
    await until(lambda: broker.pulls > 0)
    draining = asyncio.ensure_future(stream.drain())
    await until(lambda: broker.stopped == 1)
    await some_turns()
    gate.set()
    await until(lambda: len(broker.acknowledged) == 100)
    broker.tell(1)  # the sink was busy with it, so that its own end is waited for
    await some_turns()
    assert broker._is_closed  # there is nothing to read any more, though little is settled yet
    assert calls == [] and not pipe.done() and stream.unsettled == 99
    broker.tell(99)
    await pipe
    await draining
    assert calls == ["close"]
