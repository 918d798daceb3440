"""`transfer` and `receive`: a stream goes on somewhere else, in another thread or process."""

from __future__ import annotations

import socket
from typing import Any, Final

from .._platform.arguments import checked_integer
from .._streams.door import jobs_of, join_sides, lock_of, name_holder, require_unlocked
from .._streams.readable.pipe import Pipe, PipeOptions
from .._streams.readable.stream import ReadableStream
from .._streams.transform.stream import BLANK, TransformStream
from .._streams.writable.stream import WritableStream
from ..types import ReadableWritablePair
from ._port import MAX_WINDOW, PAIR, READABLE, WRITABLE, Arrival, Port, close_all
from ._sides import ReadableSide, WritableSide

Transferable = (
    ReadableStream[Any] | WritableStream[Any] | ReadableWritablePair[ReadableStream[Any], WritableStream[Any]]
)

NO_OPTIONS: Final = PipeOptions(False, False, False, None)


def transfer(stream: Transferable, port: Port, *, window: int = 1) -> None:
    """Send a stream over a port: it goes on at the other end, where `receive` gives it.

    `stream` is a `ReadableStream`, a `WritableStream`, or a pair: a `TransformStream`, or another object with a
    `readable` and a `writable`. It is locked from now on, for good; what it does is still done here, in this event
    loop, and goes over to the other end chunk by chunk: pickled, as `worker` does it, when the chunk is wanted there.
    At most `window` chunks are under way, on top of one that waits here and of what the stream's own queue holds. With
    1, as the Standard has it, each chunk takes one message there and one back.

    Closing, errors, cancelling and aborting go over, too; reasons as `worker` says. A chunk that cannot be pickled
    errors both ends. When one end is gone (its process was killed, say), the other one is errored with `WorkerDied`;
    when its event loop has ended, with that error. A stream that is dropped at the other end is cancelled, or aborted.

    Raises `TypeError` when it is not a stream, or is locked; `ValueError` when the port is closed; `BrokenPipeError`
    when the other port is; `BlockingIOError` when hundreds of streams wait there to be received. Then the stream is as
    before. Streams Standard, 4.2.5, 5.2.5 and 6.2.4 ("transfer via postMessage()").

    >>> import asyncio
    >>> from webstreams import TransformStream
    >>> from webstreams.workers import message_channel, receive, transfer
    >>> async def main() -> None:
    ...     upper = TransformStream({"transform": lambda word, controller: controller.enqueue(word.upper())})
    ...     here, there = message_channel()
    ...     with here, there:
    ...         transfer(upper, here)
    ...         received = await receive(there)
    ...     print(await ReadableStream.from_(["a", "b"]).pipe_through(received).list())
    >>> asyncio.run(main())
    ['A', 'B']
    """
    _require_port(port, "transfer")
    size = checked_integer(window, "window", 1, MAX_WINDOW)
    kind, sides = _sides_of(stream)
    pairs = [socket.socketpair() for _ in sides]
    try:
        port.send(kind, size, [theirs for _, theirs in pairs])
    except BaseException:
        close_all([ours for ours, _ in pairs])
        raise
    finally:
        close_all([theirs for _, theirs in pairs])
    for side, (ours, _) in zip(sides, pairs, strict=True):
        _connect(side, ours, size, port.trusted)


async def receive(port: Port) -> Any:
    """Wait for the next stream that the other end transfers; several come in their order.

    It can be used as the original: a `ReadableStream`, a `WritableStream`, or a `TransformStream` for a pair; which one
    a type checker has to be told: ``stream: ReadableStream[str] = await receive(port)``. Its queue is as the Standard
    has it, whatever the original has: none for a readable side, 1 chunk for a writable side. A byte stream arrives as a
    stream of `bytes`. Those who wait at the same time get a stream one after the other, and a wait that is cancelled
    takes none.

    Raises `EOFError` when the other port was closed, or its process has ended, and all streams were received;
    `DataError` when the other end has sent anything but a port, and then this port is closed; `ValueError` when this
    port is closed; `RuntimeError` when somebody waits in another event loop.
    """
    _require_port(port, "receive")
    return _make(await port.next(), port.trusted)


def _require_port(port: Any, function: str) -> None:
    if not isinstance(port, Port):
        raise TypeError(f"{function}() needs a Port, as message_channel() makes two of, not {type(port).__name__}")


def _sides_of(stream: Any) -> tuple[int, list[Any]]:
    """Return the kind, and the streams that need connections. Raises `TypeError` for a locked one, or no stream."""
    if isinstance(stream, ReadableStream):
        return READABLE, [_unlocked(stream)]
    if isinstance(stream, WritableStream):
        return WRITABLE, [_unlocked(stream)]
    readable, writable = getattr(stream, "readable", None), getattr(stream, "writable", None)
    if isinstance(readable, ReadableStream) and isinstance(writable, WritableStream):
        return PAIR, [_unlocked(readable), _unlocked(writable)]
    raise TypeError(
        "transfer() needs a ReadableStream, a WritableStream, or an object with a `readable` and a `writable` stream, "
        f"not {type(stream).__name__}"
    )


def _unlocked(stream: Any) -> Any:
    jobs_of(stream).require_running()
    require_unlocked(stream, "transfer")
    return stream


def _connect(stream: Any, connection: socket.socket, window: int, trusted: bool) -> None:
    """The transfer steps of a stream: pipe between it and a side here."""
    if isinstance(stream, ReadableStream):
        outgoing = WritableSide(connection, window, trusted)
        outgoing.kept = writable = outgoing.open()
        pipe = Pipe(stream, writable, NO_OPTIONS)
    else:
        incoming = ReadableSide(connection, window, trusted)
        incoming.kept = readable = incoming.open()
        incoming.pipe = pipe = Pipe(readable, stream, NO_OPTIONS)
    lock = _Lock(stream)
    ended = pipe.start()
    pipe.feed(None)  # how it ends shows at the other end
    ended.then(lock, lock)


class _Lock:
    """Locks a stream for good after its pipe."""

    # Python: the Standard leaves it unlocked then, closed or errored.

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __call__(self, outcome: object) -> None:
        stream = self._stream
        if lock_of(stream) is None:
            end: Any = stream.get_reader() if isinstance(stream, ReadableStream) else stream.get_writer()
            name_holder(end, "a transfer")


def _make(arrival: Arrival, trusted: bool) -> Any:
    """The transfer-receiving steps."""
    sides = iter(arrival.connections)
    readable: Any = None
    writable: Any = None
    if arrival.kind in (READABLE, PAIR):
        readable = ReadableSide(next(sides), arrival.window, trusted).open()
    if arrival.kind in (WRITABLE, PAIR):
        writable = WritableSide(next(sides), arrival.window, trusted).open()
    if arrival.kind != PAIR:
        return writable if arrival.kind == WRITABLE else readable
    stream: TransformStream[Any, Any] = TransformStream(BLANK)
    join_sides(stream, readable, writable)
    return stream
