"""asyncio's streams and web streams, in both directions."""

from __future__ import annotations

import array
import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.faults.helpers import failure, read_all, soon, turns
from webstreams import AbortController, AbortError, ReadableStream, StreamError, WritableStream
from webstreams.ends.asyncio_streams import as_stream_reader, as_stream_writer, from_stream_reader, to_stream_writer

from .sockets import read_all as read_bytes
from .web import nothing_left, settled

PIECE = 64 * 1024

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Ends, Ends]]:
    """Give the streams of both ends of a connection."""
    accepted: asyncio.Future[Ends] = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result((reader, writer))

    async with nothing_left():
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        client = await asyncio.open_connection(*server.sockets[0].getsockname())
        other = await accepted
        try:
            yield client, other
        finally:
            server.close()
            for _, writer in client, other:
                writer.transport.abort()


class Endless:
    """A source that gives chunks for ever and counts the bytes."""

    type = "bytes"

    def __init__(self) -> None:
        self.given = 0
        self.cancelled: list[object] = []

    def pull(self, controller: Any) -> None:
        self.given += PIECE
        controller.enqueue(bytes(PIECE))

    def cancel(self, reason: object) -> None:
        self.cancelled.append(reason)


# From a StreamReader.


async def test_what_a_reader_gives() -> None:
    body = os.urandom(500_000)
    async with connected() as ((_, writer), (reader, _)):
        stream = from_stream_reader(reader)
        writer.write(body)
        writer.write_eof()
        chunks = await read_all(stream)
        assert b"".join(chunks) == body
        assert max(map(len, chunks)) <= PIECE


async def test_a_byob_read_of_a_reader() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"0123456789")
    byob = from_stream_reader(reader).get_reader(mode="byob")
    memory = bytearray(4)
    result = await byob.read(memory)
    assert memory == b"0123" and result.value is not None and result.value.obj is memory
    pending = byob.read(bytearray(9), min=7)
    await turns()
    reader.feed_data(b"ab")
    reader.feed_eof()
    assert bytes((await soon(pending)).value or b"") == b"456789ab"
    result = await soon(byob.read(bytearray(3)))
    assert result.done and result.value is not None and result.value.nbytes == 0


async def test_an_exception_of_a_reader() -> None:
    reader = asyncio.StreamReader()
    stream = from_stream_reader(reader).get_reader()
    waiting = stream.read()
    await turns()
    error = ConnectionResetError("gone")
    reader.set_exception(error)
    assert await failure(waiting) is error


async def test_nothing_is_taken_from_a_reader_before_a_read() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"abc")
    stream = from_stream_reader(reader)
    await turns()
    await stream.cancel()
    assert await reader.read(3) == b"abc"


@pytest.mark.parametrize("is_coroutine", [False, True])
async def test_cancelling_ends_the_read_and_tells(is_coroutine: bool) -> None:
    reader = asyncio.StreamReader()
    told: list[object] = []

    async def on_cancel(reason: object) -> None:
        await asyncio.sleep(0)
        told.append(reason)

    stream = from_stream_reader(reader, on_cancel=on_cancel if is_coroutine else told.append)
    stream_reader = stream.get_reader()
    waiting = stream_reader.read()
    await turns()
    await stream_reader.cancel("enough")
    assert (await waiting).done
    assert told == ["enough"]
    reader.feed_data(b"for somebody else")
    assert await soon(reader.read(3)) == b"for"


async def test_a_cancelled_read_of_a_reader_loses_nothing() -> None:
    reader = asyncio.StreamReader()
    stream = from_stream_reader(reader)
    received = b""
    with stream.get_reader() as stream_reader:
        for number in range(100):
            waiting = asyncio.ensure_future(stream_reader.read())
            await turns(number % 4)
            reader.feed_data(b"%d " % number)
            await turns(number % 3)
            waiting.cancel()
            await asyncio.wait([waiting])
            if not waiting.cancelled():
                received += waiting.result().value or b""
    reader.feed_eof()
    received += b"".join(await read_all(stream))
    assert received == b"".join(b"%d " % number for number in range(100))


@pytest.mark.parametrize("arguments", [("text",), (None,), (object(),)])
async def test_what_is_no_reader(arguments: Any) -> None:
    with pytest.raises(TypeError, match="StreamReader"):
        from_stream_reader(*arguments)
    with pytest.raises(TypeError, match="on_cancel"):
        from_stream_reader(asyncio.StreamReader(), on_cancel="function")  # type: ignore[arg-type]


# To a StreamWriter.


async def test_writing_to_a_writer() -> None:
    async with connected() as ((_, writer), (reader, _)):
        stream = to_stream_writer(writer)
        view = memoryview(b"v-i-e-w")[::2]
        chunks: list[Any] = [b"bytes", bytearray(b"array"), view, array.array("H", [0x4141]), b""]
        await ReadableStream.from_(chunks).pipe_to(stream)
        assert writer.is_closing()
        assert await soon(reader.read()) == b"bytesarrayviewAA"


async def test_a_writer_is_closed_by_halves() -> None:
    async with connected() as ((client_reader, writer), (reader, other)):
        stream = to_stream_writer(writer, half_close=True)
        await ReadableStream.from_([b"question"]).pipe_to(stream)
        assert await soon(reader.read()) == b"question"
        other.write(b"answer")
        other.close()
        assert await soon(client_reader.read()) == b"answer"


async def test_a_full_transport_slows_the_stream_down() -> None:
    source = Endless()
    async with connected() as ((_, writer), (reader, _)):
        stream = to_stream_writer(writer)
        pipe = ReadableStream(source).pipe_to(stream)
        given = await settled(lambda: source.given)
        await reader.readexactly(given - 1_000_000)
        assert await settled(lambda: source.given) > given
        writer.transport.abort()
        assert isinstance(await failure(pipe), (OSError, RuntimeError))  # uvloop's transport raises that
        assert len(source.cancelled) == 1


async def test_memory_that_was_written_to_a_writer_can_be_changed() -> None:
    async with connected() as ((_, writer), (reader, _)):
        stream = to_stream_writer(writer).get_writer()
        memory = bytearray(700_000)
        receiving = asyncio.ensure_future(reader.read(-1))
        for number in range(10):
            memory[:] = bytes([number]) * len(memory)
            await stream.write(memory)
        await stream.close()
        assert await soon(receiving) == b"".join(bytes([number]) * len(memory) for number in range(10))


async def test_aborting_does_not_wait_for_a_full_transport() -> None:
    async with connected() as ((_, writer), _):
        stream = to_stream_writer(writer).get_writer()
        writing = stream.write(bytes(20_000_000))
        await turns(20)
        assert not writing.done()
        await soon(stream.abort("enough"))
        assert await failure(writing)
        assert writer.is_closing()


async def test_a_chunk_that_is_no_bytes_ends_the_writer() -> None:
    async with connected() as ((_, writer), (reader, _)):
        stream = to_stream_writer(writer).get_writer()
        assert isinstance(await failure(stream.write("text")), TypeError)  # type: ignore[arg-type]
        assert writer.is_closing()
        assert isinstance(await failure(reader.read()), ConnectionResetError)


async def test_what_is_no_writer() -> None:
    with pytest.raises(TypeError, match="StreamWriter"):
        to_stream_writer(print)  # type: ignore[arg-type]
    cannot = as_stream_writer(WritableStream())
    cannot.transport.can_write_eof = lambda: False  # type: ignore[method-assign]
    with pytest.raises(TypeError, match="half_close"):
        to_stream_writer(cannot, half_close=True)
    cannot.close()
    await cannot.wait_closed()


# As a StreamReader.


async def test_a_stream_as_a_reader() -> None:
    reader = as_stream_reader(ReadableStream.from_([b"one\ntw", bytearray(b"o\nrest"), memoryview(b" and end")]))
    assert await reader.readline() == b"one\n"
    assert await reader.readuntil(b"\n") == b"two\n"
    assert await reader.readexactly(4) == b"rest"
    assert await reader.read() == b" and end"
    assert reader.at_eof()


async def test_a_reader_is_not_fed_more_than_it_wants() -> None:
    source = Endless()
    reader = as_stream_reader(ReadableStream(source), limit=1000)
    given = await settled(lambda: source.given)
    assert given <= 2 * PIECE
    for _ in range(10):
        await reader.readexactly(PIECE)
    assert await settled(lambda: source.given) <= given + 10 * PIECE


@pytest.mark.parametrize(("reason", "kind"), [(ValueError("bad"), ValueError), ("text", StreamError)])
async def test_the_error_of_a_stream_is_that_of_the_reader(reason: Any, kind: type[Exception]) -> None:
    controllers: list[Any] = []
    reader = as_stream_reader(ReadableStream({"start": controllers.append}))
    waiting = asyncio.ensure_future(reader.read(10))
    await turns()
    controllers[0].error(reason)
    error = await failure(waiting)
    assert isinstance(error, kind) and (error is reason or error.reason == reason)  # type: ignore[attr-defined]


async def test_a_chunk_that_is_no_bytes_fails_the_reader() -> None:
    cancelled: list[object] = []
    stream = ReadableStream({"start": lambda controller: controller.enqueue("text"), "cancel": cancelled.append})
    error = await failure(as_stream_reader(stream).read())
    assert isinstance(error, TypeError)
    assert cancelled == [error]


async def test_a_signal_cancels_the_stream_of_a_reader() -> None:
    source = Endless()
    abort = AbortController()
    reader = as_stream_reader(ReadableStream(source), limit=10, signal=abort.signal)
    await turns()
    abort.abort("enough")
    await turns()
    assert source.cancelled == ["enough"]
    assert isinstance(await failure(reader.read()), StreamError)
    late = Endless()
    aborted = as_stream_reader(ReadableStream(late), signal=abort.signal)
    assert isinstance(await failure(aborted.read()), StreamError)
    assert late.cancelled == ["enough"]


async def test_a_signal_comes_too_late() -> None:
    abort = AbortController()
    reader = as_stream_reader(ReadableStream.from_([b"all"]), signal=abort.signal)
    assert await reader.read() == b"all"
    abort.abort()
    assert await reader.read() == b""


async def test_arguments_of_as_stream_reader() -> None:
    stream: ReadableStream[Any] = ReadableStream()
    with pytest.raises(ValueError):
        as_stream_reader(stream, limit=0)
    stream.get_reader()
    with pytest.raises(TypeError, match="locked"):
        as_stream_reader(stream)
    with pytest.raises(TypeError, match=r"as_stream_reader\(\) needs a ReadableStream, not list"):
        as_stream_reader([b"chunk"])  # type: ignore[arg-type]


# As a StreamWriter.


class Slow:
    """A sink that takes a chunk when it is told to."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.go = asyncio.Event()
        self.ended: list[object] = []

    async def write(self, chunk: bytes, controller: Any) -> None:
        await self.go.wait()
        self.chunks.append(chunk)

    def close(self) -> None:
        self.ended.append("closed")

    def abort(self, reason: object) -> None:
        self.ended.append(reason)


async def test_a_stream_as_a_writer() -> None:
    sink = Slow()
    sink.go.set()
    writer = as_stream_writer(WritableStream(sink))
    memory = bytearray(b"one")
    writer.write(memory)
    memory[:] = b"two"
    writer.writelines([b"a", b"", memoryview(b"b")])
    await writer.drain()
    writer.close()
    assert writer.is_closing()
    writer.write(b"late")
    await soon(writer.wait_closed())
    assert b"".join(sink.chunks) == b"oneab"
    assert sink.ended == ["closed"]
    assert writer.transport.get_write_buffer_size() == 0


async def test_drain_waits_while_the_stream_is_full() -> None:
    sink = Slow()
    writer = as_stream_writer(WritableStream(sink, {"high_water_mark": 2}))
    writer.write(b"1")
    await soon(writer.drain())
    writer.write(b"2")
    draining = [asyncio.ensure_future(writer.drain()) for _ in range(2)]
    await turns(10)
    assert not any(each.done() for each in draining)
    assert writer.transport.get_write_buffer_size() == 2
    sink.go.set()
    await soon(asyncio.gather(*draining))
    writer.close()
    await writer.wait_closed()


async def test_the_end_of_file_closes_the_stream() -> None:
    sink = Slow()
    sink.go.set()
    writer = as_stream_writer(WritableStream(sink))
    assert writer.can_write_eof()
    writer.write(b"all")
    writer.write_eof()
    writer.write_eof()
    with pytest.raises(RuntimeError, match="write_eof"):
        writer.write(b"more")
    await turns(10)
    assert sink.ended == ["closed"]
    writer.close()
    await soon(writer.wait_closed())


async def test_aborting_a_writer_aborts_the_stream() -> None:
    sink = Slow()
    writer = as_stream_writer(WritableStream(sink))
    writer.write(b"1")
    draining = asyncio.ensure_future(writer.drain())
    await turns()
    writer.transport.abort()
    sink.go.set()
    await soon(draining)
    assert isinstance(await failure(writer.drain()), ConnectionResetError)
    await turns(10)
    assert isinstance(sink.ended[0], AbortError)
    await soon(writer.wait_closed())


@pytest.mark.parametrize("reason", [OSError("full"), "text"])
async def test_the_error_of_a_stream_is_that_of_the_writer(reason: Any, reported: list[Any]) -> None:
    controllers: list[Any] = []
    writer = as_stream_writer(WritableStream({"start": controllers.append}))
    await turns()
    controllers[0].error(reason)
    await turns()
    error = await failure(writer.drain())
    assert error is reason or (isinstance(error, StreamError) and error.reason == reason)
    writer.close()
    assert await failure(writer.wait_closed()) is error
    assert reported == []


async def test_the_error_of_closing_is_that_of_the_writer() -> None:
    error = OSError("full")

    def close() -> None:
        raise error

    writer = as_stream_writer(WritableStream({"close": close}))
    writer.write(b"1")
    writer.close()
    assert await failure(writer.wait_closed()) is error


async def test_both_together() -> None:
    """The streams of a connection, made to web streams, made to asyncio's again."""
    body = os.urandom(300_000)
    async with connected() as ((_, writer), (reader, _)):
        again = as_stream_writer(to_stream_writer(writer))
        receiving = asyncio.ensure_future(as_stream_reader(from_stream_reader(reader)).read())
        for start in range(0, len(body), 10_000):
            again.write(body[start : start + 10_000])
            await again.drain()
        again.close()
        await soon(again.wait_closed())
        assert await soon(receiving) == body
        assert await read_bytes(ReadableStream.from_([body])) == body


async def test_what_cannot_be_a_writer() -> None:
    stream: WritableStream[Any] = WritableStream()
    stream.get_writer()
    with pytest.raises(TypeError, match="locked"):
        as_stream_writer(stream)
    with pytest.raises(TypeError, match=r"as_stream_writer\(\) needs a WritableStream, not NoneType"):
        as_stream_writer(None)  # type: ignore[arg-type]
