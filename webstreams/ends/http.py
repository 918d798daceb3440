"""HTTP clients: the body of a response as a byte stream, and a stream as the body of a request.

httpx, httpx2 and aiohttp are recognised by what their objects can do; none of them is imported.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import Any, Protocol, Self
from weakref import finalize

from typing_extensions import Buffer

from .._debug.repr import show
from .._engine.door import ignored
from .._engine.jobs import current_jobs
from .._engine.promise import Promise
from .._platform.buffer import any_view
from .._platform.errors import LoopEndedError
from .._streams.checks import require_readable
from .._streams.readable.stream import ReadableStream
from ._chunks import PIECE, ChunkSource
from ._http.content_codings import decode, formats_of

__all__ = ["RequestBody", "from_response", "to_request_body"]


class HttpxResponse(Protocol):
    """What is needed of a response of httpx or httpx2."""

    @property
    def headers(self) -> Any: ...
    @property
    def is_stream_consumed(self) -> bool: ...
    def aiter_bytes(self) -> AsyncIterator[bytes]: ...
    def aiter_raw(self) -> AsyncIterator[bytes]: ...
    async def aclose(self) -> None: ...


class ReadsChunks(Protocol):
    """What is needed of the `content` of a response of aiohttp."""

    async def read(self, n: int = -1) -> bytes: ...


class AiohttpResponse(Protocol):
    """What is needed of a response of aiohttp."""

    @property
    def content(self) -> ReadsChunks: ...
    def close(self) -> None: ...
    def release(self) -> Any: ...


def from_response(response: HttpxResponse | AiohttpResponse, *, decoded: bool = True) -> ReadableStream[bytes]:
    """Make a byte stream of the body of a response that httpx, httpx2 or aiohttp has begun to receive.

    With httpx that is a response of ``client.stream(...)`` or ``client.send(request, stream=True)``, with aiohttp any
    response. The stream takes the body over: nothing else may read it.

    - A read gets at most 64 KiB, and the socket is read when the stream is: a slow reader slows the server down.
    - The end of the body gives the connection back to the client, before the reader sees the end.
    - ``cancel()`` closes the connection at once.
    - When the connection is lost or the body is not as long as its headers say, reading raises the exception of the
      client as it is (``httpx.RemoteProtocolError``, ``aiohttp.ClientPayloadError``), and the connection is closed.

    `decoded` tells whether the content coding (``Content-Encoding``) is undone. For httpx this is done here, in
    pieces, for gzip (all members of it), deflate, and br and zstd if their packages are installed (see
    `DecompressionStream`): a body that is corrupt, or ends inside its coding, raises `DataError` after all that could
    be decoded, and the connection is closed. What else httpx knows, it undoes itself, a whole chunk at a time.

    aiohttp undoes the coding itself, for a whole session, and does not say whether it has come to its end: a body that
    is cut inside its gzip, Brotli or zstd data, with headers that fit, ends like any other. Where that matters, make
    the session with ``ClientSession(auto_decompress=False)``, whose bodies come as they were sent, and pipe the stream
    through ``DecompressionStream("gzip", concatenated=True)``.

    Raises `TypeError` for any other object and for a response of a synchronous client, and `ValueError` for
    ``decoded=False`` with aiohttp and for an aiohttp response whose body was read already.

    >>> import asyncio, httpx
    >>> async def main() -> None:
    ...     transport = httpx.MockTransport(lambda request: httpx.Response(200, content=b"slow and steady"))
    ...     async with httpx.AsyncClient(transport=transport) as client:
    ...         async with client.stream("GET", "http://example.org/") as response:
    ...             async for chunk in from_response(response):
    ...                 print(chunk)
    >>> asyncio.run(main())
    b'slow and steady'
    """
    candidate: Any = response
    if hasattr(candidate, "aiter_raw") and hasattr(candidate, "aclose"):
        if not isinstance(getattr(candidate, "stream", candidate.aiter_raw), AsyncIterable):
            raise TypeError("the response of a synchronous client cannot be read in an event loop: use AsyncClient")
        return ReadableStream(_HttpxBody(candidate, _httpx_chunks(candidate, decoded)))
    content: Any = getattr(candidate, "content", None)
    if not all(hasattr(*each) for each in ((content, "read"), (candidate, "close"), (candidate, "release"))):
        raise TypeError(f"from_response() needs a response of httpx, httpx2 or aiohttp, not {type(candidate).__name__}")
    if not decoded:
        raise ValueError("aiohttp decodes for a whole session: make it with auto_decompress=False")
    if getattr(content, "total_bytes", 0) and content.at_eof():
        raise ValueError("the body of this response was read already: send the request again")
    return ReadableStream(_AiohttpBody(candidate))


def _httpx_chunks(response: Any, decoded: bool) -> AsyncIterator[bytes]:
    if not decoded:
        return response.aiter_raw()  # type: ignore[no-any-return]
    formats = formats_of(response.headers.get("content-encoding", ""))
    if formats is None or response.is_stream_consumed:
        return response.aiter_bytes()  # type: ignore[no-any-return]
    return decode(response.aiter_raw(), formats)


class _Body(ChunkSource):
    """The underlying source over a response."""

    stage_name = "from_response()"

    def __init__(self, response: HttpxResponse | AiohttpResponse) -> None:
        super().__init__()
        # The clients keep a response that nobody closes, and its connection, for ever.
        self._finalize = finalize(self, _close_dropped, response, asyncio.get_running_loop())
        self._finalize.atexit = False

    async def release(self, *, early: bool) -> None:
        self._finalize.detach()


class _HttpxBody(_Body):
    """The underlying source over a response of httpx or httpx2."""

    def __init__(self, response: HttpxResponse, chunks: AsyncIterator[bytes]) -> None:
        super().__init__(response)
        self._response = response
        self._chunks: Any = chunks
        self._others = current_jobs().end.others
        self._others.add(self)

    async def next_chunk(self) -> bytes | None:
        return await anext(self._chunks, None)

    def _cut_off(self, error: LoopEndedError, is_late: bool) -> Promise[None] | None:
        """The event loop has ended. It closes the generators of the client while they are closed from here, too, and
        either may end both: close what is below them."""
        below = getattr(self._response, "extensions", {}).get("network_stream")
        if not is_late or below is None:
            return None
        return ignored(Promise.resolve(below.aclose()))

    async def release(self, *, early: bool) -> None:
        await super().release(early=early)
        if not early:
            self._others.discard(self)  # the connection is the client's again
        await self._response.aclose()
        if early and hasattr(self._chunks, "aclose"):
            await self._chunks.aclose()


class _AiohttpBody(_Body):
    """The underlying source over a response of aiohttp."""

    def __init__(self, response: AiohttpResponse) -> None:
        super().__init__(response)
        self._response = response
        self._lost = _loss_that_looks_like_the_end(response)

    async def next_chunk(self) -> bytes | None:
        data = await self._response.content.read(PIECE)
        if data:
            return data
        if self._lost is not None and self._lost.done():
            self._lost.result()
        return None

    async def release(self, *, early: bool) -> None:
        await super().release(early=early)
        if early:
            self._response.close()
        else:
            self._response.release()


def _loss_that_looks_like_the_end(response: Any) -> asyncio.Future[None] | None:
    """Return what is done when the connection of a response of aiohttp is lost, with its error if it was reset; None if
    its headers tell where the body ends: aiohttp tells of a loss before that."""
    headers = getattr(response, "headers", {})
    if "Content-Length" in headers or "Transfer-Encoding" in headers:
        return None
    lost = getattr(getattr(getattr(response, "connection", None), "protocol", None), "closed", None)
    if not isinstance(lost, asyncio.Future):
        return None
    lost.add_done_callback(_look_at)
    return lost


def _look_at(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()


def _close_dropped(response: Any, loop: asyncio.AbstractEventLoop) -> None:
    if getattr(response, "is_closed", False) or getattr(response, "closed", False) or loop.is_closed():
        return
    loop.call_soon_threadsafe(_close_soon, response)
    warnings.warn(
        f"the body of a {type(response).__name__} was dropped unread: cancel the stream", ResourceWarning, stacklevel=1
    )


def _close_soon(response: Any) -> None:
    if hasattr(response, "aclose"):
        Promise.resolve(response.aclose())
    else:
        response.close()


# Requests.


class RequestBody:
    """The chunks of a stream, for a client to send; made by `to_request_body`.

    It can be iterated over once. Leaving its ``async with`` block, or `aclose`, cancels the stream, unless it was
    sent to its end.

    >>> import asyncio
    >>> async def main() -> None:
    ...     async with to_request_body(ReadableStream.from_([b"slow ", bytearray(b"and"), b""])) as body:
    ...         print([chunk async for chunk in body])
    >>> asyncio.run(main())
    [b'slow ', b'and']
    """

    __slots__ = ("__weakref__", "_chunks", "_has_begun")

    def __init__(self, stream: ReadableStream[Buffer]) -> None:
        require_readable(stream, "to_request_body")
        self._chunks = stream.values()
        self._has_begun = False

    def __aiter__(self) -> Self:
        """Return the body itself; raises `RuntimeError` when a part of it was sent already."""
        if self._has_begun:
            raise RuntimeError("a stream can be sent once: make a new one for each attempt (a redirect, a retry)")
        return self

    async def __anext__(self) -> bytes:
        """Take the next chunk that is not empty; when that is cancelled, the stream is cancelled."""
        self._has_begun = True
        try:
            while True:
                chunk = await anext(self._chunks)
                data = chunk if isinstance(chunk, bytes) else any_view(chunk, "the chunk").tobytes()
                if data:
                    return data
        except (Exception, asyncio.CancelledError):
            self._chunks.aclose()
            raise

    def aclose(self) -> Promise[None]:
        """Cancel the stream, unless it was sent to its end; calling it again does nothing."""
        return self._chunks.aclose()

    async def __aenter__(self) -> Self:
        """Return the body itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cancel the stream, unless it was sent to its end."""
        await self.aclose()

    def __repr__(self) -> str:
        """Show the stream, and whether a part of it was sent."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield f"of {self._chunks!r}"
        if self._has_begun:
            yield "begun"


def to_request_body(stream: ReadableStream[Buffer]) -> RequestBody:
    """Make of a stream the body of a request: ``content=`` of httpx and httpx2, ``data=`` of aiohttp.

    The stream, of bytes-like chunks, is locked. It is read as fast as the client can send. The client sends it with
    ``Transfer-Encoding: chunked``, unless you set ``Content-Length``.

    The stream is cancelled when the request fails or is cancelled: at once if the client is just waiting for a chunk,
    else as soon as nobody refers to the body any more. ``async with to_request_body(stream) as body:`` cancels it at
    the end of the block in any case. An error of the stream ends the request: httpx raises it as it is, aiohttp as
    the ``__cause__`` of a ``ClientConnectionError``. Closing a session of aiohttp waits until the server has taken what
    was sent before, also after that: put a timeout around it if a server may stop taking.

    It can be sent once; a client that begins again, after a redirect for example, gets a `RuntimeError`. A chunk that
    is not bytes-like raises `TypeError`. Raises `TypeError` for anything but a readable stream, and when it is locked.

    >>> import asyncio, httpx
    >>> async def main() -> None:
    ...     async def answer(request: httpx.Request) -> httpx.Response:
    ...         return httpx.Response(200, content=await request.aread())
    ...     async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
    ...         stream = ReadableStream.from_([b"slow ", b"and ", b"steady"])
    ...         print((await client.post("http://example.org/", content=to_request_body(stream))).text)
    >>> asyncio.run(main())
    slow and steady
    """
    return RequestBody(stream)
