"""Rows of the network: connections, asyncio's streams and anyio's, with real peers."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import anyio

from tests.ends.sockets import contexts
from webstreams import ReadableStream, WritableStream, connect_tcp, connect_unix
from webstreams.ends import (
    Connection,
    as_byte_stream,
    from_byte_stream,
    from_object_stream,
    from_stream_reader,
    to_byte_stream,
    to_object_stream,
    to_stream_writer,
)

from .peers import Giver, Kind, Peer, Taker
from .rows import BYTES, Drill, sink, source

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
