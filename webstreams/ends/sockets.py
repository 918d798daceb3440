"""TCP and Unix sockets, with or without TLS, as a pair of streams: `Connection`, and how to get one.

The socket is read only as the stream is: a consumer that stops reading stops the sender, and a BYOB read has the
operating system write into the reader's own memory. A write is done when the operating system has taken it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import suppress
from functools import partial
from os import PathLike
from ssl import SSLContext
from typing import Any, Self

from typing_extensions import Buffer

from .._debug.repr import show
from .._engine.promise import Promise
from .._platform.errors import AbortError, as_exception
from .._streams.readable.stream import ReadableStream
from .._streams.writable.stream import WritableStream
from ._sockets.link import Link

__all__ = ["Connection", "ConnectionServer", "connect_tcp", "connect_unix", "serve_tcp", "serve_unix"]

Path = str | PathLike[str]
Handler = Callable[["Connection"], Awaitable[object]]


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

    def __init__(self, link: Link) -> None:
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
        """Give what asyncio knows: "peername", "sockname", "socket", "ssl_object", "peercert", "cipher", ..."""
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
        """Give the connection itself."""
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
) -> Connection:
    """Connect to a TCP port; with `ssl`, speak TLS: an `ssl.SSLContext`, or True for the default one.

    `server_hostname` is the name to check the certificate against, by default `host`; `local_address` is where to
    connect from. Raises the `OSError` of looking the name up or connecting, `ssl.SSLError` when the handshake fails,
    and `ValueError` or `TypeError` for arguments that make no sense. Cancelling it leaves no socket open.

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
    if server_hostname is not None and not ssl:
        raise ValueError("server_hostname is for TLS: it needs ssl")
    loop = asyncio.get_running_loop()
    _, link = await loop.create_connection(
        Link, host, port, ssl=ssl or None, server_hostname=server_hostname, local_addr=local_address
    )
    return Connection(link)


async def connect_unix(
    path: Path, *, ssl: SSLContext | bool | None = None, server_hostname: str | None = None
) -> Connection:
    """Connect to a Unix socket; with `ssl`, speak TLS, and `server_hostname` is the name to check ("" for no check).

    Raises what `connect_tcp` raises.

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
    if server_hostname is not None and not ssl:
        raise ValueError("server_hostname is for TLS: it needs ssl")
    if ssl and server_hostname is None:
        raise ValueError("TLS over a Unix socket needs a server_hostname: the path is no name to check")
    loop = asyncio.get_running_loop()
    name, hostname = os.fspath(path), server_hostname
    try:
        _, link = await loop.create_unix_connection(Link, name, ssl=ssl or None, server_hostname=hostname)
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

    def __init__(self, handler: Handler, listen: Callable[[Callable[[], Link]], Awaitable[asyncio.Server]]) -> None:
        if not callable(handler):
            raise TypeError(f"the handler must be a coroutine function, not {type(handler).__name__}")
        self._handler = handler
        self._listen = listen
        self._server: asyncio.Server | None = None
        self._tasks: dict[asyncio.Task[None], Link] = {}
        self._is_closed = False
        self._closed: Promise[None] | None = None
        self._resolve_closed: Callable[[None], None]
        self._unlink: Callable[[], None] | None = None

    @property
    def sockets(self) -> tuple[Any, ...]:
        """The sockets that listen: ``server.sockets[0].getsockname()`` tells the port. Empty when closed."""
        return () if self._server is None else tuple(self._server.sockets)

    def __repr__(self) -> str:
        """Show where it listens."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield "not listening" if self._server is None else f"{[each.getsockname() for each in self.sockets]}"

    def __await__(self) -> Generator[Any, None, Self]:
        """Begin to listen; raises the `OSError` of that."""
        return self._start().__await__()

    async def _start(self) -> Self:
        if self._server is not None or self._is_closed:
            raise RuntimeError("the server has been started before")
        self._server = await self._listen(partial(Link, self._accept))
        self._closed, self._resolve_closed, _ = Promise.with_resolvers()
        self._unlink = _unlinking(self._server)
        try:
            await self._server.start_serving()
        except BaseException:  # cancelled, most likely
            self._is_closed = True
            self._stop_listening(self._server)
            raise
        return self

    def _accept(self, link: Link) -> None:
        if self._is_closed:  # the handshake of TLS was under way
            link.reset(AbortError("the server was closed"))
            return
        task = asyncio.get_running_loop().create_task(self._handle(link))
        if not task.done():  # a task factory may have run it at once
            self._tasks[task] = link
            task.add_done_callback(self._tasks.pop)

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
        """Wait until `close` is done: for ever, unless another task closes the server."""
        if self._closed is not None:
            await self._closed

    async def close(self) -> None:
        """Stop listening, cancel the handlers that run, reset their connections, and wait for all that."""
        self._is_closed = True
        if self._server is not None:
            try:
                await self._stop_accepting(self._server)
            finally:
                self._stop_listening(self._server)
        await self._end_connections()
        if self._closed is not None:
            self._resolve_closed(None)

    async def _stop_accepting(self, server: asyncio.Server) -> None:
        """asyncio would lose the socket, open, of a connection that it has just accepted when the server is closed."""
        loop = asyncio.get_running_loop()
        for sock in server.sockets:
            with suppress(NotImplementedError, RuntimeError):  # loops that do it in another way, and do not need this
                loop.remove_reader(sock.fileno())
        await asyncio.sleep(0)

    def _stop_listening(self, server: asyncio.Server) -> None:
        server.close()
        if self._unlink is not None:
            self._unlink()

    async def _end_connections(self) -> None:
        while self._tasks:
            for task, link in self._tasks.items():
                task.cancel()
                link.reset(AbortError("the server was closed"))  # a pipe waits for the write that is under way
            await asyncio.wait(self._tasks)

    async def __aenter__(self) -> Self:
        """Begin to listen, unless it does already."""
        return self if self._server is not None else await self._start()

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


def _unlinking(server: asyncio.Server) -> Callable[[], None] | None:
    """Give what removes the path of a Unix socket, unless another server has taken it meanwhile."""
    path = next((sock.getsockname() for sock in server.sockets), None)
    if not isinstance(path, str) or not path or path.startswith("\0"):
        return None
    with suppress(OSError):
        return partial(_unlink, path, _identity(path))
    return None


def _unlink(path: str, identity: tuple[int, int]) -> None:
    with suppress(OSError):
        if _identity(path) == identity:
            os.unlink(path)


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    if not stat.S_ISSOCK(status.st_mode):
        raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK), path)
    return status.st_dev, status.st_ino


def serve_tcp(
    handler: Handler, host: str | None, port: int, *, ssl: SSLContext | None = None, backlog: int = 100
) -> ConnectionServer:
    """Listen on a TCP port and run ``await handler(connection)`` for every connection; with `ssl`, speak TLS.

    `host` is the address to listen on (None: all of them); with the port 0, the system chooses one. `backlog` is how
    many connections may wait to be accepted. Use the result as ``async with serve_tcp(...) as server:``, or
    ``await`` it and `ConnectionServer.close` it; either raises the `OSError` of listening.

    Raises `ValueError` or `TypeError` for arguments that make no sense.

    >>> async def echo(connection: Connection) -> None:
    ...     await connection.readable.pipe_to(connection.writable)
    >>> async def main() -> None:
    ...     async with serve_tcp(echo, "127.0.0.1", 0) as server:
    ...         port = server.sockets[0].getsockname()[1]
    ...         connection = await connect_tcp("127.0.0.1", port)
    ...         echoed = ReadableStream.from_([b"one"]).pipe_through(connection)
    ...         print([chunk async for chunk in echoed])
    >>> asyncio.run(main())
    [b'one']
    """
    _check_port(port)
    return ConnectionServer(
        handler, partial(_listen_tcp, host=host, port=port, ssl=_check_context(ssl), backlog=backlog)
    )


def serve_unix(handler: Handler, path: Path, *, ssl: SSLContext | None = None, backlog: int = 100) -> ConnectionServer:
    """Listen on a Unix socket and run ``await handler(connection)`` for every connection; with `ssl`, speak TLS.

    As `serve_tcp`. A socket that a dead server left at `path` is replaced; closing the server removes it.

    >>> import tempfile
    >>> async def echo(connection: Connection) -> None:
    ...     await connection.readable.pipe_to(connection.writable)
    >>> async def main() -> None:
    ...     with tempfile.TemporaryDirectory() as folder:
    ...         async with serve_unix(echo, f"{folder}/socket"):
    ...             connection = await connect_unix(f"{folder}/socket")
    ...             echoed = ReadableStream.from_([b"one"]).pipe_through(connection)
    ...             print([chunk async for chunk in echoed])
    >>> asyncio.run(main())
    [b'one']
    """
    listen = partial(_listen_unix, path=os.fspath(path), ssl=_check_context(ssl), backlog=backlog)
    return ConnectionServer(handler, listen)


def _check_context(context: object) -> SSLContext | None:
    if context is not None and not isinstance(context, SSLContext):
        raise TypeError(f"ssl must be an ssl.SSLContext with a certificate, or None, not {type(context).__name__}")
    return context


# A server that is cancelled while it begins to serve would be lost, and go on listening: that comes later.


async def _listen_tcp(make: Callable[[], Link], **options: Any) -> asyncio.Server:
    return await asyncio.get_running_loop().create_server(make, start_serving=False, **options)


async def _listen_unix(make: Callable[[], Link], **options: Any) -> asyncio.Server:
    return await asyncio.get_running_loop().create_unix_server(make, start_serving=False, **options)
