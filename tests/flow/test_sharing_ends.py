"""`share`: how a shared stream and its subscriptions end, and what those get that come late."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.faults.helpers import failure, quiet, read_all, reason, soon, turns
from tests.grids import each_of
from webstreams import (
    ReadableStream,
    WritableStream,
    share,
)

from .sharing import ERROR, POLICIES, Policy, _drain
from .support import Later, Silent, Source, nothing_alive

REASON = object()


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
