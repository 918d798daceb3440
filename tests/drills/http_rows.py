"""Rows of HTTP: clients and ASGI servers, with real peers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import uvicorn

from tests.ends.web import SESSIONS, QuietServer, client_of
from webstreams import ReadableStream, TransformStream, WritableStream, finished
from webstreams.ends import asgi_request_body, asgi_response, from_response, to_request_body

from .peers import Getting, HttpTaker, Peer, Posting, Responding, listen
from .rows import STATES, Drill, State, sink, source

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
