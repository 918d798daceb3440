"""What goes together: frames of one turn of the loop, and the credits of a worker."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tests.waiting import until
from webstreams import DataError, ReadableStream
from webstreams._engine.jobs import current_jobs
from webstreams._fastpath.discovery import find_pipeline_from
from webstreams._fastpath.writer_end import WriterEnd
from webstreams.workers import _work, worker, workers
from webstreams.workers._ends import SocketEnd, ThreadEnd
from webstreams.workers._frames import CHUNK, CLOSE, HEAD, PULL, READY, TEXT, decode, encode
from webstreams.workers._reading import FrameReader
from webstreams.workers._sending import MOST_HELD, SMALL
from webstreams.workers._work import SocketLink, run

from . import functions

pytestmark = pytest.mark.usefixtures("from_nursery")

LARGE = b"x" * (SMALL + 1)


class Heard:
    """Keeps what an end is told."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.errors: list[BaseException | None] = []
        # How many messages had been told each time that the end said that no more had come.
        self.batches: list[int] = []

    def got(self, kind: int, value: Any) -> None:
        self.messages.append((kind, value))

    def got_chunks(self, chunks: list[Any]) -> None:
        self.messages += [(CHUNK, chunk) for chunk in chunks]

    def were_taken(self) -> None:
        """Nothing was left for later."""

    def have_come(self) -> None:
        self.batches.append(len(self.messages))

    def ended(self, error: BaseException | None) -> None:
        self.errors.append(error)


@pytest.fixture
async def pair() -> Any:
    """Our end, what it was told, and the other end of its socket."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    heard = Heard()
    end = SocketEnd(ours, heard)
    yield end, heard, theirs
    end.close()
    theirs.close()


def received(theirs: socket.socket) -> list[Any]:
    """Receive once; return the messages."""
    return [decode(frame)[1] for frame in FrameReader(theirs).receive(wait=False)]


async def test_messages_of_one_turn_go_together(pair: Any) -> None:
    end, _, theirs = pair
    for number in range(5):
        assert end.send(CHUNK, number, may_wait=True) is None
    with pytest.raises(BlockingIOError):
        received(theirs)
    await asyncio.sleep(0)
    assert received(theirs) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("urgent", [b"now", LARGE])
async def test_what_may_not_wait_takes_along_what_waits(pair: Any, urgent: bytes) -> None:
    end, _, theirs = pair
    end.send(CHUNK, b"first", may_wait=True)
    assert end.send(CHUNK, urgent, may_wait=urgent is LARGE) is None
    assert received(theirs) == [b"first", urgent]


async def test_not_much_waits(pair: Any) -> None:
    end, _, theirs = pair
    for _ in range(MOST_HELD // SMALL - 1):
        end.send(CHUNK, bytes(SMALL - 100), may_wait=True)
    with pytest.raises(BlockingIOError):
        received(theirs)
    for _ in range(2):
        end.send(CHUNK, bytes(SMALL - 100), may_wait=True)
    assert received(theirs)


async def test_a_copy_waits(pair: Any) -> None:
    end, _, theirs = pair
    chunk = bytearray(b"before")
    end.send(CHUNK, chunk, may_wait=True)
    chunk[:] = b"after!"
    await asyncio.sleep(0)
    assert received(theirs) == [b"before"]


async def test_the_other_end_goes_before_the_turn_is_over(pair: Any) -> None:
    end, heard, theirs = pair
    theirs.sendall(b"".join(encode(CHUNK, b"last words")))
    theirs.close()
    end.send(CHUNK, b"x", may_wait=True)
    await until(lambda: heard.errors)
    assert heard.messages == [(CHUNK, b"last words")]
    assert isinstance(heard.errors[0], (OSError, EOFError))


async def test_messages_of_one_turn_are_put_together_for_a_thread() -> None:
    end = ThreadEnd(Heard())
    for number in range(3):
        end.send(CHUNK, number, may_wait=True)
    assert end.link.messages.empty()
    await asyncio.sleep(0)
    assert end.link.messages.qsize() == 1
    assert end.link.fetch(wait=False) and not end.link.fetch(wait=False)
    assert list(end.link.frames) == [(CHUNK, 0), (CHUNK, 1), (CHUNK, 2)]
    end.close()


def credits_told(chunks: int, batch: int, function: Any = functions.same) -> list[int]:
    """Let a worker take so many chunks that are there; return the numbers in its messages that some are done."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"".join(b"".join(encode(CHUNK, b"x")) for _ in range(chunks)))
        ours.sendall(b"".join(encode(PULL, chunks) + encode(CLOSE, 0)))
        run(SocketLink(theirs), lambda: function, batch)
        theirs.close()
        reader = FrameReader(ours)
        messages = []
        while (CLOSE, 0) not in messages:
            messages += [decode(frame) for frame in reader.receive(wait=True)]
    assert messages.count((CHUNK, b"x")) == (chunks if function is functions.same else 1)
    return [number for kind, number in messages if kind == PULL]


def test_a_worker_tells_of_several_chunks_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_work, "LOOK_INTERVAL", 1000)  # it tells then, too, which is a matter of time
    assert credits_told(20, 8) == [8, 8, 4]
    assert credits_told(3, 1) == [1, 1, 1]


def test_what_makes_nothing_of_its_chunks_is_told_of_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it goes along with the next chunk that is made, in one message to the system."""
    monkeypatch.setattr(_work, "LOOK_INTERVAL", 1000)
    sent: list[int] = []
    send = SocketLink.send

    def noting(link: SocketLink, kind: int, value: Any) -> None:
        sent.append(kind)
        send(link, kind, value)

    monkeypatch.setattr(SocketLink, "send", noting)
    assert credits_told(20, 8) == [8, 8, 4]
    assert sent == [READY] + [CHUNK] * 20 + [PULL, CLOSE]
    sent.clear()
    assert credits_told(20, 8, functions.last) == [8, 8, 4]
    assert sent == [READY, PULL, PULL, PULL, CHUNK, CLOSE]


async def test_a_worker_holds_nothing_back() -> None:
    """Not even while it works on what it has got."""
    async with worker(functions.hang_after_two, grace=0.05) as stage:
        writer = stage.writable.get_writer()
        for number in range(3):
            await writer.write(number)
        reader = stage.readable.get_reader()
        assert [(await reader.read()).value for _ in range(2)] == [0, 1]
        writer.closed.add_done_callback(lambda promise: promise.exception())


def frames_of(*chunks: Any) -> bytes:
    return b"".join(part for chunk in chunks for part in encode(CHUNK, chunk))


@pytest.mark.parametrize("chunks", [(b"a", b"", b"c"), ("a", "", "c"), (1, None, [2]), (b"a", "b", 3)])
async def test_what_has_come_together_is_told_together(pair: Any, chunks: tuple[Any, ...]) -> None:
    _, heard, theirs = pair
    theirs.send(frames_of(*chunks))
    await until(lambda: heard.batches)
    assert heard.messages == [(CHUNK, chunk) for chunk in chunks]
    assert [type(value) for _, value in heard.messages] == [type(chunk) for chunk in chunks]
    assert heard.batches == [3]


async def test_what_has_come_before_a_hostile_frame_is_told_before_it(pair: Any) -> None:
    _, heard, theirs = pair
    theirs.send(frames_of(b"a", "b") + HEAD.pack(TEXT, 0, 1) + b"\xff" + frames_of(b"c"))
    await until(lambda: heard.errors)
    assert heard.messages == [(CHUNK, b"a"), (CHUNK, "b")]
    assert heard.batches == [2]
    assert isinstance(heard.errors[0], DataError)


async def test_chunks_that_are_given_together_are_not_owed_before_they_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    granted: list[int] = []
    send = ThreadEnd.send

    def counting(end: ThreadEnd, kind: int, value: Any, **options: Any) -> None:
        if kind == PULL:
            granted.append(value)
        send(end, kind, value, **options)

    monkeypatch.setattr(ThreadEnd, "send", counting)

    def make(chunks: Iterable[int]) -> Iterator[int]:
        for count in chunks:
            for number in range(count):
                made.append(number)
                yield number
        raise KeyError("after all chunks")

    async with worker(make, kind="thread") as stage:
        reader = ReadableStream.from_([200]).pipe_through(stage).get_reader()
        taken = [(await reader.read()).value]
        channel = stage._pool.channels[0]  # type: ignore[union-attr]
        await until(lambda: len(made) == 17)  # all that it may make for now
        while len(taken) < 200:
            taken.append((await reader.read()).value)
            assert sum(granted) - len(taken) <= 16
            if len(taken) % 10 == 9:
                await until(lambda: channel.received)
        with pytest.raises(KeyError, match="after all chunks"):
            await reader.closed
    assert taken == made == list(range(200))


@pytest.mark.parametrize(("count", "window", "is_taken"), [(1, 16, False), (1, 33, True), (2, 17, True)])
async def test_short_bursts_are_left_to_the_plain_path(count: int, window: int, is_taken: bool) -> None:
    async with workers(functions.same, count=count, kind="thread", window=window) as stage:
        jobs = current_jobs()
        writer = stage.writable.get_writer()
        assert find_pipeline_from(jobs, WriterEnd(writer, jobs)).is_eligible is is_taken
