"""The types of what users write: underlying sources and sinks, transformers, strategies, pairs, options and results.

Annotate with `UnderlyingSource`, `UnderlyingByteSource`, `UnderlyingSink`, `Transformer`, `QueuingStrategy`,
`ByteQueuingStrategy`, `ReadableWritablePair`, `ReadResult` and `PipeOptions`:

>>> from webstreams import ReadableStream
>>> from webstreams.types import UnderlyingSource
>>> def twice(source: UnderlyingSource[int]) -> tuple[ReadableStream[int], ReadableStream[int]]:
...     return ReadableStream(source).tee()

Each of the first six is a mapping with some of the members as keys (the TypedDicts), or an object that has them as
attributes (the Protocols). No type can say that an attribute is right or absent, so an object is recognized by its main
callback: a source by `pull` or `start`, a sink by `write`, a transformer by `transform`. An object without it says so
with an attribute that is None (``write = None``); a mapping need not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, Required, TypeAlias, TypedDict

from typing_extensions import TypeVar

from ._streams.results import ReadDoneResult, ReadValueResult
from ._streams.strategy import ByteLengthQueuingStrategy, CountQueuingStrategy

if TYPE_CHECKING:
    from ._streams.abort import AbortSignal
    from ._streams.readable.byte_controller import ReadableByteStreamController
    from ._streams.readable.controller import ReadableStreamDefaultController
    from ._streams.readable.state import ReadableStreamState
    from ._streams.transform.controller import TransformStreamDefaultController
    from ._streams.writable.controller import WritableStreamDefaultController
    from ._streams.writable.state import WritableStreamState

__all__ = [
    "ByteQueuingStrategy",
    "PipeOptions",
    "QueuingStrategy",
    "ReadResult",
    "ReadableWritablePair",
    "Transformer",
    "UnderlyingByteSource",
    "UnderlyingSink",
    "UnderlyingSource",
]

T = TypeVar("T", default=Any)
I = TypeVar("I", default=Any)  # noqa: E741
O = TypeVar("O", default=Any)  # noqa: E741
In = TypeVar("In", contravariant=True, default=Any)
Out = TypeVar("Out", covariant=True, default=Any)

Result: TypeAlias = "Awaitable[object] | object"


class Skip(Enum):
    """The type of `webstreams.SKIP`, for the functions that return it: ``def parse(line: str) -> Record | Skip``."""

    SKIP = "SKIP"

    def __repr__(self) -> str:
        """Show the name under which it is imported."""
        return "SKIP"


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
        """Return the size of a chunk."""
        ...


ByteQueuingStrategy: TypeAlias = ByteStrategyDict | HasHighWaterMark
QueuingStrategy: TypeAlias = (
    QueuingStrategyDict[T] | CountQueuingStrategy | ByteLengthQueuingStrategy | HasHighWaterMark | HasSize[T]
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
        """Supply more chunks."""


class HasStart(Protocol[Out]):
    """An underlying source as an object with `start`."""

    def start(self, controller: ReadableStreamDefaultController[Out], /) -> Result:
        """Begin."""


class HasNoPull(Protocol):
    """An underlying source as an object without `pull`."""

    @property
    def pull(self) -> None:
        """There is nothing to call."""


UnderlyingSource: TypeAlias = UnderlyingSourceDict[T] | HasPull[T] | HasStart[T] | HasNoPull


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
        """Supply more chunks."""


class HasByteStart(HasBytesType, Protocol):
    """An underlying byte source as an object with `start`."""

    def start(self, controller: ReadableByteStreamController, /) -> Result:
        """Begin."""


class HasNoBytePull(HasBytesType, HasNoPull, Protocol):
    """An underlying byte source as an object without `pull`."""


UnderlyingByteSource: TypeAlias = UnderlyingByteSourceDict | HasBytePull | HasByteStart | HasNoBytePull


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


UnderlyingSink: TypeAlias = UnderlyingSinkDict[T] | HasWrite[T] | HasNoWrite


# Transformers.


class TransformCallback(Protocol[In, O]):
    """The `transform` of a mapping."""

    def __call__(self, chunk: In, controller: TransformStreamDefaultController[O], /) -> Result:
        """Take a chunk and give what becomes of it."""


class TransformerDict(TypedDict, Generic[In, O], total=False):
    """A transformer as a mapping."""

    start: Callable[[TransformStreamDefaultController[O]], Result] | None
    transform: Callable[[In, TransformStreamDefaultController[O]], Result] | TransformCallback[In, O] | None
    flush: Callable[[TransformStreamDefaultController[O]], Result] | None
    cancel: Callable[[Any], Result] | None


class HasTransform(Protocol[In, O]):
    """A transformer as an object with `transform`."""

    def transform(self, chunk: In, controller: TransformStreamDefaultController[O], /) -> Result:
        """Take a chunk and enqueue what becomes of it."""


class HasNoTransform(Protocol):
    """A transformer as an object without `transform`: chunks pass unchanged."""

    @property
    def transform(self) -> None:
        """There is nothing to call."""


Transformer: TypeAlias = TransformerDict[I, O] | HasTransform[I, O] | HasNoTransform


# Pairs, options and results.


R = TypeVar("R", bound="ReadableStreamState[Any]", covariant=True, default=Any)
W = TypeVar("W", bound="WritableStreamState[Any]", covariant=True, default=Any)


class ReadableWritablePair(Protocol[R, W]):
    """What ``pipe_through()`` takes: an object with a `readable` and a `writable` stream."""

    @property
    def readable(self) -> R:
        """Where the result comes out."""
        ...

    @property
    def writable(self) -> W:
        """Where the chunks go in."""
        ...


class PairFor(Protocol[R, In]):
    """The same, named by the chunks that it takes: so checkers find out the type of a generic one, as of `lines`."""

    @property
    def readable(self) -> R:
        """Where the result comes out."""
        ...

    @property
    def writable(self) -> WritableStreamState[In]:
        """Where the chunks go in."""
        ...


class PipeOptions(TypedDict, total=False):
    """The options of ``pipe_to()`` and ``pipe_through()``: ``def copy(..., **options: Unpack[PipeOptions])``."""

    prevent_close: bool
    prevent_abort: bool
    prevent_cancel: bool
    signal: AbortSignal | None


ReadResult: TypeAlias = ReadValueResult[T] | ReadDoneResult[None]
