"""`channel`: two ends with a limited queue between them."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import Any, Literal

import pytest

from tests.dropping import Dropped
from tests.faults.helpers import failure, quiet, read_all, reason, soon, turns
from tests.grids import each_of, each_row
from webstreams import Lagged, ReadableStream, StreamError, channel

from .support import CallsLater, Source, nothing_alive

Policy = Literal["wait", "error", "drop-oldest", "drop-newest"]
POLICIES: list[Policy] = ["wait", "error", "drop-oldest", "drop-newest"]
ERROR = ValueError("a reason")
REASON = object()


EVERY_POLICY = each_of(policy=POLICIES)


@EVERY_POLICY
async def test_what_is_written_is_read_in_order_and_then_the_end(policy: Policy) -> None:
    writable, readable = channel(policy=policy)
    async with writable.get_writer() as writer:
        for number in range(10):
            await soon(writer.write(number))
    assert await read_all(readable) == list(range(10))
    await nothing_alive()


@each_of(mark=[1, 2, 16])
async def test_a_write_waits_while_the_queue_is_full(mark: int) -> None:
    writable, readable = channel(mark)
    writer = writable.get_writer()
    writes = [writer.write(number) for number in range(mark + 3)]
    await turns(20)
    assert [each.done() for each in writes] == [True] * mark + [False] * 3
    assert not writer.ready.done()
    with readable.get_reader() as reader:
        for number in range(mark + 3):
            assert (await soon(reader.read())).value == number
            await turns(10)
            assert sum(each.done() for each in writes) == min(mark + number + 1, mark + 3)
    await soon(writer.ready)
    await soon(writer.close())
    assert await read_all(readable) == []


async def test_without_room_a_write_waits_for_the_read() -> None:
    writable, readable = channel(0)
    writer = writable.get_writer()
    write = writer.write(1)
    await turns(20)
    assert not write.done()
    with readable.get_reader() as reader:
        assert (await soon(reader.read())).value == 1
        await soon(write)
        reading = reader.read()
        await soon(writer.write(2))
        assert (await soon(reading)).value == 2
    await writer.close()


@each_row(
    ("policy", "kept", "dropped"),
    [("drop-oldest", [7, 8, 9], list(range(7))), ("drop-newest", [0, 1, 2], list(range(3, 10)))],
)
async def test_the_dropping_policies(policy: Policy, kept: list[int], dropped: list[int]) -> None:
    seen: list[int] = []
    writable, readable = channel(3, policy=policy, on_drop=seen.append)
    writer = writable.get_writer()
    for number in range(10):
        assert writer.ready.done()
        await soon(writer.write(number))
    with readable.get_reader() as reader:
        assert [(await reader.read()).value for _ in range(3)] == kept
        assert seen == dropped
        reading = reader.read()
        await writer.write(10)
        assert (await soon(reading)).value == 10
    await writer.close()
    assert await read_all(readable) == []


@EVERY_POLICY
async def test_a_burst_without_waiting_is_never_a_long_queue(policy: Policy) -> None:
    """As a callback of an event emitter writes."""
    if policy in {"wait", "error"}:
        return
    writable, readable = channel(4, policy=policy)
    writer = writable.get_writer()
    for number in range(1000):
        writer.write(number)
    writer.close()
    chunks = await soon(readable.list())
    assert chunks == ([996, 997, 998, 999] if policy == "drop-oldest" else [0, 1, 2, 3])


async def test_the_policy_error_errors_both_ends() -> None:
    writable, readable = channel(2, policy="error")
    writer, reader = writable.get_writer(), readable.get_reader()
    await writer.write(1)
    await writer.write(2)
    error = await failure(writer.write(3))
    assert isinstance(error, Lagged) and error.lost == 3
    assert await failure(reader.read()) is error
    assert await failure(writer.closed) is error


@EVERY_POLICY
async def test_lost_and_received_are_what_was_given(policy: Policy) -> None:
    seed = random.Random(14)
    dropped: list[int] = []
    writable, readable = channel(3, policy=policy, on_drop=dropped.append)

    async def write() -> None:
        async with writable.get_writer() as writer:
            for number in range(500):
                await writer.write(number)
                await turns(seed.randrange(3))

    writing = asyncio.ensure_future(write())
    got: list[int] = []
    lost = 0
    try:
        async for chunk in readable:
            got.append(chunk)
            await turns(seed.randrange(4))
    except Lagged as error:
        lost = error.lost
        assert policy == "error"
    await asyncio.wait([writing])
    if policy == "error":
        assert isinstance(writing.exception(), Lagged)
        assert got == list(range(len(got))) and lost == 4
    else:
        assert writing.exception() is None
        assert sorted(got + dropped) == list(range(500))
        assert got == sorted(got)
        assert not dropped or policy != "wait"
    await nothing_alive()


async def test_sizes() -> None:
    seen: list[str] = []
    writable, readable = channel(5, size=len, policy="drop-oldest", on_drop=seen.append)
    async with writable.get_writer() as writer:
        for chunk in ["aaa", "bb", "c", "dddd"]:
            await writer.write(chunk)
    assert seen == ["aaa"]
    assert await readable.list() == ["bb", "c", "dddd"]


@pytest.mark.parametrize(
    "size", [lambda chunk: -1, lambda chunk: float("inf"), lambda chunk: None, lambda chunk: 1 / 0]
)
@EVERY_POLICY
async def test_a_size_that_is_none_errors_both_ends(policy: Policy, size: Any) -> None:
    writable, readable = channel(5, size=size, policy=policy)
    writer = writable.get_writer()
    if policy != "wait":
        error = await failure(writer.write(1))
    else:
        writer.write(1).add_done_callback(lambda promise: promise.exception())
        error = await failure(writer.closed)
    assert isinstance(error, (ValueError, ZeroDivisionError))
    assert await failure(readable.list()) is error


@each_of(error=[ERROR, REASON, None])
@EVERY_POLICY
async def test_aborting_errors_the_readable_end(policy: Policy, error: Any) -> None:
    writable, readable = channel(policy=policy)
    writer = writable.get_writer()
    await writer.write(1)
    await soon(writer.abort(error))
    assert await reason(readable.list()) is error
    await nothing_alive()


@each_of(error=[ERROR, REASON, None])
@each_of(queued=[0, 1, 3])
@EVERY_POLICY
async def test_cancelling_errors_the_writable_end(policy: Policy, error: Any, queued: int) -> None:
    with quiet():
        writable, readable = channel(policy=policy)
        writer = writable.get_writer()
        for number in range(queued):
            await writer.write(number)
        await soon(readable.cancel(error))
        assert await reason(writer.closed) is error
        assert await reason(writer.write(1)) is error
    await nothing_alive()


@EVERY_POLICY
async def test_cancelling_while_it_closes(policy: Policy) -> None:
    writable, readable = channel(policy=policy)
    writer = writable.get_writer()
    await writer.write(1)
    closing = writer.close()
    await turns()
    await soon(readable.cancel(REASON))
    await soon(asyncio.wait([asyncio.ensure_future(_quietly(closing))]))
    assert closing.done()


async def _quietly(promise: Any) -> None:
    try:
        await promise
    except Exception:
        pass


async def test_an_on_drop_that_fails_errors_both_ends() -> None:
    writable, readable = channel(1, policy="drop-newest", on_drop=lambda chunk: 1 / 0)
    writer = writable.get_writer()
    await writer.write(1)
    error = await failure(writer.write(2))
    assert isinstance(error, ZeroDivisionError)
    assert await failure(readable.list()) is error


@each_of(error=[StopIteration(1), GeneratorExit(2), asyncio.CancelledError(3)])
@each_of(member=["on_drop", "size"])
async def test_a_function_that_raises_what_steers_coroutines(member: str, error: BaseException) -> None:
    def fail(chunk: int) -> Any:
        if chunk == 2:
            raise error
        return 1

    functions: Any = {member: fail}
    writable, readable = channel(1, policy="drop-newest", **functions)
    writer = writable.get_writer()
    await writer.write(1)
    stored = await failure(writer.write(2))
    assert isinstance(stored, StreamError)
    assert stored.reason is stored.__cause__ is error
    assert await failure(readable.list()) is stored


async def test_an_interrupt_in_on_drop_goes_through() -> None:
    def interrupt(chunk: int) -> None:
        raise KeyboardInterrupt

    writable, readable = channel(1, policy="drop-newest", on_drop=interrupt)
    writer = writable.get_writer()
    await writer.write(1)
    with pytest.raises(KeyboardInterrupt):
        writer.write(2)
    stored: Any = await failure(readable.list())
    assert isinstance(stored.reason, KeyboardInterrupt)


@EVERY_POLICY
async def test_a_pipe_into_a_channel(policy: Policy) -> None:
    source = Source(100)
    writable, readable = channel(4, policy=policy)
    pipe = source.stream.pipe_to(writable)
    if policy == "wait":
        await turns(50)
        assert source.given <= 6
        assert await soon(readable.list()) == list(range(100))
        await soon(pipe)
    elif policy == "error":
        assert isinstance(await failure(pipe), Lagged)
        assert len(source.cancelled) == 1
    else:
        await soon(pipe)
        assert len(await soon(readable.list())) == 4
    await nothing_alive(source)


@EVERY_POLICY
async def test_what_is_dropped_is_collected(policy: Policy) -> None:
    writable, readable = channel(policy=policy)
    writer = writable.get_writer()
    await writer.write(1)
    dropped = Dropped()
    dropped.add(writable, readable, writer)
    del writable, readable, writer
    await turns()
    assert dropped.alive() == []


async def test_debug_mode_does_not_complain_about_a_burst_that_may_be_dropped() -> None:
    asyncio.get_running_loop().set_debug(True)
    writable, readable = channel(1, policy="drop-oldest")
    asyncio.get_running_loop().set_debug(False)
    writer = writable.get_writer()
    for number in range(100):
        writer.write(number)
    writer.close()
    assert await readable.list() == [99]


@each_row(
    ("arguments", "error", "message"),
    [
        ({"high_water_mark": -1}, ValueError, "non-negative"),
        ({"high_water_mark": float("nan")}, ValueError, "non-negative"),
        ({"high_water_mark": None}, TypeError, "must be a number, not NoneType"),
        ({"size": 1}, TypeError, "size must be a function"),
        ({"size": asyncio.sleep}, TypeError, "size must be a plain function"),
        ({"size": CallsLater()}, TypeError, "size must be a plain function"),
        ({"policy": "drop"}, ValueError, "'drop-newest'"),
        ({"on_drop": 1}, TypeError, r"on_drop\(\) needs a function, not int"),
        ({"on_drop": asyncio.sleep}, TypeError, r"on_drop\(\) must be a plain function"),
        ({"on_drop": CallsLater()}, TypeError, r"on_drop\(\) must be a plain function"),
        ({"on_drop": partial(CallsLater())}, TypeError, r"on_drop\(\) must be a plain function"),
    ],
)
async def test_bad_arguments_are_refused(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=rf"channel\(\): .*{message}"):
        channel(**arguments)


async def test_the_readable_end_is_a_stream() -> None:
    _, readable = channel()
    assert isinstance(readable, ReadableStream)
    await readable.cancel()
