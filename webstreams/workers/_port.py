"""The ends of a channel that streams are transferred over, and how they get into another process.

A transferred stream has a connection of its own: one end of a pair of sockets stays, the other one goes over the port,
as the Standard sends a message port in a message. So a port itself needs no more than a record for each stream, and
one stream holds up no other.
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.context import get_spawning_popen
from multiprocessing.reduction import DupFd
from struct import Struct
from typing import Any, Final, NamedTuple, Self
from weakref import finalize

from .._debug.repr import show
from .._platform.errors import DataError

# What is sent for a stream: who we are, its kind, and how many chunks may be under way.
RECORD: Final = Struct("!4sBI")
MAGIC: Final = b"wst1"

# The kinds, and how many connections each has.
READABLE: Final = 1
WRITABLE: Final = 2
PAIR: Final = 3
CONNECTIONS: Final = {READABLE: 1, WRITABLE: 1, PAIR: 2}

MAX_WINDOW: Final = 2**16

CLOEXEC: Final[int] = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Arrival(NamedTuple):
    """A stream that has been transferred, and is to be made here."""

    kind: int
    window: int
    connections: list[socket.socket]


class Port:
    """One end of a channel: `transfer` sends streams over it, `receive` gets those that the other end has sent.

    `message_channel` makes two that belong together. A port is used by one thread at a time, in any event loop, and
    may be given to another thread as it is. Pickling moves it into another process: as an argument of the function of
    a `worker`, or of a spawned `multiprocessing.Process`. It cannot be used any more where it was, so that its end is
    seen when that process ends.

    ``Port(connection)`` makes a port of a connected Unix socket (``AF_UNIX``, ``SOCK_STREAM``), which is then its own.
    Nothing that comes over it is unpickled, for a pickle runs whatever its author wants: chunks are `bytes`,
    `bytearray`, `memoryview` or `str`, any other is a `DataError` that ends its stream, and reasons are `RemoteError`.
    ``trusted=True`` is for whoever may run anything here; the ports of `message_channel` are such.

    ``with port:`` closes it at the end, which ends no stream that was transferred over it. Raises `TypeError` and
    `ValueError` for any other socket. The counterpart of HTML's ``MessagePort``; not in the Standard.
    """

    __slots__ = ("__weakref__", "_arrived", "_close", "_is_moved", "_loop", "_socket", "_waiters", "trusted")

    def __init__(self, connection: socket.socket, *, trusted: bool = False) -> None:
        if not isinstance(connection, socket.socket):
            raise TypeError(f"a Port is made of a connected socket, not {type(connection).__name__}")
        if connection.family != socket.AF_UNIX or connection.type != socket.SOCK_STREAM:
            raise ValueError(
                "a Port needs a Unix socket (AF_UNIX, SOCK_STREAM), over which connections can be sent, not one with "
                f"{connection.family!r} and {connection.type!r}: use message_channel(), or socket.socketpair()"
            )
        if not isinstance(trusted, bool):
            raise TypeError(f"trusted must be a bool, not {type(trusted).__name__}")
        connection.setblocking(False)
        self._socket = connection
        # Whether what comes over it may be unpickled.
        self.trusted: bool = trusted
        self._is_moved = False
        self._close = finalize(self, connection.close)
        self._close.atexit = False
        # Who waits for a stream, in this loop; and what has come for somebody who was cancelled in this moment.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiters: deque[asyncio.Future[Arrival]] = deque()
        self._arrived: deque[Arrival] = deque()

    @property
    def is_closed(self) -> bool:
        """Whether it was closed, or moved into another process."""
        return self._socket.fileno() == -1

    def close(self) -> None:
        """Close it: those who wait for a stream here get an `EOFError`, and so do those at the other end.

        Streams that were transferred and not received are errored with `WorkerDied`.
        """
        self._stop_watching()
        self._close()
        for arrival in self._arrived:
            close_all(arrival.connections)
        self._arrived.clear()
        self._fail(EOFError("the port was closed"))

    def __enter__(self) -> Self:
        """Return the port."""
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Show how it is."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield "moved" if self._is_moved else "closed" if self.is_closed else "open"
        if self.trusted:
            yield "trusted"

    def _require_open(self) -> None:
        if self._is_moved:
            raise ValueError("the port was moved into another process: use it there, or make a new message_channel()")
        if self.is_closed:
            raise ValueError("the port is closed: make a new message_channel()")

    # Moving.

    def __reduce__(self) -> Any:
        """Move it into the process that unpickles it."""
        self._require_open()
        if self._waiters:
            raise ValueError("the port cannot be moved while somebody waits in receive()")
        self._is_moved = True
        self._close.detach()
        descriptor = self._socket.detach()
        reduced = DupFd(descriptor)
        process = get_spawning_popen()
        if process is None:
            os.close(descriptor)  # a duplicate waits for whoever unpickles it
        else:
            # The new process inherits it, a moment from now.
            close = finalize(process, os.close, descriptor)
            with suppress(RuntimeError):
                asyncio.get_running_loop().call_soon(close)
        return rebuild, (reduced, self.trusted)

    # Sending.

    def send(self, kind: int, window: int, connections: list[socket.socket]) -> None:
        """Send the other ends of the connections of a stream. Raises `OSError`."""
        self._require_open()
        socket.send_fds(
            self._socket, [RECORD.pack(MAGIC, kind, window)], [connection.fileno() for connection in connections]
        )

    # Receiving.

    async def next(self) -> Arrival:
        """Wait for a stream. Cancelling that loses none."""
        self._require_open()
        if self._arrived:
            return self._arrived.popleft()
        loop = asyncio.get_running_loop()
        if self._loop not in (None, loop):
            raise RuntimeError("somebody waits in receive() for this port in another event loop")
        self._loop = loop
        waiter: asyncio.Future[Arrival] = loop.create_future()
        if not self._waiters:
            loop.add_reader(self._socket.fileno(), self._readable)
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._arrived.append(waiter.result())
            raise
        finally:
            with suppress(ValueError):
                self._waiters.remove(waiter)
            self._stop_watching_for_nobody()

    def _readable(self) -> None:
        try:
            arrival = receive_record(self._socket)
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, EOFError):
            self._end(EOFError("the other end of the channel has gone: it was closed, or its process has ended"))
        except DataError as error:
            self._end(error)
        else:
            self._deliver(arrival)

    def _deliver(self, arrival: Arrival) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(arrival)
                break
        else:
            self._arrived.append(arrival)
        self._stop_watching_for_nobody()

    def _end(self, error: Exception) -> None:
        self._stop_watching()
        self._close()
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        waiters, self._waiters = self._waiters, deque()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error)

    def _stop_watching_for_nobody(self) -> None:
        if not self._waiters:
            self._stop_watching()

    def _stop_watching(self) -> None:
        if self._loop is not None and not self._loop.is_closed() and not self.is_closed:
            self._loop.remove_reader(self._socket.fileno())
        self._loop = None


def message_channel() -> tuple[Port, Port]:
    """Make two ports that belong together: what is transferred over one is received from the other.

    They are for two threads, or for two processes, one of them started by the other; both trust each other. Raises
    `OSError` if no more sockets can be opened. The counterpart of HTML's ``MessageChannel``; not in the Standard.

    >>> import asyncio
    >>> from webstreams import ReadableStream
    >>> from webstreams.workers import message_channel, receive, transfer
    >>> async def elsewhere(port: Port) -> None:
    ...     stream = await receive(port)
    ...     print(await stream.list())
    >>> async def main() -> None:
    ...     here, there = message_channel()
    ...     with here:
    ...         transfer(ReadableStream.from_(["a", "b"]), here)
    ...         await asyncio.to_thread(asyncio.run, elsewhere(there))
    >>> asyncio.run(main())
    ['a', 'b']
    """
    ours, theirs = socket.socketpair()
    return Port(ours, trusted=True), Port(theirs, trusted=True)


def rebuild(descriptor: Any, trusted: bool) -> Port:
    """Make the port that was moved into this process."""
    return Port(socket.socket(fileno=descriptor.detach()), trusted=trusted)


def receive_record(connection: socket.socket) -> Arrival:
    """Receive what was sent for a stream. Raises `EOFError`, and `DataError` for what no port sends."""
    data, ancillary, _, _ = connection.recvmsg(RECORD.size, socket.CMSG_SPACE(4 * array.array("i").itemsize), CLOEXEC)
    connections = _connections_of(ancillary)
    try:
        if not data:
            raise EOFError
        if len(data) < RECORD.size:
            raise DataError(f"the other end of the channel has sent {len(data)} bytes that do not describe a stream")
        magic, kind, window = RECORD.unpack(data)
        if magic != MAGIC or CONNECTIONS.get(kind) != len(connections) or not 1 <= window <= MAX_WINDOW:
            raise DataError("the other end of the channel has sent a message that does not describe a stream")
    except BaseException:
        close_all(connections)
        raise
    return Arrival(kind, window, connections)


def close_all(connections: list[socket.socket]) -> None:
    """Close sockets."""
    for connection in connections:
        connection.close()


def _connections_of(ancillary: list[tuple[int, int, bytes]]) -> list[socket.socket]:
    """Take the descriptors that have come; those that are no Unix sockets are closed."""
    found = []
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers = array.array("i")
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
            for number in numbers:
                found += _connection_of(number)
    return found


def _connection_of(descriptor: int) -> list[socket.socket]:
    os.set_inheritable(descriptor, False)
    try:
        connection = socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)
        return []
    if connection.family != socket.AF_UNIX or connection.type != socket.SOCK_STREAM:
        connection.close()
        return []
    return [connection]
