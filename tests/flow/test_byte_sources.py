"""`from_bytes`: bytes from wherever they come, as a byte stream."""

from __future__ import annotations

import array
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest

from tests.dropping import Dropped
from tests.faults.helpers import ByteSource, chunks_stream, failure, quiet, read_all, soon, stream_of, turns
from tests.grids import by_key, each_of
from webstreams import Promise, ReadableStream, from_bytes

from .support import nothing_alive

DATA = bytes(range(256)) * 8
REASON = object()
ERROR = ValueError("of the source")


def pieces(size: int = 100) -> list[bytes]:
    return [DATA[start : start + size] for start in range(0, len(DATA), size)]


async def asynchronously(chunks: Iterable[Any]) -> AsyncIterator[Any]:
    for chunk in chunks:
        await turns(1)
        yield chunk


SOURCES: dict[str, Callable[[], Any]] = {
    "bytes": lambda: DATA,
    "bytearray": lambda: bytearray(DATA),
    "memoryview": lambda: memoryview(DATA),
    "array": lambda: array.array("I", DATA),
    "list": pieces,
    "bytearrays": lambda: [bytearray(each) for each in pieces()],
    "with empty ones": lambda: [b"", *pieces(), b"", b""],
    "generator": lambda: iter(pieces()),
    "async generator": lambda: asynchronously(pieces()),
    "stream": lambda: chunks_stream(*pieces()),
    "stream of views": lambda: chunks_stream(*(memoryview(each) for each in pieces())),
    "byte stream": lambda: from_bytes(pieces()),
}


EVERY_SOURCE = each_of(make_source=by_key(SOURCES))


@EVERY_SOURCE
async def test_a_default_reader_gets_bytes(make_source: Any) -> None:
    source = make_source()
    stream = from_bytes(source)
    chunks = await read_all(stream)
    assert b"".join(chunks) == DATA
    assert {type(each) for each in chunks} == {bytes}
    await nothing_alive()


@each_of(size=[1, 7, 100, 101, 5000])
@EVERY_SOURCE
async def test_a_byob_reader_gets_them_into_its_own_memory(make_source: Any, size: int) -> None:
    source = make_source()
    buffer = bytearray(size)
    got = bytearray()
    with from_bytes(source).get_reader(mode="byob") as reader:
        while True:
            result = await soon(reader.read(buffer))
            got += result.value or b""
            if result.done:
                break
    assert got == DATA
    await nothing_alive()


@EVERY_SOURCE
async def test_min_is_kept(make_source: Any) -> None:
    source = make_source()
    with from_bytes(source).get_reader(mode="byob") as reader:
        sizes = []
        while not (result := await soon(reader.read(bytearray(1000), min=1000))).done:
            sizes.append(len(result.value))
        assert sizes == [1000, 1000]
        assert len(result.value or b"") == 48
    assert len(DATA) == 2048


async def test_many_reads_wait() -> None:
    with from_bytes(asynchronously(pieces())).get_reader() as reader:
        results = [await soon(each) for each in [reader.read() for _ in range(30)]]
    assert b"".join(each.value or b"" for each in results) == DATA


async def test_readers_may_change() -> None:
    stream = from_bytes([b"0123456789"])
    with stream.get_reader(mode="byob") as reader:
        assert bytes((await reader.read(bytearray(4))).value) == b"0123"  # type: ignore[arg-type]
    assert await read_all(stream) == [b"456789"]


async def test_bytes_pass_through_without_a_copy() -> None:
    chunks = pieces()
    got = await read_all(from_bytes(chunks))
    assert all(one is other for one, other in zip(got, chunks, strict=True))
    assert (await read_all(from_bytes(DATA)))[0] is DATA


async def test_a_buffer_may_be_used_again() -> None:
    buffer = bytearray(b"abcdef")
    stream = from_bytes(buffer)
    buffer[:] = b"xxxxxx"
    del buffer[3:]
    assert await stream.bytes() == b"abcdef"

    def same_memory() -> Iterator[bytearray]:
        for number in range(3):
            shared[:] = b"%d" % number * 4
            yield shared

    shared = bytearray(4)
    with from_bytes(same_memory()).get_reader(mode="byob") as reader:
        got = b""
        while not (result := await reader.read(bytearray(3))).done:
            got += bytes(result.value)
            shared[:] = b"----"
    assert got == b"000011112222"


async def test_thousands_of_empty_chunks() -> None:
    stream = chunks_stream(*[b""] * 20_000, b"end")
    assert await soon(from_bytes(stream).bytes()) == b"end"


async def test_nothing_is_read_before_the_first_read() -> None:
    taken: list[int] = []

    def count() -> Iterator[bytes]:
        for number in range(10):
            taken.append(number)
            yield b"chunk"

    stream = from_bytes(count())
    await turns(10)
    assert taken == []
    with stream.get_reader(mode="byob") as reader:
        for _ in range(5):
            await reader.read(bytearray(1))
            await turns(10)
        assert taken == [0]
        await reader.cancel()
    await nothing_alive()


async def test_cancel_reaches_the_source() -> None:
    reasons: list[object] = []
    given: ReadableStream[bytes] = ReadableStream({"cancel": reasons.append}, {"high_water_mark": 0})
    stream = from_bytes(given)
    reader = stream.get_reader(mode="byob")
    reading = reader.read(bytearray(10))
    await turns()
    await soon(reader.cancel(REASON))
    assert (await reading).done
    assert reasons == [REASON]
    assert not given.locked


async def test_break_closes_the_iterator() -> None:
    closed: list[str] = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"chunk"
        finally:
            closed.append("closed")

    async for _ in from_bytes(endless()):
        break
    await turns()
    assert closed == ["closed"]
    await nothing_alive()


async def test_an_error_of_the_source() -> None:
    def failing() -> Iterator[bytes]:
        yield b"chunk"
        raise ERROR

    assert await failure(from_bytes(failing()).bytes()) is ERROR
    source = ByteSource()
    given = stream_of(source)
    assert from_bytes(given) is given
    plain: ReadableStream[bytes] = ReadableStream({"pull": lambda controller: controller.error(ERROR)})
    assert await failure(from_bytes(plain).bytes()) is ERROR
    assert not plain.locked


@each_of(wrong=["text", 3, None, memoryview(DATA)[::2]])
async def test_a_chunk_that_is_not_bytes_like_errors_the_stream_and_cancels_the_source(wrong: Any) -> None:
    reasons: list[object] = []

    def pull(controller: Any) -> None:
        controller.enqueue(b"chunk")
        controller.enqueue(wrong)

    given: ReadableStream[Any] = ReadableStream({"pull": pull, "cancel": reasons.append}, {"high_water_mark": 0})
    with from_bytes(given).get_reader(mode="byob") as reader:
        assert bytes((await reader.read(bytearray(10))).value or b"") == b"chunk"
        error = await failure(reader.read(bytearray(10)))
    assert isinstance(error, TypeError)
    assert reasons == [error]
    assert not given.locked


@each_of(wrong=["text", 3, None, object(), memoryview(DATA)[::2]])
async def test_what_gives_no_bytes_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError):
        from_bytes(wrong)


@each_of(wrong=["text", 3, None, memoryview(DATA)[::2]])
async def test_an_item_that_is_not_bytes_like_errors_the_stream_and_closes_the_iterator(wrong: Any) -> None:
    closed: list[bool] = []

    def items() -> Iterator[Any]:
        try:
            yield b"chunk"
            yield wrong
        finally:
            closed.append(True)

    with from_bytes(items()).get_reader(mode="byob") as reader:
        assert bytes((await reader.read(bytearray(10))).value or b"") == b"chunk"
        assert isinstance(await failure(reader.read(bytearray(10))), TypeError)
    assert closed == [True]


async def test_cancelling_closes_the_iterator() -> None:
    closed: list[bool] = []

    def items() -> Iterator[bytes]:
        try:
            while True:
                yield DATA
        finally:
            closed.append(True)

    with from_bytes(items()).get_reader(mode="byob") as reader:
        await reader.read(bytearray(10))
        await reader.cancel(REASON)
    assert closed == [True]


async def test_an_error_of_the_iterator_errors_the_stream() -> None:
    def failing() -> Iterator[bytes]:
        yield b"chunk"
        raise ERROR

    reader = from_bytes(failing()).get_reader()
    assert (await reader.read()).value == b"chunk"
    assert await failure(reader.read()) is ERROR
    assert any("failing, in its pull()" in note for note in ERROR.__notes__)


async def test_items_that_have_to_be_waited_for() -> None:
    async def later(chunk: bytes) -> bytes:
        await turns(3)
        return chunk

    items: list[Any] = [later(b"spam "), b"", Promise.resolve(b"eggs")]
    assert await from_bytes(items).bytes() == b"spam eggs"
    items = [later(b"spam")]
    reader = from_bytes(items).get_reader()
    reading = reader.read()
    await turns(1)
    with quiet():
        await reader.cancel(REASON)
        await turns(10)
    assert (await reading).done


async def test_others_have_turns_while_all_items_are_empty() -> None:
    reader = from_bytes(itertools.repeat(b"")).get_reader()
    reading = reader.read()
    await turns(20)
    await reader.cancel(REASON)
    assert (await reading).done
    await nothing_alive()


@each_of(make_source=[lambda: DATA[:7], lambda: [DATA[:7]], lambda: asynchronously([DATA[:7]])])
async def test_the_end_inside_of_an_item_is_told_to_the_reader_alone(make_source: Callable[[], Any]) -> None:
    with quiet():
        reader = from_bytes(make_source()).get_reader(mode="byob")
        assert len((await reader.read(array.array("I", [0] * 4))).value or b"") == 1
        assert "a part of an item" in str(await failure(reader.read(array.array("I", [0] * 4))))
        await turns(5)
    await nothing_alive()


async def test_a_locked_stream_is_refused() -> None:
    given = chunks_stream(b"chunk")
    with given.get_reader(), pytest.raises(TypeError, match="its source: it is locked to"):
        from_bytes(given)
    stream = from_bytes(given)
    with pytest.raises(TypeError, match=r"locked to from_bytes\(\)"):
        given.get_reader()
    assert await stream.bytes() == b"chunk"


async def test_what_is_dropped_is_collected() -> None:
    stream = from_bytes(pieces())
    reader = stream.get_reader(mode="byob")
    await reader.read(bytearray(10))
    dropped = Dropped()
    dropped.add(stream, reader)
    del stream, reader
    await turns()
    assert dropped.alive() == []
