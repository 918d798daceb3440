"""anyio's streams and web streams, in both directions, with the real anyio."""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.text import TextReceiveStream

from tests.faults.helpers import failure, other_tasks, read_all, reason, soon, turns
from webstreams import ReadableStream, WritableStream
from webstreams.ends.object_streams import (
    as_byte_stream,
    as_object_stream,
    from_byte_stream,
    from_object_stream,
    to_byte_stream,
    to_object_stream,
)

from .web import nothing_left, settled, until

PIECE = 64 * 1024
NEITHER: list[Any] = [None, [], object()]


class Endless:
    """A source of numbers, which remembers why it was cancelled."""

    def __init__(self) -> None:
        self.given = 0
        self.cancelled: list[object] = []

    def pull(self, controller: Any) -> None:
        controller.enqueue(self.given)
        self.given += 1

    def cancel(self, reason: object) -> None:
        self.cancelled.append(reason)


class Recorder:
    """A sink."""

    def __init__(self) -> None:
        self.chunks: list[Any] = []
        self.ended: list[object] = []
        self.go = asyncio.Event()
        self.go.set()

    async def write(self, chunk: Any, controller: Any) -> None:
        await self.go.wait()
        self.chunks.append(chunk)

    def close(self) -> None:
        self.ended.append("closed")

    def abort(self, reason: object) -> None:
        self.ended.append(reason)


@pytest.fixture
async def sockets() -> AsyncIterator[tuple[anyio.abc.SocketStream, anyio.abc.SocketStream]]:
    """Both ends of a connection of anyio."""
    accepted: asyncio.Future[anyio.abc.SocketStream] = asyncio.get_running_loop().create_future()

    async def accept(stream: anyio.abc.SocketStream) -> None:
        accepted.set_result(stream)

    async with nothing_left():
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        serving = asyncio.create_task(listener.serve(accept))
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        client = await anyio.connect_tcp("127.0.0.1", port)
        yield client, await accepted
        serving.cancel()
        await asyncio.wait([serving])
        await listener.aclose()
        await client.aclose()
        await accepted.result().aclose()


# From anyio.


async def test_the_items_of_an_object_stream() -> None:
    send, receive = anyio.create_memory_object_stream[Any](math.inf)
    for item in (1, None, "x"):
        send.send_nowait(item)
    send.close()
    assert await read_all(from_object_stream(receive)) == [1, None, "x"]
    assert receive.statistics().open_receive_streams == 0


async def test_nothing_is_received_before_a_read() -> None:
    send, receive = anyio.create_memory_object_stream[int](math.inf)
    send.send_nowait(1)
    send.send_nowait(2)
    reader = from_object_stream(receive).get_reader()
    await turns()
    assert receive.statistics().current_buffer_used == 2
    assert (await reader.read()).value == 1
    await turns()
    assert receive.statistics().current_buffer_used == 1
    await reader.cancel()
    send.close()


async def test_cancelling_ends_the_waiting_and_closes_the_object_stream() -> None:
    send, receive = anyio.create_memory_object_stream[int](math.inf)
    reader = from_object_stream(receive).get_reader()
    waiting = reader.read()
    await turns()
    await soon(reader.cancel("enough"))
    assert (await waiting).done
    assert send.statistics().open_receive_streams == 0
    send.close()
    await until(lambda: not other_tasks())


async def test_a_cancelled_read_loses_no_item() -> None:
    send, receive = anyio.create_memory_object_stream[int](math.inf)
    reader = from_object_stream(receive).get_reader()
    received: list[Any] = []
    for number in range(200):
        waiting = asyncio.ensure_future(reader.read())
        await turns(number % 5)
        send.send_nowait(number)
        await turns(number % 4)
        waiting.cancel()
        await asyncio.wait([waiting])
        if not waiting.cancelled():
            received.append(waiting.result().value)
    while len(received) < 200:
        received.append((await soon(reader.read())).value)
    assert received == list(range(200))
    await reader.cancel()
    send.close()


async def test_the_error_of_an_object_stream() -> None:
    send, receive = anyio.create_memory_object_stream[int](math.inf)
    receive.close()
    send.close()
    assert isinstance(await failure(from_object_stream(receive).get_reader().read()), anyio.ClosedResourceError)


async def test_the_bytes_of_a_socket(sockets: tuple[anyio.abc.SocketStream, anyio.abc.SocketStream]) -> None:
    client, server = sockets
    body = os.urandom(500_000)
    sending = asyncio.ensure_future(ReadableStream.from_([body]).pipe_to(to_byte_stream(client)))
    chunks = await read_all(from_byte_stream(server))
    await soon(sending)
    assert b"".join(chunks) == body
    assert max(map(len, chunks)) <= PIECE
    await server.send(b"the other way is open")
    assert await client.receive() == b"the other way is open"


async def test_a_byob_read_of_a_byte_stream(sockets: tuple[anyio.abc.SocketStream, anyio.abc.SocketStream]) -> None:
    client, server = sockets
    await client.send(b"0123456789")
    reader = from_byte_stream(server).get_reader(mode="byob")
    memory = bytearray(4)
    assert bytes((await soon(reader.read(memory))).value or b"") == b"0123" == bytes(memory)
    assert bytes((await soon(reader.read(bytearray(6), min=6))).value or b"") == b"456789"
    await client.send_eof()
    result = await soon(reader.read(bytearray(6)))
    assert result.done and result.value is not None and result.value.nbytes == 0


async def test_a_socket_that_is_not_read_stops_the_source(
    sockets: tuple[anyio.abc.SocketStream, anyio.abc.SocketStream],
) -> None:
    client, server = sockets
    given = 0

    def pull(controller: Any) -> None:
        nonlocal given
        given += PIECE
        controller.enqueue(bytes(PIECE))

    # Before it has received once, the server of anyio reads without a limit.
    receiving = asyncio.ensure_future(server.receive())
    await turns()
    await client.send(b"hello")
    assert await receiving == b"hello"
    stream = to_byte_stream(client)
    pipe = ReadableStream({"pull": pull, "type": "bytes"}).pipe_to(stream)
    assert await settled(lambda: given) < 50_000_000  # what the system keeps
    await client.aclose()
    assert isinstance(await failure(pipe), (anyio.ClosedResourceError, anyio.BrokenResourceError))


async def test_what_cannot_be_received_from() -> None:
    for wrong in NEITHER:
        with pytest.raises(TypeError, match="receive"):
            from_object_stream(wrong)
        with pytest.raises(TypeError, match="receive"):
            from_byte_stream(wrong)


# To anyio.


async def test_sending_into_an_object_stream() -> None:
    send, receive = anyio.create_memory_object_stream[int]()
    pipe = ReadableStream.from_([1, 2]).pipe_to(to_object_stream(send))
    assert [await receive.receive(), await receive.receive()] == [1, 2]
    assert isinstance(await failure(receive.receive()), anyio.EndOfStream)
    await pipe
    receive.close()


async def test_an_object_stream_that_is_full_slows_the_stream_down() -> None:
    send, receive = anyio.create_memory_object_stream[int](2)
    source = Endless()
    pipe = ReadableStream(source).pipe_to(to_object_stream(send))
    await turns(30)
    assert source.given <= 5
    receive.close()
    error = await failure(pipe)
    assert isinstance(error, anyio.BrokenResourceError)
    assert source.cancelled == [error]
    send.close()


async def test_aborting_ends_a_send_that_waits() -> None:
    send, receive = anyio.create_memory_object_stream[int]()
    writer = to_object_stream(send).get_writer()
    writing = writer.write(1)
    await turns()
    await soon(writer.abort("enough"))
    assert await failure(writing)
    assert receive.statistics().open_send_streams == 0
    receive.close()
    await until(lambda: not other_tasks())


async def test_chunks_of_every_kind_of_buffer(sockets: tuple[anyio.abc.SocketStream, anyio.abc.SocketStream]) -> None:
    client, server = sockets
    writer = to_byte_stream(client).get_writer()
    await writer.write(bytearray(b"one"))
    await writer.write(b"")
    await writer.write(memoryview(b"t-w-o")[::2])
    assert await server.receive() == b"one"
    assert await server.receive() == b"two"
    assert isinstance(await failure(writer.write("text")), TypeError)  # type: ignore[arg-type]
    assert isinstance(await failure(server.receive()), anyio.BrokenResourceError)  # not all was sent


async def test_what_cannot_be_sent_to() -> None:
    for wrong in NEITHER:
        with pytest.raises(TypeError, match="send"):
            to_object_stream(wrong)
        with pytest.raises(TypeError, match="send"):
            to_byte_stream(wrong)


# As anyio's object streams.


async def test_receiving_from_a_stream() -> None:
    async with as_object_stream(ReadableStream.from_([1, 2, 3])) as stream:
        assert await stream.receive() == 1
        assert [item async for item in stream] == [2, 3]
        assert isinstance(await failure(stream.receive()), anyio.EndOfStream)
    assert isinstance(await failure(stream.receive()), anyio.ClosedResourceError)


async def test_closing_cancels_and_closes() -> None:
    source, sink = Endless(), Recorder()
    stream = as_object_stream(ReadableStream(source), WritableStream(sink))
    await stream.send("a")
    await stream.aclose()
    await stream.aclose()
    assert (sink.chunks, sink.ended, source.cancelled) == (["a"], ["closed"], [None])
    assert isinstance(await failure(stream.send("b")), anyio.ClosedResourceError)


async def test_closing_ends_a_receive_that_waits() -> None:
    stream = as_object_stream(ReadableStream())
    waiting = asyncio.ensure_future(stream.receive())
    await turns()
    await soon(stream.aclose())
    assert isinstance(await failure(waiting), anyio.ClosedResourceError)


async def test_a_cancelled_receive_loses_nothing() -> None:
    controllers: list[Any] = []
    stream = as_object_stream(ReadableStream({"start": controllers.append}))
    with anyio.move_on_after(0.005):
        await stream.receive()
    controllers[0].enqueue("late")
    assert await stream.receive() == "late"


async def test_sending_waits_while_the_stream_is_full() -> None:
    sink = Recorder()
    sink.go.clear()
    stream = as_object_stream(writable=WritableStream(sink, {"high_water_mark": 2}))
    await soon(stream.send(1))
    await soon(stream.send(2))
    with anyio.move_on_after(0.005) as scope:
        await stream.send(3)
    assert scope.cancelled_caught
    sink.go.set()
    await soon(stream.send(4))
    await soon(stream.send_eof())
    assert (sink.chunks, sink.ended) == ([1, 2, 4], ["closed"])
    assert isinstance(await failure(stream.send(5)), anyio.ClosedResourceError)
    await stream.aclose()


async def test_errors_break_the_stream() -> None:
    error = ValueError("bad")
    readable: list[Any] = []
    writable: list[Any] = []
    stream = as_object_stream(ReadableStream({"start": readable.append}), WritableStream({"start": writable.append}))
    await turns()
    readable[0].error(error)
    writable[0].error(error)
    for broken in (await failure(stream.receive()), await failure(stream.send(1)), await failure(stream.aclose())):
        assert isinstance(broken, anyio.BrokenResourceError)
        assert broken.__cause__ is error


async def test_a_cancelled_close_aborts() -> None:
    sink = Recorder()
    sink.go.clear()
    stream = as_object_stream(writable=WritableStream(sink))
    await stream.send(1)
    with anyio.move_on_after(0.005) as scope:
        await stream.aclose()
    assert scope.cancelled_caught
    sink.go.set()
    await until(lambda: bool(sink.ended))
    assert sink.ended[0] != "closed"


async def test_one_direction_only() -> None:
    with pytest.raises(TypeError, match="readable or a writable"):
        as_object_stream()
    assert isinstance(await failure(as_object_stream(ReadableStream()).send(1)), TypeError)
    assert isinstance(await failure(as_object_stream(writable=WritableStream()).receive()), TypeError)
    locked: ReadableStream[int] = ReadableStream()
    locked.get_reader()
    with pytest.raises(TypeError, match="locked"):
        as_object_stream(locked)


# As anyio's byte streams.


async def test_receiving_bytes() -> None:
    stream = as_byte_stream(ReadableStream.from_([b"0123456789", bytearray(), memoryview(b"ab")]))
    assert [await stream.receive(4), await stream.receive(), await stream.receive(1)] == [b"0123", b"456789", b"a"]
    assert [chunk async for chunk in stream] == [b"b"]
    with pytest.raises(ValueError, match="max_bytes"):
        await stream.receive(0)
    wrong = as_byte_stream(ReadableStream.from_(["text"]))
    assert isinstance(await failure(wrong.receive()), TypeError)


async def test_sending_bytes() -> None:
    sink = Recorder()
    stream = as_byte_stream(writable=WritableStream(sink))
    memory = bytearray(b"one")
    await stream.send(memory)
    memory[:] = b"two"
    assert isinstance(await failure(stream.send("text")), TypeError)  # type: ignore[arg-type]
    await stream.aclose()
    assert sink.chunks == [b"one"]


async def test_what_anyio_makes_of_them() -> None:
    """anyio's own wrappers take them."""
    bytes_stream: Any = as_byte_stream(ReadableStream.from_([b"one\ntw", b"o\n", b"\xc3\xa4"]))
    buffered = BufferedByteReceiveStream(bytes_stream)
    assert await buffered.receive_until(b"\n", 100) == b"one"
    assert await buffered.receive_exactly(4) == b"two\n"
    assert dict(buffered.extra_attributes) == {}
    assert [text async for text in TextReceiveStream(buffered)] == ["ä"]


async def test_there_and_back() -> None:
    pipe = as_object_stream(ReadableStream.from_(range(10)))
    assert await read_all(from_object_stream(pipe)) == list(range(10))
    sink = Recorder()
    stream = to_object_stream(as_object_stream(writable=WritableStream(sink)))
    await ReadableStream.from_(range(10)).pipe_to(stream)
    assert (sink.chunks, sink.ended) == (list(range(10)), ["closed"])


async def test_an_abort_goes_through() -> None:
    source, sink = Endless(), Recorder()
    stream = to_object_stream(as_object_stream(ReadableStream(source), WritableStream(sink)))
    await stream.abort("enough")
    assert await reason(stream.get_writer().closed) == "enough"
    assert (sink.ended, source.cancelled) == (["enough"], ["enough"])


WITHOUT_ANYIO = """
import asyncio, sys
from webstreams import ReadableStream
from webstreams.ends.object_streams import EndOfStream, as_object_stream

async def main():
    stream = as_object_stream(ReadableStream.from_([1]))
    print(await stream.receive())
    try:
        await stream.receive()
    except EndOfStream:
        print("end")
    print("anyio" in sys.modules)

asyncio.run(main())
"""


async def test_anyio_is_not_imported() -> None:
    command = [sys.executable, "-W", "error", "-c", WITHOUT_ANYIO]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("1\nend\nFalse\n", "")
