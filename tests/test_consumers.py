"""``bytes()``, ``text()``, ``json()`` and ``list()`` of a readable stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.grids import each_of, each_row
from tests.waiting import another_task
from webstreams import AbortError, DataError, ReadableStream, ReadableStreamDefaultController, StreamError
from webstreams.consumers import LimitExceeded

Consume = Callable[..., Coroutine[Any, Any, Any]]
NAMES = ["bytes", "text", "json", "list"]


class Source:
    """Gives the same chunk for ever, or `count` times, and records how it ends."""

    def __init__(self, chunk: Any = b"1", count: float = float("inf")) -> None:
        self.chunk = chunk
        self.left = count
        self.given = 0
        self.cancelled: list[object] = []
        self.stream: ReadableStream[Any] = ReadableStream(self, {"high_water_mark": 0})

    def pull(self, controller: Any) -> None:
        if self.left:
            self.left -= 1
            self.given += 1
            controller.enqueue(self.chunk)
        else:
            controller.close()

    async def cancel(self, reason: object) -> None:
        await asyncio.sleep(0)
        self.cancelled.append(reason)


def consumer(name: str, stream: ReadableStream[Any]) -> Consume:
    method: Consume = getattr(stream, name)
    return method


def silent() -> tuple[ReadableStream[Any], list[object]]:
    reasons: list[object] = []
    return ReadableStream[Any]({"cancel": reasons.append}), reasons


# What they give.


async def test_bytes() -> None:
    chunks = [b"a", bytearray(b"b"), memoryview(b"xcx")[1:2], b""]
    assert await ReadableStream.from_(chunks).bytes() == b"abc"
    assert await ReadableStream.from_([]).bytes() == b""


async def test_a_mutable_chunk_may_be_reused() -> None:
    memory = bytearray(1)

    def pull(controller: Any) -> None:
        memory[0] += 1
        controller.enqueue(memory)
        if memory[0] == 3:
            controller.close()

    assert await ReadableStream({"pull": pull}, {"high_water_mark": 0}).bytes() == b"\x01\x02\x03"


async def test_of_a_byte_stream() -> None:
    def pull(controller: Any) -> None:
        controller.enqueue(b"12")
        controller.close()

    def stream() -> ReadableStream[bytes]:
        return ReadableStream({"type": "bytes", "pull": pull})

    results = [await consumer(name, stream())() for name in NAMES]
    assert results == [b"12", "12", 12, [b"12"]]


@each_row(
    ("chunks", "options", "text"),
    [
        ([b"\xef\xbb", b"\xbfa\xe2\x82", b"\xacb"], {}, "a\u20acb"),
        ([b"a\xff", b"\xe2"], {}, "a\ufffd\ufffd"),
        ([b"\xe9"], {"encoding": "latin1"}, "\xe9"),
        ([b"\xff\xfea\0", b"b\0"], {"encoding": "utf-16"}, "ab"),
        (["a", "\u20ac"], {"fatal": True}, "a\u20ac"),
        (["\ud83d", "\udc99", "\ud83d"], {}, "\U0001f499\ud83d"),
        (["a", b"b"], {}, "ab"),
        ([], {}, ""),
    ],
)
async def test_text(chunks: list[Any], options: dict[str, Any], text: str) -> None:
    assert await ReadableStream.from_(chunks).text(**options) == text


async def test_text_that_is_invalid() -> None:
    source = Source(b"\xff")
    with pytest.raises(TypeError, match="utf-8"):
        await source.stream.text(fatal=True)
    assert len(source.cancelled) == 1
    with pytest.raises(TypeError, match="utf-8"):
        await ReadableStream.from_([b"\xe2"]).text(fatal=True)
    stream = ReadableStream.from_([b"a"])
    with pytest.raises(ValueError, match="label"):
        await stream.text("nonsense")
    assert not stream.locked


async def test_json() -> None:
    assert await ReadableStream.from_([b"\xef\xbb\xbf", b'{"a": "\xe2\x82', b'\xac"}']).json() == {"a": "\u20ac"}
    with pytest.raises(json.JSONDecodeError):
        await ReadableStream.from_([b"{"]).json()
    with pytest.raises(ValueError, match="Expecting"):
        await ReadableStream.from_([]).json()


async def test_list() -> None:
    assert await ReadableStream.from_([1, None, "a"]).list() == [1, None, "a"]


# The limit.


@each_of(name=NAMES)
async def test_the_limit_itself_is_allowed(name: str) -> None:
    assert await consumer(name, Source(b"1", 3).stream)(limit=3) in (b"111", "111", 111, [b"1"] * 3)
    assert await ReadableStream.from_([]).list(limit=0) == []


@each_of(name=NAMES)
async def test_more_than_the_limit(name: str) -> None:
    source = Source()
    with pytest.raises(LimitExceeded) as caught:
        await consumer(name, source.stream)(limit=3)
    assert source.given == 4
    assert source.cancelled == [caught.value]
    assert not source.stream.locked
    assert (caught.value.limit, caught.value.unit) == (3, "chunks" if name == "list" else "bytes")
    assert isinstance(caught.value, ValueError)


async def test_messages_of_the_limit() -> None:
    assert str(LimitExceeded("the stream", 1, "bytes")) == "the stream has more than 1 byte"
    assert str(LimitExceeded("the stream", 0, "chunks")) == "the stream has more than 0 chunks"


async def test_the_limit_of_text_counts_bytes_of_utf_8() -> None:
    assert await ReadableStream.from_(["\u20ac", "\ud83d"]).text(limit=6) == "\u20ac\ud83d"
    with pytest.raises(LimitExceeded):
        await ReadableStream.from_(["\u20ac", "a"]).text(limit=3)


@each_row(("limit", "error"), [(-1, ValueError), (1.5, TypeError), ("1", TypeError)])
@each_of(name=NAMES)
async def test_a_wrong_limit(name: str, limit: Any, error: type[Exception]) -> None:
    source = Source()
    with pytest.raises(error, match="limit"):
        await consumer(name, source.stream)(limit=limit)
    assert (source.given, source.cancelled, source.stream.locked) == (0, [], False)


async def test_a_source_that_fails_to_cancel_does_not_hide_the_error() -> None:
    def cancel(reason: object) -> None:
        raise OSError("not this")

    stream = ReadableStream[bytes]({"pull": lambda controller: controller.enqueue(b"1"), "cancel": cancel})
    with pytest.raises(LimitExceeded):
        await stream.bytes(limit=1)
    assert not stream.locked


# Errors, locks, tasks.


@each_of(name=NAMES[:3])
async def test_a_chunk_of_the_wrong_type(name: str) -> None:
    source = Source(1)
    with pytest.raises(TypeError, match="int") as caught:
        await consumer(name, source.stream)()
    assert source.cancelled == [caught.value]
    assert not source.stream.locked


@each_of(name=NAMES)
async def test_nothing_happens_before_it_is_awaited(name: str) -> None:
    source = Source()
    coroutine = consumer(name, source.stream)()
    assert not source.stream.locked
    coroutine.close()
    assert (source.given, source.stream.locked) == (0, False)


@each_of(name=NAMES)
async def test_a_locked_stream(name: str) -> None:
    stream, reasons = silent()
    stream.get_reader()
    with pytest.raises(TypeError, match="locked"):
        await consumer(name, stream)()
    assert reasons == []


@each_of(name=NAMES)
async def test_the_error_of_the_stream_is_the_same_object(name: str, reported: list[Any]) -> None:
    error = OSError(5, "broken", "name")

    def pull(controller: Any) -> None:
        controller.error(error)

    stream = ReadableStream[Any]({"pull": pull}, {"high_water_mark": 0})
    with pytest.raises(OSError, match="broken") as caught:
        await consumer(name, stream)()
    assert caught.value is error
    assert not stream.locked
    other = ReadableStream[Any]({"start": lambda controller: controller.error("reason")})
    with pytest.raises(StreamError):
        await consumer(name, other)()
    assert reported == []


@each_of(name=NAMES)
async def test_cancelling_the_task(name: str, reported: list[Any]) -> None:
    stream, reasons = silent()
    task = asyncio.ensure_future(consumer(name, stream)())
    await asyncio.sleep(0)
    assert stream.locked
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not stream.locked
    assert [type(reason) for reason in reasons] == [AbortError]
    assert reported == []


async def test_a_second_cancellation_does_not_wait_for_the_source() -> None:
    never = asyncio.get_running_loop().create_future()

    async def cancel(reason: object) -> None:
        await never

    stream = ReadableStream[bytes]({"cancel": cancel})
    task = asyncio.ensure_future(stream.bytes())
    await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=0.01)
    assert not done
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not stream.locked
    never.set_result(None)


async def test_a_timeout() -> None:
    stream, reasons = silent()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await stream.text()
    assert len(reasons) == 1


@each_row(
    ("encoding", "data", "text", "part"),
    [
        ("shift_jis", b"\x83e", "テ", 4096),
        ("utf-16le", b"\0\xd8", "\ufffd", 16384),
        ("utf-8", b"\xff", "\ufffd", 1 << 18),
    ],
)
async def test_decoding_a_long_chunk_lets_other_tasks_run(encoding: str, data: bytes, text: str, part: int) -> None:
    """Issue 11, 10: what goes byte by byte through Python code takes 100 milliseconds or more for a MiB."""
    async with another_task() as beats:
        assert await ReadableStream.from_([data * 300_000]).text(encoding) == text * 300_000
    assert beats.count > len(data) * 300_000 / part


async def test_an_error_in_a_long_chunk_tells_its_place() -> None:
    source = Source(b"a" * 9000 + b"\xff" + b"a" * 9000)
    with pytest.raises(DataError, match="byte 0xff at position 9000") as caught:
        await source.stream.text("shift_jis", fatal=True)
    assert source.cancelled == [caught.value]


async def test_cancelling_in_the_middle_of_a_long_chunk() -> None:
    source = Source(b"\x83e" * 100_000)
    task = asyncio.create_task(source.stream.text("shift_jis"))
    while not source.given:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() and source.given == 1 and len(source.cancelled) == 1
    assert not source.stream.locked


async def test_all_chunks_of_cancelled_reads_are_collected_behind_the_end() -> None:
    """The stream is closed when the first of them is read; nothing but them says that it is not at its end."""
    controllers: list[ReadableStreamDefaultController[str]] = []
    stream = ReadableStream[str]({"start": controllers.append})
    reader = stream.get_reader()

    async def read() -> None:
        await reader.read()

    reads = [asyncio.create_task(read()) for _ in range(3)]
    await asyncio.sleep(0)
    assert all(not each.done() for each in reads)
    for chunk in ("one", "two", "three"):
        controllers[0].enqueue(chunk)
    controllers[0].close()
    for each in reads:
        each.cancel()
    await asyncio.gather(*reads, return_exceptions=True)
    reader.release_lock()
    assert await stream.list() == ["one", "two", "three"]
