"""Bodies of ASGI requests and responses as streams, with uvicorn and with servers that are played."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import httpx
import pytest

from webstreams import ReadableStream, TransformStream
from webstreams.ends.asgi import asgi_request_body, asgi_response, send_response

from .web import SESSIONS, nothing_left, serve_asgi, settled, until, with_small_buffers

PIECE = 64 * 1024
MEGABYTE = 1_000_000
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPLOAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with nothing_left(), SESSIONS["httpx"][1]() as client:
        yield client


class Source:
    """An underlying source that gives for ever, or `chunks` chunks, or nothing; it knows how often it was asked."""

    def __init__(self, chunks: int = 1_000_000) -> None:
        self.left = chunks
        self.taken = 0
        self.digest = hashlib.sha256()
        self.cancelled = asyncio.Event()
        self.reason: Any = None
        self.stream: ReadableStream[bytes] = ReadableStream(self)

    def pull(self, controller: Any) -> None:
        if not self.left:
            return
        chunk = os.urandom(PIECE)
        self.digest.update(chunk)
        self.taken += len(chunk)
        self.left -= 1
        controller.enqueue(chunk)

    def cancel(self, reason: object) -> None:
        self.reason = reason
        self.cancelled.set()


class Finite(Source):
    def pull(self, controller: Any) -> None:
        super().pull(controller)
        if not self.left:
            controller.close()


class Application:
    """An ASGI application made of one function, which remembers how each call has ended."""

    def __init__(self, function: Callable[[Any, Any, Any], Awaitable[Any]]) -> None:
        self.function = function
        self.outcomes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            self.outcomes.append(await self.function(scope, receive, send))
        except BaseException as error:
            self.outcomes.append(error)
            raise


class Played:
    """A server that is played: what it will say, and what was sent to it."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)
        self.received = 0
        self.sent: list[dict[str, Any]] = []
        self.more = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        self.received += 1
        while not self.messages:
            self.more.clear()
            await self.more.wait()
        return self.messages.pop(0)

    def say(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self.more.set()

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


DISCONNECT = {"type": "http.disconnect"}
HTTP = {"type": "http", "method": "GET"}


def part(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    made = with_small_buffers(socket.socket())
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", httpx.URL(url).port))
    return await asyncio.open_connection(sock=made, limit=PIECE)


async def read_all(stream: ReadableStream[bytes]) -> bytes:
    return b"".join([chunk async for chunk in stream])


# Requests, with uvicorn.


async def digest_of_body(scope: Any, receive: Any, send: Any) -> None:
    digest = hashlib.sha256()
    async for chunk in asgi_request_body(receive):
        assert 0 < len(chunk) <= PIECE
        digest.update(chunk)
    await send_response(scope, receive, send, ReadableStream.from_([digest.hexdigest().encode()]))


async def test_a_request_body_is_a_byte_stream(client: httpx.AsyncClient) -> None:
    body = os.urandom(3 * MEGABYTE)
    async with serve_asgi(digest_of_body) as url:
        assert (await client.post(url, content=body)).text == hashlib.sha256(body).hexdigest()
        assert (await client.get(url)).text == hashlib.sha256(b"").hexdigest()


async def test_an_application_that_does_not_read_stops_the_client(client: httpx.AsyncClient) -> None:
    finish = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> int:
        reader = asgi_request_body(receive).get_reader()
        first = await reader.read()
        await finish.wait()
        await reader.cancel()
        await send_response(scope, receive, send, ReadableStream.from_([b"enough"]), status=413)
        return len(first.value or b"")

    source = Source()
    watched = Application(application)
    async with serve_asgi(watched) as url:
        sending = asyncio.create_task(client.post(url, content=source.stream.values()))
        await until(lambda: source.taken)
        assert await settled(lambda: source.taken) < MEGABYTE
        finish.set()
        await until(lambda: watched.outcomes)
        sending.cancel()
        await asyncio.wait([sending])
        del sending
    assert watched.outcomes[0] > 0


async def test_a_client_that_leaves_in_the_middle_of_its_request(reported: list[Any]) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> Any:
        reader = asgi_request_body(receive).get_reader()
        got = 0
        while True:
            try:
                got += len((await reader.read()).value or b"")
            except ConnectionResetError as error:
                return got, str(error)

    watched = Application(application)
    async with nothing_left(), serve_asgi(watched) as url:
        _, writer = await connect(url)
        writer.write(UPLOAD + bytes(1000))
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.close()
        await until(lambda: watched.outcomes)
    assert watched.outcomes == [(1000, "[Errno 104] the client has left")]
    assert reported == []


# Responses, with uvicorn.


async def test_a_stream_is_the_response(client: httpx.AsyncClient) -> None:
    sources: list[Source] = []

    async def application(scope: Any, receive: Any, send: Any) -> bool:
        sources.append(Finite(50))
        headers = {"Content-Type": "text/plain", "X-Name": "grüße"}
        return await send_response(scope, receive, send, sources[-1].stream, status=203, headers=headers)

    watched = Application(application)
    async with serve_asgi(watched) as url:
        for _ in range(2):
            response = await client.get(url)
            assert response.status_code == 203
            assert response.headers["content-type"] == "text/plain"
            assert response.headers.raw[-2] == (b"x-name", "grüße".encode("latin-1"))
            assert hashlib.sha256(response.content).digest() == sources[-1].digest.digest()
    assert watched.outcomes == [True, True]


async def test_a_head_request_cancels_the_stream(client: httpx.AsyncClient) -> None:
    source = Source()
    watched = Application(partial(_send, source))
    async with serve_asgi(watched) as url:
        response = await client.head(url)
        assert (response.status_code, response.content) == (200, b"")
    assert watched.outcomes == [True]
    assert source.cancelled.is_set() and source.taken <= PIECE


async def _send(source: Source, scope: Any, receive: Any, send: Any) -> bool:
    return await send_response(scope, receive, send, source.stream)


async def test_a_slow_client_stops_the_source_and_its_leaving_cancels_it(
    reported: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    source = Source()
    watched = Application(partial(_send, source))
    async with nothing_left(), serve_asgi(watched) as url:
        reader, writer = await connect(url)
        writer.write(REQUEST)
        await reader.readexactly(3 * PIECE)
        assert await settled(lambda: source.taken) < MEGABYTE
        writer.transport.abort()
        await source.cancelled.wait()
        await until(lambda: watched.outcomes)
    assert watched.outcomes == [False]
    assert isinstance(source.reason, ConnectionResetError)
    assert reported == []
    assert [each.message for each in caplog.records if each.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("chunks", [0, 1])
async def test_leaving_cancels_a_source_that_has_nothing_to_say(chunks: int) -> None:
    source = Source(chunks)
    watched = Application(partial(_send, source))
    async with nothing_left(), serve_asgi(watched) as url:
        reader, writer = await connect(url)
        writer.write(REQUEST)
        if chunks:
            await reader.readexactly(PIECE)
        await until(lambda: source.taken == chunks * PIECE)
        await asyncio.sleep(0.01)
        assert not source.cancelled.is_set()
        writer.close()
        await source.cancelled.wait()
        await until(lambda: watched.outcomes)
    assert watched.outcomes == [False]


@pytest.mark.parametrize("chunks", [0, 3])
async def test_an_error_of_the_stream_breaks_the_response_off(client: httpx.AsyncClient, chunks: int) -> None:
    class Failing(Source):
        def pull(self, controller: Any) -> None:
            if not self.left:
                raise OSError(5, "the disk is broken")
            super().pull(controller)

    async def application(scope: Any, receive: Any, send: Any) -> bool:
        return await send_response(scope, receive, send, Failing(chunks).stream)

    watched = Application(application)
    async with serve_asgi(watched) as url:
        if chunks:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(url)
        else:
            assert (await client.get(url)).status_code == 500
    assert [str(each) for each in watched.outcomes] == ["[Errno 5] the disk is broken"]


async def upper(scope: Any, receive: Any, send: Any) -> bool:
    shout: TransformStream[bytes, bytes] = TransformStream(
        {"transform": lambda chunk, controller: controller.enqueue(chunk.upper())}
    )
    return await send_response(scope, receive, send, asgi_request_body(receive).pipe_through(shout))


async def test_request_and_response_stream_at_the_same_time(client: httpx.AsyncClient) -> None:
    body = b"some text " * 200_000
    watched = Application(upper)
    async with serve_asgi(watched) as url:
        reader, writer = await connect(url)
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        got = b""
        while size := int(await reader.readline(), 16):
            got += await reader.readexactly(size)
            await reader.readline()
        writer.close()
    assert got == body.upper()
    assert watched.outcomes == [True]


async def test_leaving_ends_both_directions() -> None:
    watched = Application(upper)
    async with nothing_left(), serve_asgi(watched) as url:
        reader, writer = await connect(url)
        writer.write(UPLOAD + b"some text")
        await reader.readuntil(b"SOME TEXT")
        writer.transport.abort()
        await until(lambda: watched.outcomes)
    assert watched.outcomes == [False]


async def test_a_response_that_the_application_has_started_and_writes_by_hand(client: httpx.AsyncClient) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 201, "headers": []})
        async with asgi_response(send, receive=receive, status=None).get_writer() as writer:
            for chunk in (b"one ", b"", bytearray(b"two "), memoryview(b"three")):
                await writer.write(chunk)

    async with serve_asgi(application) as url:
        response = await client.get(url)
    assert (response.status_code, response.text) == (201, "one two three")


async def test_an_aborted_response_is_not_complete(client: httpx.AsyncClient) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        writer = asgi_response(send, receive=receive).get_writer()
        await writer.write(b"a part")
        await writer.abort("no more")

    async with serve_asgi(application) as url:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(url)


# With servers that are played.


async def test_messages_are_received_when_the_stream_is_read_only() -> None:
    server = Played(part(b"x" * 100_000), part(b""), part(b"y"), part(b"z", more=False))
    reader = asgi_request_body(server.receive).get_reader()
    await asyncio.sleep(0)
    assert server.received == 0
    assert [len((await reader.read()).value or b"") for _ in range(2)] == [PIECE, 100_000 - PIECE]
    assert server.received == 1
    assert [(await reader.read()).value for _ in range(2)] == [b"y", b"z"]
    assert (await reader.read()).done
    assert server.received == 4


async def test_a_byob_reader_reads_the_request() -> None:
    server = Played(part(b"abcdef"), part(b"gh", more=False))
    reader = asgi_request_body(server.receive).get_reader(mode="byob")
    got = []
    while not (result := await reader.read(bytearray(4), min=4)).done:
        got.append(bytes(result.value))
    assert got == [b"abcd", b"efgh"]


async def test_cancelling_ends_the_call_of_receive() -> None:
    async with nothing_left():
        server = Played()
        reader = asgi_request_body(server.receive).get_reader()
        reading = reader.read()
        await until(lambda: server.received)
        await reader.cancel()
        assert (await reading).done


async def test_an_exception_of_receive_is_raised_as_it_is() -> None:
    error = RuntimeError("the server is broken")

    async def receive() -> Any:
        raise error

    with pytest.raises(RuntimeError) as raised:
        await read_all(asgi_request_body(receive))
    assert raised.value is error
    with pytest.raises(RuntimeError) as raised:
        await send_response(HTTP, receive, Played().send, Source(0).stream)
    assert raised.value is error


async def test_a_body_has_one_stream_and_none_after_the_response_has_begun(reported: list[Any]) -> None:
    server = Played()
    asgi_request_body(server_receive := server.receive)
    with pytest.raises(RuntimeError, match="has a stream already"):
        asgi_request_body(server_receive)
    other = Played(part(b"thrown away"))
    response = asgi_response(other.send, receive=(other_receive := other.receive))
    await until(lambda: other.received == 2)
    with pytest.raises(RuntimeError, match="thrown away"):
        asgi_request_body(other_receive)
    await response.abort()
    assert reported == []


async def test_the_rest_of_a_cancelled_body_is_thrown_away_until_the_client_leaves() -> None:
    async with nothing_left():
        server = Played(part(b"one"), part(b"two"), part(b"three", more=False))
        receive = server.receive
        reader = asgi_request_body(receive).get_reader()
        assert (await reader.read()).value == b"one"
        source = Source(1)
        sending = asyncio.create_task(send_response(HTTP, receive, server.send, source.stream))
        await until(lambda: len(server.sent) == 2)
        assert server.received == 1
        await reader.cancel()
        await until(lambda: server.received == 4)
        server.say(DISCONNECT)
        assert await sending is False
        assert source.cancelled.is_set()


async def test_leaving_cuts_a_send_that_hangs() -> None:
    async with nothing_left():
        server = Played()
        hanging = asyncio.Event()

        async def send(message: Any) -> None:
            await server.send(message)
            if message.get("body"):
                hanging.set()
                await asyncio.Event().wait()

        source = Source()
        sending = asyncio.create_task(send_response(HTTP, server.receive, send, source.stream))
        await hanging.wait()
        server.say(DISCONNECT)
        assert await sending is False
        assert source.cancelled.is_set()


async def test_a_send_that_says_that_the_client_has_left() -> None:
    async with nothing_left():
        server, source = Played(), Source()

        async def send(message: Any) -> None:
            if message.get("body"):
                raise OSError("the client has left")

        assert await send_response(HTTP, server.receive, send, source.stream) is False
        assert isinstance(source.reason, OSError)


async def test_a_send_that_fails_otherwise() -> None:
    async with nothing_left():
        server, source = Played(), Source()

        async def send(message: Any) -> None:
            raise RuntimeError("this is no response")

        with pytest.raises(RuntimeError, match="this is no response"):
            await send_response(HTTP, server.receive, send, source.stream)
        assert source.cancelled.is_set()


async def test_cancelling_the_task_cancels_the_stream() -> None:
    async with nothing_left():
        server, source = Played(), Source(1)
        sending = asyncio.create_task(send_response(HTTP, server.receive, server.send, source.stream))
        await until(lambda: len(server.sent) == 2)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert source.cancelled.is_set()
        assert server.sent[-1]["more_body"] is True


async def test_nothing_is_sent_before_the_first_chunk() -> None:
    server = Played()
    response = asgi_response(server.send, headers=[("A", b"1"), (b"B", "2")])
    await asyncio.sleep(0)
    assert server.sent == []
    await response.close()
    assert server.sent == [
        {"type": "http.response.start", "status": 200, "headers": [(b"a", b"1"), (b"b", b"2")]},
        {"type": "http.response.body", "body": b"", "more_body": False},
    ]


async def test_a_receive_without_weak_references() -> None:
    class Receive:
        __slots__ = ()

        async def __call__(self) -> dict[str, Any]:
            return part(b"body", more=False)

    assert await read_all(asgi_request_body(Receive())) == b"body"


async def test_arguments_that_make_no_sense() -> None:
    server = Played()
    stream = ReadableStream.from_([b"body"])
    with pytest.raises(TypeError, match="receive must be"):
        asgi_request_body(server)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="send must be"):
        asgi_response(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="status must be an integer, not str"):
        asgi_response(server.send, status="200")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="status must be from 200 to 599"):
        asgi_response(server.send, status=100)
    with pytest.raises(TypeError, match="headers: names and values must be str or bytes"):
        asgi_response(server.send, headers={"Content-Length": 5})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="has a line end or a null character"):
        asgi_response(server.send, headers={"A": "1\r\nB: 2"})
    with pytest.raises(TypeError, match="needs a ReadableStream, not list"):
        await send_response(HTTP, server.receive, server.send, [b"body"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="scope must be that of an HTTP request"):
        await send_response({"type": "websocket"}, server.receive, server.send, stream)
    stream.get_reader()
    with pytest.raises(TypeError, match="it is locked"):
        await send_response(HTTP, server.receive, server.send, stream)
    assert server.sent == [] and server.received == 0
