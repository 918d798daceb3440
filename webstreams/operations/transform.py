"""Section 9.3: transform streams, and classes that wrap one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic

from typing_extensions import TypeVar

from .._debug.repr import show
from .._engine.jobs import current_jobs
from .._engine.promise import promise_resolved_with
from .._platform.idl import INTERNAL
from .._streams.readable.stream import ReadableStream
from .._streams.transform.controller import TransformStreamDefaultController
from .._streams.transform.stream import BLANK, TransformStream
from .._streams.transform.transformer import Transformer
from .._streams.writable.stream import WritableStream
from ._algorithms import require_blank, require_set_up, wrap, wrap_required

I = TypeVar("I", default=Any)  # noqa: E741
O = TypeVar("O", default=Any)  # noqa: E741

# Creation and manipulation (9.3.1).


def create_transform_stream(
    transform_algorithm: Callable[[Any], object],
    *,
    flush_algorithm: Callable[[], object] | None = None,
    cancel_algorithm: Callable[[Any], object] | None = None,
) -> TransformStream[Any, Any]:
    """Make a new `TransformStream` and set it up: see `set_up_transform_stream`. Streams Standard, 9.3.1."""
    transformer = _transformer(transform_algorithm, flush_algorithm, cancel_algorithm)
    stream: TransformStream[Any, Any] = TransformStream(BLANK)
    _initialize(stream, transformer)
    return stream


def set_up_transform_stream(
    stream: TransformStream[I, Any],
    transform_algorithm: Callable[[I], object],
    *,
    flush_algorithm: Callable[[], object] | None = None,
    cancel_algorithm: Callable[[Any], object] | None = None,
) -> None:
    """Set up a new stream: what the constructor of a subclass calls on `self`, instead of ``super().__init__()``.

    ``transform_algorithm(chunk)`` is called for one chunk after the other and calls `enqueue_into_transform_stream`
    with what becomes of it; ``flush_algorithm()`` is called when the writable side is closed, and
    ``cancel_algorithm(reason)`` when it is aborted or the readable side is cancelled. Each of them may return a
    promise: any awaitable, so that they can be coroutine functions. The writable side's queue holds one chunk, the
    readable side's none.

    An algorithm that goes on working with `chunk` after it has returned should copy it first: the writer may use a
    mutable buffer again.

    Raises `TypeError` for anything other than a `TransformStream` that is not set up yet and for algorithms that are
    not callable, and `RuntimeError` when no event loop runs in this thread. Streams Standard, 9.3.1 ("set up").
    """
    require_blank(stream, TransformStream, "set_up_transform_stream")
    transformer = _transformer(transform_algorithm, flush_algorithm, cancel_algorithm)
    TransformStream.__init__(stream, BLANK)
    _initialize(stream, transformer)


def _transformer(
    transform: Callable[[Any], object],
    flush: Callable[[], object] | None,
    cancel: Callable[[Any], object] | None,
) -> Transformer:
    return Transformer(
        {
            "transform": wrap_required(transform, "transform_algorithm", 1),
            "flush": wrap(flush, "flush_algorithm", 0),
            "cancel": wrap(cancel, "cancel_algorithm", 1),
        }
    )


def _initialize(stream: TransformStream[Any, Any], transformer: Transformer) -> None:
    stream._initialize(promise_resolved_with(current_jobs()), 1, None, 0, None)
    TransformStreamDefaultController(INTERNAL, stream, transformer)


def create_identity_transform_stream() -> TransformStream[Any, Any]:
    """Make a transform stream that passes every chunk on unchanged. Streams Standard, 9.3.1.

    Raises `RuntimeError` when no event loop runs in this thread.
    """
    return TransformStream()


# For streams that were set up by the functions above.


def enqueue_into_transform_stream(stream: TransformStream[Any, O], chunk: O) -> None:
    """Put a chunk into the queue of the readable side; usually inside the transform or flush algorithm.

    Raises `TypeError` when the readable side is closed or errored. Streams Standard, 9.3.1.
    """
    _controller_of(stream, "enqueue_into_transform_stream")._enqueue(chunk)


def terminate_transform_stream(stream: TransformStream[Any, Any]) -> None:
    """Close the readable side and error the writable side with a `TypeError`: what else is written is not wanted.

    Streams Standard, 9.3.1.
    """
    _controller_of(stream, "terminate_transform_stream")._terminate()


def error_transform_stream(stream: TransformStream[Any, Any], error: object) -> None:
    """Error both sides with `error`, any object. Streams Standard, 9.3.1."""
    _controller_of(stream, "error_transform_stream")._error(error)


def _controller_of(stream: TransformStream[Any, O], operation: str) -> TransformStreamDefaultController[O]:
    require_set_up(stream, TransformStream, operation)
    controller = stream._controller
    assert isinstance(controller, TransformStreamDefaultController)
    return controller


# Wrapping into a custom class (9.3.2).


class GenericTransformStream(Generic[I, O]):
    """Adds to a class of your own the properties `readable` and `writable` of the transform stream that it wraps.

    The constructor of the class sets ``self._transform``, to what `create_transform_stream` gives. Objects of the class
    can be given to ``pipe_through()``. Streams Standard, 9.3.2.
    """

    __slots__ = ("_transform",)

    _transform: TransformStream[I, O]

    def __repr__(self) -> str:
        """Show the transform stream that is wrapped."""
        return show(self, _details_of(self))

    @property
    def readable(self) -> ReadableStream[O]:
        """The side that the results come out of."""
        return self._transform.readable

    @property
    def writable(self) -> WritableStream[I]:
        """The side that chunks are written to."""
        return self._transform.writable


def _details_of(wrapper: GenericTransformStream[Any, Any]) -> Iterator[str]:
    yield from wrapper._transform._details()
