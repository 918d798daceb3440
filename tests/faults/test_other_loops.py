"""Streams that are used from another loop, without one, or from another thread (Y9)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.grids import each_of
from tests.loops import EVERY_LOOP
from webstreams import (
    Promise,
    ReadableStream,
    TransformStream,
    WritableStream,
    queue_microtask,
)

from .helpers import ByteSource, RecordingSource, finish, soon, stream_of

# Other loops and threads.


class Everything:
    """One object of every kind, made in the running loop."""

    def __init__(self) -> None:
        self.source = RecordingSource()
        self.stream = stream_of(RecordingSource())
        self.reader = stream_of(self.source).get_reader()
        self.bytes = ByteSource()
        self.byob_reader = stream_of(self.bytes).get_reader(mode="byob")
        self.byob_read = self.byob_reader.read(bytearray(4))
        self.request = self.bytes.controller.byob_request
        self.iterator = stream_of(RecordingSource()).values()
        self.controllers: list[Any] = []
        self.writer = WritableStream[Any]({"start": self.controllers.append}).get_writer()
        self.writable: WritableStream[Any] = WritableStream()
        self.transform: TransformStream[Any, Any] = TransformStream({"start": self.controllers.append})

    def calls(self) -> dict[str, Callable[[], Any]]:
        """Everything that must not be done elsewhere."""
        sink_controller, transform_controller = self.controllers
        return {
            "cancel": self.stream.cancel,
            "get_reader": self.stream.get_reader,
            "values": self.stream.values,
            "aiter": lambda: aiter(self.stream),
            "tee": self.stream.tee,
            "pipe_to": lambda: self.stream.pipe_to(self.writable),
            "pipe_through": lambda: self.stream.pipe_through(self.transform),
            "read": self.reader.read,
            "cancel by the reader": self.reader.cancel,
            "release the reader": self.reader.release_lock,
            "enqueue": lambda: self.source.controller.enqueue("chunk"),
            "close by the controller": self.source.controller.close,
            "error": self.source.controller.error,
            "byob read": lambda: self.byob_reader.read(bytearray(4)),
            "enqueue bytes": lambda: self.bytes.controller.enqueue(b"chunk"),
            "close bytes": self.bytes.controller.close,
            "error bytes": self.bytes.controller.error,
            "respond": lambda: self.request.respond(1),
            "respond with a new view": lambda: self.request.respond_with_new_view(bytearray(4)),
            "anext": self.iterator.__anext__,
            "aclose": self.iterator.aclose,
            "write": lambda: self.writer.write("chunk"),
            "close by the writer": self.writer.close,
            "abort by the writer": self.writer.abort,
            "release the writer": self.writer.release_lock,
            "error the sink": lambda: sink_controller.error("broken"),
            "get_writer": self.writable.get_writer,
            "close": self.writable.close,
            "abort": self.writable.abort,
            "enqueue by the transformer": lambda: transform_controller.enqueue("chunk"),
            "error by the transformer": lambda: transform_controller.error("broken"),
            "terminate": transform_controller.terminate,
        }

    def assert_refused(self, message: str) -> None:
        """Every call is refused at once."""
        for name, call in self.calls().items():
            try:
                call()
            except RuntimeError as error:
                assert message in str(error), name
            else:
                raise AssertionError(f"{name} should be refused")

    async def assert_unharmed(self) -> None:
        """Everything still works where it belongs."""
        self.source.controller.enqueue("chunk")
        assert await soon(self.reader.read()) == ("chunk", False)
        self.request.view[:1] = b"x"
        self.request.respond(1)
        assert bytes((await soon(self.byob_read)).value or b"") == b"x"
        await soon(self.writer.write("chunk"))
        await soon(self.iterator.aclose())
        await soon(self.stream.cancel())


async def make_everything() -> Everything:
    return Everything()


@EVERY_LOOP
def test_y9_use_from_another_loop(make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Use from another loop of the same thread: a clear RuntimeError at once, and no harm is done."""
    home, elsewhere = make_loop(), make_loop()
    try:
        everything = home.run_until_complete(make_everything())

        async def visit() -> None:
            everything.assert_refused("another event loop")
            awaitables: list[Callable[[], Any]] = [
                lambda: everything.byob_read,
                lambda: everything.reader.closed,
                lambda: everything.writer.closed,
            ]
            for awaitable in awaitables:
                with pytest.raises(RuntimeError, match="another event loop"):
                    await soon(awaitable())

        elsewhere.run_until_complete(visit())
        home.run_until_complete(everything.assert_unharmed())
    finally:
        finish(elsewhere)
        finish(home)


@EVERY_LOOP
def test_y9_use_without_a_loop(make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Use while no loop runs: a clear RuntimeError at once, and no harm is done."""
    home = make_loop()
    try:
        everything = home.run_until_complete(make_everything())
        everything.assert_refused("none is running")
        home.run_until_complete(everything.assert_unharmed())
    finally:
        finish(home)


@each_of(
    construct=[
        ReadableStream,
        WritableStream,
        TransformStream,
        lambda: ReadableStream({"type": "bytes"}),
        lambda: ReadableStream.from_([1, 2]),
        Promise.with_resolvers,
        lambda: queue_microtask(print),
    ]
)
def test_y9_construction_without_a_loop(construct: Callable[[], Any]) -> None:
    """A stream that is constructed where no loop runs: a clear RuntimeError."""
    with pytest.raises(RuntimeError, match="none is running"):
        construct()


async def test_y9_use_from_another_thread() -> None:
    """Use from another thread, with and without a loop of its own: a clear RuntimeError at once, and no harm."""
    everything = Everything()
    failures: list[BaseException] = []

    async def visit() -> None:
        everything.assert_refused("another event loop")

    def work() -> None:
        try:
            everything.assert_refused("none is running")
            asyncio.run(visit())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.001)
    thread.join()
    assert failures == []
    await everything.assert_unharmed()
