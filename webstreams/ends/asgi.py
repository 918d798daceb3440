"""ASGI servers: the body of a request as a byte stream, and a stream as the body of a response."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from errno import ECONNRESET
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary, finalize, ref

from typing_extensions import Buffer

from .._platform.arguments import checked_integer
from .._streams.checks import require_readable
from .._streams.door import fail_sink
from .._streams.readable.stream import ReadableStream
from .._streams.writable.controller import WritableStreamDefaultController
from .._streams.writable.stream import WritableStream
from ._bytes import bytes_strategy, view_of
from ._chunks import ChunkSource

__all__ = ["asgi_request_body", "asgi_response", "send_response"]

Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
Send: TypeAlias = Callable[[Any], Awaitable[object]]
Headers: TypeAlias = "Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]"


# The name of a header: RFC 9110, 5.6.2.
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class _Request:
    """What has become of a request. The stream of its body and the watcher of its client take turns to receive.

    It does not know `receive`: it is the value of a weak dictionary with that as the key.
    """

    def __init__(self) -> None:
        # Why there will be no more messages, once the client has left or the server has failed.
        self.left: Exception | None = None
        # Somebody has asked for the body.
        self.has_reader = False
        # The body is at its end.
        self.is_complete = False
        # The body is thrown away.
        self.is_discarded = False
        # Nobody reads the body (any more).
        self.is_free = asyncio.Event()
        self.is_free.set()

    async def next_chunk(self, receive: Receive) -> bytes | None:
        """Receive a part of the body, None at its end; raises `left`."""
        if self.is_complete:
            return None
        message = await self._next_message(receive)
        self.is_complete = not message.get("more_body", False)
        return bytes(message.get("body", b""))

    async def watch(self, receive: Receive) -> Exception:
        """Wait until the client disconnects, and return `left`. Meanwhile a body that nobody reads is discarded."""
        await asyncio.sleep(0)  # so that whoever wants the body can say so
        while self.left is None:
            if not self.is_free.is_set():
                await self.is_free.wait()
                continue
            self.is_discarded = not self.has_reader
            with suppress(Exception):  # it is in `left`
                await self._next_message(receive)
        return self.left

    async def _next_message(self, receive: Receive) -> Mapping[str, Any]:
        try:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionResetError(ECONNRESET, "the client has left")
        except Exception as error:
            self.left = error
            self.is_free.set()
            raise
        return message


_requests: WeakKeyDictionary[Receive, _Request] = WeakKeyDictionary()


def _request_of(receive: Receive) -> _Request:
    """Return the request that `receive` belongs to."""
    if not callable(receive):
        raise TypeError(f"receive must be what the server gave to the application, not {receive!r}")
    try:
        return _requests.setdefault(receive, _Request())
    except TypeError:  # there are no weak references to it
        return _Request()


def asgi_request_body(receive: Receive) -> ReadableStream[bytes]:
    """Make a byte stream of the body of a request, from the `receive` that the server gave to the application.

    ``receive()`` is called when the stream is read and at no other time, so a slow reader slows the client down, as
    far as the server does it. A read gets at most 64 KiB. When the client leaves before the end, reading raises
    `ConnectionResetError`; an exception of ``receive()`` is raised as it is. ``cancel()`` ends the reading; what is
    done with the rest of the body is up to the server. It can go on at the same time as `asgi_response` and
    `send_response`, when those are given the same `receive`: cancel a body that you do not read to its end, or they
    do not notice that the client has left.

    Raises `TypeError` for what cannot be called, and `RuntimeError` when the body has a stream already, and when it is
    thrown away because a response with the same `receive` began before.

    >>> import asyncio
    >>> async def receive() -> dict[str, object]:  # stands for a server
    ...     return {"type": "http.request", "body": b"slow and steady", "more_body": False}
    >>> async def main() -> None:
    ...     async for chunk in asgi_request_body(receive):
    ...         print(chunk)
    >>> asyncio.run(main())
    b'slow and steady'
    """
    request = _request_of(receive)
    if request.has_reader:
        raise RuntimeError("the body of this request has a stream already")
    if request.is_discarded:
        raise RuntimeError("the response has begun, and the body of the request is thrown away")
    stream = ReadableStream(_BodySource(request, receive))
    request.has_reader = True
    request.is_free.clear()
    return stream


class _BodySource(ChunkSource):
    """The underlying source over ``receive()``."""

    stage_name = "asgi_request_body()"

    def __init__(self, request: _Request, receive: Receive) -> None:
        super().__init__()
        self._request = request
        self._receive = receive

    async def next_chunk(self) -> bytes | None:
        return await self._request.next_chunk(self._receive)

    async def release(self, *, early: bool) -> None:
        self._request.is_free.set()


def asgi_response(
    send: Send, *, receive: Receive | None = None, status: int | None = 200, headers: Headers = ()
) -> WritableStream[Buffer]:
    """Make a writable stream of the body of a response, from the `send` that the server gave to the application.

    `status` and `headers` are sent with the first chunk, or when the stream is closed: as long as nothing was
    written, the application can still send another response. With ``status=None`` it has sent
    ``http.response.start`` itself.

    The stream takes bytes-like chunks and asks for at most 64 KiB ahead; ``send()`` waits while the client is slow.
    Closing it completes the response. Aborting it sends nothing more: let the application raise or return after that,
    so that the server breaks the connection off and the client does not take the part for the whole.

    Most servers do not tell in ``send()`` that the client has left. With `receive` the stream is errored with
    `ConnectionResetError` as soon as the server tells, so that a pipe into it cancels its source. A request body that
    has no `asgi_request_body` by then is thrown away. An exception of ``send()`` errors the stream as it is.

    Raises `TypeError` and `ValueError` for a status or headers that cannot be sent.

    >>> import asyncio
    >>> async def send(message: dict[str, object]) -> None:  # stands for a server
    ...     print(message)
    >>> async def main() -> None:
    ...     response = asgi_response(send, headers={"Content-Type": "text/plain"})
    ...     await ReadableStream.from_([b"steady"]).pipe_to(response)
    >>> asyncio.run(main())
    {'type': 'http.response.start', 'status': 200, 'headers': [(b'content-type', b'text/plain')]}
    {'type': 'http.response.body', 'body': b'steady', 'more_body': True}
    {'type': 'http.response.body', 'body': b'', 'more_body': False}
    """
    return _writable(_ResponseSink(send, receive, _start_message(status, headers)))


async def send_response(
    scope: Mapping[str, Any],
    receive: Receive,
    send: Send,
    stream: ReadableStream[Buffer],
    *,
    status: int = 200,
    headers: Headers = (),
) -> bool:
    """Send a stream of bytes-like chunks as the response, with what the server gave to the application.

    True when the server has taken everything. False when the client left before: then the stream is cancelled at
    once, with a `ConnectionResetError` as the reason, even while the server waits for the client or the stream for its
    next chunk. For the answer to a HEAD request the stream is cancelled too, and head and status are sent.

    An error of the stream is raised. If it comes before the first chunk nothing was sent; else leave the application
    with it, so that the server breaks the connection off. Cancelling the task cancels the stream. `status` and
    `headers` are sent as by `asgi_response`, which also tells what becomes of the body of the request.

    Raises `TypeError` for a stream that is locked, and for arguments of a wrong type; `ValueError` for a scope that is
    not that of an HTTP request, and for a status or headers that cannot be sent.

    >>> import asyncio
    >>> async def application(scope, receive, send) -> None:
    ...     stream = ReadableStream.from_([b"slow ", b"and ", b"steady"])
    ...     await send_response(scope, receive, send, stream, headers={"Content-Type": "text/plain"})
    >>> async def receive() -> dict[str, object]:  # stands for a server whose client stays
    ...     return await asyncio.Future()
    >>> async def send(message: dict[str, object]) -> None:
    ...     print(message.get("body", message["type"]))
    >>> asyncio.run(application({"type": "http", "method": "GET"}, receive, send))
    http.response.start
    b'slow '
    b'and '
    b'steady'
    b''
    """
    require_readable(stream, "send_response")
    if stream.locked:
        raise TypeError("cannot send the stream: it is locked")
    method = _method_of(scope)
    sink = _ResponseSink(send, receive, _start_message(status, headers))
    if method == "HEAD":
        await stream.cancel()
        stream = ReadableStream.from_([])
    try:
        await stream.pipe_to(_writable(sink))
    except Exception as error:
        if error is not sink.request.left or not isinstance(error, OSError):
            raise
        return False
    return True


def _method_of(scope: Any) -> str:
    """Return the method of a request; raises `TypeError` and `ValueError` unless `scope` is that of an HTTP request."""
    if not isinstance(scope, Mapping):
        raise TypeError(f"scope must be the mapping that the server gave, not {type(scope).__name__}")
    kind, method = scope.get("type"), scope.get("method")
    if kind != "http" or not isinstance(method, str):
        raise ValueError(f"scope must be that of an HTTP request, not one with type {kind!r} and method {method!r}")
    return method


def _writable(sink: _ResponseSink) -> WritableStream[Buffer]:
    return WritableStream(sink, bytes_strategy())


class _ResponseSink:
    """The underlying sink over ``send()``."""

    stage_name = "asgi_response()"

    def __init__(self, send: Send, receive: Receive | None, start: dict[str, Any] | None) -> None:
        if not callable(send):
            raise TypeError(f"send must be what the server gave to the application, not {send!r}")
        self.request = _Request() if receive is None else _request_of(receive)
        self._send = send
        self._receive = receive
        self._start = start
        self._controller: WritableStreamDefaultController | None = None
        self._watching: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[Any] | None = None

    def start(self, controller: WritableStreamDefaultController) -> None:
        if self._receive is not None:
            self._controller = controller
            watching = _watch(self.request, self._receive, ref(self))
            self._watching = asyncio.create_task(watching)
            finalizer = finalize(self, _cancel_in_loop, self._watching, asyncio.get_running_loop())
            finalizer.atexit = False

    async def write(self, chunk: Buffer, controller: WritableStreamDefaultController) -> None:
        try:
            data = chunk if isinstance(chunk, bytes) else bytes(view_of(chunk))
        except TypeError:
            await self._stop_watching()
            raise
        if data:
            await self._send_all({"type": "http.response.body", "body": data, "more_body": True})

    async def close(self) -> None:
        await self._stop_watching()  # servers say that the client has left when the response is complete
        await self._send_all({"type": "http.response.body", "body": b"", "more_body": False})

    async def abort(self, reason: object) -> None:
        await self._stop_watching()

    async def _send_all(self, message: dict[str, Any]) -> None:
        """Send a message, after the one that starts the response."""
        self._writing = asyncio.current_task()
        try:
            if self._start is not None:
                start, self._start = self._start, None
                await self._send(start)
            await self._send(message)
        except (Exception, asyncio.CancelledError) as error:
            if self._watching is not None:
                self._watching.cancel()
            if isinstance(error, asyncio.CancelledError) and self.request.left is not None:
                raise self.request.left from None
            if isinstance(error, OSError):  # this is how a server tells that the client has left
                self.request.left = self.request.left or error
            raise
        finally:
            self._writing = None

    def client_has_left(self, left: Exception) -> None:
        """Error the stream, and cancel the ``send()`` that is under way."""
        if self._controller is not None:
            fail_sink(self._controller, left)
        if self._writing is not None:
            self._writing.cancel()

    async def _stop_watching(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])


async def _watch(request: _Request, receive: Receive, sink: ref[_ResponseSink]) -> None:
    """Error a response when its client has left; it does not keep the response alive."""
    left = await request.watch(receive)
    found = sink()
    if found is not None:
        found.client_has_left(left)


def _cancel_in_loop(task: asyncio.Task[None], loop: asyncio.AbstractEventLoop) -> None:
    """Cancel the watcher of a response that was dropped; in whatever thread the garbage is collected."""
    if not (task.done() or loop.is_closed()):
        loop.call_soon_threadsafe(task.cancel)


def _start_message(status: int | None, headers: Headers) -> dict[str, Any] | None:
    """Check and give ``http.response.start``."""
    if status is None:
        return None
    number = checked_integer(status, "status", 200, 599)
    fields = [(_header_name(name), _header_bytes(value)) for name, value in _pairs_of(headers)]
    return {"type": "http.response.start", "status": number, "headers": fields}


def _pairs_of(headers: Any) -> list[tuple[Any, Any]]:
    """Return the names and values of headers; raises `TypeError` unless they are a mapping or pairs."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    try:
        return [(name, value) for name, value in pairs]
    except (TypeError, ValueError):
        given = type(headers).__name__
        raise TypeError(f"headers must be a mapping, or pairs of names and values, not {given}") from None


def _header_name(text: object) -> bytes:
    name = _header_bytes(text).lower()
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"headers: {text!r} is not the name of a header")
    return name


def _header_bytes(text: object) -> bytes:
    if not isinstance(text, (str, bytes)):
        raise TypeError(f"headers: names and values must be str or bytes, not {type(text).__name__}")
    try:
        data = text.encode("latin-1") if isinstance(text, str) else text
    except UnicodeEncodeError:
        raise ValueError(f"headers: {text!r} has characters that are not in Latin-1") from None
    if any(each in data for each in (b"\r", b"\n", b"\0")):
        raise ValueError(f"headers: {text!r} has a line end or a null character")
    return data
