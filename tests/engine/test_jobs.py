"""The queue of jobs by itself: the order, when it is drained, and how long it may hold up the event loop."""

from __future__ import annotations

import asyncio
from threading import Thread
from typing import Any

import pytest

from webstreams._engine.delay import after
from webstreams._engine.jobs import FIRST_COUNTDOWN, MAX_COUNTDOWN, TURN_BUDGET, JobQueue, current_jobs
from webstreams._engine.loop_end import LoopEnd


@pytest.fixture
async def queue() -> JobQueue:
    """The queue of the running loop."""
    return current_jobs()


async def be_known(queue: JobQueue) -> None:
    """Let the queue see that the loop calls this task, which may have been started eagerly."""
    queue.run_until(queue.mark)
    await asyncio.sleep(0)


async def test_a_loop_has_one_queue() -> None:
    assert current_jobs() is current_jobs()
    assert isinstance(current_jobs().end, LoopEnd)


def test_without_a_loop_there_is_none() -> None:
    with pytest.raises(RuntimeError, match="none is running in this thread"):
        current_jobs()


async def test_jobs_run_in_their_order_and_those_they_queue_come_behind(queue: JobQueue) -> None:
    log: list[str] = []

    def first() -> None:
        log.append("first")
        queue.push(lambda: log.append("queued by the first"))

    queue.push(first)
    queue.push(lambda: log.append("second"))
    assert log == []
    await asyncio.sleep(0)
    assert log == ["first", "second", "queued by the first"]


async def test_the_loop_is_asked_once_for_all_jobs(queue: JobQueue) -> None:
    assert not queue.scheduled
    for _ in range(3):
        queue.push(lambda: None)
        assert queue.scheduled
    await asyncio.sleep(0)
    assert not queue.scheduled
    assert not queue.jobs


async def test_a_job_that_fails_is_reported_and_the_others_run(queue: JobQueue, reported: list[dict[str, Any]]) -> None:
    log: list[str] = []
    queue.push(lambda: 1 // 0)
    queue.push(lambda: log.append("ran"))
    await asyncio.sleep(0)
    assert log == ["ran"]
    assert [(each["message"], type(each["exception"])) for each in reported] == [
        ("webstreams: a microtask raised an exception", ZeroDivisionError)
    ]


async def test_a_delay_runs_its_job_behind_what_is_queued_meanwhile(queue: JobQueue) -> None:
    log: list[int] = []

    def count(number: int) -> None:
        log.append(number)
        if number < 4:
            queue.push(lambda: count(number + 1))

    queue.push(after(queue, 2, lambda: log.append(0)))
    queue.push(lambda: count(1))
    await asyncio.sleep(0)
    assert log == [1, 2, 0, 3, 4], "two jobs later"


async def test_a_delay_that_nothing_can_come_between_runs_its_job_at_once(queue: JobQueue) -> None:
    ran: list[int] = []
    delayed = after(queue, 3, lambda: ran.append(len(queue.jobs)))
    delayed()
    assert ran == [0]
    queue.push(lambda: None)
    delayed()
    assert ran == [0], "another job comes first"
    queue.jobs.clear()
    queue.is_alone = False  # something goes on when this job ends
    delayed()
    queue.is_alone = True
    assert ran == [0]
    assert len(queue.jobs) == 1
    queue.jobs.clear()


async def test_run_until_stops_where_it_is_told(queue: JobQueue) -> None:
    """Inside a task that the loop has called."""
    await be_known(queue)
    log: list[str] = []
    last = queue.mark
    queue.push(lambda: log.append("before"))
    queue.push(last)
    queue.push(lambda: log.append("behind"))
    assert queue.run_until(last)
    assert log == ["before"]
    assert not queue.run_until(last), "it is not in the queue any more"
    assert log == ["before", "behind"]


async def test_run_pending_runs_what_is_queued_now(queue: JobQueue) -> None:
    await be_known(queue)
    log: list[str] = []

    def first() -> None:
        log.append(f"alone: {queue.is_alone}, busy: {queue.busy}")
        queue.push(lambda: log.append("later"))

    queue.push(first)
    assert queue.run_pending()
    assert log == ["alone: False, busy: True"]
    assert (queue.is_alone, queue.busy) == (True, False)
    assert queue.run_pending()
    assert log[1:] == ["later"]
    assert queue.run_pending(), "nothing is queued: the task may go on"


async def test_nothing_is_drained_inside_a_job(queue: JobQueue) -> None:
    log: list[object] = []

    def job() -> None:
        queue.push(lambda: log.append("ran"))
        log.append((queue.run_until(queue.mark), queue.run_pending()))

    queue.push(job)
    await asyncio.sleep(0)
    assert log == [(False, False), "ran"]


async def test_a_queue_that_is_never_empty_lets_the_loop_go_on(queue: JobQueue) -> None:
    goes_on = True

    def again() -> None:
        if goes_on:
            queue.push(again)

    again()
    for _ in range(5):
        await asyncio.sleep(0)
    assert queue.jobs, "the jobs wait for the next turn"
    goes_on = False
    await asyncio.sleep(0)
    assert not queue.jobs


async def test_the_clock_is_looked_at_when_the_countdown_is_over(queue: JobQueue) -> None:
    queue.countdown = 1
    assert not queue.is_late()
    assert queue.countdown == 1
    queue.push(lambda: None)  # the turn begins
    queue.countdown = 0
    is_late = queue.is_late()
    assert is_late or 1 <= queue.countdown <= MAX_COUNTDOWN
    assert FIRST_COUNTDOWN <= MAX_COUNTDOWN
    assert TURN_BUDGET > 0


async def test_another_thread_is_refused(queue: JobQueue) -> None:
    errors: list[BaseException] = []

    def use() -> None:
        try:
            queue.require_running()
        except RuntimeError as error:
            errors.append(error)

    thread = Thread(target=use)
    thread.start()
    thread.join()
    assert ["none is running in this thread" in str(error) for error in errors] == [True]
    queue.require_running()


def test_another_loop_is_refused() -> None:
    async def find() -> JobQueue:
        return current_jobs()

    async def use() -> None:
        with pytest.raises(RuntimeError, match="another event loop"):
            foreign.require_running()
        assert not foreign.is_running()

    foreign = asyncio.run(find())
    asyncio.run(use())


def test_a_job_for_a_closed_loop_is_kept_and_never_runs() -> None:
    async def find() -> JobQueue:
        return current_jobs()

    queue = asyncio.run(find())
    queue.push(lambda: pytest.fail("it ran"))
    assert not queue.scheduled
    queue.jobs.clear()
