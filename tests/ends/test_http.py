"""Bodies of responses and requests as streams, with real clients and servers."""

from __future__ import annotations

import asyncio
import gc
import gzip
import hashlib
import os
import random
import sys
import zlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import brotli  # type: ignore[import-untyped]
import httpx
import httpx2
import pytest
from aiohttp import web
from typing_extensions import Buffer

from tests.grids import each_of
from webstreams import DataError, DecompressionStream, ReadableStream
from webstreams.ends._sockets.resetting import reset_when_closed
from webstreams.ends.http import from_response, to_request_body

from .web import SESSIONS, TRUSTS_NOBODY, Client, client_of, nothing_left, serve, serve_raw, settled, until

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE = 64 * 1024
MEGABYTE = 1_000_000
BROKEN: dict[str, type[Exception]] = {
    "httpx": httpx.RemoteProtocolError,
    "httpx2": httpx2.RemoteProtocolError,
    "aiohttp": aiohttp.ClientPayloadError,
}


@pytest.fixture(params=SESSIONS)
def name(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
async def client(name: str) -> AsyncIterator[Client]:
    async with nothing_left(), client_of(name) as client:
        yield client


def answer(body: bytes, **headers: str) -> Any:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, headers=headers)

    return handler


class Endless:
    """A handler that sends for ever, and knows how much and whether its client has left."""

    def __init__(self) -> None:
        self.sent = 0
        self.left = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(PIECE))
                self.sent += PIECE
        except ConnectionError:
            self.left.set()
        return response


class Silent:
    """A handler that sends one chunk and then waits until its client has left."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await reader.read()
        self.left.set()
        writer.close()


def raw_answer(*parts: bytes) -> Any:
    """A handler that sends these bytes and closes the connection."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.writelines(parts)
        await writer.drain()
        writer.close()

    return handler


async def read_all(stream: ReadableStream[bytes]) -> bytes:
    return b"".join([chunk async for chunk in stream])


# Responses.


async def test_the_whole_body_comes_in_pieces_and_frees_the_connection(client: Client) -> None:
    body = os.urandom(3 * MEGABYTE)
    async with serve(answer(body)) as url, client.get(url) as response:
        reader = from_response(response).get_reader()
        pieces = []
        while not (result := await reader.read()).done:
            assert client.busy() + client.idle() == 1
            pieces.append(result.value)
        assert client.busy() == 0 and client.idle() == 1
        assert b"".join(pieces) == body
        assert max(map(len, pieces)) <= PIECE


async def test_a_byob_reader_has_its_own_memory_filled(client: Client) -> None:
    body = os.urandom(300_000)
    async with serve(answer(body)) as url, client.get(url) as response:
        reader = from_response(response).get_reader(mode="byob")
        got = bytearray()
        while True:
            view, done = await reader.read(bytearray(1000), min=700)
            got += view or b""
            if done:
                break
            assert view is not None and (len(view) >= 700 or len(got) == len(body))
        assert got == body
        assert client.idle() == 1


@pytest.mark.parametrize("head", [b"204 No Content\r\n\r\n", b"200 OK\r\nContent-Length: 0\r\n\r\n"])
async def test_a_body_without_bytes(client: Client, head: bytes) -> None:
    async with serve_raw(raw_answer(b"HTTP/1.1 ", head)) as url, client.get(url) as response:
        assert await read_all(from_response(response)) == b""


async def test_the_content_coding_is_undone_in_pieces(client: Client) -> None:
    body = bytes(10 * MEGABYTE)
    async with serve(answer(gzip.compress(body), **{"Content-Encoding": "gzip"})) as url, client.get(url) as response:
        pieces = [chunk async for chunk in from_response(response)]
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) <= PIECE


async def test_the_content_coding_is_left_as_it_is(client: Client, name: str) -> None:
    packed = gzip.compress(b"some text")
    async with serve(answer(packed, **{"Content-Encoding": "gzip"})) as url, client.get(url) as response:
        if name == "aiohttp":
            with pytest.raises(ValueError, match="auto_decompress=False"):
                from_response(response, decoded=False)
            return
        assert await read_all(from_response(response, decoded=False)) == packed


async def test_a_session_of_aiohttp_that_does_not_decode() -> None:
    packed = gzip.compress(b"some text")
    async with (
        nothing_left(),
        serve(answer(packed, **{"Content-Encoding": "gzip"})) as url,
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(url) as response,
    ):
        assert await read_all(from_response(response)) == packed


TEXT = random.Random(1).randbytes(100_000).hex().encode()
CODINGS = {
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT),
    "deflate": zlib.compress(TEXT),
    "br": bytes(brotli.compress(TEXT, quality=4)),
    "zstd": zstd.compress(TEXT),
    "identity": TEXT,
    "gzip, br": bytes(brotli.compress(gzip.compress(TEXT), quality=4)),
}


def coded(coding: str, body: bytes) -> Any:
    return answer(body, **{"Content-Encoding": coding})


@pytest.fixture(params=["httpx", "httpx2"])
def decoding_name(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
async def httpx_client(decoding_name: str) -> AsyncIterator[Client]:
    async with nothing_left(), client_of(decoding_name) as client:
        yield client


@pytest.mark.parametrize("coding", CODINGS)
async def test_every_coding_is_undone(httpx_client: Client, coding: str) -> None:
    async with serve(coded(coding, CODINGS[coding])) as url, httpx_client.get(url) as response:
        pieces = [chunk async for chunk in from_response(response)]
        assert httpx_client.busy() == 0 and httpx_client.idle() == 1
    assert b"".join(pieces) == TEXT
    assert max(map(len, pieces)) <= PIECE


@pytest.mark.parametrize("data", [zlib.compress(TEXT, wbits=-15), zlib.compress(b"a", wbits=-15)])
async def test_deflate_without_the_header_that_it_should_have(httpx_client: Client, data: bytes) -> None:
    """Many servers leave it out."""
    async with serve(coded("deflate", data)) as url, httpx_client.get(url) as response:
        assert await read_all(from_response(response)) == zlib.decompress(data, wbits=-15)


@each_of(missing=[2, 9, 30])
@each_of(coding=[each for each in CODINGS if each != "identity"])
async def test_a_body_cut_inside_its_coding_is_an_error(httpx_client: Client, coding: str, missing: int) -> None:
    """Its Content-Length fits, as when a proxy has stored half an answer: only the coding tells."""
    async with serve(coded(coding, CODINGS[coding][:-missing])) as url, httpx_client.get(url) as response:
        came = b""
        with pytest.raises(DataError, match="truncated"):
            async for chunk in from_response(response):
                came += chunk
        assert httpx_client.busy() == 0
    assert TEXT.startswith(came)


async def test_all_members_of_a_body_are_read(httpx_client: Client) -> None:
    body = gzip.compress(b"one ") + gzip.compress(b"two") + bytes(10)
    async with serve(coded("gzip", body)) as url, httpx_client.get(url) as response:
        assert await read_all(from_response(response)) == b"one two"


@pytest.mark.parametrize("coding", ["deflate", "br"])
async def test_something_behind_a_body_is_an_error(httpx_client: Client, coding: str) -> None:
    async with serve(coded(coding, CODINGS[coding] + b"junk")) as url, httpx_client.get(url) as response:
        with pytest.raises(DataError):
            await read_all(from_response(response))


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate"])
async def test_a_body_without_a_byte_is_complete(httpx_client: Client, coding: str) -> None:
    """Answers to HEAD, and of status 304, have the headers of the whole."""
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: 0\r\n\r\n" % coding.encode()
    async with serve_raw(raw_answer(head)) as url, httpx_client.get(url) as response:
        assert await read_all(from_response(response)) == b""


async def test_a_coding_that_nobody_knows_is_left_to_the_client(httpx_client: Client) -> None:
    async with serve(coded("private", b"as it is")) as url, httpx_client.get(url) as response:
        assert await read_all(from_response(response)) == b"as it is"


async def test_a_response_that_the_client_has_read_is_decoded_already(httpx_client: Client) -> None:
    async with serve(coded("gzip", CODINGS["gzip"])) as url:
        response = await httpx_client.session.get(url)
        assert await read_all(from_response(response)) == TEXT


async def test_cancelling_while_a_body_is_decoded(httpx_client: Client) -> None:
    async with serve(coded("gzip", gzip.compress(bytes(20 * MEGABYTE)))) as url, httpx_client.get(url) as response:
        reader = from_response(response).get_reader()
        await reader.read()
        await reader.cancel()
        assert httpx_client.busy() == 0


async def test_aiohttp_does_not_tell_where_a_coding_ends() -> None:
    """What the docstring says: this can be known only of a session that does not decode."""
    async with nothing_left(), serve(coded("gzip", CODINGS["gzip"][:-9])) as url:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            assert TEXT.startswith(await read_all(from_response(response)))
        async with aiohttp.ClientSession(auto_decompress=False) as session, session.get(url) as response:
            stream = from_response(response).pipe_through(DecompressionStream("gzip", concatenated=True))
            with pytest.raises(DataError, match="truncated"):
                await stream.bytes()


async def test_a_reader_that_stops_stops_the_server(client: Client) -> None:
    endless = Endless()
    async with serve(endless.handle) as url, client.get(url) as response:
        reader = from_response(response).get_reader()
        got = 0
        for _ in range(50):
            got += len((await reader.read()).value or b"")
        assert await settled(lambda: endless.sent) - got < MEGABYTE
        await reader.cancel()
        await endless.left.wait()


async def test_nothing_is_read_before_the_first_read(client: Client) -> None:
    endless = Endless()
    async with serve(endless.handle) as url, client.get(url) as response:
        stream = from_response(response)
        assert await settled(lambda: endless.sent) < MEGABYTE
        await stream.cancel()
        await endless.left.wait()


@pytest.mark.parametrize("reads", [0, 1, 2], ids=["unread", "idle", "while a read waits"])
async def test_cancel_closes_the_connection_at_once(client: Client, reads: int) -> None:
    silent = Silent()
    async with nothing_left(), serve_raw(silent) as url, client.get(url) as response:
        reader = from_response(response).get_reader()
        results = [reader.read() for _ in range(reads)]
        if reads:
            assert (await results[0]).value == b"hello"
        await reader.cancel("enough")
        assert client.busy() == client.idle() == 0
        await silent.left.wait()
        assert [(await each).done for each in results[1:]] == [True] * (reads > 1)


async def test_leaving_the_iteration_closes_the_connection(client: Client) -> None:
    silent = Silent()
    async with serve_raw(silent) as url, client.get(url) as response:
        async for chunk in from_response(response):
            assert chunk == b"hello"
            break
        await silent.left.wait()


async def test_a_cancelled_read_loses_nothing(client: Client) -> None:
    more = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        await more.wait()
        writer.write(b"world")
        writer.close()

    async with serve_raw(handler) as url, client.get(url) as response:
        reader = from_response(response).get_reader()
        assert (await reader.read()).value == b"hello"
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(), 0.005)
        more.set()
        assert (await reader.read()).value == b"world"
        assert (await reader.read()).done


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 100\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n64\r\n"],
    ids=["content-length", "chunked"],
)
async def test_a_lost_connection_is_the_error_of_the_client(
    client: Client, name: str, head: bytes, reported: list[Any]
) -> None:
    async with serve_raw(raw_answer(b"HTTP/1.1 200 OK\r\n", head, b"a part")) as url, client.get(url) as response:
        reader = from_response(response).get_reader()
        errors: list[Exception] = []
        got = b""
        while len(errors) < 3:
            try:
                got += (await reader.read()).value or b""
            except BROKEN[name] as error:
                errors.append(error)
        assert got in (b"a part", b"")
        assert errors[0] is errors[1] is errors[2]
        assert client.busy() == client.idle() == 0
    assert reported == []


async def test_a_reset_connection_is_no_end_of_a_body_without_a_length(client: Client, reported: list[Any]) -> None:
    """aiohttp itself gives the part for the whole."""
    has_come = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\na part")
        await has_come.wait()
        reset_when_closed(writer.get_extra_info("socket"))
        writer.close()

    async with serve_raw(handler) as url, client.get(url) as response:
        reader = from_response(response).get_reader()
        assert (await reader.read()).value == b"a part"
        has_come.set()
        with pytest.raises((httpx.ReadError, httpx2.ReadError, aiohttp.ClientConnectionError)):
            await reader.read()
    assert reported == []


async def test_a_body_that_is_not_of_its_content_coding(client: Client, name: str) -> None:
    wrong: type[Exception] = aiohttp.ClientPayloadError if name == "aiohttp" else DataError
    async with serve(answer(b"no gzip", **{"Content-Encoding": "gzip"})) as url, client.get(url) as response:
        with pytest.raises(wrong):
            await read_all(from_response(response))
        assert client.busy() == 0


async def test_a_stream_that_is_dropped_unread_closes_its_response(client: Client) -> None:
    silent = Silent()
    async with serve_raw(silent) as url:
        if isinstance(client.session, aiohttp.ClientSession):
            response: Any = await client.session.get(url)
        else:
            response = await client.session.send(client.session.build_request("GET", url), stream=True)
        stream = from_response(response)
        await asyncio.sleep(0)  # it has started
        with pytest.warns(ResourceWarning, match="was dropped unread"):
            del response, stream
            gc.collect()
        await silent.left.wait()
        await until(lambda: client.busy() == 0)


async def test_a_response_that_httpx_has_read_already() -> None:
    async with serve(answer(b"x" * 100_000)) as url, httpx.AsyncClient(verify=TRUSTS_NOBODY) as client:
        pieces = [chunk async for chunk in from_response(await client.get(url))]
    assert [len(piece) for piece in pieces] == [PIECE, 100_000 - PIECE]


async def test_responses_that_cannot_be_read() -> None:
    with pytest.raises(TypeError, match="needs a response of httpx, httpx2 or aiohttp, not str"):
        from_response("http://localhost/")  # type: ignore[arg-type]
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=b"body"))
    with httpx.Client(transport=transport) as client, pytest.raises(TypeError, match="synchronous client"):
        from_response(client.get("http://localhost/"))
    async with serve(answer(b"body")) as url, aiohttp.ClientSession() as session, session.get(url) as response:
        assert await response.read() == b"body"
        with pytest.raises(ValueError, match="read already"):
            from_response(response)


# Requests.


class Source:
    """An underlying source that counts what is taken from it."""

    def __init__(self, chunks: int = 1_000_000) -> None:
        self.left = chunks
        self.taken = 0
        self.digest = hashlib.sha256()
        self.cancelled = asyncio.Event()

    def pull(self, controller: Any) -> None:
        chunk = os.urandom(PIECE)
        self.digest.update(chunk)
        self.taken += len(chunk)
        self.left -= 1
        controller.enqueue(chunk)
        if not self.left:
            controller.close()

    def cancel(self, reason: object) -> None:
        self.cancelled.set()


async def digest_of_body(request: web.Request) -> web.StreamResponse:
    digest = hashlib.sha256()
    async for chunk in from_reader(request.content):
        digest.update(chunk)
    return web.Response(text=digest.hexdigest())


async def from_reader(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    while chunk := await content.readany():
        yield chunk


async def test_a_stream_is_sent_as_a_request_body(client: Client) -> None:
    source = Source(100)
    async with serve(digest_of_body) as url:
        answered = await client.post(url, to_request_body(ReadableStream(source)))
    assert answered.decode() == source.digest.hexdigest()


async def test_chunks_of_every_kind_of_buffer_and_empty_ones(client: Client) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"".join([chunk async for chunk in from_reader(request.content)]))

    chunks: list[Buffer] = [b"", b"a", bytearray(b"b"), b"", memoryview(b"c..d")[::3], b""]
    async with serve(echo) as url:
        assert await client.post(url, to_request_body(ReadableStream.from_(chunks))) == b"abcd"


async def test_a_response_is_sent_on_as_a_request(client: Client) -> None:
    body = os.urandom(2 * MEGABYTE)
    async with serve(answer(body)) as first, serve(digest_of_body) as second, client.get(first) as response:
        answered = await client.post(second, to_request_body(from_response(response)))
    assert answered.decode() == hashlib.sha256(body).hexdigest()


async def test_a_server_that_does_not_read_stops_the_source(client: Client) -> None:
    source = Source()

    async def unread(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await source.cancelled.wait()
        writer.close()

    async with nothing_left(), serve_raw(unread) as url:
        sending = asyncio.create_task(client.post(url, to_request_body(ReadableStream(source))))
        await until(lambda: source.taken)
        assert await settled(lambda: source.taken) < MEGABYTE
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        del sending
        gc.collect()
        await source.cancelled.wait()


async def test_a_server_that_hangs_up_cancels_the_source(client: Client) -> None:
    source = Source()

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(200_000)
        writer.transport.abort()

    async with nothing_left(), serve_raw(hang_up) as url:
        async with to_request_body(ReadableStream(source)) as body:
            with pytest.raises((httpx.NetworkError, httpx2.NetworkError, aiohttp.ClientError)):
                await client.post(url, body)
        assert source.cancelled.is_set()


async def test_a_request_that_is_cancelled_while_it_waits_cancels_the_source(client: Client) -> None:
    waiting, cancelled = asyncio.Event(), asyncio.Event()
    # Nothing is pulled before the client reads the body.
    stream: ReadableStream[bytes] = ReadableStream(
        {"pull": lambda controller: waiting.set(), "cancel": lambda reason: cancelled.set()}, {"high_water_mark": 0}
    )
    body = to_request_body(stream)
    async with serve(digest_of_body) as url:
        sending = asyncio.create_task(client.post(url, body))
        await waiting.wait()
        sending.cancel()
        await asyncio.wait([sending])
        await cancelled.wait()
        assert not stream.locked


async def test_an_error_of_the_stream_fails_the_request(client: Client, name: str, reported: list[Any]) -> None:
    class Broken:
        def __init__(self) -> None:
            self.error = OSError(28, "No space left on device")

        def pull(self, controller: Any) -> None:
            controller.enqueue(b"some")
            controller.error(self.error)

    source = Broken()
    async with serve(digest_of_body) as url:
        with pytest.raises((OSError, aiohttp.ClientError)) as raised:
            await client.post(url, to_request_body(ReadableStream(source)))
    assert source.error is (raised.value.__cause__ if name == "aiohttp" else raised.value)
    assert reported == []


async def test_a_chunk_that_is_no_buffer_fails_the_request_and_cancels_the_stream() -> None:
    cancelled = asyncio.Event()
    stream: ReadableStream[Any] = ReadableStream(
        {"pull": lambda controller: controller.enqueue("text"), "cancel": lambda reason: cancelled.set()}
    )
    async with serve(digest_of_body) as url, httpx.AsyncClient(verify=TRUSTS_NOBODY) as client:
        with pytest.raises(TypeError, match="must be a bytes-like object, not str: encode text first"):
            await client.post(url, content=to_request_body(stream))
    assert cancelled.is_set()


async def test_a_body_is_sent_once() -> None:
    async def redirect(request: web.Request) -> web.StreamResponse:
        await request.read()
        raise web.HTTPTemporaryRedirect("/again")

    async with (
        nothing_left(),
        serve(redirect) as url,
        httpx.AsyncClient(verify=TRUSTS_NOBODY, follow_redirects=True) as client,
    ):
        with pytest.raises(RuntimeError, match="sent once"):
            await client.post(url, content=to_request_body(ReadableStream.from_([b"body"])))


async def test_leaving_the_block_cancels_what_was_not_sent() -> None:
    source = Source()
    async with to_request_body(ReadableStream(source)) as body:
        assert len(await anext(body)) == PIECE
    assert source.cancelled.is_set()
    with pytest.raises(StopAsyncIteration):
        await anext(body)


async def test_streams_that_cannot_be_sent() -> None:
    with pytest.raises(TypeError, match="needs a ReadableStream, not bytes"):
        to_request_body(b"body")  # type: ignore[arg-type]
    stream = ReadableStream.from_([b"body"])
    stream.get_reader()
    with pytest.raises(TypeError, match="locked"):
        to_request_body(stream)
