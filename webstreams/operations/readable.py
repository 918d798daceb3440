"""Section 9.1.1: making readable streams, and acting on those that were made here."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any, overload

from typing_extensions import Buffer, TypeVar

from .._platform.buffer import as_bytes_view, is_released, open_view, same_memory
from .._platform.idl import INTERNAL
from .._streams.readable.byte_controller import ReadableByteStreamController
from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.source import UnderlyingSource
from .._streams.readable.stream import BLANK, ReadableStream
from ._algorithms import check_strategy, require_blank, require_set_up, wrap

T = TypeVar("T", default=Any)


def create_readable_stream(
    *,
    pull_algorithm: Callable[[], object] | None = None,
    cancel_algorithm: Callable[[Any], object] | None = None,
    high_water_mark: float = 1,
    size_algorithm: Callable[[Any], float] | None = None,
) -> ReadableStream[Any]:
    """Make a new `ReadableStream` and set it up: see `set_up_readable_stream`. Streams Standard, 9.1.1."""
    strategy = check_strategy(high_water_mark, size_algorithm)
    source = _source(pull_algorithm, cancel_algorithm)
    stream: ReadableStream[Any] = ReadableStream(BLANK)
    ReadableStreamDefaultController(INTERNAL, stream, source, *strategy)
    return stream


def set_up_readable_stream(
    stream: ReadableStream[T],
    *,
    pull_algorithm: Callable[[], object] | None = None,
    cancel_algorithm: Callable[[Any], object] | None = None,
    high_water_mark: float = 1,
    size_algorithm: Callable[[T], float] | None = None,
) -> None:
    """Set up a new stream: what the constructor of a subclass calls on `self`, instead of ``super().__init__()``.

    ``pull_algorithm()`` is called, never twice at the same time and first after this function has returned, whenever
    the queue is below `high_water_mark` or a read waits; it (or something that it starts) calls
    `enqueue_into_readable_stream`. ``cancel_algorithm(reason)`` is called once if a consumer cancels the stream. Both
    may return a promise: any awaitable, so that they can be coroutine functions; the stream is errored if pulling
    fails, cancelling is rejected if that fails. ``size_algorithm(chunk)`` gives the size of a chunk, 1 without it.

    Raises `TypeError` for anything other than a `ReadableStream` that is not set up yet, for algorithms that are not
    callable, `ValueError` for a `high_water_mark` that is not a non-negative number, and `RuntimeError` when no event
    loop runs in this thread. Streams Standard, 9.1.1 ("set up").
    """
    require_blank(stream, ReadableStream, "set_up_readable_stream")
    strategy = check_strategy(high_water_mark, size_algorithm)
    source = _source(pull_algorithm, cancel_algorithm)
    ReadableStream.__init__(stream, BLANK)
    ReadableStreamDefaultController(INTERNAL, stream, source, *strategy)


def create_readable_stream_with_byte_reading_support(
    *,
    pull_algorithm: Callable[[], object] | None = None,
    cancel_algorithm: Callable[[Any], object] | None = None,
    high_water_mark: float = 0,
) -> ReadableStream[bytes]:
    """Make a new `ReadableStream` of bytes and set it up: see `set_up_readable_stream_with_byte_reading_support`.

    Streams Standard, 9.1.1.
    """
    mark, _ = check_strategy(high_water_mark, None)
    source = _source(pull_algorithm, cancel_algorithm)
    stream: ReadableStream[bytes] = ReadableStream(BLANK)
    ReadableByteStreamController(INTERNAL, stream, source, mark, None)
    return stream


def set_up_readable_stream_with_byte_reading_support(
    stream: ReadableStream[bytes],
    *,
    pull_algorithm: Callable[[], object] | None = None,
    cancel_algorithm: Callable[[Any], object] | None = None,
    high_water_mark: float = 0,
) -> None:
    """Set up a new byte stream: what the constructor of a subclass calls on `self`, instead of ``super().__init__()``.

    As `set_up_readable_stream`, with a `high_water_mark` in bytes. BYOB readers can read from the stream:
    ``pull_algorithm()`` fills `current_byob_request_view` if there is one, or calls `pull_from_bytes`, which does.

    Raises what `set_up_readable_stream` raises. Streams Standard, 9.1.1 ("set up with byte reading support").

    # Python: cancel_algorithm gets the reason, which the Standard does not pass on here.
    """
    require_blank(stream, ReadableStream, "set_up_readable_stream_with_byte_reading_support")
    mark, _ = check_strategy(high_water_mark, None)
    source = _source(pull_algorithm, cancel_algorithm)
    ReadableStream.__init__(stream, BLANK)
    ReadableByteStreamController(INTERNAL, stream, source, mark, None)


def _source(pull: Callable[[], object] | None, cancel: Callable[[Any], object] | None) -> UnderlyingSource:
    pull_algorithm = wrap(pull, "pull_algorithm", 0)
    cancel_algorithm = wrap(cancel, "cancel_algorithm", 1)
    return UnderlyingSource({"pull": pull_algorithm, "cancel": cancel_algorithm})


def create_readable_stream_from_async_sequence(sequence: AsyncIterable[T] | Iterable[T]) -> ReadableStream[T]:
    """Make a stream of the items of an async iterable or an iterable: what `ReadableStream.from_` does.

    Raises `TypeError` for `str` and bytes-like objects and for what cannot be iterated over. Streams Standard, 9.1.1
    ("create from an async sequence").
    """
    return ReadableStream.from_(sequence)


# For streams that were set up by the functions above.


def desired_size_to_fill_up_to_high_water_mark(stream: ReadableStream[Any]) -> float:
    """Tell how much more the queue wants: 0 or less when it is full, 0 when the stream is closed or errored.

    Raises `TypeError` for anything other than a stream. Streams Standard, 9.1.1.
    """
    controller = _controller_of(stream, "desired_size_to_fill_up_to_high_water_mark")
    return controller._get_desired_size() or 0


def needs_more_data(stream: ReadableStream[Any]) -> bool:
    """Whether the queue wants more.

    Raises `TypeError` for anything other than a stream. Streams Standard, 9.1.1.
    """
    return desired_size_to_fill_up_to_high_water_mark(stream) > 0


def close_readable_stream(stream: ReadableStream[Any]) -> None:
    """Close the stream after the chunks that are in the queue; nothing happens if it is closed, closing or errored.

    Pending BYOB reads are answered: do not write into their views any more, and do not pull from bytes. Raises
    `TypeError` when such a read has got a part of an item only (this errors the stream). Streams Standard, 9.1.1.
    """
    controller = _controller_of(stream, "close_readable_stream")
    controller._close()
    if isinstance(controller, ReadableByteStreamController) and controller._pending_pull_intos:
        controller._respond(0)


def error_readable_stream(stream: ReadableStream[Any], error: object) -> None:
    """Error the stream now: what is queued is dropped, every read fails with `error`, any object.

    Nothing happens if the stream is closed or errored. Streams Standard, 9.1.1.
    """
    _controller_of(stream, "error_readable_stream")._error(error)


@overload
def enqueue_into_readable_stream(stream: ReadableStream[bytes], chunk: Buffer) -> None: ...
@overload
def enqueue_into_readable_stream(stream: ReadableStream[T], chunk: T) -> None: ...
def enqueue_into_readable_stream(stream: ReadableStream[Any], chunk: Any) -> None:
    """Put a chunk into the queue, or give it to the read that waits for it.

    Nothing happens if the stream is closed, closing or errored. A byte stream takes any C-contiguous buffer that is
    not empty, which is free for use again at once. A part of `current_byob_request_view`, from its beginning on,
    answers that request: its bytes are not copied.

    Raises what the size algorithm raises, and `ValueError` when that gives no finite, non-negative number (both error
    the stream). For a byte stream: `TypeError` for anything other than a buffer and for an empty one, and `ValueError`
    for memory of the current BYOB request that does not begin where its view begins, or is longer. Streams Standard,
    9.1.1.
    """
    controller = _controller_of(stream, "enqueue_into_readable_stream")
    if isinstance(controller, ReadableStreamDefaultController):
        controller._enqueue(chunk)
        return
    own = open_view(chunk, "the chunk")
    if own.nbytes == 0:
        raise TypeError("the chunk must not be empty")
    view = _view_of_request(controller)
    if view is not None and own.obj is view.obj:
        _check_part_of(own, view)
        controller._respond(own.nbytes)
    else:
        controller._enqueue(chunk if type(chunk) is bytes else as_bytes_view(own, "the chunk"))


def _check_part_of(chunk: memoryview, view: memoryview) -> None:
    if not same_memory(chunk, view):
        raise ValueError("a chunk in the memory of the current BYOB request must begin where its view begins")
    if chunk.nbytes > view.nbytes:
        raise ValueError(
            f"a chunk in the memory of the current BYOB request must not be longer than the {view.nbytes} bytes of "
            f"its view, has {chunk.nbytes}"
        )


# For streams that were set up with byte reading support.


def current_byob_request_view(stream: ReadableStream[Any]) -> memoryview | None:
    """Return the memory that a BYOB reader wants filled, a writable memoryview of format "B"; None without such a read.

    Write into it, then call `enqueue_into_readable_stream` with the part that was written; do not release it. Raises
    `TypeError` for a stream without byte reading support. Streams Standard, 9.1.1.
    """
    return _view_of_request(_byte_controller_of(stream, "current_byob_request_view"))


def pull_from_bytes(stream: ReadableStream[Any], data: bytearray) -> None:
    """Move bytes from the beginning of `data` into the stream: all, or as many as `current_byob_request_view` wants.

    What is left in `data` is for the next call: its length can serve as a backpressure signal. Nothing reaches a
    stream that is closed, closing or errored. Raises `TypeError` for a stream without byte reading support, for
    anything other than a `bytearray`, for an empty one, and for one of which memoryviews exist. Streams Standard,
    9.1.1.
    """
    controller = _byte_controller_of(stream, "pull_from_bytes")
    if not isinstance(data, bytearray):
        raise TypeError(f"pull_from_bytes() needs a bytearray, which it shortens, not {type(data).__name__}")
    if not data:
        raise TypeError("pull_from_bytes() needs at least one byte")
    view = _view_of_request(controller)
    pull_size = len(data) if view is None else min(len(data), view.nbytes)
    pulled = b""
    with memoryview(data) as available:
        if view is None:
            pulled = available.tobytes()
        else:
            view[:pull_size] = available[:pull_size]
    try:
        del data[:pull_size]
    except BufferError:
        raise TypeError("pull_from_bytes() cannot shorten the bytearray: memoryviews of it exist") from None
    if view is None:
        controller._enqueue(pulled)
    else:
        controller._respond(pull_size)


def _view_of_request(controller: ReadableByteStreamController) -> memoryview | None:
    byob_request = controller._get_byob_request()
    view = None if byob_request is None else byob_request._view
    if view is not None and is_released(view):
        raise TypeError("the view of the current BYOB request was released")
    return view


def _controller_of(
    stream: ReadableStream[Any], operation: str
) -> ReadableStreamDefaultController[Any] | ReadableByteStreamController:
    require_set_up(stream, ReadableStream, operation)
    controller = stream._controller
    assert isinstance(controller, (ReadableStreamDefaultController, ReadableByteStreamController))
    return controller


def _byte_controller_of(stream: ReadableStream[Any], operation: str) -> ReadableByteStreamController:
    controller = _controller_of(stream, operation)
    if not isinstance(controller, ReadableByteStreamController):
        raise TypeError(f"{operation}() needs a stream that was set up with byte reading support")
    return controller
