"""How a pipe of the tables is begun, brought into its state and ended."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.children import children
from tests.ends.descriptors import open_descriptors
from tests.waiting import LIMIT
from webstreams import ReadableStream, WritableStream, write_file

from .rows import BYTES, Drill, Row, closed_door

# The pipe gets on when so many chunks have passed, and does not when none has for so many looks, each after so long
# (seconds) and so many turns.
MANY = 20
QUIET_LOOKS = 2
QUIET_TIME = 0.005
QUIET_TURNS = 4
# A pipe that runs takes all the time that a turn of the event loop may have: less than elsewhere (seconds).
SHORT_TURN = 0.001


class Counter:
    """Counts the chunks at the end that is not the one of the row, and gives them to a sink."""

    def __init__(self, chunk: bytes) -> None:
        self.count = 0
        self.many = asyncio.get_running_loop().create_future()
        self.cancelled = 0
        self._chunk = chunk

    def source(self, has_more: bool) -> ReadableStream[bytes]:
        """Give a source that always has more, or has nothing yet."""
        pull = self._pull if has_more else do_nothing
        return ReadableStream({"pull": pull, "cancel": self._cancel})

    def sink(self) -> WritableStream[Any]:
        """Give a sink that takes everything."""
        return WritableStream({"write": self._write})

    def _pull(self, controller: Any) -> None:
        self._count()
        controller.enqueue(self._chunk)

    def _cancel(self, reason: object) -> None:
        self.cancelled += 1

    def _write(self, chunk: Any, controller: Any) -> None:
        self._count()

    def _count(self) -> None:
        self.count += 1
        if self.count == MANY:
            self.many.set_result(None)


def do_nothing(controller: Any) -> None:
    """Have nothing yet."""


async def begin(row: Row, drill: Drill) -> tuple[Any, Counter]:
    """Give the promise of a pipe through the stream of a row, and what counts its chunks."""
    counter = Counter(BYTES * 10 if drill.is_stalled else BYTES)  # the buffers of a system are soon full
    made = await row.make(drill)
    has_begun = drill.state != "not begun"
    if row.kind == "source":
        return made.pipe_to(counter.sink() if has_begun else closed_door()), counter
    source = counter.source(has_begun)
    if row.kind == "transform":
        return source.pipe_through(made).pipe_to(write_file(drill.out / "file")), counter
    return source.pipe_to(made), counter


async def reach_state(drill: Drill, counter: Counter) -> None:
    """Wait until the pipe is in the state of the drill."""
    if drill.state == "running":
        await asyncio.wait({counter.many}, timeout=LIMIT)
        assert counter.many.done(), f"the pipe does not get on: {counter.count} chunks"
        return
    end = time.monotonic() + LIMIT
    looks = 0
    while looks < QUIET_LOOKS:
        assert time.monotonic() < end, f"the pipe does not stall: {counter.count} chunks"
        before = counter.count
        await asyncio.sleep(QUIET_TIME)
        for _ in range(QUIET_TURNS):
            await asyncio.sleep(0)
        looks = looks + 1 if counter.count == before else 0


# What may be left behind.


def threads() -> int:
    """Count the threads, without those that wait some seconds for another call, and do not keep the process."""
    return sum(not each.name.startswith("webstreams-call") for each in threading.enumerate())


def wait_until(condition: Callable[[], object]) -> None:
    """Wait without an event loop until a condition is true."""
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, f"it has not become true within {LIMIT} seconds: {condition}"
        time.sleep(0.002)


@contextlib.contextmanager
def nothing_left(row: Row, drill: Drill) -> Iterator[None]:
    """Check that a drill leaves nothing behind: no descriptor, thread, child, file; and publishes nothing."""
    gc.collect()
    gc.freeze()  # what is collected below is what the drill has made
    before = open_descriptors(), threads(), children()
    try:
        yield
        wait_until(lambda: children() == before[2])
        wait_until(lambda: threads() <= before[1] + row.threads)
        wait_until(lambda: os.listdir(drill.out) == [])
        assert not drill.published()
    finally:
        drill.peers.close()
    wait_until(lambda: gc.collect() >= 0 and open_descriptors() == before[0])
    wait_until(lambda: threads() == before[1])
    assert os.listdir(drill.out) == []
