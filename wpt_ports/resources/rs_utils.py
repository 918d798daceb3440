"""Upstream ``streams/resources/rs-utils.js``: sources to adapt, and reading a stream to its end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any

from webstreams import Promise, ReadableStream, ReadableStreamDefaultController
from wpt_ports.harness import same

INTERVAL_SECONDS = 0.002
CHUNK_LENGTH = 128


class RandomPushSource:
    """Pushes a random string into `ondata` every two milliseconds, `to_push` times or for ever, then calls `onend`."""

    ondata: Callable[[str], object]
    onend: Callable[[], object]
    onerror: Callable[[Any], object]

    def __init__(self, to_push: int = 0) -> None:
        self.pushed = 0
        self.to_push = to_push
        self.started = False
        self.paused = False
        self.closed = False
        self._interval: asyncio.TimerHandle | None = None

    def read_start(self) -> None:
        """Start, or go on after `read_stop`."""
        if self.closed:
            return
        if not self.started or self.paused:
            self.started = True
            self.paused = False
            self._set_interval()

    def read_stop(self) -> None:
        """Pause: nothing is pushed until `read_start`."""
        if self.paused:
            return
        if not self.started:
            raise RuntimeError("a source that was not started cannot be paused")
        self.paused = True
        self._clear_interval()

    def _set_interval(self) -> None:
        self._interval = asyncio.get_running_loop().call_later(INTERVAL_SECONDS, self._tick)

    def _clear_interval(self) -> None:
        if self._interval is not None:
            self._interval.cancel()
            self._interval = None

    def _tick(self) -> None:
        # Armed before the chunk is written, so that the callback may pause the source.
        self._set_interval()
        self._write_chunk()

    def _write_chunk(self) -> None:
        self.pushed += 1
        if 0 < self.to_push < self.pushed:
            self._clear_interval()
            self.closed = True
            self.onend()
        else:
            self.ondata(random_chunk(CHUNK_LENGTH))


def random_chunk(size: int) -> str:
    """A string of `size` random printable ASCII characters."""
    return "".join(chr(random.randint(32, 116)) for _ in range(size))


def readable_stream_to_array(readable: ReadableStream[Any], reader: Any = None) -> Promise[list[Any]]:
    """``readableStreamToArray``: every chunk that `readable` (or its `reader`) still gives."""
    source = readable.get_reader() if reader is None else reader
    chunks: list[Any] = []

    def pump() -> Any:
        return source.read().then(take)

    def take(result: Any) -> Any:
        if result.done:
            return chunks
        chunks.append(result.value)
        return pump()

    promise: Promise[list[Any]] = pump()
    return promise


class SequentialPullSource:
    """Gives 1, 2, ... `limit` to the callbacks of `read`: at once, or after a timer when it is asynchronous."""

    def __init__(self, limit: int, *, async_: bool = False) -> None:
        self.current = 0
        self.limit = limit
        self.opened = False
        self.closed = False
        self._async = async_

    def open(self, callback: Callable[[], object]) -> None:
        """Open the source, then call `callback`."""

        def do_open() -> None:
            self.opened = True
            callback()

        self._execute(do_open)

    def read(self, callback: Callable[[bool, int | None], object]) -> None:
        """Call `callback` with whether the source is done, and the next number."""

        def do_read() -> None:
            self.current += 1
            if self.current <= self.limit:
                callback(False, self.current)
            else:
                callback(True, None)

        self._execute(do_read)

    def close(self, callback: Callable[[], object]) -> None:
        """Close the source, then call `callback`."""

        def do_close() -> None:
            self.closed = True
            callback()

        self._execute(do_close)

    def _execute(self, function: Callable[[], None]) -> None:
        if self._async:
            asyncio.get_running_loop().call_later(0, function)
        else:
            function()


class SequentialReadableStream(ReadableStream[int]):
    """A readable stream over a `SequentialPullSource`, its `source`."""

    source: SequentialPullSource

    def __init__(self, limit: int, *, async_: bool = False) -> None:
        self.source = SequentialPullSource(limit, async_=async_)
        super().__init__({"start": self._start, "pull": self._pull})

    def _start(self, controller: ReadableStreamDefaultController[int]) -> Any:
        promise, resolve, _ = Promise[None].with_resolvers()
        self.source.open(lambda: resolve(None))
        return promise

    def _pull(self, controller: ReadableStreamDefaultController[int]) -> Any:
        promise, resolve, _ = Promise[None].with_resolvers()

        def finish() -> None:
            controller.close()
            resolve(None)

        def take(done: bool, number: int | None) -> None:
            if number is None:
                self.source.close(finish)
            else:
                controller.enqueue(number)
                resolve(None)

        self.source.read(take)
        return promise


def sequential_readable_stream(limit: int, async_: bool = False) -> SequentialReadableStream:
    """``sequentialReadableStream``."""
    return SequentialReadableStream(limit, async_=async_)


def transfer_array_buffer_view(view: memoryview) -> memoryview:
    """``transferArrayBufferView``: a new view over the same memory; `view` itself is released, as if detached."""
    transferred = view[:]
    view.release()
    return transferred


# What upstream's files write out each time.


def readable_with_controller(
    members: Mapping[str, Any] | None = None, strategy: Any = None
) -> tuple[ReadableStream[Any], Any]:
    """A stream over an underlying source with `members` (but no ``start``), and its controller."""
    controllers: list[Any] = []
    source: Any = {**(members or {}), "start": controllers.append}
    stream: ReadableStream[Any] = ReadableStream(source, strategy)
    return stream, controllers[0]


def assert_result(result: Any, value: object, done: bool = False, message: str = "") -> None:
    """``assert_object_equals(result, { value, done })``."""
    assert result.done is done and same(result.value, value), f"{result!r} is not {(value, done)!r} {message}"
