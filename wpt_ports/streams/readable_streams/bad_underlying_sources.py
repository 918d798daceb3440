"""Port of streams/readable-streams/bad-underlying-sources.any.js."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webstreams import CountQueuingStrategy, Promise, ReadableStream
from wpt_ports.harness import (
    Test,
    assert_throws_exactly,
    assert_throws_js,
    promise_rejects_exactly,
    promise_test,
    run,
    test,
)
from wpt_ports.resources.rs_utils import assert_result, readable_with_controller

the_error = Exception("a unique string")
first_error = Exception("1")
second_error = Exception("2")


def throw_the_error(argument: object) -> Any:
    raise the_error


class Throwing:
    """A getter that throws."""

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        raise the_error


def started_with(start: Callable[[Any], Any]) -> ReadableStream[Any]:
    """A stream whose start() is `start` and was called."""
    calls: list[Any] = []

    def recorded(controller: Any) -> Any:
        calls.append(controller)
        return start(controller)

    rs = ReadableStream[Any]({"start": recorded})
    assert len(calls) == 1
    return rs


# Members that throw, when they are looked up or when they are called.


@test("Underlying source start: throwing getter")
def throwing_start_getter(t: Test) -> None:
    class Source:
        start = Throwing()

    source: Any = Source()
    assert_throws_exactly(the_error, lambda: ReadableStream(source))


@test("Underlying source start: throwing method")
def throwing_start(t: Test) -> None:
    assert_throws_exactly(the_error, lambda: ReadableStream({"start": throw_the_error}))


@test("Underlying source: throwing pull getter (initial pull)")
def throwing_pull_getter(t: Test) -> None:
    class Source:
        pull = Throwing()

    source: Any = Source()
    assert_throws_exactly(the_error, lambda: ReadableStream(source))


@promise_test("Underlying source: throwing pull method (initial pull)")
async def throwing_pull(t: Test) -> None:
    rs = ReadableStream[Any]({"pull": throw_the_error})
    await promise_rejects_exactly(t, the_error, rs.get_reader().closed)


@promise_test("Underlying source pull: throwing getter (second pull does not result in a second get)")
async def pull_getter_is_used_once(t: Test) -> None:
    class Source:
        counter = 0

        @property
        def pull(self) -> Callable[[Any], None]:
            self.counter += 1
            if self.counter == 1:
                return lambda controller: controller.enqueue("a")
            raise the_error

    source: Any = Source()
    reader = ReadableStream[Any](source).get_reader()

    def check_second(result: Any) -> None:
        assert_result(result, "a")
        assert source.counter == 1

    first = reader.read().then(lambda result: assert_result(result, "a"))
    await Promise.all([first, reader.read().then(check_second)])


@promise_test("Underlying source pull: throwing method (second pull)")
async def throwing_second_pull(t: Test) -> None:
    calls = 0

    def pull(controller: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise the_error
        controller.enqueue("a")

    reader = ReadableStream[Any]({"pull": pull}).get_reader()
    read = reader.read().then(lambda result: assert_result(result, "a"))
    await Promise.all([read, run(promise_rejects_exactly(t, the_error, reader.closed))])


@test("Underlying source cancel: throwing getter")
def throwing_cancel_getter(t: Test) -> None:
    class Source:
        cancel = Throwing()

    source: Any = Source()
    assert_throws_exactly(the_error, lambda: ReadableStream(source))


@promise_test("Underlying source cancel: throwing method")
async def throwing_cancel(t: Test) -> None:
    rs = ReadableStream[Any]({"cancel": throw_the_error})
    await promise_rejects_exactly(t, the_error, rs.cancel())


# A controller that is used when its stream is no longer readable.


@promise_test("Underlying source: calling enqueue on an empty canceled stream should throw")
async def enqueue_on_empty_cancelled(t: Test) -> None:
    rs, controller = readable_with_controller()
    rs.cancel()
    assert_throws_js(TypeError, lambda: controller.enqueue("a"))
    await rs.get_reader().closed


@promise_test("Underlying source: calling enqueue on a non-empty canceled stream should throw")
async def enqueue_on_non_empty_cancelled(t: Test) -> None:
    rs, controller = readable_with_controller()
    controller.enqueue("a")
    controller.enqueue("b")
    rs.cancel()
    assert_throws_js(TypeError, lambda: controller.enqueue("c"))
    await rs.get_reader().closed


@promise_test("Underlying source: calling enqueue on a closed stream should throw")
async def enqueue_on_closed(t: Test) -> None:
    def start(controller: Any) -> None:
        controller.close()
        assert_throws_js(TypeError, lambda: controller.enqueue("a"))

    await started_with(start).get_reader().closed


@promise_test("Underlying source: calling enqueue on an errored stream should throw")
async def enqueue_on_errored(t: Test) -> None:
    def start(controller: Any) -> None:
        controller.error(the_error)
        assert_throws_js(TypeError, lambda: controller.enqueue("a"))

    await promise_rejects_exactly(t, the_error, started_with(start).get_reader().closed)


@promise_test("Underlying source: calling close twice on an empty stream should throw the second time")
async def close_twice_on_empty(t: Test) -> None:
    def start(controller: Any) -> None:
        controller.close()
        assert_throws_js(TypeError, controller.close)

    await started_with(start).get_reader().closed


@promise_test("Underlying source: calling close twice on a non-empty stream should throw the second time")
async def close_twice_on_non_empty(t: Test) -> None:
    def start(controller: Any) -> None:
        controller.enqueue("a")
        controller.close()
        assert_throws_js(TypeError, controller.close)

    reader = started_with(start).get_reader()
    order: list[str] = []

    def check_read(result: Any) -> None:
        assert_result(result, "a")
        order.append("read")

    def check_closed(value: object) -> None:
        assert order == ["read"], "the chunk is read before the stream is closed"

    await Promise.all([reader.read().then(check_read), reader.closed.then(check_closed)])


@promise_test("Underlying source: calling close on an empty canceled stream should throw")
async def close_on_empty_cancelled(t: Test) -> None:
    rs, controller = readable_with_controller()
    rs.cancel()
    assert_throws_js(TypeError, controller.close)
    await rs.get_reader().closed


@promise_test("Underlying source: calling close on a non-empty canceled stream should throw")
async def close_on_non_empty_cancelled(t: Test) -> None:
    rs, controller = readable_with_controller()
    controller.enqueue("a")
    rs.cancel()
    assert_throws_js(TypeError, controller.close)
    await rs.get_reader().closed


@promise_test("Underlying source: calling close after error should throw")
async def close_after_error(t: Test) -> None:
    def start(controller: Any) -> None:
        controller.error(the_error)
        assert_throws_js(TypeError, controller.close)

    await promise_rejects_exactly(t, the_error, started_with(start).get_reader().closed)


@promise_test("Underlying source: calling error twice should not throw")
async def error_twice(t: Test) -> None:
    def start(controller: Any) -> None:
        controller.error(the_error)
        controller.error()

    await promise_rejects_exactly(t, the_error, started_with(start).get_reader().closed)


@promise_test("Underlying source: calling error after close should not throw")
async def error_after_close(t: Test) -> None:
    def start(controller: Any) -> None:
        controller.close()
        controller.error()

    await started_with(start).get_reader().closed


# A callback that errors the stream and then fails with another error.


def error_and_reject(controller: Any) -> Any:
    controller.error(first_error)
    return Promise.reject(second_error)


@promise_test(
    "Underlying source: calling error and returning a rejected promise from start should cause the stream to error "
    "with the first error"
)
async def error_and_rejected_start(t: Test) -> None:
    await promise_rejects_exactly(t, first_error, started_with(error_and_reject).get_reader().closed)


@promise_test(
    "Underlying source: calling error and returning a rejected promise from pull should cause the stream to error "
    "with the first error"
)
async def error_and_rejected_pull(t: Test) -> None:
    calls: list[Any] = []

    def pull(controller: Any) -> Any:
        calls.append(controller)
        return error_and_reject(controller)

    closed = ReadableStream[Any]({"pull": pull}).get_reader().closed
    await promise_rejects_exactly(t, first_error, closed)
    assert len(calls) == 1


@promise_test("read should not error if it dequeues and pull() throws")
async def read_with_throwing_pull(t: Test) -> None:
    pull_should_throw = False

    def pull(controller: Any) -> None:
        if pull_should_throw:
            raise the_error
        controller.enqueue(0)

    reader = ReadableStream[Any]({"pull": pull}, CountQueuingStrategy(high_water_mark=1)).get_reader()

    def read(_: object) -> Any:
        nonlocal pull_should_throw
        pull_should_throw = True
        closed = run(promise_rejects_exactly(t, the_error, reader.closed))
        return Promise.all([reader.read(), closed])

    await Promise.resolve(None).then(read)
