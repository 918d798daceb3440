"""The types of what users hand in: underlying sources and sinks, transformers, strategies.

Each is a mapping with some of the members as keys (the TypedDicts), or an object that has at least one of them as an
attribute (the unions of Protocols: no type can say that every attribute is optional).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeAlias, TypedDict

from typing_extensions import TypeVar

if TYPE_CHECKING:
    from ._readable.byte_controller import ReadableByteStreamController
    from ._readable.controller import ReadableStreamDefaultController
    from ._transform.controller import TransformStreamDefaultController
    from ._writable.controller import WritableStreamDefaultController

T = TypeVar("T", default=Any)
I = TypeVar("I", default=Any)  # noqa: E741
O = TypeVar("O", default=Any)  # noqa: E741
In = TypeVar("In", contravariant=True, default=Any)

Result: TypeAlias = "Awaitable[object] | object"


# Strategies.


class QueuingStrategyDict(TypedDict, Generic[T], total=False):
    """A queuing strategy as a mapping."""

    high_water_mark: float | None
    size: Callable[[T], float] | None


class HasHighWaterMark(Protocol):
    """A queuing strategy as an object."""

    @property
    def high_water_mark(self) -> float:
        """How much the queue takes before it is full."""


class HasSize(Protocol[In]):
    """A queuing strategy as an object that measures chunks."""

    @property
    def size(self) -> Callable[[In], float]:
        """Give the size of a chunk."""


QueuingStrategyLike: TypeAlias = "QueuingStrategyDict[T] | HasHighWaterMark | HasSize[T]"


# Underlying sources.


class UnderlyingSourceDict(TypedDict, Generic[T], total=False):
    """An underlying source as a mapping."""

    type: None
    start: Callable[[ReadableStreamDefaultController[T]], Result] | None
    pull: Callable[[ReadableStreamDefaultController[T]], Result] | None
    cancel: Callable[[Any], Result] | None


class HasSourceStart(Protocol[T]):
    """An underlying source as an object with `start`."""

    def start(self, controller: ReadableStreamDefaultController[T], /) -> Result:
        """Begin."""


class HasPull(Protocol[T]):
    """An underlying source as an object with `pull`."""

    def pull(self, controller: ReadableStreamDefaultController[T], /) -> Result:
        """Give more."""


class HasCancel(Protocol):
    """An underlying source as an object with `cancel`."""

    def cancel(self, reason: Any, /) -> Result:
        """Stop."""


UnderlyingSourceLike: TypeAlias = "UnderlyingSourceDict[T] | HasPull[T] | HasSourceStart[T] | HasCancel"


class UnderlyingByteSourceDict(TypedDict, total=False):
    """An underlying byte source as a mapping."""

    type: Literal["bytes"]
    auto_allocate_chunk_size: int | None
    start: Callable[[ReadableByteStreamController], Result] | None
    pull: Callable[[ReadableByteStreamController], Result] | None
    cancel: Callable[[Any], Result] | None


class HasBytesType(Protocol):
    """An underlying byte source as an object."""

    @property
    def type(self) -> Literal["bytes"]:
        """What makes it a byte source."""


UnderlyingByteSourceLike: TypeAlias = "UnderlyingByteSourceDict | HasBytesType"


# Underlying sinks.


class UnderlyingSinkDict(TypedDict, Generic[T], total=False):
    """An underlying sink as a mapping."""

    start: Callable[[WritableStreamDefaultController], Result] | None
    write: Callable[[T, WritableStreamDefaultController], Result] | None
    close: Callable[[], Result] | None
    abort: Callable[[Any], Result] | None


class HasSinkStart(Protocol):
    """An underlying sink as an object with `start`."""

    def start(self, controller: WritableStreamDefaultController, /) -> Result:
        """Begin."""


class HasWrite(Protocol[In]):
    """An underlying sink as an object with `write`."""

    def write(self, chunk: In, controller: WritableStreamDefaultController, /) -> Result:
        """Take a chunk."""


class HasClose(Protocol):
    """An underlying sink as an object with `close`."""

    def close(self) -> Result:
        """End."""


class HasAbort(Protocol):
    """An underlying sink as an object with `abort`."""

    def abort(self, reason: Any, /) -> Result:
        """Give up."""


UnderlyingSinkLike: TypeAlias = "UnderlyingSinkDict[T] | HasWrite[T] | HasSinkStart | HasClose | HasAbort"


# Transformers.


class TransformerDict(TypedDict, Generic[I, O], total=False):
    """A transformer as a mapping."""

    start: Callable[[TransformStreamDefaultController[O]], Result] | None
    transform: Callable[[I, TransformStreamDefaultController[O]], Result] | None
    flush: Callable[[TransformStreamDefaultController[O]], Result] | None
    cancel: Callable[[Any], Result] | None


class HasTransform(Protocol[In, O]):
    """A transformer as an object with `transform`."""

    def transform(self, chunk: In, controller: TransformStreamDefaultController[O], /) -> Result:
        """Take a chunk and give what becomes of it."""


class HasTransformerStart(Protocol[O]):
    """A transformer as an object with `start`."""

    def start(self, controller: TransformStreamDefaultController[O], /) -> Result:
        """Begin."""


class HasFlush(Protocol[O]):
    """A transformer as an object with `flush`."""

    def flush(self, controller: TransformStreamDefaultController[O], /) -> Result:
        """End."""


TransformerLike: TypeAlias = (
    "TransformerDict[I, O] | HasTransform[I, O] | HasTransformerStart[O] | HasFlush[O] | HasCancel"
)
