"""Upstream ``streams/resources/rs-test-templates.js``: subtests for any stream or reader that meets a description.

A port file applies a template to a label and a factory::

    templated_rs_empty(__name__, "ReadableStream (empty)", ReadableStream)

The factory gives a fresh stream, or a `StreamAndReader` where the template says "reader"; the last two templates hand
it the members of an underlying source.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple

from webstreams import Promise, ReadableStream
from wpt_ports.harness import (
    Test,
    add_port,
    assert_array_equals,
    assert_throws_js,
    delay,
    promise_rejects_exactly,
    promise_rejects_js,
    run,
)
from wpt_ports.resources.rs_utils import assert_result

Check = Callable[..., Coroutine[Any, Any, None]]
StreamFactory = Callable[[], ReadableStream[Any]]
SourceStreamFactory = Callable[[Mapping[str, Any]], ReadableStream[Any]]


class StreamAndReader(NamedTuple):
    """A stream and a reader that holds its lock."""

    stream: ReadableStream[Any]
    reader: Any


ReaderFactory = Callable[[], StreamAndReader]


def stream_and_default_reader(stream: ReadableStream[Any]) -> StreamAndReader:
    """`stream` with a default reader of it."""
    return StreamAndReader(stream, stream.get_reader())


class Template:
    """A named list of checks. Calling it registers them all for one label and one factory."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._checks: dict[str, Check] = {}

    def check(self, title: str) -> Callable[[Check], Check]:
        """Add a check ``(t, factory, *details)`` under the end of its title."""

        def add(check: Check) -> Check:
            self._checks[title] = check
            return check

        return add

    def __call__(self, module: str, label: str, factory: Callable[..., object], *details: object) -> None:
        """Register the checks as ports of `module`; `details` is what the template wants to know beside the factory."""

        async def announce(t: Test) -> None:
            """Upstream's first subtest only says that the template runs."""

        add_port(module, f"Running {self._name} with {label}", announce)
        for title, check in self._checks.items():
            add_port(module, f"{label}: {title}", _bind(check, factory, details))


def _bind(
    check: Check, factory: Callable[..., object], details: tuple[object, ...]
) -> Callable[[Test], Coroutine[Any, Any, None]]:
    async def bound(t: Test) -> None:
        await check(t, factory, *details)

    return bound


async def assert_fulfilled_with_none(promise: Any, message: str) -> None:
    """`promise` is fulfilled with None."""
    value = await promise
    assert value is None, f"{message} should be fulfilled with None, not {value!r}"


async def assert_reads(reader: Any, value: object, done: bool = False, message: str = "") -> None:
    """The next ``read()`` of `reader` gives this result."""
    assert_result(await reader.read(), value, done, message)


# An empty stream.

templated_rs_empty = Template("templatedRSEmpty")


@templated_rs_empty.check("instances have the correct methods and properties")
async def empty_has_members(t: Test, factory: StreamFactory) -> None:
    rs = factory()
    assert isinstance(rs.locked, bool)
    for name in ("cancel", "get_reader", "pipe_through", "pipe_to", "tee"):
        assert callable(getattr(rs, name)), f"has a method {name}"


@templated_rs_empty.check("calling getReader with invalid arguments should throw appropriate errors")
async def empty_get_reader_with_garbage(t: Test, factory: StreamFactory) -> None:
    get_reader: Any = factory().get_reader
    assert_throws_js(TypeError, lambda: get_reader(mode=""), "the empty string is no mode")
    assert_throws_js(TypeError, lambda: get_reader(mode=5), "a number is no mode")
    assert_throws_js(TypeError, lambda: get_reader(mode="asdf"), "asdf is no mode")
    assert_throws_js(TypeError, lambda: get_reader(5), "5 is no dictionary of options")
    get_reader(mode=None)


# A closed stream.

templated_rs_closed = Template("templatedRSClosed")


@templated_rs_closed.check("cancel() should return a distinct fulfilled promise each time")
async def closed_cancel_twice(t: Test, factory: StreamFactory) -> None:
    rs = factory()
    first = rs.cancel()
    second = rs.cancel()
    assert first is not second
    await Promise.all(
        [
            run(assert_fulfilled_with_none(first, "the first cancel()")),
            run(assert_fulfilled_with_none(second, "the second cancel()")),
        ]
    )


@templated_rs_closed.check("locked should be false")
async def closed_is_unlocked(t: Test, factory: StreamFactory) -> None:
    assert factory().locked is False


@templated_rs_closed.check("getReader() should be OK")
async def closed_get_reader(t: Test, factory: StreamFactory) -> None:
    factory().get_reader()


@templated_rs_closed.check("should be able to acquire multiple readers if they are released in succession")
async def closed_readers_in_succession(t: Test, factory: StreamFactory) -> None:
    rs = factory()
    rs.get_reader().release_lock()
    rs.get_reader().release_lock()
    rs.get_reader()


@templated_rs_closed.check("should not be able to acquire a second reader if we don't release the first one")
async def closed_second_reader(t: Test, factory: StreamFactory) -> None:
    rs = factory()
    rs.get_reader()
    assert_throws_js(TypeError, rs.get_reader, "second reader")
    assert_throws_js(TypeError, rs.get_reader, "third reader")


# An errored stream.

templated_rs_errored = Template("templatedRSErrored")


@templated_rs_errored.check("getReader() should return a reader that acts errored")
async def errored_reader_acts_errored(t: Test, factory: StreamFactory, error: object) -> None:
    reader = factory().get_reader()
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error, reader.closed)),
            run(promise_rejects_exactly(t, error, reader.read())),
        ]
    )


@templated_rs_errored.check("read() twice should give the error each time")
async def errored_read_twice(t: Test, factory: StreamFactory, error: object) -> None:
    reader = factory().get_reader()
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error, reader.read())),
            run(promise_rejects_exactly(t, error, reader.read())),
            run(promise_rejects_exactly(t, error, reader.closed)),
        ]
    )


@templated_rs_errored.check("locked should be false")
async def errored_is_unlocked(t: Test, factory: StreamFactory, error: object) -> None:
    assert factory().locked is False


# A stream that is errored as soon as the factory returns it.

templated_rs_errored_sync_only = Template("templatedRSErroredSyncOnly")


@templated_rs_errored_sync_only.check("should be able to obtain a second reader, with the correct closed promise")
async def errored_sync_second_reader(t: Test, factory: StreamFactory, error: object) -> None:
    rs = factory()
    rs.get_reader().release_lock()
    await promise_rejects_exactly(t, error, rs.get_reader().closed)


@templated_rs_errored_sync_only.check(
    "should not be able to obtain additional readers if we don't release the first lock"
)
async def errored_sync_locked(t: Test, factory: StreamFactory, error: object) -> None:
    rs = factory()
    rs.get_reader()
    assert_throws_js(TypeError, rs.get_reader, "second reader")
    assert_throws_js(TypeError, rs.get_reader, "third reader")


@templated_rs_errored_sync_only.check("cancel() should return a distinct rejected promise each time")
async def errored_sync_cancel_twice(t: Test, factory: StreamFactory, error: object) -> None:
    await assert_two_cancels_reject(t, factory(), error)


@templated_rs_errored_sync_only.check("reader cancel() should return a distinct rejected promise each time")
async def errored_sync_reader_cancel_twice(t: Test, factory: StreamFactory, error: object) -> None:
    await assert_two_cancels_reject(t, factory().get_reader(), error)


async def assert_two_cancels_reject(t: Test, target: Any, error: object) -> None:
    """Two calls of ``cancel()`` on a stream or reader give two promises, both rejected with `error`."""
    first = target.cancel()
    second = target.cancel()
    assert first is not second
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error, first)),
            run(promise_rejects_exactly(t, error, second)),
        ]
    )


# A reader of an empty stream.

templated_rs_empty_reader = Template("templatedRSEmptyReader")


@templated_rs_empty_reader.check("instances have the correct methods and properties")
async def empty_reader_has_members(t: Test, factory: ReaderFactory) -> None:
    reader = factory().reader
    assert callable(reader.closed.then), "closed is a promise"
    for name in ("cancel", "read", "release_lock"):
        assert callable(getattr(reader, name)), f"has a method {name}"


@templated_rs_empty_reader.check("locked should be true")
async def empty_reader_locks(t: Test, factory: ReaderFactory) -> None:
    assert factory().stream.locked is True


@templated_rs_empty_reader.check("read() should never settle")
async def empty_reader_read_never_settles(t: Test, factory: ReaderFactory) -> None:
    reader = factory().reader
    reader.read().then(t.unreached("read() should not fulfill"), t.unreached("read() should not reject"))
    await delay(500)


@templated_rs_empty_reader.check("two read()s should both never settle")
async def empty_reader_reads_never_settle(t: Test, factory: ReaderFactory) -> None:
    reader = factory().reader
    reader.read().then(t.unreached("read() should not fulfill"), t.unreached("read() should not reject"))
    reader.read().then(t.unreached("read() should not fulfill"), t.unreached("read() should not reject"))
    await delay(500)


@templated_rs_empty_reader.check("read() should return distinct promises each time")
async def empty_reader_distinct_promises(t: Test, factory: ReaderFactory) -> None:
    reader = factory().reader
    assert reader.read() is not reader.read()


@templated_rs_empty_reader.check("getReader() again on the stream should fail")
async def empty_reader_get_reader_again(t: Test, factory: ReaderFactory) -> None:
    # The reader is kept: a stream whose reader nobody holds is locked all the same.
    stream, _reader = factory()
    assert_throws_js(TypeError, stream.get_reader)


@templated_rs_empty_reader.check("releasing the lock should reject all pending read requests")
async def empty_reader_release_rejects_reads(t: Test, factory: ReaderFactory) -> None:
    stream, reader = factory()
    read1 = reader.read()
    read2 = reader.read()
    closed = reader.closed
    reader.release_lock()
    assert stream.locked is False
    await Promise.all(
        [
            run(promise_rejects_js(t, TypeError, read1, "first read")),
            run(promise_rejects_js(t, TypeError, read2, "second read")),
            run(promise_rejects_js(t, TypeError, closed, "closed")),
        ]
    )


@templated_rs_empty_reader.check("releasing the lock should cause further read() calls to reject with a TypeError")
async def empty_reader_read_after_release(t: Test, factory: ReaderFactory) -> None:
    reader = factory().reader
    reader.release_lock()
    await Promise.all([run(promise_rejects_js(t, TypeError, reader.read())) for _ in range(2)])


@templated_rs_empty_reader.check("releasing the lock should cause closed calls to reject with a TypeError")
async def empty_reader_closed_after_release(t: Test, factory: ReaderFactory) -> None:
    reader = factory().reader
    closed = reader.closed
    reader.release_lock()
    assert reader.closed is closed, "a pending closed promise is rejected, not replaced"
    await promise_rejects_js(t, TypeError, closed)


@templated_rs_empty_reader.check("releasing the lock should cause locked to become false")
async def empty_reader_release_unlocks(t: Test, factory: ReaderFactory) -> None:
    stream, reader = factory()
    reader.release_lock()
    assert stream.locked is False


@templated_rs_empty_reader.check("canceling via the reader should cause the reader to act closed")
async def empty_reader_cancel(t: Test, factory: ReaderFactory) -> None:
    reader = factory().reader
    reader.cancel()
    await assert_reads(reader, None, done=True)


@templated_rs_empty_reader.check("canceling via the stream should fail")
async def empty_reader_cancel_stream(t: Test, factory: ReaderFactory) -> None:
    stream, _reader = factory()
    await promise_rejects_js(t, TypeError, stream.cancel())


# A reader of a closed stream.

templated_rs_closed_reader = Template("templatedRSClosedReader")


@templated_rs_closed_reader.check("read() should fulfill with { value: undefined, done: true }")
async def closed_reader_read(t: Test, factory: ReaderFactory) -> None:
    await assert_reads(factory().reader, None, done=True)


@templated_rs_closed_reader.check("read() multiple times should fulfill with { value: undefined, done: true }")
async def closed_reader_read_twice(t: Test, factory: ReaderFactory) -> None:
    reader = factory().reader
    await Promise.all([run(assert_reads(reader, None, done=True)) for _ in range(2)])


@templated_rs_closed_reader.check("read() should work when used within another read() fulfill callback")
async def closed_reader_nested_read(t: Test, factory: ReaderFactory) -> None:
    reader = factory().reader
    assert_result(await reader.read().then(lambda _: reader.read()), None, done=True)


@templated_rs_closed_reader.check("closed should fulfill with undefined")
async def closed_reader_closed(t: Test, factory: ReaderFactory) -> None:
    await assert_fulfilled_with_none(factory().reader.closed, "closed")


@templated_rs_closed_reader.check("releasing the lock should cause closed to reject and change identity")
async def closed_reader_release(t: Test, factory: ReaderFactory) -> None:
    reader = factory().reader
    closed_before = reader.closed
    reader.release_lock()
    closed_after = reader.closed
    assert closed_before is not closed_after
    await Promise.all(
        [
            run(assert_fulfilled_with_none(closed_before, "closed before the release")),
            run(promise_rejects_js(t, TypeError, closed_after)),
        ]
    )


@templated_rs_closed_reader.check("cancel() should return a distinct fulfilled promise each time")
async def closed_reader_cancel_twice(t: Test, factory: ReaderFactory) -> None:
    reader = factory().reader
    first = reader.cancel()
    second = reader.cancel()
    closed = reader.closed
    assert first is not second
    assert first is not closed
    assert second is not closed
    await Promise.all(
        [
            run(assert_fulfilled_with_none(first, "the first cancel()")),
            run(assert_fulfilled_with_none(second, "the second cancel()")),
        ]
    )


# A reader of an errored stream.

templated_rs_errored_reader = Template("templatedRSErroredReader")


@templated_rs_errored_reader.check("closed should reject with the error")
async def errored_reader_closed(t: Test, factory: ReaderFactory, error: object) -> None:
    await promise_rejects_exactly(t, error, factory().reader.closed)


@templated_rs_errored_reader.check("releasing the lock should cause closed to reject and change identity")
async def errored_reader_release(t: Test, factory: ReaderFactory, error: object) -> None:
    reader = factory().reader
    closed_before = reader.closed
    await promise_rejects_exactly(t, error, closed_before)
    reader.release_lock()
    closed_after = reader.closed
    assert closed_before is not closed_after
    await promise_rejects_js(t, TypeError, closed_after)


@templated_rs_errored_reader.check("read() should reject with the error")
async def errored_reader_read(t: Test, factory: ReaderFactory, error: object) -> None:
    await promise_rejects_exactly(t, error, factory().reader.read())


# A reader of a stream that holds two chunks and stays open.

templated_rs_two_chunks_open_reader = Template("templatedRSTwoChunksOpenReader")


@templated_rs_two_chunks_open_reader.check(
    "calling read() twice without waiting will eventually give both chunks (sequential)"
)
async def two_chunks_open_sequential(t: Test, factory: ReaderFactory, chunks: Sequence[object]) -> None:
    reader = factory().reader
    await Promise.all([run(assert_reads(reader, chunks[0])), run(assert_reads(reader, chunks[1]))])


@templated_rs_two_chunks_open_reader.check(
    "calling read() twice without waiting will eventually give both chunks (nested)"
)
async def two_chunks_open_nested(t: Test, factory: ReaderFactory, chunks: Sequence[object]) -> None:
    reader = factory().reader

    def check_first(result: Any) -> Any:
        assert_result(result, chunks[0])
        return reader.read().then(lambda second: assert_result(second, chunks[1]))

    await reader.read().then(check_first)


@templated_rs_two_chunks_open_reader.check("read() should return distinct promises each time")
async def two_chunks_open_distinct_promises(t: Test, factory: ReaderFactory, chunks: Sequence[object]) -> None:
    reader = factory().reader
    assert reader.read() is not reader.read()


@templated_rs_two_chunks_open_reader.check("cancel() after a read() should still give that single read result")
async def two_chunks_open_cancel_after_read(t: Test, factory: ReaderFactory, chunks: Sequence[object]) -> None:
    reader = factory().reader
    closed = run(assert_fulfilled_with_none(reader.closed, "closed"))
    before = run(assert_reads(reader, chunks[0], message="read before the cancellation"))
    reader.cancel()
    after = run(assert_reads(reader, None, done=True, message="read after the cancellation"))
    await Promise.all([closed, before, after])


# A reader of a stream that holds two chunks and is then closed.

templated_rs_two_chunks_closed_reader = Template("templatedRSTwoChunksClosedReader")


@templated_rs_two_chunks_closed_reader.check(
    "third read(), without waiting, should give { value: undefined, done: true } (sequential)"
)
async def two_chunks_closed_sequential(t: Test, factory: ReaderFactory, chunks: Sequence[object]) -> None:
    reader = factory().reader
    await Promise.all(
        [
            run(assert_reads(reader, chunks[0])),
            run(assert_reads(reader, chunks[1])),
            run(assert_reads(reader, None, done=True)),
        ]
    )


@templated_rs_two_chunks_closed_reader.check(
    "third read(), without waiting, should give { value: undefined, done: true } (nested)"
)
async def two_chunks_closed_nested(t: Test, factory: ReaderFactory, chunks: Sequence[object]) -> None:
    reader = factory().reader

    def check_first(result: Any) -> Any:
        assert_result(result, chunks[0])
        return reader.read().then(check_second)

    def check_second(result: Any) -> Any:
        assert_result(result, chunks[1])
        return reader.read().then(lambda third: assert_result(third, None, done=True))

    await reader.read().then(check_first)


@templated_rs_two_chunks_closed_reader.check(
    "draining the stream via read() should cause the reader closed promise to fulfill, but locked stays true"
)
async def two_chunks_closed_drained(t: Test, factory: ReaderFactory, chunks: Sequence[object]) -> None:
    stream, reader = factory()
    assert stream.locked is True

    def check(value: object) -> None:
        assert value is None
        assert stream.locked is True, "stays locked"

    promise = reader.closed.then(check)
    reader.read()
    reader.read()
    await promise


@templated_rs_two_chunks_closed_reader.check(
    "releasing the lock after the stream is closed should cause locked to become false"
)
async def two_chunks_closed_release(t: Test, factory: ReaderFactory, chunks: Sequence[object]) -> None:
    stream, reader = factory()

    def release(_: object) -> None:
        assert stream.locked is True
        reader.release_lock()
        assert stream.locked is False

    promise = reader.closed.then(release)
    reader.read()
    reader.read()
    await promise


@templated_rs_two_chunks_closed_reader.check(
    "releasing the lock should cause further read() calls to reject with a TypeError"
)
async def two_chunks_closed_read_after_release(t: Test, factory: ReaderFactory, chunks: Sequence[object]) -> None:
    reader = factory().reader
    reader.release_lock()
    await Promise.all([run(promise_rejects_js(t, TypeError, reader.read())) for _ in range(3)])


@templated_rs_two_chunks_closed_reader.check("reader's closed property always returns the same promise")
async def two_chunks_closed_same_closed(t: Test, factory: ReaderFactory, chunks: Sequence[object]) -> None:
    stream, reader = factory()
    closed = reader.closed
    assert reader.closed is closed, "twice in succession"

    def release_and_read(_: object) -> Any:
        assert reader.closed is closed, "after read() was fulfilled"
        reader.release_lock()
        assert reader.closed is closed, "after the release"
        return stream.get_reader().read()

    promise = reader.read().then(release_and_read)
    assert reader.closed is closed, "after read() was called"
    await promise


# Teeing a stream over a given underlying source.

templated_rs_tee_cancel = Template("templatedRSTeeCancel")


@templated_rs_tee_cancel.check("canceling both branches should aggregate the cancel reasons into an array")
async def tee_cancel_in_order(t: Test, factory: SourceStreamFactory) -> None:
    await assert_tee_cancel_aggregates(factory, reverse=False)


@templated_rs_tee_cancel.check(
    "canceling both branches in reverse order should aggregate the cancel reasons into an array"
)
async def tee_cancel_in_reverse_order(t: Test, factory: SourceStreamFactory) -> None:
    await assert_tee_cancel_aggregates(factory, reverse=True)


async def assert_tee_cancel_aggregates(factory: SourceStreamFactory, *, reverse: bool) -> None:
    """The source is cancelled with the list of both branches' reasons, whichever was cancelled first."""
    reasons = [Exception("reason of branch 1"), Exception("reason of branch 2")]
    cancelled: Promise[None]
    cancelled, resolve, _ = Promise.with_resolvers()

    def cancel(reason: Any) -> None:
        assert_array_equals(reason, reasons)
        resolve(None)

    branches = list(zip(factory({"cancel": cancel}).tee(), reasons, strict=True))
    if reverse:
        branches.reverse()
    await Promise.all([*[branch.cancel(reason) for branch, reason in branches], cancelled])


@templated_rs_tee_cancel.check("failing to cancel the original stream should cause cancel() to reject on branches")
async def tee_cancel_fails(t: Test, factory: SourceStreamFactory) -> None:
    error = Exception("cancel failed")

    def cancel(reason: object) -> None:
        raise error

    await assert_both_cancels_reject(t, factory({"cancel": cancel}).tee(), error)


@templated_rs_tee_cancel.check("erroring a teed stream should properly handle canceled branches")
async def tee_cancel_errored(t: Test, factory: SourceStreamFactory) -> None:
    error = Exception("the source failed")
    controllers: list[Any] = []
    branches = factory({"start": controllers.append}).tee()
    controllers[0].error(error)
    await assert_both_cancels_reject(t, branches, error)


async def assert_both_cancels_reject(t: Test, branches: Sequence[ReadableStream[Any]], error: object) -> None:
    """Cancelling each branch is rejected with `error`."""
    await Promise.all([run(promise_rejects_exactly(t, error, branch.cancel())) for branch in branches])


# A controller that is used after its stream was closed or errored.

templated_rs_throw_after_close_or_error = Template("templatedRSThrowAfterCloseOrError")


@templated_rs_throw_after_close_or_error.check("enqueue() throws after close()")
async def enqueue_after_close(t: Test, factory: SourceStreamFactory) -> None:
    _stream, controller = _with_controller(factory)
    controller.close()
    assert_throws_js(TypeError, lambda: controller.enqueue(b"\x01"))


@templated_rs_throw_after_close_or_error.check("enqueue() throws after enqueue() and close()")
async def enqueue_after_enqueue_and_close(t: Test, factory: SourceStreamFactory) -> None:
    _stream, controller = _with_controller(factory)
    controller.enqueue(b"\x01")
    controller.close()
    assert_throws_js(TypeError, lambda: controller.enqueue(b"\x02"))


@templated_rs_throw_after_close_or_error.check("enqueue() throws after error()")
async def enqueue_after_error(t: Test, factory: SourceStreamFactory) -> None:
    _stream, controller = _with_controller(factory)
    controller.error(Exception("a unique string"))
    assert_throws_js(TypeError, lambda: controller.enqueue(b"\x01"))


@templated_rs_throw_after_close_or_error.check("close() throws after error()")
async def close_after_error(t: Test, factory: SourceStreamFactory) -> None:
    _stream, controller = _with_controller(factory)
    controller.error(Exception("a unique string"))
    assert_throws_js(TypeError, controller.close)


def _with_controller(factory: SourceStreamFactory) -> tuple[ReadableStream[Any], Any]:
    controllers: list[Any] = []
    return factory({"start": controllers.append}), controllers[0]
