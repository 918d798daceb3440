"""A stream used from another loop or thread than its own is a clear RuntimeError at the call."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.helpers import ByteSource, RecordingSource, stream_of
from tests.grids import by_key, each_of
from tests.loops import LOOP_FACTORIES
from webstreams import (
    AbortController,
    AbortSignal,
    Promise,
    ReadableStream,
    ReadableStreamBYOBReader,
    ReadableStreamDefaultReader,
    StreamError,
    TransformStream,
    WritableStream,
    WritableStreamDefaultWriter,
    queue_microtask,
)

Use = Callable[[], Any]
NO_LOOP = "none is running in this thread"
OTHER_LOOP = "belongs to another event loop"


class Objects:
    """One of each, made on the loop that runs."""

    def __init__(self) -> None:
        self.source = RecordingSource()
        self.readable = stream_of(self.source)
        self.writable: WritableStream[Any] = WritableStream({"start": self._take_sink})
        self.transform: TransformStream[Any, Any] = TransformStream({"start": self._take_transformer})
        self.bytes_source = ByteSource()
        self.byob = stream_of(self.bytes_source).get_reader(mode="byob")
        self.pending = self.byob.read(bytearray(4))
        self.request = self.bytes_source.controller.byob_request
        self.reader: Any = stream_of(RecordingSource()).get_reader()
        self.writer: Any = WritableStream[Any]().get_writer()
        self.iterator = stream_of(RecordingSource()).values()
        self.promise, self.resolve, self.reject = Promise.with_resolvers()
        self.piped = AbortController()
        self.pipe = stream_of(RecordingSource()).pipe_to(WritableStream(), signal=self.piped.signal)

    def _take_sink(self, controller: Any) -> None:
        self.sink_controller = controller

    def _take_transformer(self, controller: Any) -> None:
        self.transformer_controller = controller


USES: dict[str, Callable[[Objects], Any]] = {
    "readable.cancel": lambda o: o.readable.cancel(),
    "readable.get_reader": lambda o: o.readable.get_reader(),
    "ReadableStreamDefaultReader": lambda o: ReadableStreamDefaultReader(o.readable),
    "ReadableStreamBYOBReader": lambda o: ReadableStreamBYOBReader(o.readable),
    "readable.pipe_to": lambda o: o.readable.pipe_to(o.writable),
    "readable.pipe_through": lambda o: o.readable.pipe_through(o.transform),
    "readable.tee": lambda o: o.readable.tee(),
    "readable.values": lambda o: o.readable.values(),
    "readable.__aiter__": lambda o: aiter(o.readable),
    "reader.read": lambda o: o.reader.read(),
    "reader.cancel": lambda o: o.reader.cancel(),
    "reader.release_lock": lambda o: o.reader.release_lock(),
    "byob_reader.read": lambda o: o.byob.read(bytearray(1)),
    "byob_reader.cancel": lambda o: o.byob.cancel(),
    "byob_reader.release_lock": lambda o: o.byob.release_lock(),
    "request.respond": lambda o: o.request.respond(1),
    "request.respond_with_new_view": lambda o: o.request.respond_with_new_view(o.request.view),
    "controller.enqueue": lambda o: o.source.controller.enqueue("chunk"),
    "controller.close": lambda o: o.source.controller.close(),
    "controller.error": lambda o: o.source.controller.error("oops"),
    "byte_controller.enqueue": lambda o: o.bytes_source.controller.enqueue(b"chunk"),
    "byte_controller.close": lambda o: o.bytes_source.controller.close(),
    "byte_controller.error": lambda o: o.bytes_source.controller.error("oops"),
    "iterator.__anext__": lambda o: o.iterator.__anext__(),
    "iterator.aclose": lambda o: o.iterator.aclose(),
    "writable.abort": lambda o: o.writable.abort(),
    "writable.close": lambda o: o.writable.close(),
    "writable.get_writer": lambda o: o.writable.get_writer(),
    "WritableStreamDefaultWriter": lambda o: WritableStreamDefaultWriter(o.writable),
    "writer.write": lambda o: o.writer.write("chunk"),
    "writer.close": lambda o: o.writer.close(),
    "writer.abort": lambda o: o.writer.abort(),
    "writer.release_lock": lambda o: o.writer.release_lock(),
    "sink_controller.error": lambda o: o.sink_controller.error("oops"),
    "transformer_controller.enqueue": lambda o: o.transformer_controller.enqueue("chunk"),
    "transformer_controller.error": lambda o: o.transformer_controller.error("oops"),
    "transformer_controller.terminate": lambda o: o.transformer_controller.terminate(),
    "promise.__await__": lambda o: next(o.promise.__await__()),
    "promise.then": lambda o: o.promise.then(),
    "promise.add_done_callback": lambda o: o.promise.add_done_callback(print),
    "promise resolved": lambda o: o.resolve(None),
    "promise rejected": lambda o: o.reject("oops"),
    "signal of a pipe": lambda o: o.piped.abort(),
    "reader.closed": lambda o: o.reader.closed,
    "writer.closed": lambda o: o.writer.closed,
    "writer.ready": lambda o: o.writer.ready,
}
EVERY_USE = each_of(use=by_key(USES))


def error_of(use: Use) -> BaseException | None:
    """What a call raises."""
    try:
        use()
    except BaseException as error:
        return error
    return None


def in_another_thread(function: Use) -> Any:
    outcome: list[Any] = []
    thread = threading.Thread(target=lambda: outcome.append(function()), daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    return outcome[0]


async def on_this_loop(use: Use) -> BaseException | None:
    return error_of(use)


@EVERY_USE
async def test_a_use_from_another_thread_is_a_runtime_error_at_the_call(use: Callable[[Objects], Any]) -> None:
    objects = Objects()
    before = repr(objects.readable), repr(objects.writable)
    error = in_another_thread(lambda: error_of(lambda: use(objects)))
    assert isinstance(error, RuntimeError)
    assert NO_LOOP in str(error)
    assert (repr(objects.readable), repr(objects.writable)) == before


@EVERY_USE
async def test_a_use_from_the_loop_of_another_thread_is_a_runtime_error_at_the_call(
    use: Callable[[Objects], Any],
) -> None:
    objects = Objects()
    before = repr(objects.readable), repr(objects.writable)
    error = in_another_thread(lambda: asyncio.run(on_this_loop(lambda: use(objects))))
    assert isinstance(error, RuntimeError)
    assert OTHER_LOOP in str(error)
    assert (repr(objects.readable), repr(objects.writable)) == before


@EVERY_USE
@each_of(make_loop=by_key(LOOP_FACTORIES))
def test_a_use_from_a_later_loop_of_the_same_thread_is_a_runtime_error(
    use: Callable[[Objects], Any], make_loop: Any
) -> None:
    async def make() -> Objects:
        return Objects()

    with asyncio.Runner(loop_factory=make_loop) as first:
        objects = first.run(make())
        with asyncio.Runner(loop_factory=make_loop) as second:
            error = second.run(on_this_loop(lambda: use(objects)))
    assert isinstance(error, RuntimeError)
    assert OTHER_LOOP in str(error)


CONSTRUCTIONS: dict[str, Use] = {
    "ReadableStream": ReadableStream,
    "ReadableStream of bytes": lambda: ReadableStream({"type": "bytes"}),
    "from_": lambda: ReadableStream.from_(["chunk"]),
    "WritableStream": WritableStream,
    "TransformStream": TransformStream,
    "Promise.resolve": Promise.resolve,
    "Promise.reject": lambda: Promise.reject("oops"),
    "Promise.with_resolvers": Promise.with_resolvers,
    "AbortSignal.timeout": lambda: AbortSignal.timeout(1),
    "queue_microtask": lambda: queue_microtask(print),
}


@each_of(make=by_key(CONSTRUCTIONS))
def test_constructing_without_a_running_loop_is_a_runtime_error(make: Use) -> None:
    with pytest.raises(RuntimeError, match=NO_LOOP):
        make()


@each_of(make=by_key(CONSTRUCTIONS))
async def test_constructing_in_a_thread_without_a_loop_is_a_runtime_error(make: Use) -> None:
    error = in_another_thread(lambda: error_of(make))
    assert isinstance(error, RuntimeError)
    assert NO_LOOP in str(error)


@each_of(derive=[lambda signal: signal, lambda signal: AbortSignal.any([signal])])
async def test_an_abort_from_another_thread_that_is_refused_can_be_made_up_for(
    derive: Callable[[AbortSignal], AbortSignal],
) -> None:
    """It aborts nothing, so that the right thread can still end the pipe."""
    controller = AbortController()
    pipe = stream_of(RecordingSource()).pipe_to(WritableStream(), signal=derive(controller.signal))
    error = in_another_thread(lambda: error_of(lambda: controller.abort("too early")))
    assert isinstance(error, RuntimeError)
    assert not controller.signal.aborted
    controller.abort("in time")
    with pytest.raises(StreamError) as caught:
        await asyncio.wait_for(pipe, 5)
    assert caught.value.reason == "in time"


def test_a_pipe_of_a_closed_loop_does_not_keep_its_signal_from_being_aborted() -> None:
    controller = AbortController()

    async def begin() -> None:
        stream_of(RecordingSource()).pipe_to(WritableStream(), signal=controller.signal)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    loop.close()
    controller.abort()
    assert controller.signal.aborted
