"""The types of what users hand in: underlying sources and sinks, transformers, strategies.

Each is a mapping with some of the members as keys (the TypedDicts), or an object that has them as attributes (the
Protocols). No type can say that an attribute is right or absent, so an object is recognized by its main callback: a
source by `pull` or `start`, a sink by `write`, a transformer by `transform`. An object without it says so with an
attribute that is None (``write = None``); a mapping need not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, Required, TypeAlias, TypedDict

from typing_extensions import TypeVar

if TYPE_CHECKING:
    from ._streams.readable.byte_controller import ReadableByteStreamController
    from ._streams.readable.controller import ReadableStreamDefaultController
    from ._streams.strategy import ByteLengthQueuingStrategy, CountQueuingStrategy
    from ._streams.transform.controller import TransformStreamDefaultController
    from ._streams.writable.controller import WritableStreamDefaultController

T = TypeVar("T", default=Any)
I = TypeVar("I", default=Any)  # noqa: E741
O = TypeVar("O", default=Any)  # noqa: E741
In = TypeVar("In", contravariant=True, default=Any)
Out = TypeVar("Out", covariant=True, default=Any)

Result: TypeAlias = "Awaitable[object] | object"


# Strategies.


class ByteStrategyDict(TypedDict, total=False):
    """The queuing strategy of a byte stream as a mapping: bytes are not measured by a function."""

    high_water_mark: float | None


class QueuingStrategyDict(TypedDict, Generic[In], total=False):
    """A queuing strategy as a mapping."""

    high_water_mark: float | None
    size: Callable[[In], float] | None


class HasHighWaterMark(Protocol):
    """A queuing strategy as an object."""

    @property
    def high_water_mark(self) -> float:
        """How much the queue takes before it is full."""
        ...


class HasSize(Protocol[In]):
    """A queuing strategy as an object that measures chunks."""

    @property
    def size(self) -> Callable[[In], float]:
        """Give the size of a chunk."""
        ...


ByteStrategyLike: TypeAlias = "ByteStrategyDict | HasHighWaterMark"
QueuingStrategyLike: TypeAlias = (
    "QueuingStrategyDict[T] | CountQueuingStrategy | ByteLengthQueuingStrategy | HasHighWaterMark | HasSize[T]"
)


# Underlying sources.


class UnderlyingSourceDict(TypedDict, Generic[Out], total=False):
    """An underlying source as a mapping."""

    type: None
    start: Callable[[ReadableStreamDefaultController[Out]], Result] | None
    pull: Callable[[ReadableStreamDefaultController[Out]], Result] | None
    cancel: Callable[[Any], Result] | None


class HasPull(Protocol[Out]):
    """An underlying source as an object with `pull`."""

    def pull(self, controller: ReadableStreamDefaultController[Out], /) -> Result:
        """Give more."""


class HasStart(Protocol[Out]):
    """An underlying source as an object with `start`."""

    def start(self, controller: ReadableStreamDefaultController[Out], /) -> Result:
        """Begin."""


class HasNoPull(Protocol):
    """An underlying source as an object without `pull`."""

    @property
    def pull(self) -> None:
        """There is nothing to call."""


UnderlyingSourceLike: TypeAlias = "UnderlyingSourceDict[T] | HasPull[T] | HasStart[T] | HasNoPull"


class UnderlyingByteSourceDict(TypedDict, total=False):
    """An underlying byte source as a mapping."""

    type: Required[Literal["bytes"]]
    auto_allocate_chunk_size: int | None
    start: Callable[[ReadableByteStreamController], Result] | None
    pull: Callable[[ReadableByteStreamController], Result] | None
    cancel: Callable[[Any], Result] | None


class HasBytesType(Protocol):
    """What makes an object a byte source. Its type is `str`: that is how ``type = "bytes"`` is inferred."""

    @property
    def type(self) -> str:
        """The string "bytes"."""
        ...


class HasBytePull(HasBytesType, Protocol):
    """An underlying byte source as an object with `pull`."""

    def pull(self, controller: ReadableByteStreamController, /) -> Result:
        """Give more."""


class HasByteStart(HasBytesType, Protocol):
    """An underlying byte source as an object with `start`."""

    def start(self, controller: ReadableByteStreamController, /) -> Result:
        """Begin."""


class HasNoBytePull(HasBytesType, HasNoPull, Protocol):
    """An underlying byte source as an object without `pull`."""


UnderlyingByteSourceLike: TypeAlias = "UnderlyingByteSourceDict | HasBytePull | HasByteStart | HasNoBytePull"


# Underlying sinks.


class UnderlyingSinkDict(TypedDict, Generic[In], total=False):
    """An underlying sink as a mapping."""

    start: Callable[[WritableStreamDefaultController], Result] | None
    write: Callable[[In, WritableStreamDefaultController], Result] | None
    close: Callable[[], Result] | None
    abort: Callable[[Any], Result] | None


class HasWrite(Protocol[In]):
    """An underlying sink as an object with `write`."""

    def write(self, chunk: In, controller: WritableStreamDefaultController, /) -> Result:
        """Take a chunk."""


class HasNoWrite(Protocol):
    """An underlying sink as an object without `write`."""

    @property
    def write(self) -> None:
        """There is nothing to call."""


UnderlyingSinkLike: TypeAlias = "UnderlyingSinkDict[T] | HasWrite[T] | HasNoWrite"


# Transformers.


class TransformCallback(Protocol[In, Out]):
    """The `transform` of a mapping."""

    def __call__(self, chunk: In, controller: TransformStreamDefaultController[Out], /) -> Result:
        """Take a chunk and give what becomes of it."""


class TransformerDict(TypedDict, Generic[In, Out], total=False):
    """A transformer as a mapping."""

    start: Callable[[TransformStreamDefaultController[Out]], Result] | None
    transform: Callable[[In, TransformStreamDefaultController[Out]], Result] | TransformCallback[In, Out] | None
    flush: Callable[[TransformStreamDefaultController[Out]], Result] | None
    cancel: Callable[[Any], Result] | None


class HasTransform(Protocol[In, Out]):
    """A transformer as an object with `transform`."""

    def transform(self, chunk: In, controller: TransformStreamDefaultController[Out], /) -> Result:
        """Take a chunk and give what becomes of it."""


class HasNoTransform(Protocol):
    """A transformer as an object without `transform`: chunks pass unchanged."""

    @property
    def transform(self) -> None:
        """There is nothing to call."""


TransformerLike: TypeAlias = "TransformerDict[I, O] | HasTransform[I, O] | HasNoTransform"
