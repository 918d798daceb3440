"""Threads that use streams, and what waits for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from webstreams import (
    CountQueuingStrategy,
    Promise,
    ReadableStream,
    WritableStream,
)
from webstreams.threads import ThreadSafeReader, ThreadSafeWriter

Reported = list[dict[str, Any]]
BOOM = ValueError("boom")
A_MOMENT = 0.005


# What is under way when the loop ends is reported.
CUT_OFF = "was cut off by the end of the event loop"


class Worker(threading.Thread):
    """Runs a function; the loop that started it waits for the outcome with ``await worker.outcome()``."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        super().__init__(daemon=True)
        self.function = function
        self.arguments = args
        self.result: Any = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self.function(*self.arguments)
        except BaseException as error:
            self.error = error

    def joined(self) -> Any:
        self.join(timeout=20)
        assert not self.is_alive(), "the thread hangs"
        if self.error is not None:
            raise self.error
        return self.result

    async def outcome(self) -> Any:
        while self.is_alive():
            await asyncio.sleep(0.001)
        return self.joined()


async def in_thread(function: Callable[..., Any], *args: Any) -> Any:
    return await Worker(function, *args).outcome()


async def threads_wait(calls: int = 1) -> None:
    """Wait until so many calls of threads wait in the loop: the sinks and sources of these tests make no tasks."""
    async with asyncio.timeout(20):
        lasting = 0
        while lasting < calls + 1:
            before = asyncio.all_tasks()
            await asyncio.sleep(0.001)
            lasting = len(before & asyncio.all_tasks())


class SlowSink:
    """A sink whose every write is done when the test says so."""

    def __init__(self) -> None:
        self.begun: list[Any] = []
        self.written: list[Any] = []
        self.aborted: list[Any] = []
        self.closed = 0
        self.open = False
        self._done: list[Callable[[Any], None]] = []

    def write(self, chunk: Any, controller: Any) -> Promise[None]:
        self.begun.append(chunk)
        promise, resolve, _ = Promise.with_resolvers()
        self._done.append(resolve)
        if self.open:
            self.finish_one()
        return promise

    def finish_one(self) -> None:
        self.written.append(self.begun[len(self.written)])
        self._done.pop(0)(None)

    def go_on(self) -> None:
        self.open = True
        while self._done:
            self.finish_one()

    def close(self) -> None:
        self.closed += 1

    def abort(self, reason: Any) -> None:
        self.aborted.append(reason)


def slow(high_water_mark: float = 1) -> tuple[SlowSink, ThreadSafeWriter[Any]]:
    sink = SlowSink()
    return sink, ThreadSafeWriter(WritableStream(sink, CountQueuingStrategy(high_water_mark=high_water_mark)))


def quick() -> tuple[list[Any], ThreadSafeWriter[Any]]:
    chunks: list[Any] = []
    return chunks, ThreadSafeWriter(WritableStream({"write": lambda chunk, _: chunks.append(chunk)}))


def write_all(writer: ThreadSafeWriter[Any], *chunks: Any) -> None:
    for chunk in chunks:
        writer.write(chunk)


# The writer: errors.


class FailingSink:
    def __init__(self, reason: Any) -> None:
        self.reason = reason

    def write(self, chunk: Any, controller: Any) -> None:
        controller.error(self.reason)


WRITER_CALLS: dict[str, Callable[[ThreadSafeWriter[Any]], object]] = {
    "write": lambda writer: writer.write("chunk"),
    "close": lambda writer: writer.close(),
    "abort": lambda writer: writer.abort(),
    "with": lambda writer: writer.__enter__(),
}
READER_CALLS: dict[str, Callable[[ThreadSafeReader[Any]], object]] = {
    "read": lambda reader: reader.read(),
    "for": list,
    "cancel": lambda reader: reader.cancel(),
    "release": lambda reader: reader.release(),
    "with": lambda reader: reader.__enter__(),
}


# The reader.


def fed() -> tuple[Any, ThreadSafeReader[Any], ReadableStream[Any]]:
    """Make a stream that the test feeds, a reader of it, and give its controller."""
    controllers: list[Any] = []
    stream: ReadableStream[Any] = ReadableStream({"start": controllers.append})
    return controllers[0], ThreadSafeReader(stream), stream
