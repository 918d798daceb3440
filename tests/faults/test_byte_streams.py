"""Byte streams: BYOB requests and the tee of bytes (B1-B12)."""

from __future__ import annotations

import array
import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.grids import each_of
from webstreams import ReadableStream

from .byob import byob_stream, bytes_of, request_of
from .helpers import ByteSource, failure, read_all, soon, stream_of, turns


async def test_b1_close_and_one_answer_finish_all_pending_reads() -> None:
    """Three BYOB reads are pending, close(), one respond(0): all three are done, with an empty view."""
    source, reader = byob_stream()
    reads = [reader.read(bytearray(4)) for _ in range(3)]
    await turns()
    source.controller.close()
    source.controller.byob_request.respond(0)
    assert [bytes_of(await soon(each)) for each in reads] == [(b"", True)] * 3
    await soon(reader.closed)


async def test_b2_enqueue_instead_of_an_answer_then_a_byob_reader() -> None:
    """An auto-allocated request is answered by enqueue(), then a BYOB reader comes: its request shows its own view."""
    source = ByteSource(auto_allocate_chunk_size=16)
    stream = stream_of(source)
    await turns()
    with stream.get_reader() as reader:
        read = reader.read()
        allocated = source.controller.byob_request
        assert len(allocated.view) == 16
        source.controller.enqueue(b"abc")
        assert await soon(read) == (b"abc", False)
        assert allocated.view is None
    assert request_of(source) is None
    byob_reader = stream.get_reader(mode="byob")
    byob_read = byob_reader.read(bytearray(5))
    request = request_of(source)
    assert len(request.view) == 5
    request.view[:2] = b"de"
    request.respond(2)
    assert bytes_of(await soon(byob_read)) == (b"de", False)
    assert source.controller.byob_request is None


async def test_b2_enqueue_instead_of_an_answer_with_several_reads() -> None:
    """Two auto-allocated requests and one enqueue(): the second request is still there and answers the second read."""
    source = ByteSource(auto_allocate_chunk_size=16)
    reader = stream_of(source).get_reader()
    await turns()
    reads = [reader.read(), reader.read()]
    source.controller.enqueue(b"abc")
    assert await soon(reads[0]) == (b"abc", False)
    request = source.controller.byob_request
    request.view[:2] = b"de"
    request.respond(2)
    assert await soon(reads[1]) == (b"de", False)
    assert source.controller.byob_request is None


@pytest.mark.parametrize("length", [1, 4, 16])
async def test_b3_new_view_for_an_auto_allocated_request(length: int) -> None:
    """respond_with_new_view() on an auto-allocated request of a default reader: accepted, the reader gets bytes."""

    def pull(controller: Any) -> None:
        request = controller.byob_request
        request.view[:] = bytes(range(16))
        request.respond_with_new_view(request.view[:length])

    source = ByteSource(pull=pull, auto_allocate_chunk_size=16)
    value, done = await soon(stream_of(source).get_reader().read())
    assert (value, done) == (bytes(range(length)), False)
    assert type(value) is bytes


async def test_b3_other_memory_for_an_auto_allocated_request() -> None:
    """The same with memory of the source's own, of the same size."""

    def pull(controller: Any) -> None:
        own = bytearray(b"0123456789abcdef")
        controller.byob_request.respond_with_new_view(memoryview(own)[:4])

    source = ByteSource(pull=pull, auto_allocate_chunk_size=16)
    assert await soon(stream_of(source).get_reader().read()) == (b"0123", False)


async def test_b4_no_request_while_only_the_queue_wants_bytes() -> None:
    """auto_allocate_chunk_size with a high-water mark of 1: pull() runs without a read, and then has no request."""
    seen: list[Any] = []

    def pull(controller: Any) -> None:
        request = controller.byob_request
        seen.append(request)
        if request is None:
            controller.enqueue(b"queued")
        else:
            request.view[:3] = b"own"
            request.respond(3)

    reader = stream_of(ByteSource(pull=pull, auto_allocate_chunk_size=8), 1).get_reader()
    await turns()
    assert seen == [None]
    assert await soon(reader.read()) == (b"queued", False)
    await turns()
    assert seen == [None, None]


async def test_b4_byte_streams_want_nothing_by_default() -> None:
    """The default high-water mark of a byte stream is 0: no pull() before a read, and then one with a request."""
    pulls: list[bool] = []
    source = ByteSource(
        pull=lambda controller: pulls.append(controller.byob_request is not None), auto_allocate_chunk_size=8
    )
    stream = stream_of(source)
    assert source.controller.desired_size == 0
    await turns()
    assert pulls == []
    reader = stream.get_reader()
    read = reader.read()
    await turns()
    assert pulls == [True]
    source.controller.enqueue(b"chunk")
    assert await soon(read) == (b"chunk", False)


async def test_b5_cancel_with_a_byob_read_pending() -> None:
    """cancel() with a BYOB read pending: it is done at once, without a buffer, and the request is invalid."""
    gate = asyncio.Event()
    source = ByteSource(gate.wait)
    reader = stream_of(source).get_reader(mode="byob")
    reads = [reader.read(bytearray(4)), reader.read(bytearray(4))]
    request = source.controller.byob_request
    cancelled = reader.cancel("enough")
    assert all(each.done() for each in reads)
    assert [each.result() for each in reads] == [(None, True)] * 2
    assert request.view is None
    assert source.controller.byob_request is None
    with pytest.raises(TypeError):
        request.respond(0)
    with pytest.raises(TypeError):
        request.respond_with_new_view(bytearray(4))
    gate.set()
    await soon(cancelled)


@pytest.mark.parametrize("mode", [None, "byob"])
async def test_b6_pull_again_while_reads_wait(mode: Any) -> None:
    """A chunk from outside arrives while reads wait: pull() is called again for those that still do."""
    pulls = 0

    def pull(_: Any) -> None:
        nonlocal pulls
        pulls += 1

    source = ByteSource(pull=pull)
    reader: Any = stream_of(source).get_reader(mode=mode)
    await turns()
    reads = [reader.read(*([bytearray(1)] if mode else [])) for _ in range(3)]
    await turns()
    for number, read in enumerate(reads):
        before = pulls
        source.controller.enqueue(b"x")
        await soon(read)
        await turns()
        assert pulls == before + (number < 2)


async def test_b6_pull_again_while_a_min_read_waits() -> None:
    """A chunk that is too small for the read's `min` arrives: pull() is called again."""
    pulls: list[int] = []

    def pull(controller: Any) -> None:
        pulls.append(len(controller.byob_request.view))

    source, reader = byob_stream(pull)
    await turns()
    read = reader.read(bytearray(4), min=4)
    await turns()
    for _ in range(4):
        source.controller.enqueue(b"x")
        await turns()
    assert pulls == [4, 3, 2, 1]
    assert bytes_of(await soon(read)) == (b"xxxx", False)


@each_of(action=["read", "enqueue", "close", "error", "cancel", "release"])
async def test_b7_reads_filled_by_one_enqueue_are_settled_before_any_reaction(action: str) -> None:
    """Three BYOB reads are filled by one enqueue() and the reaction to the first changes the stream: all three have
    their own bytes."""
    source, reader = byob_stream()
    reads = [reader.read(bytearray(2)) for _ in range(3)]
    seen: list[list[bool]] = []
    later: list[Any] = []
    actions: dict[str, Callable[[], Any]] = {
        "read": partial(reader.read, bytearray(2)),
        "enqueue": partial(source.controller.enqueue, b"later"),
        "close": source.controller.close,
        "error": partial(source.controller.error, "late"),
        "cancel": reader.cancel,
        "release": reader.release_lock,
    }

    def react(result: Any) -> None:
        seen.append([each.done() for each in reads])
        later.append(actions[action]())

    reads[0].add_done_callback(react)
    await turns()
    source.controller.enqueue(b"aabbcc")
    assert all(each.done() for each in reads)
    assert [bytes_of(await soon(each)) for each in reads] == [(b"aa", False), (b"bb", False), (b"cc", False)]
    assert seen == [[True] * 3]
    if action == "read":
        source.controller.enqueue(b"dd")
        assert bytes_of(await soon(later[0])) == (b"dd", False)


async def test_b7_rest_of_an_enqueue_stays_in_the_queue() -> None:
    """One enqueue() fills two reads and a half of the third one's `min`: the first two are settled with it."""
    source, reader = byob_stream()
    reads = [reader.read(bytearray(2)), reader.read(bytearray(2)), reader.read(bytearray(4), min=4)]
    await turns()
    source.controller.enqueue(b"aabbcc")
    assert [each.done() for each in reads] == [True, True, False]
    source.controller.enqueue(b"cc")
    assert [bytes_of(await soon(each))[0] for each in reads] == [b"aa", b"bb", b"cccc"]


@each_of(mode=[None, "byob"])
@each_of(answer=["enqueue", "respond", "new view"])
async def test_b8_bytes_of_a_released_reader_come_first(mode: Any, answer: str) -> None:
    """A reader is released with its request half filled: the next reader gets these bytes first, none is lost."""
    source = ByteSource()
    stream = stream_of(source)
    with stream.get_reader(mode="byob") as reader:
        abandoned = reader.read(bytearray(8), min=8)
        source.controller.byob_request.view[:2] = b"ab"
        source.controller.byob_request.respond(2)
    assert isinstance(await failure(abandoned), TypeError)
    if answer == "enqueue":
        source.controller.enqueue(b"cdef")
    else:
        request = source.controller.byob_request
        request.view[:4] = b"cdef"
        if answer == "respond":
            request.respond(4)
        else:
            request.respond_with_new_view(request.view[:4])
    source.controller.close()
    if mode is None:
        assert b"".join(await read_all(stream)) == b"abcdef"
        return
    next_reader = stream.get_reader(mode="byob")
    received = [bytes_of(await soon(next_reader.read(bytearray(4))))[0] for _ in range(3)]
    assert received == [b"abcd", b"ef", b""]


async def test_b8_read_of_the_next_reader_waits_for_the_abandoned_request() -> None:
    """The same, and the next reader reads before the source answers: the answer to the old request reaches it."""
    source = ByteSource()
    stream = stream_of(source)
    with stream.get_reader(mode="byob") as reader:
        abandoned = reader.read(bytearray(4), min=4)
        source.controller.enqueue(b"ab")
    assert isinstance(await failure(abandoned), TypeError)
    reads = [stream.get_reader(mode="byob").read(bytearray(3))]
    request = source.controller.byob_request
    assert len(request.view) == 2
    request.view[:1] = b"c"
    request.respond(1)
    assert bytes_of(await soon(reads[0])) == (b"abc", False)


@each_of(wait=[False, True])
@each_of(given=[b"", b"a", b"abc"])
async def test_b9_close_with_fewer_bytes_than_min(wait: bool, given: bytes) -> None:
    """read(view, min=4), then close() with fewer bytes: done, with those bytes; also with a wait before respond(0)."""
    source, reader = byob_stream()
    read = reader.read(bytearray(6), min=4)
    await turns()
    if given:
        source.controller.enqueue(given)
    source.controller.close()
    if wait:
        await turns()
    source.controller.byob_request.respond(0)
    assert bytes_of(await soon(read)) == (given, True)
    await soon(reader.closed)


async def test_b9_close_with_a_part_of_an_item() -> None:
    """The same with items of two bytes, of which the last one is not complete: close() raises, the read fails."""
    source, reader = byob_stream()
    read = reader.read(array.array("H", [0] * 4), min=4)
    await turns()
    source.controller.enqueue(b"abc")
    with pytest.raises(TypeError, match="item"):
        source.controller.close()
    assert isinstance(await failure(read), TypeError)


class Counting:
    """Gives the numbers from 0 to 255, into the reader's memory where there is some, and closes."""

    type = "bytes"

    def __init__(self, step: int = 16) -> None:
        self._given = 0
        self._step = step
        self.requests = 0

    def pull(self, controller: Any) -> None:
        request = controller.byob_request
        if self._given == 256:
            controller.close()
            if request is not None:
                request.respond(0)
            return
        room = self._step if request is None else min(self._step, len(request.view))
        numbers = bytes(range(self._given, min(self._given + room, 256)))
        self._given += len(numbers)
        if request is None:
            controller.enqueue(numbers)
        else:
            self.requests += 1
            request.view[: len(numbers)] = numbers
            request.respond(len(numbers))


async def drain_byob(stream: ReadableStream[Any], room: int = 10) -> bytes:
    """Read to the end with a BYOB reader."""
    reader = stream.get_reader(mode="byob")
    received = bytearray()
    while True:
        value, done = await soon(reader.read(bytearray(room)))
        if done:
            await soon(reader.closed)
            return bytes(received)
        received += value or b""


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("late", [False, True])
async def test_b10_cancelled_branch_and_the_other_one_drained_by_byob(index: int, late: bool) -> None:
    """One branch of a byte tee is cancelled, the other one drained by BYOB reads: it gets everything and closes."""
    source = Counting()
    stream = ReadableStream(source)
    branches = stream.tee()
    read: Any = None
    if late:
        reader = branches[index].get_reader(mode="byob")
        read = reader.read(bytearray(4))
        cancelled = reader.cancel("enough")
        reader.release_lock()
    else:
        cancelled = branches[index].cancel("enough")
    received = await drain_byob(branches[1 - index])
    assert read is None or await soon(read) == (None, True)
    assert received == bytes(range(256))[len(bytes(range(256))) - len(received) :]
    assert late or len(received) == 256
    assert source.requests > 0
    await soon(cancelled)


@pytest.mark.parametrize("index", [0, 1])
async def test_b11_tee_with_a_byob_read_pending_when_the_source_closes(index: int) -> None:
    """A BYOB read of a branch is pending, the source closes and answers its request with 0: the read is done."""
    source = ByteSource()
    branches = stream_of(source).tee()
    reader = branches[index].get_reader(mode="byob")
    read = reader.read(bytearray(4))
    await turns()
    source.controller.close()
    await turns()
    source.controller.byob_request.respond(0)
    assert bytes_of(await soon(read)) == (b"", True)
    await soon(reader.closed)
    assert await read_all(branches[1 - index]) == []


@pytest.mark.parametrize("index", [0, 1])
async def test_b11_tee_with_a_default_and_a_byob_read_pending_when_the_source_closes(index: int) -> None:
    """A default read of one and a BYOB read of the other branch are pending, the source closes: both are done."""
    source = ByteSource()
    branches = stream_of(source).tee()
    default_read = branches[1 - index].get_reader().read()
    await turns()
    byob_read = branches[index].get_reader(mode="byob").read(bytearray(4))
    await turns()
    source.controller.close()
    assert await soon(default_read) == (None, True)
    assert bytes_of(await soon(byob_read)) == (b"", True)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("own_memory", [False, True])
async def test_b12_branches_share_no_memory(first: int, own_memory: bool) -> None:
    """What is written into a chunk of one branch does not show in the other branch, nor in the source's buffer."""
    memory = bytearray(b"abcd")

    def pull(controller: Any) -> None:
        request = controller.byob_request
        if own_memory or request is None:
            controller.enqueue(memory)
        else:
            request.view[:4] = memory
            request.respond(4)

    branches = stream_of(ByteSource(pull=pull)).tee()
    readers = [branch.get_reader(mode="byob") for branch in branches]
    buffers = [bytearray(4), bytearray(4)]
    reads = [readers[index].read(buffers[index]) for index in (first, 1 - first)]
    one, two = [(await soon(each)).value for each in reads]
    assert one is not None and two is not None
    assert one.tobytes() == two.tobytes() == b"abcd"
    one[:] = b"XXXX"
    assert two.tobytes() == memory == b"abcd"
    two[:] = b"YYYY"
    assert one.tobytes() == b"XXXX"
    assert [bytes(buffers[first]), bytes(buffers[1 - first])] == [b"XXXX", b"YYYY"]


async def test_b12_default_chunks_of_branches_cannot_be_written() -> None:
    """The default readers of both branches get bytes, which nobody can change, not even who enqueued them."""
    memory = bytearray(b"abcd")
    source = ByteSource()
    one, two = stream_of(source).tee()
    source.controller.enqueue(memory)
    source.controller.close()
    memory[:] = b"XXXX"
    assert await read_all(one) == [b"abcd"]
    assert [type(chunk) for chunk in await read_all(two)] == [bytes]
