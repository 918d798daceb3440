"""TCP and Unix sockets, with or without TLS, as a pair of streams: `Connection`, and how to get one.

The socket is read only as the stream is: a consumer that stops reading stops the sender, and a BYOB read has the
operating system write into the reader's own memory. A write is done when the operating system has taken it.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Generator, Iterator
from functools import partial
from os import PathLike
from ssl import SSLContext
from typing import Any, Final, Self

from typing_extensions import Buffer

from .._debug.repr import show
from .._engine.promise import Promise
from .._platform.errors import AbortError, as_exception
from .._platform.idl import INTERNAL, refuse_constructor
from .._streams.readable.stream import ReadableStream
from .._streams.writable.stream import WritableStream
from ._sockets.link import Link
from ._sockets.listening import Listener, close_all, connected_to, open_tcp, open_unix
from ._sockets.options import (
    Limits,
    checked_socket_path,
    is_abstract,
    require_host,
    require_integer,
    require_local_address,
    require_server_name,
)

__all__ = ["Connection", "ConnectionServer", "connect_tcp", "connect_unix", "serve_tcp", "serve_unix"]

Path = str | PathLike[str]
Handler = Callable[["Connection"], Awaitable[object]]

# More connections than any process can have, and the longest queue that `listen()` takes.
MANY: Final = 10**9
MOST_BACKLOG: Final = 2**31 - 1


class Connection:
    """A connected socket: a byte stream to read, and a stream to write bytes-like objects to.

    It comes from `connect_tcp`, `connect_unix`, `serve_tcp` or `serve_unix`, and is something to ``pipe_through()``.

    - A default read gets at most 64 KiB, a BYOB read what fits into its memory. Less than 192 KiB are read ahead (with
      TLS, which decrypts all that has come, less than 1 MB).
    - Closing `writable` tells the peer that no more comes (half-close); `readable` goes on. TLS in asyncio cannot do
      that: there the peer is told when `readable` has ended or was cancelled, too, or by `close`.
    - When both are over, the socket is closed, at once. When the peer is gone, both fail with the same `OSError`. That
      the peer hangs up without the goodbye of TLS is an `ssl.SSLEOFError`, after all that came: more may be missing.
    - Aborting `writable` resets the connection: the peer's reads fail, and so do those of `readable`, with the reason.
      A Unix socket cannot tell its peer of that: there the peer sees an end. Cancelling `readable` stops the reading,
      and `writable` goes on.

    ``async with connection:`` closes it at the end, and aborts it if the block raised. A pipe that is aborted or
    cancelled waits for the write that is under way, as the Standard has it; where the peer may never read, call
    `abort`.

    >>> async def shout(connection: Connection) -> None:
    ...     async with connection.writable.get_writer() as writer:
    ...         async for chunk in connection.readable:
    ...             await writer.write(chunk.upper())
    >>> async def main() -> None:
    ...     async with serve_tcp(shout, "127.0.0.1", 0) as server:
    ...         async with await connect_tcp(*server.sockets[0].getsockname()) as connection:
    ...             async with connection.writable.get_writer() as writer:
    ...                 await writer.write(b"hello")
    ...             print([chunk async for chunk in connection.readable])
    >>> asyncio.run(main())
    [b'HELLO']
    """

    __slots__ = ("__weakref__", "_link")

    def __init__(self, link: Any = None) -> None:
        if not isinstance(link, Link) or link.transport is None:
            raise TypeError("a Connection comes from connect_tcp(), connect_unix(), serve_tcp() or serve_unix()")
        self._link = link

    @property
    def readable(self) -> ReadableStream[bytes]:
        """What the peer sends, a byte stream."""
        return self._link.readable

    @property
    def writable(self) -> WritableStream[Buffer]:
        """What is sent to the peer: any bytes-like objects. Its high-water mark is 64 KiB."""
        return self._link.writable

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return asyncio's information: "peername", "sockname", "socket", "ssl_object", "peercert", "cipher", ..."""
        return self._link.get_extra_info(name, default)

    async def close(self) -> None:
        """Deliver what was written, end both streams, and wait until the socket is closed.

        A `writable` that is locked is not waited for: what its queue holds is dropped, and it fails with
        `ConnectionAbortedError`; so does a `readable` that is locked. Raises the `OSError` with which delivering fails.
        Cancelling the wait resets the connection. Closing twice does nothing.
        """
        link = self._link
        reason = ConnectionAbortedError(errno.ECONNABORTED, "the connection was closed on this side")
        try:
            if not (link.writable.locked or link.lost.done()):
                await _finish(link.writable)
            if not (link.readable.locked or link.lost.done()):
                link.readable.cancel(reason).add_done_callback(_look_at)
            link.close(reason)
            await link.lost
        except BaseException as error:
            link.reset(as_exception(error))
            raise

    def abort(self, reason: object = None) -> None:
        """Reset the connection now: what was not delivered yet is dropped, and open streams fail with `reason`."""
        self._link.reset(AbortError("the connection was aborted") if reason is None else reason)

    async def wait_closed(self) -> None:
        """Wait until the socket is closed, for whatever cause; raises nothing."""
        await self._link.lost

    async def __aenter__(self) -> Self:
        """Return the connection itself."""
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Close the connection, or abort it with the exception of the block."""
        if error is None:
            await self.close()
        else:
            self.abort(as_exception(error))
            await self._link.lost

    def __repr__(self) -> str:
        """Show the peer and both streams."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        link = self._link
        yield "closed" if link.lost.done() else repr(link.get_extra_info("peername"))
        yield f"readable={link.readable!r}"
        yield f"writable={link.writable!r}"


async def _finish(writable: WritableStream[Any]) -> None:
    """Close a stream that nobody has locked, or wait until it is closed; nothing to do if it is errored."""
    writer = writable.get_writer()
    try:
        if writer.desired_size is None:
            return
        try:
            await writer.close()
        except TypeError:  # somebody has begun that before
            await writer.closed
    finally:
        writer.closed.add_done_callback(_look_at)
        writer.release_lock()


def _look_at(promise: Any) -> None:
    promise.exception()


# Clients.


async def connect_tcp(
    host: str,
    port: int,
    *,
    ssl: SSLContext | bool | None = None,
    server_hostname: str | None = None,
    local_address: tuple[str, int] | None = None,
    handshake_timeout: float | None = None,
    shutdown_timeout: float | None = None,
    idle_timeout: float | None = None,
    write_timeout: float | None = None,
) -> Connection:
    """Connect to a TCP port; with `ssl`, speak TLS: an `ssl.SSLContext`, or True for the default one.

    `server_hostname` is the name to check the certificate against, by default `host`; `local_address` is where to
    connect from. The limits of time are those of `serve_tcp`.

    Raises the `OSError` of looking the name up or connecting, `ssl.SSLError` when the handshake fails, and `ValueError`
    or `TypeError` for arguments that make no sense. Cancelling it leaves no socket open.

    >>> async def greet(connection: Connection) -> None:
    ...     await ReadableStream.from_([b"hello"]).pipe_to(connection.writable)
    >>> async def main() -> None:
    ...     async with serve_tcp(greet, "127.0.0.1", 0) as server:
    ...         port = server.sockets[0].getsockname()[1]
    ...         async with await connect_tcp("127.0.0.1", port) as connection:
    ...             print([chunk async for chunk in connection.readable])
    >>> asyncio.run(main())
    [b'hello']
    """
    _check_port(port)
    _check_client_context(ssl)
    require_server_name(server_hostname, bool(ssl))
    require_local_address(local_address)
    require_host(host)
    limits = Limits(handshake_timeout, shutdown_timeout, idle_timeout, write_timeout)
    _, link = await asyncio.get_running_loop().create_connection(
        partial(Link, limits),
        host,
        port,
        server_hostname=server_hostname,
        local_addr=local_address,
        **limits.of_tls(ssl),
    )
    return Connection(link)


async def connect_unix(
    path: Path,
    *,
    ssl: SSLContext | bool | None = None,
    server_hostname: str | None = None,
    handshake_timeout: float | None = None,
    shutdown_timeout: float | None = None,
    idle_timeout: float | None = None,
    write_timeout: float | None = None,
) -> Connection:
    """Connect to a Unix socket; with `ssl`, speak TLS, and `server_hostname` is the name to check ("" for no check).

    The limits of time are those of `serve_tcp`. Raises what `connect_tcp` raises.

    >>> import tempfile
    >>> async def greet(connection: Connection) -> None:
    ...     await ReadableStream.from_([b"hello"]).pipe_to(connection.writable)
    >>> async def main() -> None:
    ...     with tempfile.TemporaryDirectory() as folder:
    ...         async with serve_unix(greet, f"{folder}/socket"):
    ...             async with await connect_unix(f"{folder}/socket") as connection:
    ...                 print([chunk async for chunk in connection.readable])
    >>> asyncio.run(main())
    [b'hello']
    """
    _check_client_context(ssl)
    require_server_name(server_hostname, bool(ssl))
    if ssl and server_hostname is None:
        raise ValueError("server_hostname is missing: a socket path cannot be checked against a certificate")
    limits = Limits(handshake_timeout, shutdown_timeout, idle_timeout, write_timeout)
    name = checked_socket_path(path)
    loop = asyncio.get_running_loop()
    try:
        # uvloop cannot connect to abstract names by itself.
        where: dict[str, Any] = {"sock": await connected_to(name)} if is_abstract(name) else {"path": name}
        _, link = await loop.create_unix_connection(
            partial(Link, limits), server_hostname=server_hostname, **where, **limits.of_tls(ssl)
        )
    except OSError as error:
        if error.filename is None:
            error.filename = name
        raise
    return Connection(link)


def _check_client_context(context: object) -> None:
    if context is not None and not isinstance(context, SSLContext | bool):
        raise TypeError(f"ssl must be an ssl.SSLContext, True or None, not {type(context).__name__}")


def _check_port(port: object) -> None:
    if not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"the port must be an integer, not {type(port).__name__}")
    if not 0 <= port <= 65535:
        raise ValueError(f"the port must be between 0 and 65535, not {port}")


# Servers.


class ConnectionServer:
    """Listens, and runs ``handler(connection)`` as a task for every connection; from `serve_tcp` and `serve_unix`.

    ``async with serve_tcp(...) as server:`` listens in the block; ``server = await serve_tcp(...)`` until `close`.
    Either end cancels the handlers that still run, resets their connections and waits for both.

    When a handler returns, its connection is closed after what was written. When it raises, the connection is reset,
    and the event loop's exception handler is told, unless it is the connection itself that failed.
    """

    def __init__(self, token: object = None, *setup: Any) -> None:
        if token is not INTERNAL:
            raise refuse_constructor("ConnectionServer", "serve_tcp() and serve_unix() return one")
        self._set_up(*setup)

    def _set_up(
        self,
        handler: Handler,
        listen: Callable[[], Awaitable[list[socket.socket]]],
        limits: Limits,
        tls: dict[str, Any],
        max_connections: int | None,
    ) -> None:
        if not callable(handler):
            raise TypeError(f"the handler must be a coroutine function, not {type(handler).__name__}")
        if max_connections is not None:
            require_integer("max_connections", max_connections, 1, MANY)
        self._handler = handler
        self._listen = listen
        self._limits = limits
        self._tls = tls
        self._max_connections = MANY if max_connections is None else max_connections
        self._listener: Listener | None = None
        self._tasks: dict[asyncio.Task[None], _Accepted] = {}
        self._is_starting = False
        self._is_closed = False
        self._closed: Promise[None] | None = None
        self._resolve_closed: Callable[[None], None]

    @property
    def sockets(self) -> tuple[Any, ...]:
        """The sockets that listen: ``server.sockets[0].getsockname()`` tells the port. Empty when closed."""
        return () if self._listener is None else self._listener.sockets

    @property
    def connections(self) -> int:
        """How many connections there are now, with those whose TLS handshake is under way."""
        return len(self._tasks)

    def __repr__(self) -> str:
        """Show where it listens, and how many connections there are."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        if self._listener is None:
            yield "not listening"
        else:
            yield f"{[each.getsockname() for each in self.sockets]}"
            yield f"connections={self.connections}"

    def __await__(self) -> Generator[Any, None, Self]:
        """Begin to listen; raises the `OSError` of that."""
        return self._start().__await__()

    async def _start(self) -> Self:
        if self._is_starting or self._is_closed or self._listener is not None:
            raise RuntimeError("the server has been started before")
        self._is_starting = True
        try:
            self._begin(await self._listen())
        finally:
            self._is_starting = False
        return self

    def _begin(self, sockets: list[socket.socket]) -> None:
        if self._is_closed:  # while the name of the host was looked up
            close_all(sockets)
            raise RuntimeError("the server was closed before it could listen")
        self._closed, self._resolve_closed, _ = Promise.with_resolvers()
        self._listener = Listener(sockets, self._accept)
        self._listener.resume()

    def _accept(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        accepted = _Accepted(sock)
        task = asyncio.get_running_loop().create_task(self._serve(accepted))
        if task.done():  # a task factory may have run it at once
            return
        self._tasks[task] = accepted
        task.add_done_callback(self._ended)
        if len(self._tasks) >= self._max_connections and self._listener is not None:
            self._listener.pause()

    def _ended(self, task: asyncio.Task[None]) -> None:
        accepted = self._tasks.pop(task)
        if not accepted.has_begun:  # the task was cancelled before it could begin
            accepted.sock.close()
        if self._listener is not None:
            self._listener.resume()
        self._close_if_over()

    async def _serve(self, accepted: _Accepted) -> None:
        accepted.has_begun = True
        try:
            link = await self._connect(accepted.sock)
        except OSError:
            return  # the handshake of TLS: nobody's mistake on this side
        accepted.link = link
        await self._handle(link)

    async def _connect(self, sock: socket.socket) -> Link:
        link = Link(self._limits)
        # Not what it returns: with TLS, that of uvloop is another protocol.
        await asyncio.get_running_loop().connect_accepted_socket(partial(_itself, link), sock, **self._tls)
        return link

    async def _handle(self, link: Link) -> None:
        connection = Connection(link)
        try:
            async with connection:
                result: object = self._handler(connection)
                if not isinstance(result, Awaitable):
                    raise TypeError(f"the handler must be a coroutine function; it returned {type(result).__name__}")
                await result
        except Exception as error:
            mistake = _mistake(error, link.ended_with if self._is_closed else link.failed_with)
            if mistake is not None:
                _report(mistake)

    async def wait_closed(self) -> None:
        """Wait until the server is closed and all handlers have ended: for ever, unless another task closes it."""
        if self._closed is not None:
            await self._closed

    async def close(self) -> None:
        """Stop listening, cancel the handlers that run, reset their connections, and wait for all that.

        A handler may call it, too: that one is neither cancelled nor waited for.
        """
        self._is_closed = True
        if self._listener is not None:
            self._listener.close()
        await self._end_connections()
        self._close_if_over()

    async def _end_connections(self) -> None:
        while others := self._tasks.keys() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
                link = self._tasks[task].link
                if link is not None:
                    link.reset(AbortError("the server was closed"))
            await asyncio.wait(others)

    def _close_if_over(self) -> None:
        if self._is_closed and self._closed is not None and not self._tasks:
            self._resolve_closed(None)

    async def __aenter__(self) -> Self:
        """Begin to listen, unless it does already."""
        return self if self._listener is not None else await self._start()

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Close the server."""
        await self.close()


def _report(error: Exception) -> None:
    asyncio.get_running_loop().call_exception_handler(
        {"message": "webstreams: the handler of a connection failed", "exception": error}
    )


def _mistake(error: Exception, is_expected: Callable[[Exception], bool]) -> Exception | None:
    """Return what is left of an exception, or of a group of them, without what is expected of a connection."""
    if not isinstance(error, ExceptionGroup):
        return None if is_expected(error) else error
    mistakes = [_mistake(each, is_expected) for each in error.exceptions]
    kept = [each for each in mistakes if each is not None]
    return error.derive(kept).with_traceback(error.__traceback__) if kept else None


def _itself(link: Link) -> Link:
    return link


class _Accepted:
    """A connection of a server, from the moment when it is accepted."""

    __slots__ = ("has_begun", "link", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.has_begun = False
        # None while the handshake of TLS is under way.
        self.link: Link | None = None


def serve_tcp(
    handler: Handler,
    host: str | None,
    port: int,
    *,
    ssl: SSLContext | None = None,
    backlog: int = 100,
    max_connections: int | None = None,
    handshake_timeout: float | None = None,
    shutdown_timeout: float | None = None,
    idle_timeout: float | None = None,
    write_timeout: float | None = None,
) -> ConnectionServer:
    """Listen on a TCP port and run ``await handler(connection)`` for every connection; with `ssl`, speak TLS.

    `host` is the address to listen on (None: all of them); with the port 0, the system chooses one. Use the result as
    ``async with serve_tcp(...) as server:``, or ``await`` it and `ConnectionServer.close` it; either raises the
    `OSError` of listening. Its limits:

    - `max_connections`: while there are so many, no more are accepted; they wait in the system's queue, which has room
      for `backlog` of them. None: as many as come.
    - `handshake_timeout` and `shutdown_timeout`: how long the handshake of TLS, and its goodbye, may take (seconds).
      None: 60 and 30 seconds.
    - `idle_timeout`: how long a read may wait for a peer that sends nothing, while nothing is written either (seconds).
      A handler that is busy with something else is not idle.
    - `write_timeout`: how long a write may wait for a peer that takes nothing (seconds; up to twice as long is waited).
      A peer that is just slow is waited for.

    A connection that is idle or takes nothing for longer is reset: reads and writes raise `TimeoutError`, which is not
    reported as a failure of the handler.

    Raises `ValueError` or `TypeError` for arguments that make no sense.

    >>> async def echo(connection: Connection) -> None:
    ...     await connection.readable.pipe_to(connection.writable)
    >>> async def main() -> None:
    ...     async with serve_tcp(echo, "127.0.0.1", 0, max_connections=1000, idle_timeout=30) as server:
    ...         port = server.sockets[0].getsockname()[1]
    ...         connection = await connect_tcp("127.0.0.1", port)
    ...         echoed = ReadableStream.from_([b"one"]).pipe_through(connection)
    ...         print([chunk async for chunk in echoed])
    >>> asyncio.run(main())
    [b'one']
    """
    if host is not None:
        require_host(host)
    _check_port(port)
    require_integer("backlog", backlog, 0, MOST_BACKLOG)
    limits = Limits(handshake_timeout, shutdown_timeout, idle_timeout, write_timeout)
    tls = limits.of_tls(_check_context(ssl))
    return ConnectionServer(INTERNAL, handler, partial(open_tcp, host, port, backlog), limits, tls, max_connections)


def serve_unix(
    handler: Handler,
    path: Path,
    *,
    ssl: SSLContext | None = None,
    backlog: int = 100,
    mode: int | None = None,
    max_connections: int | None = None,
    handshake_timeout: float | None = None,
    shutdown_timeout: float | None = None,
    idle_timeout: float | None = None,
    write_timeout: float | None = None,
) -> ConnectionServer:
    """Listen on a Unix socket and run ``await handler(connection)`` for every connection; with `ssl`, speak TLS.

    As `serve_tcp`, and: a socket that a dead server left at `path` is replaced; where a living one listens, starting
    raises `OSError` (``errno.EADDRINUSE``). Closing the server removes its socket, and no other. `mode` is what the
    file's permissions are before anybody can connect (``0o600``: only our own user may); None leaves them to the umask.

    >>> import tempfile
    >>> async def echo(connection: Connection) -> None:
    ...     await connection.readable.pipe_to(connection.writable)
    >>> async def main() -> None:
    ...     with tempfile.TemporaryDirectory() as folder:
    ...         async with serve_unix(echo, f"{folder}/socket", mode=0o600):
    ...             connection = await connect_unix(f"{folder}/socket")
    ...             echoed = ReadableStream.from_([b"one"]).pipe_through(connection)
    ...             print([chunk async for chunk in echoed])
    >>> asyncio.run(main())
    [b'one']
    """
    name = checked_socket_path(path)
    if mode is not None:
        require_integer("mode", mode, 0, 0o777)
        if is_abstract(name):
            raise ValueError("mode is for a socket in the file system: an abstract one has no permissions")
    require_integer("backlog", backlog, 0, MOST_BACKLOG)
    limits = Limits(handshake_timeout, shutdown_timeout, idle_timeout, write_timeout)
    tls = limits.of_tls(_check_context(ssl))
    return ConnectionServer(INTERNAL, handler, partial(_listen_unix, name, mode, backlog), limits, tls, max_connections)


async def _listen_unix(path: str, mode: int | None, backlog: int) -> list[socket.socket]:
    return [open_unix(path, mode, backlog)]


def _check_context(context: object) -> SSLContext | None:
    if context is not None and not isinstance(context, SSLContext):
        raise TypeError(f"ssl must be an ssl.SSLContext with a certificate, or None, not {type(context).__name__}")
    return context
