"""Rows of the network: connections, asyncio's streams, anyio's, HTTP clients and ASGI servers, with real peers."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable
from typing import Any

import anyio
import uvicorn

from tests.ends.sockets import contexts
from tests.ends.web import SESSIONS, QuietServer, client_of
from webstreams import ReadableStream, TransformStream, WritableStream, connect_tcp, connect_unix, finished
from webstreams.ends import (
    Connection,
    as_byte_stream,
    asgi_request_body,
    asgi_response,
    from_byte_stream,
    from_object_stream,
    from_response,
    from_stream_reader,
    to_byte_stream,
    to_object_stream,
    to_request_body,
    to_stream_writer,
)

from .peers import Getting, Giver, HttpTaker, Kind, Peer, Posting, Responding, Taker, listen
from .rows import BYTES, STATES, Drill, State, sink, source

TLS: dict[str, Any] = {"ssl": contexts()[1], "server_hostname": "localhost"}
TLS_OF_ANYIO: dict[str, Any] = {"ssl_context": contexts()[1], "tls_hostname": "localhost"}
KINDS: tuple[Kind, ...] = ("tcp", "unix", "tls")
ENCRYPTED: tuple[Kind, ...] = ("tcp", "tls")


async def connect(kind: Kind, peer: Peer) -> Connection:
    if kind == "unix":
        return await connect_unix(peer.address)
    return await connect_tcp(*peer.address, **(TLS if kind == "tls" else {}))


async def connect_by_anyio(kind: Kind, peer: Peer) -> Any:
    return await anyio.connect_tcp(*peer.address, **(TLS_OF_ANYIO if kind == "tls" else {}))


# Connections.


def add_connections(kind: Kind) -> None:
    @sink(f"connection, {kind}", threads=1)
    async def to_connection(drill: Drill) -> WritableStream[Any]:
        return (await connect(kind, Taker(drill, kind))).writable

    @source(f"connection, {kind}", threads=1)
    async def from_connection(drill: Drill) -> ReadableStream[Any]:
        return (await connect(kind, Giver(drill, kind))).readable


def add_connections_of_anyio(kind: Kind) -> None:
    @sink(f"to_byte_stream, {kind}", threads=1)
    async def to_anyio(drill: Drill) -> WritableStream[Any]:
        return to_byte_stream(await connect_by_anyio(kind, Taker(drill, kind)))

    @source(f"from_byte_stream, {kind}", threads=1)
    async def from_anyio(drill: Drill) -> ReadableStream[Any]:
        return from_byte_stream(await connect_by_anyio(kind, Giver(drill, kind)))


for each in KINDS:
    add_connections(each)
for each in ENCRYPTED:
    add_connections_of_anyio(each)


@sink("to_stream_writer", threads=1)
async def to_writer(drill: Drill) -> WritableStream[Any]:
    _, writer = await asyncio.open_connection(*Taker(drill).address)
    return to_stream_writer(writer)


@source("from_stream_reader", threads=1)
async def from_reader(drill: Drill) -> ReadableStream[Any]:
    reader, writer = await asyncio.open_connection(*Giver(drill).address)
    return from_stream_reader(reader, on_cancel=lambda reason: writer.transport.abort())


@sink("to_byte_stream of as_byte_stream", threads=1)
async def through_anyio(drill: Drill) -> WritableStream[Any]:
    connection = await connect("tcp", Taker(drill))
    return to_byte_stream(as_byte_stream(writable=connection.writable))


@sink("to_object_stream")
async def to_items(drill: Drill) -> WritableStream[Any]:
    send, receive = anyio.create_memory_object_stream[Any](1 if drill.is_stalled else math.inf)
    drill.peers.callback(receive.close)
    return to_object_stream(send)


@source("from_object_stream", states=("stalled", "not begun"))
async def from_items(drill: Drill) -> ReadableStream[Any]:
    send, receive = anyio.create_memory_object_stream[Any](math.inf)
    drill.peers.callback(send.close)
    if not drill.is_stalled:
        send.send_nowait(BYTES)
    return from_object_stream(receive)


# Clients of HTTP.


async def receive(name: str, url: str) -> ReadableStream[Any]:
    """Get the body of a response; its client is kept by that alone."""
    session = SESSIONS[name][1]()
    if name == "aiohttp":
        response = await session.get(url)
        session.detach()
    else:
        response = await session.send(session.build_request("GET", url), stream=True)
    return from_response(response)


async def post(name: str, url: str, body: ReadableStream[Any]) -> None:
    """Send a body, as far as it goes."""
    with contextlib.suppress(Exception):
        async with client_of(name) as client:
            await client.post(url, to_request_body(body))


def url_of(peer: Peer) -> str:
    return f"http://127.0.0.1:{peer.address[1]}/"


def add_client(name: str) -> None:
    # httpx reads by asynchronous generators.
    @source(f"from_response, {name}", threads=1, has_generators=name != "aiohttp")
    async def response(drill: Drill) -> ReadableStream[Any]:
        return await receive(name, url_of(Responding(drill)))


def add_sending_client(name: str, states: tuple[State, ...]) -> None:
    @sink(f"to_request_body, {name}", states=states, threads=1)
    async def request(drill: Drill) -> WritableStream[Any]:
        transform: TransformStream[Any, Any] = TransformStream()
        task = asyncio.create_task(post(name, url_of(HttpTaker(drill)), transform.readable))
        drill.peers.callback(lambda: task)
        return transform.writable


for client in SESSIONS:
    add_client(client)
    # Closing a session of aiohttp leaves its connection open until the server has taken what was sent before, and the
    # loop may end first. The body of a request, which is all that is ours of it, knows neither the session nor its
    # transport: it cannot end them once something was sent.
    add_sending_client(client, ("not begun",) if client == "aiohttp" else STATES)


# ASGI.


class Application:
    """Gives away the stream of its one request, and returns when that has ended.

    uvicorn waits then for a client that does not take what was sent before: `connections` are broken off.
    """

    def __init__(self, make: Callable[[Any, Any], Any]) -> None:
        self.stream: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.connections: Any = ()
        self._make = make

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        stream = self._make(receive, send)
        self.stream.set_result(stream)
        try:
            await finished(stream)
        except Exception:
            pass  # the pipe tells
        finally:
            for each in self.connections:
                each.transport.abort()


async def served(drill: Drill, kind: type[Peer], make: Callable[[Any, Any], Any]) -> Any:
    """Have uvicorn serve an application, and a client that asks; return the stream of the application."""
    application = Application(make)
    config = uvicorn.Config(application, lifespan="off", log_config=None, access_log=False)
    config.load()
    server = QuietServer(config)
    if drill.is_stalled:
        application.connections = server.server_state.connections
    server.lifespan = config.lifespan_class(config)
    listener = listen(drill.folder)
    drill.peers.callback(listener.close)
    await server.startup(sockets=[listener])
    kind(drill, address=listener.getsockname())
    stream = await application.stream
    for each in server.servers:
        each.close()
    return stream


@source("asgi_request_body", threads=1)
async def request_body(drill: Drill) -> ReadableStream[Any]:
    stream: ReadableStream[Any] = await served(drill, Posting, lambda receive, send: asgi_request_body(receive))
    return stream


@sink("asgi_response", threads=1)
async def response(drill: Drill) -> WritableStream[Any]:
    stream: WritableStream[Any] = await served(
        drill, Getting, lambda receive, send: asgi_response(send, receive=receive)
    )
    return stream
