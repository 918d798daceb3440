"""Transforms and functions of values, applied to deliveries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, Generic, overload

from typing_extensions import TypeVar

from .._engine.door import ignored
from .._engine.promise import Promise
from .._flow.pipelines import ComposedPair
from .._platform.stages import stage_name
from .._streams.door import abort_at_once, fail_sink, fail_with, state_of
from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.operators.checks import require_function
from .._streams.readable.operators.marks import SKIP
from .._streams.readable.state import ReadableStreamState
from .._streams.readable.stream import ReadableStream
from .._streams.results import ReadDoneResult, ReadValueResult
from .._streams.writable.controller import WritableStreamDefaultController
from .._streams.writable.state import WritableStreamState
from .._streams.writable.stream import WritableStream
from ..types import ReadableWritablePair, Skip
from .delivery import Delivery, Parts

__all__ = ["ValuePair", "on_value"]

I = TypeVar("I", default=Any)  # noqa: E741
O = TypeVar("O", default=Any)  # noqa: E741


@overload
def on_value(
    transform: Callable[[I], Awaitable[O | Skip]],
) -> Callable[[Delivery[I]], Awaitable[Delivery[O] | Skip]]: ...
@overload
def on_value(transform: Callable[[I], O | Skip]) -> Callable[[Delivery[I]], Awaitable[Delivery[O] | Skip]]: ...
@overload
def on_value(
    transform: ReadableWritablePair[ReadableStreamState[O], WritableStreamState[I]],
) -> ValuePair[I, O]: ...
def on_value(transform: Any) -> Any:
    """Make a transform of values, or a function of a value, into one of deliveries.

    `transform` is a pair of streams that makes no chunk, one or several of each chunk (a `TransformStream`, a pair of
    ``generator_transform()``). What comes out of the result are deliveries of what the pair gives: a message is
    acknowledged when all that was made of it is, and at once if the pair gives nothing for it (a filter). What comes
    out is passed on as it comes, one chunk ahead of the reader.

    What a pair gives while a chunk is written, and is in its queue when the write is done, belongs to that chunk. So a
    pair that collects chunks (a batcher, a compressor) or works on several at a time does not fit, and gets a
    `RuntimeError` if it gives a chunk at its end: batch the deliveries and ``Delivery.join`` them instead. Wrap each
    part of a chain of pairs on its own.

    A plain or coroutine function of a value becomes a coroutine function of a delivery, for ``stream.map()``, also for
    several calls at a time; a message for which it returns `SKIP` is acknowledged and left out. If it fails, the
    delivery is not settled by that.

    Raises `TypeError` for anything else, for what ``compose()`` gives and for a pair that is locked. Not in the
    Standard.

    >>> from webstreams import TransformStream
    >>> class Log:
    ...     def require_open(self) -> None:
    ...         pass
    ...     async def settle(self, outcome: str) -> None:
    ...         print("the broker is told:", outcome)
    >>> def split(text: str, controller: Any) -> None:
    ...     for word in text.split():
    ...         controller.enqueue(word)
    >>> async def main() -> None:
    ...     words = TransformStream({"transform": split})
    ...     source = ReadableStream.from_([Delivery("two words", Log()), Delivery("", Log())])
    ...     async for part in source.pipe_through(on_value(words)):
    ...         print(part.value)
    ...         await part.ack()
    >>> asyncio.run(main())
    two
    words
    the broker is told: ack
    the broker is told: ack
    """
    if hasattr(transform, "readable") and hasattr(transform, "writable"):
        return ValuePair(transform)
    if callable(transform) and not isinstance(transform, type):
        require_function(transform, "on_value")
        return _OnValue(transform)
    raise TypeError(
        f"on_value() needs a pair with readable and writable, or a function of a value, not {type(transform).__name__}"
    )


def _require_simple(pair: Any) -> None:
    if isinstance(pair, ComposedPair):
        raise TypeError(
            "on_value() cannot tell which chunk of a composed pair belongs to which delivery: apply it to each of the "
            "pairs, and compose the results"
        )
    readable, writable = getattr(pair, "readable", None), getattr(pair, "writable", None)
    if not isinstance(readable, ReadableStream) or not isinstance(writable, WritableStream):
        raise TypeError(
            "on_value() needs a pair of a ReadableStream and a WritableStream, not of "
            f"{type(readable).__name__} and {type(writable).__name__}"
        )


def _require_delivery(delivery: object) -> None:
    if not isinstance(delivery, Delivery):
        raise TypeError(f"on_value() takes deliveries, not {type(delivery).__name__}")


class _OnValue(Generic[I, O]):
    """A function of a value, applied to the value of a delivery."""

    def __init__(self, function: Callable[[I], Any]) -> None:
        # What errors say that they arose in.
        self.stage_name = stage_name(function)
        self._function = function

    async def __call__(self, delivery: Delivery[I]) -> Delivery[O] | Skip:
        _require_delivery(delivery)
        result = self._function(delivery.value)
        if isawaitable(result):
            result = await result
        if result is SKIP:
            await delivery.ack()
            return Skip.SKIP
        return delivery.derive(result)[0]


class ValuePair(Generic[I, O]):
    """A pair of streams for deliveries, around one for values. `on_value` makes it."""

    def __init__(self, pair: ReadableWritablePair[Any, Any]) -> None:
        _require_simple(pair)
        self._reader = pair.readable.get_reader()
        try:
            self._writer = pair.writable.get_writer()
        except TypeError:
            self._reader.release_lock()
            raise
        self._next: Promise[ReadValueResult[O] | ReadDoneResult[None]] | None = None
        self._wanted = asyncio.Event()
        self._has_ended = False
        self._source_controller: ReadableStreamDefaultController[Delivery[O]]
        self._sink_controller: WritableStreamDefaultController
        self._readable: ReadableStream[Delivery[O]] = ReadableStream(
            {"start": self._start_source, "pull": self._pull, "cancel": self._cancel}, {"high_water_mark": 0}
        )
        self._writable: WritableStream[Delivery[I]] = WritableStream(
            {"start": self._start_sink, "write": self._write, "close": self._close, "abort": self._abort}
        )

    @property
    def readable(self) -> ReadableStream[Delivery[O]]:
        """Where the deliveries of the results come out."""
        return self._readable

    @property
    def writable(self) -> WritableStream[Delivery[I]]:
        """Where the deliveries go in."""
        return self._writable

    # The two sides.

    def _start_source(self, controller: ReadableStreamDefaultController[Delivery[O]]) -> None:
        self._source_controller = controller

    def _pull(self, controller: object) -> None:
        self._wanted.set()

    async def _cancel(self, reason: object) -> None:
        self._end()
        fail_sink(self._sink_controller, reason)
        await self._reader.cancel(reason)

    def _start_sink(self, controller: WritableStreamDefaultController) -> None:
        self._sink_controller = controller
        # Not in abort(), which comes only after the write that is under way.
        controller.signal.add_event_listener("abort", self._end)

    async def _abort(self, reason: object) -> None:
        fail_with(self._source_controller, reason)
        await self._writer.abort(reason)

    def _end(self, event: object = None) -> None:
        """Let a write go that waits for a reader."""
        self._has_ended = True
        self._wanted.set()

    # A delivery.

    async def _write(self, delivery: Delivery[I], controller: object) -> None:
        try:
            _require_delivery(delivery)
            await self._want()
            parts = Parts(delivery)
            written = ignored(self._writer.write(delivery.value))  # a failure may be seen at the other side first
            while await self._has_output(written):
                chunk = self._take_output()
                if chunk.done:
                    self._end_early()
                    break
                await self._want()
                self._give(parts.add(chunk.value))
            await written
            await parts.sealed()
        except asyncio.CancelledError:  # nobody waits for this write, so neither for that of the transform
            abort_at_once(self._writer, self._sink_controller.signal.reason)
            raise
        except Exception as error:
            raise self._failed(error) from None

    async def _close(self) -> None:
        try:
            closed = ignored(self._writer.close())
            while await self._has_output(closed):
                if not self._take_output().done:
                    raise RuntimeError(
                        "the transform gave a chunk at its end, which belongs to no delivery: on_value() is for "
                        "transforms that make all of a chunk when it is written; for batches use Delivery.join"
                    )
                break
            await closed
        except Exception as error:
            raise self._failed(error) from None
        self._close_readable()

    def _failed(self, error: Exception) -> Exception:
        """Error the readable side; the exception of the callback errors the other."""
        fail_with(self._source_controller, error)
        return error

    def _close_readable(self) -> None:
        if self._source_controller.desired_size is not None and state_of(self._readable) == "readable":
            self._source_controller.close()

    def _end_early(self) -> None:
        """The pair was terminated: it takes no more."""
        self._close_readable()
        fail_sink(self._sink_controller, TypeError("the transform was terminated: it takes no more deliveries"))

    async def _want(self) -> None:
        """Wait until somebody reads, so that nothing is made for nobody."""
        await self._wanted.wait()
        if self._has_ended:
            raise RuntimeError("the results of the transform are not wanted any more: its readable side was cancelled")

    def _give(self, delivery: Delivery[O]) -> None:
        self._wanted.clear()
        self._source_controller.enqueue(delivery)

    async def _has_output(self, written: Promise[None]) -> bool:
        """Wait until the pair has given a chunk, or has finished a write and gives nothing more for it."""
        if self._next is None:
            self._next = ignored(self._reader.read())
        if not self._next.done() and not written.done():
            await asyncio.wait([self._next, written], return_when=asyncio.FIRST_COMPLETED)  # type: ignore[type-var]
        return self._next.done()

    def _take_output(self) -> ReadValueResult[O] | ReadDoneResult[None]:
        assert self._next is not None
        result = self._next.result()
        self._next = None
        return result
