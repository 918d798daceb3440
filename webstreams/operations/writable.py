"""Section 9.2: writable streams, for those who make them and for those who write to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typing_extensions import TypeVar

from .._engine.promise import Promise, promise_rejected_with
from .._platform.idl import INTERNAL
from .._streams.abort import AbortSignal
from .._streams.writable.controller import WritableStreamDefaultController
from .._streams.writable.sink import UnderlyingSink
from .._streams.writable.stream import BLANK, WritableStream
from .._streams.writable.writer import WritableStreamDefaultWriter
from ._algorithms import check_strategy, require_blank, require_set_up, wrap, wrap_required

T = TypeVar("T", default=Any, contravariant=True)

# Creation and manipulation (9.2.1).


def create_writable_stream(
    write_algorithm: Callable[[Any], object],
    *,
    close_algorithm: Callable[[], object] | None = None,
    abort_algorithm: Callable[[Any], object] | None = None,
    high_water_mark: float = 1,
    size_algorithm: Callable[[Any], float] | None = None,
) -> WritableStream[Any]:
    """Make a new `WritableStream` and set it up: see `set_up_writable_stream`. Streams Standard, 9.2.1."""
    strategy = check_strategy(high_water_mark, size_algorithm)
    sink = _sink(write_algorithm, close_algorithm, abort_algorithm)
    stream: WritableStream[Any] = WritableStream(BLANK)
    WritableStreamDefaultController(INTERNAL, stream, sink, *strategy)
    return stream


def set_up_writable_stream(
    stream: WritableStream[T],
    write_algorithm: Callable[[T], object],
    *,
    close_algorithm: Callable[[], object] | None = None,
    abort_algorithm: Callable[[Any], object] | None = None,
    high_water_mark: float = 1,
    size_algorithm: Callable[[T], float] | None = None,
) -> None:
    """Set up a new stream: what the constructor of a subclass calls on `self`, instead of ``super().__init__()``.

    ``write_algorithm(chunk)`` is called for one chunk after the other, ``close_algorithm()`` after the last one, and
    ``abort_algorithm(reason)`` if the stream is aborted instead; the next call is made when the promise of the last
    one is fulfilled. A promise is any awaitable, so they can be coroutine functions; a result that is not a promise
    counts as fulfilled, a failure errors the stream. ``size_algorithm(chunk)`` gives the size of a chunk, 1 without it.

    An algorithm that goes on working with `chunk` after it has returned should copy it first: the writer may use a
    mutable buffer again.

    Raises `TypeError` for anything other than a `WritableStream` that is not set up yet, for algorithms that are not
    callable, `ValueError` for a `high_water_mark` that is not a non-negative number, and `RuntimeError` when no event
    loop runs in this thread. Streams Standard, 9.2.1 ("set up").
    """
    require_blank(stream, WritableStream, "set_up_writable_stream")
    strategy = check_strategy(high_water_mark, size_algorithm)
    sink = _sink(write_algorithm, close_algorithm, abort_algorithm)
    WritableStream.__init__(stream, BLANK)
    WritableStreamDefaultController(INTERNAL, stream, sink, *strategy)


def _sink(
    write: Callable[[Any], object],
    close: Callable[[], object] | None,
    abort: Callable[[Any], object] | None,
) -> UnderlyingSink:
    return UnderlyingSink(
        {
            "write": wrap_required(write, "write_algorithm", 1),
            "close": wrap(close, "close_algorithm", 0),
            "abort": wrap(abort, "abort_algorithm", 1),
        }
    )


# For streams that were set up by the functions above.


def error_writable_stream(stream: WritableStream[Any], error: object) -> None:
    """Error the stream: what is queued is dropped, everything written from now on fails with `error`, any object.

    Nothing happens if the stream is closed, errored or about to be errored. Streams Standard, 9.2.1.
    """
    _controller_of(stream, "error_writable_stream")._error_if_needed(error)


def get_signal(stream: WritableStream[Any]) -> AbortSignal:
    """Return the signal that is aborted together with the stream, so that a write under way can stop early.

    A write algorithm that stops because of it should fail with the signal's reason. Streams Standard, 9.2.1 ("signal").
    """
    return _controller_of(stream, "get_signal").signal


def _controller_of(stream: WritableStream[Any], operation: str) -> WritableStreamDefaultController:
    require_set_up(stream, WritableStream, operation)
    controller = stream._controller
    assert isinstance(controller, WritableStreamDefaultController)
    return controller


# Writing (9.2.2).


def get_writer(stream: WritableStream[T]) -> WritableStreamDefaultWriter[T]:
    """Lock a stream to a new writer (AcquireWritableStreamDefaultWriter).

    Raises `TypeError` when the stream is locked. Streams Standard, 9.2.2.
    """
    require_set_up(stream, WritableStream, "get_writer")
    return WritableStreamDefaultWriter(stream)


def set_up_writer(writer: WritableStreamDefaultWriter[T], stream: WritableStream[T]) -> None:
    """Set up a new writer for a stream: what the constructor of a subclass calls on `self`, instead of
    ``super().__init__(stream)``.

    Raises `TypeError` when the stream is locked, for anything other than a stream, and for anything other than a
    writer that is not set up yet. Streams Standard, 9.2.2.
    """
    if not isinstance(writer, WritableStreamDefaultWriter) or hasattr(writer, "_jobs"):
        raise TypeError("set_up_writer() needs a new WritableStreamDefaultWriter that has not been set up")
    require_set_up(stream, WritableStream, "set_up_writer")
    WritableStreamDefaultWriter.__init__(writer, stream)


def write_chunk(writer: WritableStreamDefaultWriter[T], chunk: T) -> Promise[None]:
    """Put a chunk into the stream's queue; fulfilled when the sink is done with it.

    Rejected with `TypeError` when the writer was released or the stream is closed or closing, and with the stored
    error when it is errored. Streams Standard, 9.2.2 ("write a chunk").
    """
    _require_writer(writer, "write_chunk")
    return WritableStreamDefaultWriter.write(writer, chunk)


def release_writer(writer: WritableStreamDefaultWriter[Any]) -> None:
    """Release the lock, so that another writer can be acquired; what was written stays written.

    Does nothing when the writer was released before. Streams Standard, 9.2.2 ("release").
    """
    _require_writer(writer, "release_writer")
    WritableStreamDefaultWriter.release_lock(writer)


def close_writable_stream(stream: WritableStream[Any]) -> Promise[None]:
    """Close a stream after everything that was written, whether it is locked or not; fulfilled when the sink is closed.

    Rejected with `TypeError` when the stream is closed, closing or errored. Streams Standard, 9.2.2 ("close").
    """
    require_set_up(stream, WritableStream, "close_writable_stream")
    if stream._close_queued_or_in_flight():
        error = TypeError("cannot close: the stream is closing already")
        return promise_rejected_with(stream._jobs, error, "close_writable_stream() of", stream)
    return stream._close()


def abort_writable_stream(stream: WritableStream[Any], reason: object = None) -> Promise[None]:
    """Abort a stream with `reason`, any object, whether it is locked or not; settled as the sink has aborted.

    Streams Standard, 9.2.2 ("abort").
    """
    require_set_up(stream, WritableStream, "abort_writable_stream")
    return stream._abort(reason)


def _require_writer(writer: Any, operation: str) -> None:
    if not isinstance(writer, WritableStreamDefaultWriter) or not hasattr(writer, "_jobs"):
        raise TypeError(f"{operation}() needs a WritableStreamDefaultWriter, not {type(writer).__name__}")
    writer._jobs.require_running()
