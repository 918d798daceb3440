"""Port of streams/readable-streams/from.any.js."""

from __future__ import annotations

import math
import types
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from webstreams import Promise, ReadableStream, ReadableStreamDefaultController
from wpt_ports.harness import (
    Test,
    add_port,
    assert_array_equals,
    assert_throws_exactly,
    assert_throws_js,
    flush_async_events,
    promise_rejects_exactly,
    promise_rejects_js,
    promise_test,
    run,
    test,
)


class OwnIterator:
    """Base of the async iterators below that are their own iterable."""

    def __aiter__(self) -> Any:
        return self


def stream_from(source: Any) -> ReadableStream[Any]:
    """``ReadableStream.from``, also for what its type does not allow."""
    return ReadableStream.from_(source)


def stream_of_a_and_b() -> ReadableStream[Any]:
    def start(controller: ReadableStreamDefaultController[Any]) -> None:
        controller.enqueue("a")
        controller.enqueue("b")
        controller.close()

    return ReadableStream({"start": start})


# The iterables that from_() accepts.


def ordered_set() -> Any:
    """A set of "a" and "b" that is iterated in this order, which a Python set does not promise."""
    return dict.fromkeys(["a", "b"]).keys()


def sync_generator() -> Iterator[str]:
    yield "a"
    yield "b"


async def async_generator() -> AsyncIterator[str]:
    yield "a"
    yield "b"


class SyncIterable:
    """Iterates over "a" and "b", each passed through `wrap`, by an iterator that is not itself iterable."""

    class _Iterator:
        def __init__(self, wrap: Callable[[str], Any]) -> None:
            self._chunks = ["a", "b"]
            self._wrap = wrap

        def __next__(self) -> Any:
            if not self._chunks:
                raise StopIteration
            return self._wrap(self._chunks.pop(0))

    def __init__(self, wrap: Callable[[str], Any]) -> None:
        self._wrap = wrap

    def __iter__(self) -> Any:
        return self._Iterator(self._wrap)


class AsyncIterable:
    """Iterates over "a" and "b" by promises, with an iterator that is not itself iterable."""

    class _Iterator:
        def __init__(self) -> None:
            self._chunks = ["a", "b"]

        def __anext__(self) -> Promise[str]:
            if not self._chunks:
                raise StopAsyncIteration
            return Promise.resolve(self._chunks.pop(0))

    def __aiter__(self) -> Any:
        return self._Iterator()


iterable_factories: list[tuple[str, Callable[[], Any]]] = [
    ("an array of values", lambda: ["a", "b"]),
    ("an array of promises", lambda: [Promise.resolve("a"), Promise.resolve("b")]),
    ("an array iterator", lambda: iter(["a", "b"])),
    ("a Set", ordered_set),
    ("a Set iterator", lambda: iter(ordered_set())),
    ("a sync generator", sync_generator),
    ("an async generator", async_generator),
    ("a sync iterable of values", lambda: SyncIterable(lambda chunk: chunk)),
    ("a sync iterable of promises", lambda: SyncIterable(Promise.resolve)),
    ("an async iterable", AsyncIterable),
    ("a ReadableStream", stream_of_a_and_b),
    ("a ReadableStream async iterator", lambda: aiter(stream_of_a_and_b())),
]


def register_accepted(label: str, factory: Callable[[], Any]) -> None:
    async def accepts(t: Test) -> None:
        rs = stream_from(factory())
        assert type(rs) is ReadableStream, "from_() should return a ReadableStream"
        reader = rs.get_reader()
        assert await reader.read() == ("a", False), "first read should be correct"
        assert await reader.read() == ("b", False), "second read should be correct"
        assert await reader.read() == (None, True), "third read should be done"
        await reader.closed

    add_port(__name__, f"ReadableStream.from accepts {label}", accepts)


for accepted_label, accepted_factory in iterable_factories:
    register_accepted(accepted_label, accepted_factory)


# What from_() refuses.


class NoMembers:
    pass


class UncallableIter:
    __iter__ = 42


class UncallableAiter:
    __aiter__ = 42


class IterGivesNumber:
    def __iter__(self) -> Any:
        return 42


class AiterGivesNumber:
    def __aiter__(self) -> Any:
        return 42


bad_iterables: list[tuple[str, Any]] = [
    ("null", None),
    ("undefined", None),
    ("0", 0),
    ("NaN", math.nan),
    ("true", True),
    ("{}", NoMembers()),
    ("Object.create(null)", types.SimpleNamespace()),
    ("a function", lambda: 42),
    ("a symbol", object()),
    ("a string", "ab"),
    ("an object with a non-callable @@iterator method", UncallableIter()),
    ("an object with a non-callable @@asyncIterator method", UncallableAiter()),
    ("an object with an @@iterator method returning a non-object", IterGivesNumber()),
    ("an object with an @@asyncIterator method returning a non-object", AiterGivesNumber()),
]


def register_refused(label: str, iterable: Any) -> None:
    async def refuses(t: Test) -> None:
        assert_throws_js(TypeError, lambda: stream_from(iterable), "from_() should raise a TypeError")

    add_port(__name__, f"ReadableStream.from throws on invalid iterables; specifically {label}", refuses)


for refused_label, refused_iterable in bad_iterables:
    register_refused(refused_label, refused_iterable)


@test("ReadableStream.from re-throws errors from calling the @@iterator method")
def iter_raises(t: Test) -> None:
    the_error = Exception("a unique string")

    class Iterable:
        def __iter__(self) -> Any:
            raise the_error

    assert_throws_exactly(the_error, lambda: stream_from(Iterable()), "from_() should re-raise the error")


@test("ReadableStream.from re-throws errors from calling the @@asyncIterator method")
def aiter_raises(t: Test) -> None:
    the_error = Exception("a unique string")

    class Iterable:
        def __aiter__(self) -> Any:
            raise the_error

    assert_throws_exactly(the_error, lambda: stream_from(Iterable()), "from_() should re-raise the error")


@test("ReadableStream.from ignores @@iterator if @@asyncIterator exists")
def aiter_goes_before_iter(t: Test) -> None:
    the_error = Exception("a unique string")

    class Iterable:
        __iter__ = t.unreached("__iter__ should not be called")

        def __aiter__(self) -> Any:
            raise the_error

    assert_throws_exactly(the_error, lambda: stream_from(Iterable()), "from_() should re-raise the error")


@test("ReadableStream.from ignores a null @@asyncIterator")
def aiter_is_none(t: Test) -> None:
    the_error = Exception("a unique string")

    class Iterable:
        __aiter__ = None

        def __iter__(self) -> Any:
            raise the_error

    assert_throws_exactly(the_error, lambda: stream_from(Iterable()), "from_() should re-raise the error")


# What the stream does with its iterator.


@promise_test("ReadableStream.from accepts an empty iterable")
async def empty_iterable(t: Test) -> None:
    class Iterable(OwnIterator):
        async def __anext__(self) -> Any:
            raise StopAsyncIteration

    reader = stream_from(Iterable()).get_reader()
    assert await reader.read() == (None, True), "first read should be done"
    await reader.closed


@promise_test("ReadableStream.from: stream errors when next() rejects")
async def next_rejects(t: Test) -> None:
    the_error = Exception("a unique string")

    class Iterable(OwnIterator):
        async def __anext__(self) -> Any:
            raise the_error

    reader = stream_from(Iterable()).get_reader()
    await Promise.all(
        [
            run(promise_rejects_exactly(t, the_error, reader.read())),
            run(promise_rejects_exactly(t, the_error, reader.closed)),
        ]
    )


@promise_test("ReadableStream.from: stream errors when next() throws synchronously")
async def next_raises(t: Test) -> None:
    the_error = Exception("a unique string")

    class Iterable(OwnIterator):
        def __anext__(self) -> Any:
            raise the_error

    reader = stream_from(Iterable()).get_reader()
    await Promise.all(
        [
            run(promise_rejects_exactly(t, the_error, reader.read())),
            run(promise_rejects_exactly(t, the_error, reader.closed)),
        ]
    )


@promise_test("ReadableStream.from: stream errors when next() returns a non-object")
async def next_gives_no_awaitable(t: Test) -> None:
    class Iterable(OwnIterator):
        def __anext__(self) -> Any:
            return 42

    reader = stream_from(Iterable()).get_reader()
    await Promise.all(
        [
            run(promise_rejects_js(t, TypeError, reader.read())),
            run(promise_rejects_js(t, TypeError, reader.closed)),
        ]
    )


@promise_test("ReadableStream.from: stream stalls when next() never settles")
async def next_never_settles(t: Test) -> None:
    class Iterable(OwnIterator):
        def __anext__(self) -> Any:
            return Promise.with_resolvers()[0]

    reader = stream_from(Iterable()).get_reader()
    reader.read().then(t.unreached("read() should not resolve"), t.unreached("read() should not reject"))
    reader.closed.then(t.unreached("closed should not resolve"), t.unreached("closed should not reject"))
    await flush_async_events()


@promise_test("ReadableStream.from: calls next() after first read()")
async def next_is_lazy(t: Test) -> None:
    calls: list[tuple[Any, ...]] = []

    class Iterable(OwnIterator):
        async def __anext__(self, *args: Any) -> Any:
            calls.append(args)
            return "a"

    reader = stream_from(Iterable()).get_reader()
    await flush_async_events()
    assert len(calls) == 0, "__anext__() should not be called yet"

    assert await reader.read() == ("a", False), "first read should be correct"
    assert len(calls) == 1, "__anext__() should be called after first read()"
    assert_array_equals(calls[0], [], "__anext__() should be called with no arguments")


@promise_test("ReadableStream.from: cancelling the returned stream calls and awaits return()")
async def cancel_awaits_aclose(t: Test) -> None:
    the_error = Exception("a unique string")
    calls: list[tuple[Any, ...]] = []
    returned, resolve_return, _ = Promise.with_resolvers()

    class Iterable(OwnIterator):
        __anext__ = t.unreached("__anext__() should not be called")
        athrow = t.unreached("athrow() should not be called")

        async def aclose(self, *args: Any) -> None:
            calls.append(args)
            await returned

    reader = stream_from(Iterable()).get_reader()
    assert len(calls) == 0, "aclose() should not be called yet"

    cancel_resolved = False

    def on_cancelled(_: Any) -> None:
        nonlocal cancel_resolved
        cancel_resolved = True

    cancel_promise = reader.cancel(the_error).then(on_cancelled)
    await flush_async_events()
    assert len(calls) == 1, "aclose() should be called"
    # The iterators of Python have no way to be told the cancel reason.
    assert_array_equals(calls[0], [], "aclose() should be called with no arguments")
    assert not cancel_resolved, "cancel() should not resolve while the promise from aclose() is pending"

    resolve_return(None)
    await Promise.all([cancel_promise, reader.closed])


@promise_test("ReadableStream.from: return() is not called when iterator completes normally")
async def no_aclose_after_the_end(t: Test) -> None:
    next_calls = 0
    aclose_calls = 0

    class Iterable(OwnIterator):
        athrow = t.unreached("athrow() should not be called")

        async def __anext__(self) -> Any:
            nonlocal next_calls
            next_calls += 1
            raise StopAsyncIteration

        async def aclose(self) -> None:
            nonlocal aclose_calls
            aclose_calls += 1

    reader = stream_from(Iterable()).get_reader()
    assert await reader.read() == (None, True), "first read should be done"
    assert next_calls == 1, "__anext__() should be called once"

    await reader.closed
    assert aclose_calls == 0, "aclose() should not be called"


@promise_test("ReadableStream.from: cancel() resolves when return() method is missing")
async def aclose_is_missing(t: Test) -> None:
    class Iterable(OwnIterator):
        __anext__ = t.unreached("__anext__() should not be called")
        athrow = t.unreached("athrow() should not be called")

    reader = stream_from(Iterable()).get_reader()
    await Promise.all([reader.cancel(Exception("a unique string")), reader.closed])


@promise_test("ReadableStream.from: cancel() rejects when return() is not a method")
async def aclose_is_not_callable(t: Test) -> None:
    class Iterable(OwnIterator):
        __anext__ = t.unreached("__anext__() should not be called")
        athrow = t.unreached("athrow() should not be called")
        aclose = 42

    reader = stream_from(Iterable()).get_reader()
    cancel_promise = reader.cancel(Exception("a unique string"))
    await promise_rejects_js(t, TypeError, cancel_promise, "cancel() should reject with a TypeError")
    await reader.closed


@promise_test("ReadableStream.from: cancel() rejects when return() rejects")
async def aclose_rejects(t: Test) -> None:
    reject_error = Exception("reject error")

    class Iterable(OwnIterator):
        __anext__ = t.unreached("__anext__() should not be called")
        athrow = t.unreached("athrow() should not be called")

        async def aclose(self) -> None:
            raise reject_error

    reader = stream_from(Iterable()).get_reader()
    cancel_promise = reader.cancel(Exception("cancel reason"))
    await promise_rejects_exactly(t, reject_error, cancel_promise, "cancel() should reject with the error of aclose()")
    await reader.closed


@promise_test("ReadableStream.from: cancel() rejects when return() throws synchronously")
async def aclose_raises(t: Test) -> None:
    reject_error = Exception("reject error")

    class Iterable(OwnIterator):
        __anext__ = t.unreached("__anext__() should not be called")
        athrow = t.unreached("athrow() should not be called")

        def aclose(self) -> Any:
            raise reject_error

    reader = stream_from(Iterable()).get_reader()
    cancel_promise = reader.cancel(Exception("cancel reason"))
    await promise_rejects_exactly(t, reject_error, cancel_promise, "cancel() should reject with the error of aclose()")
    await reader.closed


@promise_test("ReadableStream.from: reader.read() inside next()")
async def read_inside_next(t: Test) -> None:
    next_calls = 0
    values = ["a", "b", "c"]

    class Iterable(OwnIterator):
        async def __anext__(self) -> Any:
            nonlocal next_calls
            next_calls += 1
            if next_calls == 1:
                reader.read()
            return values.pop(0)

    reader = stream_from(Iterable()).get_reader()
    assert await reader.read() == ("a", False), "first read should be correct"
    await flush_async_events()
    assert next_calls == 2, "__anext__() should be called two times"

    assert await reader.read() == ("c", False), "second read should be correct"
    assert next_calls == 3, "__anext__() should be called three times"


@promise_test("ReadableStream.from: reader.cancel() inside next()")
async def cancel_inside_next(t: Test) -> None:
    next_calls = 0
    aclose_calls = 0

    class Iterable(OwnIterator):
        async def __anext__(self) -> Any:
            nonlocal next_calls
            next_calls += 1
            await reader.cancel()
            t.step(lambda: check_aclose_calls(aclose_calls))()
            return "something else"

        async def aclose(self) -> None:
            nonlocal aclose_calls
            aclose_calls += 1

    reader = stream_from(Iterable()).get_reader()
    assert await reader.read() == (None, True), "first read should be done"
    assert next_calls == 1, "__anext__() should be called once"
    await reader.closed


def check_aclose_calls(calls: int) -> None:
    assert calls == 1, "aclose() should be called once"


@promise_test("ReadableStream.from: reader.cancel() inside return()")
async def cancel_inside_aclose(t: Test) -> None:
    aclose_calls = 0

    class Iterable(OwnIterator):
        __anext__ = t.unreached("__anext__() should not be called")

        async def aclose(self) -> None:
            nonlocal aclose_calls
            aclose_calls += 1
            await reader.cancel()

    reader = stream_from(Iterable()).get_reader()
    await reader.cancel()
    assert aclose_calls == 1, "aclose() should be called once"
    await reader.closed


@promise_test("ReadableStream.from(array), push() to array while reading")
async def append_while_reading(t: Test) -> None:
    array = ["a", "b"]
    reader = stream_from(array).get_reader()
    assert await reader.read() == ("a", False), "first read should be correct"
    assert await reader.read() == ("b", False), "second read should be correct"

    array.append("c")
    assert await reader.read() == ("c", False), "third read after append() should be correct"
    assert await reader.read() == (None, True), "fourth read should be done"
    await reader.closed
