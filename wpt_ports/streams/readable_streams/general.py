"""Port of streams/readable-streams/general.any.js."""

from __future__ import annotations

import math
from typing import Any

from webstreams import Promise, ReadableStream, ReadableStreamDefaultController
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    assert_throws_js,
    delay,
    flush_async_events,
    promise_rejects_exactly,
    promise_test,
    test,
)
from wpt_ports.resources.rs_utils import (
    RandomPushSource,
    assert_result,
    readable_stream_to_array,
    readable_with_controller,
    sequential_readable_stream,
)

the_error = Exception("the error")
controller_error = Exception("controller error")
thrown_error = Exception("thrown error")


def construct(underlying_source: Any) -> ReadableStream[Any]:
    return ReadableStream(underlying_source)


# Constructing.


@test("ReadableStream can be constructed with no errors")
def construct_without_errors(t: Test) -> None:
    ReadableStream[Any]()
    ReadableStream[Any]({})
    ReadableStream[Any]({"type": None})
    ReadableStream[Any](None)


@test("ReadableStream can't be constructed with garbage")
def construct_with_garbage(t: Test) -> None:
    # What null is in JavaScript: a value that is no object. None itself is undefined here.
    assert_throws_js(TypeError, lambda: construct(5))
    assert_throws_js(TypeError, lambda: construct("potato"))


@test("ReadableStream can't be constructed with an invalid type")
def construct_with_invalid_type(t: Test) -> None:
    class Unprintable:
        def __str__(self) -> str:
            raise the_error

    assert_throws_js(TypeError, lambda: construct({"type": 5}), "5 is no type")
    assert_throws_js(TypeError, lambda: construct({"type": ""}), "the empty string is no type")
    assert_throws_js(TypeError, lambda: construct({"type": "asdf"}), "asdf is no type")
    # Nothing is converted to a string in Python, so that its conversion cannot be what fails.
    assert_throws_js(TypeError, lambda: construct({"type": Unprintable()}), "an object is no type")


@test("ReadableStream constructor should throw for non-function start arguments")
def start_is_not_callable(t: Test) -> None:
    assert_throws_js(TypeError, lambda: construct({"start": "potato"}))


@test("ReadableStream constructor will not tolerate initial garbage as cancel argument")
def cancel_is_not_callable(t: Test) -> None:
    assert_throws_js(TypeError, lambda: construct({"cancel": "2"}))


@test("ReadableStream constructor will not tolerate initial garbage as pull argument")
def pull_is_not_callable(t: Test) -> None:
    assert_throws_js(TypeError, lambda: construct({"pull": {}}))


@test("ReadableStream start should be called with the proper thisArg")
def start_is_called_on_source(t: Test) -> None:
    started: list[object] = []

    class Source:
        def start(self, controller: Any) -> None:
            started.append(self)

    source = Source()
    construct(source)
    assert_array_equals(started, [source])


@test("default ReadableStream getReader() should only accept mode:undefined")
def get_reader_mode(t: Test) -> None:
    ReadableStream[Any]().get_reader()
    ReadableStream[Any]().get_reader(mode=None)
    rs: Any = ReadableStream()
    assert_throws_js(TypeError, lambda: rs.get_reader(mode="potato"))


@promise_test("ReadableStream should be able to call start method within prototype chain of its source")
async def start_is_inherited(t: Test) -> None:
    started: Promise[None]
    started, resolve, _ = Promise.with_resolvers()

    class Base:
        def start(self, controller: Any) -> None:
            resolve(None)

    class Source(Base):
        pass

    construct(Source())
    await started


@promise_test("ReadableStream start should be able to return a promise")
async def start_returns_promise(t: Test) -> None:
    async def start(controller: Any) -> None:
        await delay(5)
        controller.enqueue("a")
        controller.close()

    reader = construct({"start": start}).get_reader()
    assert_result(await reader.read(), "a")
    await reader.closed


@promise_test("ReadableStream start should be able to return a promise and reject it")
async def start_returns_rejected_promise(t: Test) -> None:
    async def start(controller: Any) -> None:
        await delay(1)
        raise the_error

    await promise_rejects_exactly(t, the_error, construct({"start": start}).get_reader().closed)


@promise_test("ReadableStream should be able to enqueue different objects.")
async def enqueue_different_objects(t: Test) -> None:
    objects: list[Any] = [{"potato": "Give me more!"}, "test", 1]
    rs, controller = readable_with_controller()
    for chunk in objects:
        controller.enqueue(chunk)
    controller.close()

    reader = rs.get_reader()
    results: list[Any] = await Promise.all([reader.read(), reader.read(), reader.read(), reader.closed])
    for result, chunk in zip(results, objects, strict=False):
        assert_result(result, chunk)


# When pull() is called.


@promise_test("ReadableStream: if pull rejects, it should error the stream")
async def pull_rejects(t: Test) -> None:
    reader = construct({"pull": lambda controller: Promise.reject(the_error)}).get_reader()
    order: list[str] = []

    def closed_rejected(reason: object) -> None:
        assert order == []
        order.append("closed")
        assert reason is the_error

    def read_rejected(reason: object) -> None:
        assert order == ["closed"]
        order.append("read")
        assert reason is the_error

    await Promise.all(
        [
            reader.closed.then(t.unreached("closed should be rejected"), closed_rejected),
            reader.read().then(t.unreached("read() should be rejected"), read_rejected),
        ]
    )
    assert order == ["closed", "read"]


@promise_test("ReadableStream: should only call pull once upon starting the stream")
async def pull_once_after_start(t: Test) -> None:
    pulls: list[Any] = []
    _rs = construct({"pull": pulls.append})
    await flush_async_events()
    assert len(pulls) == 1, "once start finishes"
    await delay(10)
    assert len(pulls) == 1


@promise_test("ReadableStream: should call pull when trying to read from a started, empty stream")
async def pull_when_reading_from_empty(t: Test) -> None:
    pull_count = 0

    def pull(controller: Any) -> None:
        nonlocal pull_count
        # Not at the first pull: the stream is to be empty when it is read.
        if pull_count > 0:
            controller.enqueue(pull_count)
        pull_count += 1

    rs = construct({"pull": pull})
    await flush_async_events()
    assert pull_count == 1, "once start finishes"

    def read(_: object) -> Any:
        promise = rs.get_reader().read()
        assert pull_count == 2, "when read is called"
        return promise

    def check(result: Any) -> None:
        assert pull_count == 3, "again, in reaction to the read"
        assert_result(result, 1)

    await Promise.resolve(None).then(read).then(check)


@promise_test("ReadableStream: should only call pull once on a non-empty stream read from before start fulfills")
async def pull_once_when_read_before_start(t: Test) -> None:
    pulls: list[Any] = []
    rs, controller = readable_with_controller({"pull": pulls.append})
    controller.enqueue("a")
    read = rs.get_reader().read()
    assert len(pulls) == 0, "start has not finished"

    await flush_async_events()
    assert len(pulls) == 1, "once start finishes"
    assert_result(await read, "a")
    assert len(pulls) == 1, "not again"
    await delay(10)
    assert len(pulls) == 1


@promise_test("ReadableStream: should only call pull once on a non-empty stream read from after start fulfills")
async def pull_once_when_read_after_start(t: Test) -> None:
    pulls: list[Any] = []
    rs, controller = readable_with_controller({"pull": pulls.append})
    controller.enqueue("a")

    await flush_async_events()
    assert len(pulls) == 0, "the queue is full"
    read = rs.get_reader().read()
    assert len(pulls) == 1, "at once"
    assert_result(await read, "a")
    await delay(10)
    assert len(pulls) == 1


@promise_test("ReadableStream: should call pull in reaction to read()ing the last chunk, if not draining")
async def pull_after_last_chunk(t: Test) -> None:
    pulls: list[Any] = []
    rs, controller = readable_with_controller({"pull": pulls.append})
    reader = rs.get_reader()

    await flush_async_events()
    assert len(pulls) == 1, "once start finishes"
    controller.enqueue("a")
    assert len(pulls) == 1, "not after enqueue"
    await reader.read()
    assert len(pulls) == 2, "after the read"
    await delay(10)
    assert len(pulls) == 2


@promise_test("ReadableStream: should not call pull() in reaction to read()ing the last chunk, if draining")
async def no_pull_when_draining(t: Test) -> None:
    pulls: list[Any] = []
    rs, controller = readable_with_controller({"pull": pulls.append})
    reader = rs.get_reader()

    await flush_async_events()
    assert len(pulls) == 1, "once start finishes"
    controller.enqueue("a")
    assert len(pulls) == 1, "not after enqueue"
    controller.close()
    await reader.read()
    assert len(pulls) == 1, "not after the read"
    await delay(10)
    assert len(pulls) == 1


@promise_test("ReadableStream: should not call pull until the previous pull call's promise fulfills")
async def pull_waits_for_previous_pull(t: Test) -> None:
    pulls: list[tuple[Promise[None], Any]] = []

    def pull(controller: Any) -> Any:
        promise: Promise[None]
        promise, resolve, _ = Promise.with_resolvers()
        pulls.append((promise, resolve))
        controller.enqueue(len(pulls))
        return promise

    reader = construct({"pull": pull}).get_reader()

    def check_first(result: Any) -> None:
        assert len(pulls) == 1, "not yet a second time"
        assert_result(result, 1)

    await reader.read().then(check_first)
    await delay(10)
    assert len(pulls) == 1, "still not after 10 ms"

    def fulfill_first(_: object) -> Any:
        promise, resolve = pulls[0]
        resolve(None)
        return promise

    def check_second(_: object) -> None:
        assert len(pulls) == 2, "after the first promise is fulfilled"

    await Promise.resolve(None).then(fulfill_first).then(check_second)


@promise_test("ReadableStream: should pull after start, and after every read")
async def pull_after_every_read(t: Test) -> None:
    pulls: list[Any] = []
    strategy = {"size": lambda chunk: 1, "high_water_mark": math.inf}
    rs, controller = readable_with_controller({"pull": pulls.append}, strategy)
    for chunk in "abc":
        controller.enqueue(chunk)
    reader = rs.get_reader()

    await flush_async_events()
    for chunk in "abc":
        assert_result(await reader.read(), chunk)
    await delay(10)
    assert len(pulls) == 4, "after start, and for each of three reads"


@promise_test("ReadableStream: should not call pull after start if the stream is now closed")
async def no_pull_when_closed_in_start(t: Test) -> None:
    pulls: list[Any] = []
    start_promise = Promise.resolve(None)

    def start(controller: Any) -> Any:
        controller.enqueue("a")
        controller.close()
        return start_promise

    reader = construct({"start": start, "pull": pulls.append}).get_reader()

    def started(_: object) -> Any:
        assert len(pulls) == 0, "after start"
        return reader.read()

    def was_read(_: object) -> Any:
        assert len(pulls) == 0, "after the read"
        return reader.closed

    def was_closed(_: object) -> None:
        assert len(pulls) == 0, "after the stream was closed"

    await start_promise.then(started).then(was_read).then(was_closed)


@promise_test(
    "ReadableStream: should call pull after enqueueing from inside pull (with no read requests), if strategy allows"
)
async def pull_after_enqueue_in_pull(t: Test) -> None:
    times_called = 0
    ready: Promise[None]
    ready, resolve, _ = Promise.with_resolvers()

    def pull(controller: Any) -> None:
        nonlocal times_called
        times_called += 1
        controller.enqueue(times_called)
        if times_called == 4:
            resolve(None)

    _rs = ReadableStream[Any]({"pull": pull}, {"size": lambda chunk: 1, "high_water_mark": 4})

    def check(_: object) -> None:
        # Each pull fills one of the four places in the queue.
        assert times_called == 4

    await ready.then(check)


@promise_test("ReadableStream pull should be able to close a stream.")
async def pull_closes(t: Test) -> None:
    pulls: list[Any] = []

    def pull(controller: Any) -> None:
        pulls.append(controller)
        controller.close()

    await construct({"pull": pull}).get_reader().closed
    assert len(pulls) > 0


@promise_test("ReadableStream pull should be able to error a stream.")
async def pull_errors(t: Test) -> None:
    rs = construct({"pull": lambda controller: controller.error(controller_error)})
    await promise_rejects_exactly(t, controller_error, rs.get_reader().closed)


@promise_test("ReadableStream pull should be able to error a stream and throw.")
async def pull_errors_and_throws(t: Test) -> None:
    def pull(controller: Any) -> None:
        controller.error(controller_error)
        raise thrown_error

    await promise_rejects_exactly(t, controller_error, construct({"pull": pull}).get_reader().closed)


# The controller, and the calls that a source gets.


@test("ReadableStream: enqueue should throw when the stream is readable but draining")
def enqueue_when_draining(t: Test) -> None:
    started: list[Any] = []

    def start(controller: Any) -> None:
        assert controller.enqueue("a") is None
        controller.close()
        assert_throws_js(TypeError, lambda: controller.enqueue("b"))
        started.append(controller)

    construct({"start": start})
    assert len(started) == 1


@test("ReadableStream: enqueue should throw when the stream is closed")
def enqueue_when_closed(t: Test) -> None:
    started: list[Any] = []

    def start(controller: Any) -> None:
        controller.close()
        assert_throws_js(TypeError, lambda: controller.enqueue("a"))
        started.append(controller)

    construct({"start": start})
    assert len(started) == 1


@promise_test("ReadableStream: should call underlying source methods as methods")
async def source_methods_are_methods(t: Test) -> None:
    calls: list[Any] = []

    class Source:
        def start(self, controller: Any) -> None:
            calls.append(("start", self))
            controller.enqueue("a")

        def pull(self, controller: Any) -> None:
            calls.append(("pull", self))

        def cancel(self, reason: object) -> None:
            calls.append(("cancel", self))

    source = Source()
    rs = construct(source)
    reader = rs.get_reader()

    def check(_: object) -> Any:
        reader.release_lock()
        rs.cancel()
        assert calls == [("start", source), ("pull", source), ("cancel", source)]
        return rs.get_reader().closed

    await reader.read().then(check)


@test("ReadableStream: desiredSize when closed")
def desired_size_when_closed(t: Test) -> None:
    def start(controller: Any) -> None:
        assert controller.desired_size == 10
        controller.close()
        assert controller.desired_size == 0

    ReadableStream[Any]({"start": start}, {"high_water_mark": 10})


@test("ReadableStream: desiredSize when errored")
def desired_size_when_errored(t: Test) -> None:
    def start(controller: Any) -> None:
        assert controller.desired_size == 10
        controller.error()
        assert controller.desired_size is None

    ReadableStream[Any]({"start": start}, {"high_water_mark": 10})


@test("Subclassing ReadableStream should work")
def subclass(t: Test) -> None:
    class Subclass(ReadableStream[Any]):
        def extra_function(self) -> bool:
            return True

    assert Subclass.__bases__ == (ReadableStream,)
    sub = Subclass()
    assert isinstance(sub, ReadableStream)
    assert isinstance(sub, Subclass)
    assert super(Subclass, sub).locked == sub.locked
    assert sub.extra_function()


@test(
    "ReadableStream strategies: the default strategy should give desiredSize of 1 to start, decreasing by 1 per enqueue"
)
def default_strategy(t: Test) -> None:
    started: list[Any] = []

    def start(controller: Any) -> None:
        for desired_size, chunk in zip([1, 0, -1, -2, -3], "abcde", strict=True):
            assert controller.desired_size == desired_size
            controller.enqueue(chunk)
        started.append(controller)

    construct({"start": start})
    assert len(started) == 1


@promise_test(
    "ReadableStream strategies: the default strategy should continue giving desiredSize of 1 if the chunks are read "
    "immediately"
)
async def default_strategy_when_read_at_once(t: Test) -> None:
    rs, controller = readable_with_controller()
    reader = rs.get_reader()
    for chunk in "abc":
        assert controller.desired_size == 1, f"before {chunk}"
        controller.enqueue(chunk)
        assert controller.desired_size == 0, f"after enqueueing {chunk}"
        assert_result(await reader.read(), chunk)
    assert controller.desired_size == 1
    controller.enqueue("d")
    assert controller.desired_size == 0


# Adapting sources.


@promise_test("ReadableStream integration test: adapting a random push source")
async def random_push_source(t: Test) -> None:
    source = RandomPushSource(8)

    def start(controller: Any) -> None:
        assert isinstance(controller, ReadableStreamDefaultController)
        # Upstream's source is to pause when enqueue() says so; it never does.
        source.ondata = t.step(controller.enqueue)
        source.onend = controller.close
        source.onerror = controller.error

    def pull(controller: Any) -> None:
        assert isinstance(controller, ReadableStreamDefaultController)
        source.read_start()

    chunks = await readable_stream_to_array(construct({"start": start, "pull": pull}))
    assert len(chunks) == 8
    for chunk in chunks:
        assert len(chunk) == 128


@promise_test("ReadableStream integration test: adapting a sync pull source")
async def sync_pull_source(t: Test) -> None:
    rs = sequential_readable_stream(10)
    chunks = await readable_stream_to_array(rs)
    assert rs.source.closed is True
    assert_array_equals(chunks, range(1, 11))


@promise_test("ReadableStream integration test: adapting an async pull source")
async def async_pull_source(t: Test) -> None:
    rs = sequential_readable_stream(10, async_=True)
    chunks = await readable_stream_to_array(rs)
    assert rs.source.closed is True
    assert_array_equals(chunks, range(1, 11))
