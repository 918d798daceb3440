"""Port of streams/writable-streams/general.any.js."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

from webstreams import Promise, WritableStream
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    assert_throws_js,
    promise_rejects_exactly,
    promise_test,
    rejection,
    test,
)
from wpt_ports.resources.sink_utils import record


@test("desiredSize on a released writer")
def desired_size_of_released_writer(t: Test) -> None:
    ws = WritableStream[Any]({})
    writer = ws.get_writer()
    writer.release_lock()
    assert_throws_js(TypeError, lambda: writer.desired_size, "desired_size")


@test("desiredSize initial value")
def desired_size_at_first(t: Test) -> None:
    ws = WritableStream[Any]({})
    writer = ws.get_writer()
    assert writer.desired_size == 1


@promise_test("desiredSize on a writer for a closed stream")
async def desired_size_of_closed_stream(t: Test) -> None:
    ws = WritableStream[Any]({})
    writer = ws.get_writer()
    writer.close()
    await writer.closed
    assert writer.desired_size == 0


@test("desiredSize on a writer for an errored stream")
def desired_size_of_errored_stream(t: Test) -> None:
    ws = WritableStream[Any]({"start": lambda controller: controller.error()})
    writer = ws.get_writer()
    assert writer.desired_size is None


@test("ws.getWriter() on a closing WritableStream")
def get_writer_of_closing_stream(t: Test) -> None:
    ws = WritableStream[Any]({})
    writer = ws.get_writer()
    writer.close()
    writer.release_lock()
    ws.get_writer()


@promise_test("ws.getWriter() on a closed WritableStream")
async def get_writer_of_closed_stream(t: Test) -> None:
    ws = WritableStream[Any]({})
    writer = ws.get_writer()
    await writer.close()
    writer.release_lock()
    ws.get_writer()


@test("ws.getWriter() on an aborted WritableStream")
def get_writer_of_aborted_stream(t: Test) -> None:
    ws = WritableStream[Any]({})
    writer = ws.get_writer()
    writer.abort()
    writer.release_lock()
    ws.get_writer()


@promise_test("ws.getWriter() on an errored WritableStream")
async def get_writer_of_errored_stream(t: Test) -> None:
    ws = WritableStream[Any]({"start": lambda controller: controller.error()})
    writer = ws.get_writer()
    await rejection(writer.closed, "closed")
    writer.release_lock()
    ws.get_writer()


@promise_test("closed and ready on a released writer")
async def closed_and_ready_of_released_writer(t: Test) -> None:
    ws = WritableStream[Any]({})
    writer = ws.get_writer()
    writer.release_lock()
    closed_rejection = await rejection(writer.closed, "closed")
    assert type(closed_rejection) is TypeError, f"closed rejected with {closed_rejection!r}"
    ready_rejection = await rejection(writer.ready, "ready")
    assert ready_rejection is closed_rejection, "ready is rejected with the error of closed"


@promise_test("WritableStream should call underlying sink methods as methods")
async def sink_methods_are_methods(t: Test) -> None:
    @t.step
    def check_receiver(receiver: object) -> None:
        assert receiver is the_sink, "the sink's own method is called"

    class Sink:
        def start(self, controller: object) -> None:
            check_receiver(self)

        def write(self, chunk: object, controller: object) -> None:
            check_receiver(self)

        def close(self) -> None:
            check_receiver(self)

        def abort(self, reason: object) -> None:
            check_receiver(self)

    the_sink = Sink()
    ws = WritableStream[Any](the_sink)
    writer = ws.get_writer()
    writer.write("a")
    close_promise = writer.close()

    ws2 = WritableStream[Any](the_sink)
    writer2 = ws2.get_writer()
    abort_promise = writer2.abort()
    await Promise.all([close_promise, abort_promise])


@promise_test("methods should not not have .apply() or .call() called")
async def only_calls_methods(t: Test) -> None:
    def function(*_: object) -> None:
        pass

    vars(function).update(apply=t.unreached("apply() is called"), call=t.unreached("call() is called"))
    underlying_sink: Any = {"start": function, "write": function, "close": function, "abort": function}
    writer1 = WritableStream[Any](underlying_sink).get_writer()
    writer1.write("a")
    writer1.close()

    abort_error = Exception("abort error")
    writer2 = WritableStream[Any](underlying_sink).get_writer()
    writer2.abort(abort_error)

    # An abort() does not fall back to close().
    sink_without_abort: Any = {"start": function, "write": function, "close": function}
    writer3 = WritableStream[Any](sink_without_abort).get_writer()
    writer3.abort(abort_error)

    await writer1.closed
    await promise_rejects_exactly(t, abort_error, writer2.closed, "closed of the second writer")
    await promise_rejects_exactly(t, abort_error, writer3.closed, "closed of the third writer")


@promise_test("WritableStream's strategy.size should not be called as a method")
async def size_is_no_method(t: Test) -> None:
    def size(*arguments: object) -> int:
        assert_array_equals(arguments, ["a"], "size() is given the chunk, not the strategy")
        return 1

    ws = WritableStream[Any]({}, SimpleNamespace(size=size))
    writer = ws.get_writer()
    await writer.write("a")


@promise_test("redundant releaseLock() is no-op")
async def redundant_release(t: Test) -> None:
    ws = WritableStream[Any]()
    writer1: Any = ws.get_writer()
    assert writer1.release_lock() is None, "release_lock() returns None"
    writer2 = ws.get_writer()
    assert writer1.release_lock() is None, "the redundant release_lock() returns None"
    # Rejected if the second call had released writer2.
    await writer2.ready


@promise_test("ready promise should fire before closed on releaseLock")
async def ready_before_closed_on_release(t: Test) -> None:
    events: list[str] = []
    ws = WritableStream[Any]()
    writer = ws.get_writer()
    await writer.ready
    # A write makes ready pending again.
    write_promise = writer.write("dummy")
    ready_promise = writer.ready.then(None, record(events, "ready"))
    closed_promise = writer.closed.then(None, record(events, "closed"))
    writer.release_lock()
    await Promise.all([ready_promise, closed_promise])
    assert_array_equals(events, ["ready", "closed"])
    await Promise.all([write_promise, ws.abort()])


@test("Subclassing WritableStream should work")
def subclass(t: Test) -> None:
    class Subclass(WritableStream[Any]):
        def extra_function(self) -> bool:
            return True

    assert issubclass(Subclass, WritableStream)
    sub = Subclass()
    assert isinstance(sub, WritableStream)
    assert isinstance(sub, Subclass)
    locked: Any = inspect.getattr_static(WritableStream, "locked")
    assert locked.__get__(sub) == sub.locked, "the property of WritableStream takes it"
    assert sub.extra_function()


@test("the locked getter should return true if the stream has a writer")
def locked(t: Test) -> None:
    ws: Any = WritableStream[Any]()
    assert ws.locked is False, "without a writer"
    ws.get_writer()
    assert ws.locked is True, "with a writer"
