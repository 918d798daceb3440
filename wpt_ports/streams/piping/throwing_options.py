"""Port of streams/piping/throwing-options.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import ReadableStream, TransformStream, WritableStream
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    assert_throws_exactly,
    promise_rejects_exactly,
    promise_test,
    test,
)
from wpt_ports.resources.piping import SideEffect

# In the order in which the Standard reads the members of StreamPipeOptions.
OPTIONS = [("preventAbort", "prevent_abort"), ("preventCancel", "prevent_cancel"), ("preventClose", "prevent_close")]


class ThrowingOptions:
    """Options whose truth value records that it was asked for; one of them raises `error` instead."""

    def __init__(self, what_should_throw: str) -> None:
        self.error = Exception(what_should_throw)
        self.touched: list[str] = []
        self._what_should_throw = what_should_throw

    def keywords(self) -> dict[str, Any]:
        return {option: self._option(option) for _, option in OPTIONS}

    def _option(self, name: str) -> SideEffect:
        def touch() -> None:
            self.touched.append(name)
            if name == self._what_should_throw:
                raise self.error

        return SideEffect(touch)


def add_throwing_option(name: str, option: str, touched: list[str]) -> None:
    @promise_test(f"pipeTo should stop after getting {name} throws")
    async def pipe_to_stops(t: Test) -> None:
        options = ThrowingOptions(option)
        rs: ReadableStream[Any] = ReadableStream()
        ws: WritableStream[Any] = WritableStream()
        pipe_promise = rs.pipe_to(ws, **options.keywords())
        await promise_rejects_exactly(t, options.error, pipe_promise, "pipe_to should reject")
        assert_array_equals(options.touched, touched, "options should be touched in the right order")

    @test(f"pipeThrough should stop after getting {name} throws")
    def pipe_through_stops(t: Test) -> None:
        options = ThrowingOptions(option)
        rs: ReadableStream[Any] = ReadableStream()
        ts: TransformStream[Any, Any] = TransformStream()
        keywords = options.keywords()
        assert_throws_exactly(options.error, lambda: rs.pipe_through(ts, **keywords), "pipe_through should raise")
        assert_array_equals(options.touched, touched, "options should be touched in the right order")


for index, (name, option) in enumerate(OPTIONS):
    add_throwing_option(name, option, [touched for _, touched in OPTIONS[: index + 1]])
