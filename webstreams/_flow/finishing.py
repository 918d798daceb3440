"""`finished`: how a stream ends, without locking it."""

from __future__ import annotations

from typing import Any

from .._engine.promise import Promise
from .._streams.door import end_of, jobs_of
from .._streams.readable.state import ReadableStreamState
from .._streams.writable.state import WritableStreamState


def finished(stream: ReadableStreamState[Any] | WritableStreamState[Any]) -> Promise[None]:
    """Return a promise for the end of a stream, readable or writable, whether it is locked or not.

    It is fulfilled when the stream closes (everything was read, or it was cancelled; everything was written), and
    rejected with the stored error when it is errored: what ``closed`` of its reader or writer says. It neither locks
    nor reads. A rejection that nobody looks at is not reported.

    Raises `TypeError` for anything other than a stream, and `RuntimeError` in another event loop or thread than the
    stream's. Not in the Standard.

    >>> import asyncio
    >>> from webstreams import ReadableStream, finished
    >>> async def main() -> None:
    ...     stream = ReadableStream.from_([1])
    ...     end = finished(stream)
    ...     print(await stream.list(), await end)
    >>> asyncio.run(main())
    [1] None
    """
    if not isinstance(stream, (ReadableStreamState, WritableStreamState)):
        raise TypeError(f"finished() needs a ReadableStream or a WritableStream, not {type(stream).__name__}")
    jobs_of(stream).require_running()
    return end_of(stream)
