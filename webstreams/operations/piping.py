"""Section 9.5: piping."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypeVar

from .._engine.promise import Promise
from .._streams.abort import AbortSignal
from .._streams.door import require_unlocked
from .._streams.readable.state import ReadableStreamState
from .._streams.readable.stream import ReadableStream
from .._streams.writable.state import WritableStreamState
from ..types import ReadableWritablePair
from ._algorithms import require_set_up
from .transform import create_identity_transform_stream

T = TypeVar("T", default=Any)
U = TypeVar("U", bound=ReadableStreamState[Any], default=Any)


def pipe_to(
    readable: ReadableStream[T],
    writable: WritableStreamState[T],
    *,
    prevent_close: bool = False,
    prevent_abort: bool = False,
    prevent_cancel: bool = False,
    signal: AbortSignal | None = None,
) -> Promise[None]:
    """Pipe a stream into another one: what `ReadableStream.pipe_to` does, also for a subclass that overrides it.

    The promise is settled when the pipe has ended, and rejected with `TypeError` when one of the streams is locked.
    Streams Standard, 9.5.
    """
    require_set_up(readable, ReadableStream, "pipe_to")
    return ReadableStream.pipe_to(
        readable,
        writable,
        prevent_close=prevent_close,
        prevent_abort=prevent_abort,
        prevent_cancel=prevent_cancel,
        signal=signal,
    )


def pipe_through(
    readable: ReadableStream[T],
    transform: ReadableWritablePair[U, WritableStreamState[T]],
    *,
    prevent_close: bool = False,
    prevent_abort: bool = False,
    prevent_cancel: bool = False,
    signal: AbortSignal | None = None,
) -> U:
    """Pipe a stream through a transform stream, or another pair; give its readable side.

    What `ReadableStream.pipe_through` does, also for a subclass that overrides it. Raises `TypeError` when one of the
    streams is locked. Streams Standard, 9.5.
    """
    require_set_up(readable, ReadableStream, "pipe_through")
    return ReadableStream.pipe_through(
        readable,
        transform,
        prevent_close=prevent_close,
        prevent_abort=prevent_abort,
        prevent_cancel=prevent_cancel,
        signal=signal,
    )


def create_proxy(stream: ReadableStream[T]) -> ReadableStream[T]:
    """Make a new stream that takes its chunks from `stream`, which is locked and disturbed from now on.

    Raises `TypeError` when it is locked already. Streams Standard, 9.5 ("create a proxy").
    """
    require_set_up(stream, ReadableStream, "create_proxy")
    require_unlocked(stream, "make a proxy of")
    return pipe_through(stream, create_identity_transform_stream())
