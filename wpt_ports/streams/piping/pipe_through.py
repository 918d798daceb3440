"""Port of streams/piping/pipe-through.any.js."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any
from unittest import mock

from webstreams import AbortController, ReadableStream, WritableStream
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    assert_throws_exactly,
    assert_throws_js,
    flush_async_events,
    promise_test,
    test,
)
from wpt_ports.resources.piping import (
    FakeAbortSignal,
    FakeReadableStream,
    FakeWritableStream,
    SideEffect,
    StartOnly,
    closing,
    erroring,
    raising,
)
from wpt_ports.resources.recording_streams import recording_readable_stream, recording_writable_stream
from wpt_ports.resources.rs_utils import readable_stream_to_array, sequential_readable_stream


class Getters:
    """A transform whose members come from getters; a member that is an exception is raised."""

    def __init__(self, **members: Any) -> None:
        self._members = members

    @property
    def readable(self) -> Any:
        return self._get("readable")

    @property
    def writable(self) -> Any:
        return self._get("writable")

    def _get(self, name: str) -> Any:
        member = self._members[name]
        if isinstance(member, Exception):
            raise member
        return member


def uninteresting_pair() -> Any:
    """A transform that transforms nothing."""
    return SimpleNamespace(writable=WritableStream(), readable=ReadableStream())


def duck_typed_pass_through() -> Any:
    """A transform made by hand, whose sink feeds its source."""
    source = StartOnly()
    readable: ReadableStream[Any] = ReadableStream(source)

    def write(chunk: Any, controller: Any) -> None:
        source.controller.enqueue(chunk)

    def close() -> None:
        source.controller.close()

    writable: WritableStream[Any] = WritableStream({"write": write, "close": close})
    return SimpleNamespace(writable=writable, readable=readable)


@promise_test("Piping through a duck-typed pass-through transform stream should work")
async def duck_typed_transform(t: Test) -> None:
    readable_end = sequential_readable_stream(5).pipe_through(duck_typed_pass_through())
    assert_array_equals(await readable_stream_to_array(readable_end), [1, 2, 3, 4, 5], "chunks should match")


@promise_test("Piping through a transform errored on the writable end does not cause an unhandled promise rejection")
async def errored_writable_end(t: Test) -> None:
    error = Exception("this rejection should not be reported as unhandled")
    pair = uninteresting_pair()
    pair.writable = WritableStream({"start": erroring(error)})
    sequential_readable_stream(5).pipe_through(pair)
    # The harness fails this port if anything reached the loop's exception handler by then.
    await flush_async_events()


@test("pipeThrough should not call pipeTo on this")
def ignores_overridden_pipe_to(t: Test) -> None:
    class BadReadableStream(ReadableStream[Any]):
        called_pipe_to = False

        def pipe_to(self, *args: Any, **options: Any) -> Any:
            self.called_pipe_to = True

    brs = BadReadableStream({"start": closing})
    pair = uninteresting_pair()
    result: object = brs.pipe_through(pair)
    assert not brs.called_pipe_to, "the overridden pipe_to should not have been called"
    assert result is pair.readable, "the return value should be the transform's readable"


@test("pipeThrough should not call pipeTo on the ReadableStream prototype")
def ignores_patched_pipe_to(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream()
    pair = uninteresting_pair()
    with mock.patch.object(ReadableStream, "pipe_to") as fake_pipe_to:
        result: object = rs.pipe_through(pair)
    assert not fake_pipe_to.called, "the monkey-patched pipe_to should not have been called"
    assert result is pair.readable, "the return value should be the transform's readable"


BAD_READABLES: list[tuple[str, dict[str, Any]]] = [
    ("null", {"readable": None}),
    ("undefined", {}),
    ("0", {"readable": 0}),
    ("NaN", {"readable": math.nan}),
    ("true", {"readable": True}),
    ("ReadableStream", {"readable": "ReadableStream"}),
    ("[object ReadableStream]", {"readable": FakeReadableStream()}),
]


def add_bad_readable(name: str, readable: dict[str, Any]) -> None:
    @test(f"pipeThrough should brand-check readable and not allow '{name}'")
    def checks_readable(t: Test) -> None:
        class Pair(SimpleNamespace):
            writable_touched = False

            @property
            def writable(self) -> Any:
                self.writable_touched = True
                return WritableStream()

        rs: ReadableStream[Any] = ReadableStream()
        pair: Any = Pair(**readable)
        assert_throws_js(TypeError, lambda: rs.pipe_through(pair), "pipe_through should check readable")
        assert not pair.writable_touched, "writable should not have been accessed"


for name, members in BAD_READABLES:
    add_bad_readable(name, members)


BAD_WRITABLES: list[tuple[str, dict[str, Any]]] = [
    ("null", {"writable": None}),
    ("undefined", {}),
    ("0", {"writable": 0}),
    ("NaN", {"writable": math.nan}),
    ("true", {"writable": True}),
    ("WritableStream", {"writable": "WritableStream"}),
    ("[object WritableStream]", {"writable": FakeWritableStream()}),
]


def add_bad_writable(name: str, writable: dict[str, Any]) -> None:
    @test(f"pipeThrough should brand-check writable and not allow '{name}'")
    def checks_writable(t: Test) -> None:
        class Pair(SimpleNamespace):
            readable_touched = False

            @property
            def readable(self) -> Any:
                self.readable_touched = True
                return ReadableStream()

        rs: ReadableStream[Any] = ReadableStream({"start": closing})
        pair: Any = Pair(**writable)
        assert_throws_js(TypeError, lambda: rs.pipe_through(pair), "pipe_through should check writable")
        assert pair.readable_touched, "readable should have been accessed"


for name, members in BAD_WRITABLES:
    add_bad_writable(name, members)


@test("pipeThrough should rethrow errors from accessing readable or writable")
def rethrows_getter_errors(t: Test) -> None:
    error = Exception("custom")
    pull = t.unreached("pull should not be called")
    rs: ReadableStream[Any] = ReadableStream({"pull": pull}, {"high_water_mark": 0})

    throwing_writable: Any = Getters(readable=rs, writable=error)
    assert_throws_exactly(error, lambda: rs.pipe_through(throwing_writable), "the error of the writable getter")
    throwing_readable: Any = Getters(readable=error, writable=object())
    assert_throws_exactly(error, lambda: rs.pipe_through(throwing_readable), "the error of the readable getter")


BAD_SIGNALS: list[tuple[str, Any]] = [
    ("0", 0),
    ("NaN", math.nan),
    ("true", True),
    ("AbortSignal", "AbortSignal"),
    ("[object AbortSignal]", FakeAbortSignal()),
]


def add_bad_signal(name: str, signal: Any) -> None:
    @test(f"invalid values of signal should throw; specifically '{name}'")
    def checks_signal(t: Test) -> None:
        rs: ReadableStream[Any] = ReadableStream()
        pair = uninteresting_pair()
        assert_throws_js(TypeError, lambda: rs.pipe_through(pair, signal=signal), "pipe_through should raise")


for name, value in BAD_SIGNALS:
    add_bad_signal(name, value)


@test("pipeThrough should accept a real AbortSignal")
def accepts_signal(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream()
    rs.pipe_through(uninteresting_pair(), signal=AbortController().signal)


@test("pipeThrough should throw if this is locked")
def locked_source(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream()
    rs.get_reader()
    pair = uninteresting_pair()
    assert_throws_js(TypeError, lambda: rs.pipe_through(pair), "pipe_through should raise")


@test("pipeThrough should throw if writable is locked")
def locked_writable(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream()
    pair = uninteresting_pair()
    pair.writable.get_writer()
    assert_throws_js(TypeError, lambda: rs.pipe_through(pair), "pipe_through should raise")


@test("pipeThrough should not care if readable is locked")
def locked_readable(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream()
    pair = uninteresting_pair()
    pair.readable.get_reader()
    result: object = rs.pipe_through(pair)
    assert result is pair.readable, "pipe_through should not raise"


@promise_test("preventCancel should work")
async def prevent_cancel(t: Test) -> None:
    rs = recording_readable_stream()
    pair = uninteresting_pair()
    pair.writable = WritableStream({"start": lambda controller: controller.error()})
    rs.pipe_through(pair, prevent_cancel=True)
    await flush_async_events()
    assert_array_equals(rs.events, ["pull"], "cancel should not have been called")


@promise_test("preventClose should work")
async def prevent_close(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream({"start": closing})
    pair = uninteresting_pair()
    pair.writable = recording_writable_stream()
    rs.pipe_through(pair, prevent_close=True)
    await flush_async_events()
    assert_array_equals(pair.writable.events, [], "writable should not be closed")


@promise_test("preventAbort should work")
async def prevent_abort(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream({"start": lambda controller: controller.error()})
    pair = uninteresting_pair()
    pair.writable = recording_writable_stream()
    rs.pipe_through(pair, prevent_abort=True)
    await flush_async_events()
    assert_array_equals(pair.writable.events, [], "writable should not be aborted")


@test("pipeThrough() should throw if an option getter grabs a writer")
def option_grabs_writer(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream()
    pair = uninteresting_pair()
    grabs_writer: Any = SideEffect(pair.writable.get_writer)
    assert_throws_js(TypeError, lambda: rs.pipe_through(pair, prevent_abort=grabs_writer), "it should raise")


@test("pipeThrough() should not throw if option is null")
def no_option_given(t: Test) -> None:
    none: Any = None
    rs: ReadableStream[Any] = ReadableStream()
    pair = uninteresting_pair()
    rs.pipe_through(pair, prevent_close=none, prevent_abort=none, prevent_cancel=none, signal=none)


@test("pipeThrough() should not throw if signal is undefined")
def signal_is_none(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream()
    rs.pipe_through(uninteresting_pair(), signal=None)


@test("pipeThrough() should throw if readable/writable getters throw")
def order_of_getters(t: Test) -> None:
    readable_error = Exception("readable threw")
    writable_error = Exception("writable threw")

    rs: ReadableStream[Any] = ReadableStream()
    bad_writable: Any = Getters(readable=ReadableStream(), writable=writable_error)
    assert_throws_exactly(writable_error, lambda: rs.pipe_through(bad_writable))

    rs2: ReadableStream[Any] = ReadableStream()
    bad_both: Any = Getters(readable=readable_error, writable=writable_error)
    assert_throws_exactly(readable_error, lambda: rs2.pipe_through(bad_both))

    rs3: ReadableStream[Any] = ReadableStream()
    bad_both = Getters(readable=readable_error, writable=writable_error)
    bad_option: Any = SideEffect(raising(Exception("prevent_abort threw")))
    assert_throws_exactly(readable_error, lambda: rs3.pipe_through(bad_both, prevent_abort=bad_option))
