"""Reads into memory that are cancelled or timed out: gathered bytes stay (Y3)."""

from __future__ import annotations

import asyncio
import random
from array import array
from typing import Any

import pytest

from .cancelling import CANCEL_IN_ANY_TURN, deliver_and_cancel
from .helpers import (
    ByteSource,
    drain,
    quiet,
    soon,
    stream_of,
    turns,
)

# Cancelled reads into memory.


class Memory:
    """A byte source that is fed by enqueue(), or through its request as soon as there is one."""

    def __init__(self, answer: str) -> None:
        self._answer = answer
        self.source = ByteSource()
        self.stream = stream_of(self.source)

    def feed(self, data: bytes) -> None:
        request = self.source.controller.byob_request
        if self._answer == "enqueue" or request is None or len(request.view) < len(data):
            self.source.controller.enqueue(data)
        elif self._answer == "respond":
            request.view[: len(data)] = data
            request.respond(len(data))
        else:
            request.view[: len(data)] = data
            request.respond_with_new_view(request.view[: len(data)])

    def close(self) -> None:
        self.source.controller.close()
        if self.source.controller.byob_request is not None:
            self.source.controller.byob_request.respond(0)


async def drain_byob(reader: Any, room: int = 3) -> bytes:
    received = bytearray()
    while True:
        value, done = await reader.read(bytearray(room))
        received += value or b""
        if done:
            return bytes(received)


EVERY_ANSWER = pytest.mark.parametrize("answer", ["enqueue", "respond", "new view"])


@EVERY_ANSWER
@pytest.mark.parametrize("minimum", [1, 4, 6])
@CANCEL_IN_ANY_TURN
async def test_y3_byob_read_cancelled_in_any_turn(answer: str, turn: int, cancel_first: bool, minimum: int) -> None:
    """The task that awaits read(view) is cancelled in any turn: bytes that it got already are for the next read."""
    memory = Memory(answer)
    reader = memory.stream.get_reader(mode="byob")
    taken = bytearray()

    async def take() -> None:
        value, _ = await reader.read(bytearray(8), min=minimum)
        assert value is not None
        taken.extend(value)

    def deliver() -> None:
        memory.feed(b"abcd")
        loop.call_soon(memory.feed, b"ef")

    loop = asyncio.get_running_loop()
    with quiet(1):
        await deliver_and_cancel(deliver, asyncio.create_task(take()), turn, cancel_first)
        memory.close()
        assert taken + await soon(drain_byob(reader)) == b"abcdef"


@EVERY_ANSWER
@pytest.mark.parametrize("ending", ["close", "default reader", "byob reader", "next read", "longer read"])
async def test_y3_gathered_bytes_stay(answer: str, ending: str) -> None:
    """A `min` read that has got two of four bytes is cancelled: they come first, whoever reads next."""
    memory = Memory(answer)
    reader: Any = memory.stream.get_reader(mode="byob")

    async def take() -> None:
        await reader.read(bytearray(8), min=4)

    task = asyncio.create_task(take())
    await turns()
    memory.feed(b"ab")
    await turns()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    if ending.endswith("reader"):
        reader.release_lock()
    if ending == "default reader":
        reader = memory.stream.get_reader()
        memory.feed(b"cd")
        memory.close()
        assert b"".join(await soon(drain(reader))) == b"abcd"
        return
    if ending == "byob reader":
        reader = memory.stream.get_reader(mode="byob")
    if ending == "longer read":
        read = reader.read(bytearray(16), min=4)
        memory.feed(b"cd")
        assert bytes((await soon(read)).value) == b"abcd"
    elif ending == "close":
        memory.close()
        assert await soon(drain_byob(reader)) == b"ab"
    else:
        assert bytes((await soon(reader.read(bytearray(1)))).value) == b"a"
        memory.feed(b"cd")
        memory.close()
        assert await soon(drain_byob(reader)) == b"bcd"


@EVERY_ANSWER
@pytest.mark.parametrize("is_branch", [False, True])
async def test_y3_gathered_bytes_come_with_the_end_to_a_read_that_asks_for_more(answer: str, is_branch: bool) -> None:
    """The read that was cancelled would have got them then, fewer than its `min`, and so does the next one."""
    memory = Memory(answer)
    branches = memory.stream.tee() if is_branch else [memory.stream]
    reader = branches[0].get_reader(mode="byob")
    for data in (b"ab", b"c"):
        task = asyncio.ensure_future(reader.read(bytearray(8), min=4))
        await turns()
        memory.feed(data)
        await turns()
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
    memory.close()
    await turns()
    value, done = await soon(reader.read(array("H", bytes(16)), min=4))
    assert value is not None
    assert (value.tobytes(), value.format, done) == (b"ab", "H", False)
    value, done = await soon(reader.read(bytearray(8), min=8))
    assert value is not None
    assert (bytes(value), done) == (b"c", False)
    assert (await soon(reader.read(bytearray(8), min=8))).done
    await soon(reader.closed)


async def test_y3_what_nobody_gave_back_ends_with_an_error() -> None:
    """A read that begins after close() and asks for more than there is: so the Standard has it."""
    memory = Memory("enqueue")
    memory.feed(b"ab")
    memory.close()
    with pytest.raises(TypeError, match="fewer items than the read asked for"):
        await soon(memory.stream.get_reader(mode="byob").read(bytearray(8), min=4))


async def cancelled_behind_close(memory: Memory, data: bytes, view: bytearray, minimum: int = 1) -> Any:
    """Return the reader of a read that has got its bytes, and the end has come, when its task is cancelled."""
    reader = memory.stream.get_reader(mode="byob")

    async def take() -> None:
        await reader.read(view, min=minimum)

    task = asyncio.create_task(take())
    await turns()
    memory.feed(data)
    memory.close()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    return reader


async def test_y3_bytes_that_come_with_the_end_come_back_too() -> None:
    """The read was answered with fewer bytes than it asked for, and the end, when its task is cancelled."""
    reader = await cancelled_behind_close(Memory("enqueue"), b"ab", bytearray(8), 4)
    value, done = await soon(reader.read(bytearray(8), min=4))
    assert value is not None
    assert (bytes(value), done) == (b"ab", False)
    assert (await soon(reader.read(bytearray(8), min=4))).done


async def test_y3_a_read_that_is_cancelled_behind_close_is_for_one_that_asks_for_more() -> None:
    """It has got its bytes, and close() has come, when its task is cancelled."""
    reader = await cancelled_behind_close(Memory("enqueue"), b"abc", bytearray(2))
    value, _ = await soon(reader.read(bytearray(8), min=8))
    assert value is not None
    assert bytes(value) == b"abc"


@EVERY_ANSWER
async def test_y3_many_byob_reads_with_a_timeout(answer: str) -> None:
    """1,500 reads into views of many sizes with a timeout that is always due: every byte comes once, in order."""
    choose = random.Random(3)
    memory = Memory(answer)
    reader = memory.stream.get_reader(mode="byob")
    given = bytearray()
    taken = bytearray()
    timeouts = 0

    async def produce() -> None:
        while True:
            for _ in range(choose.choice([0, 0, 1, 2])):
                data = choose.randbytes(choose.randint(1, 6))
                given.extend(data)
                memory.feed(data)
            await asyncio.sleep(0)

    producer = asyncio.create_task(produce())
    for _ in range(1_500):
        room = choose.randint(1, 10)
        try:
            async with asyncio.timeout(0):
                value, _ = await reader.read(bytearray(room), min=choose.randint(1, room))
                taken += value or b""
        except TimeoutError:
            timeouts += 1
    producer.cancel()
    await asyncio.wait({producer})
    memory.close()
    assert taken + await soon(drain_byob(reader)) == given
    assert timeouts > 100
    assert len(given) > 1_000
