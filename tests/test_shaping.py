"""``lines()`` and ``chunked()``."""

from __future__ import annotations

import asyncio
import io
import random
import tracemalloc
from typing import Any

import pytest

from webstreams import ReadableStream
from webstreams.consumers import LimitExceeded
from webstreams.shaping import chunked, lines


async def through(chunks: list[Any], transform: Any) -> list[Any]:
    stream: ReadableStream[Any] = ReadableStream.from_(chunks).pipe_through(transform)
    return await stream.list()


def split(text: str, numbers: random.Random) -> list[str]:
    cuts = sorted(numbers.randrange(len(text) + 1) for _ in range(3))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


# lines()


async def test_lines_are_those_of_text_files() -> None:
    """Whatever the text and the chunks: the lines are those of a text file, which knows the same ends."""
    numbers = random.Random(5)
    for _ in range(300):
        text = "".join(numbers.choice("ab\r\n\x0b\x1c") for _ in range(numbers.randrange(12)))
        chunks = split(text, numbers)
        whole = list(io.StringIO(text, newline=""))
        bare = [line.rstrip("\n") for line in io.StringIO(text, newline=None)]
        assert await through(chunks, lines(keep_ends=True)) == whole
        assert await through(chunks, lines()) == bare
        encoded = [chunk.encode() for chunk in chunks]
        assert await through(encoded, lines(keep_ends=True)) == [line.encode() for line in whole]
        assert await through(encoded, lines()) == [line.encode() for line in bare]


async def test_lines_of_any_bytes_like_chunks_are_bytes() -> None:
    assert await through([bytearray(b"a\nb"), memoryview(b"c\r")], lines()) == [b"a", b"bc"]


async def test_unicode_line_separators_are_no_ends() -> None:
    assert await through(["a\u2028b\x85c\x0cd"], lines()) == ["a\u2028b\x85c\x0cd"]
    assert await through([], lines()) == []


@pytest.mark.parametrize("chunks", [["a", b"b"], [b"a", "b"], [1], ["a", 1], [None]])
async def test_lines_of_wrong_chunks(chunks: list[Any]) -> None:
    with pytest.raises(TypeError, match="chunk"):
        await through(chunks, lines())


@pytest.mark.parametrize("keep_ends", [False, True])
async def test_the_longest_line(keep_ends: bool) -> None:
    assert len(await through(["abc\r\n", "ab", "c\nabc"], lines(keep_ends=keep_ends, limit=3))) == 3
    for chunks in (["abcd\n"], ["ab", "cd\n"], ["ab\nabc", "d"], ["x\n", "abcd"]):
        with pytest.raises(LimitExceeded, match="a line has more than 3 characters") as caught:
            await through(chunks, lines(keep_ends=keep_ends, limit=3))
        assert (caught.value.limit, caught.value.unit) == (3, "characters")
    with pytest.raises(LimitExceeded, match="bytes"):
        await through([b"abcd"], lines(limit=3))


async def test_a_line_without_end_stops_the_source_at_the_limit() -> None:
    given: list[int] = []
    cancelled: list[object] = []

    def pull(controller: Any) -> None:
        given.append(1)
        controller.enqueue(b"x" * 10)

    source = ReadableStream[bytes]({"pull": pull, "cancel": cancelled.append}, {"high_water_mark": 0})
    with pytest.raises(LimitExceeded) as caught:
        await source.pipe_through(lines(limit=100)).list()
    await asyncio.sleep(0)
    assert cancelled == [caught.value]
    assert len(given) <= 13


@pytest.mark.parametrize(("limit", "error"), [(-1, ValueError), (1.5, TypeError)])
async def test_a_wrong_limit(limit: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="limit"):
        lines(limit=limit)


async def test_a_long_line_of_many_chunks_takes_linear_time() -> None:
    """A hundred thousand parts: what copied the beginning each time would move 50 GB."""
    line = await through(["0123456789"] * 100_000, lines())
    assert line == ["0123456789" * 100_000]


# chunked()


async def test_chunks_of_one_size() -> None:
    numbers = random.Random(6)
    for _ in range(300):
        data = numbers.randbytes(numbers.randrange(30))
        size = numbers.randrange(1, 9)
        cuts = sorted(numbers.randrange(len(data) + 1) for _ in range(3))
        chunks = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        expected = [data[start : start + size] for start in range(0, len(data), size)]
        assert await through(chunks, chunked(size)) == expected


async def test_chunks_longer_than_any_piece() -> None:
    sizes = [len(chunk) for chunk in await through([bytes(100_000)] * 5, chunked(200_000))]
    assert sizes == [200_000, 200_000, 100_000]


async def test_a_chunk_of_the_right_size_is_not_copied() -> None:
    chunk = b"spam"
    assert (await through([chunk], chunked(4)))[0] is chunk


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (None, TypeError)])
async def test_a_wrong_size(size: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="size"):
        chunked(size)


@pytest.mark.parametrize("chunk", ["text", 1, None])
async def test_chunked_of_wrong_chunks(chunk: Any) -> None:
    with pytest.raises(TypeError):
        await through([chunk], chunked(4))


async def test_one_huge_chunk_comes_out_piece_by_piece() -> None:
    """Ten million bytes in pieces of ten: memory stays flat, and the write waits for the reader."""
    transform = chunked(10)
    writer, reader = transform.writable.get_writer(), transform.readable.get_reader()
    write = writer.write(bytes(10_000_000))
    await reader.read()
    tracemalloc.start()
    for _ in range(1000):
        assert len((await reader.read()).value or b"") == 10
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500_000
    assert not write.done()
    reason = Exception("enough")
    write.then(None, lambda _: None)
    await reader.cancel(reason)
    with pytest.raises(Exception, match="enough"):
        await write


async def test_errors_pass_through() -> None:
    error = OSError("broken")
    source = ReadableStream[bytes]({"pull": lambda controller: controller.error(error)})
    with pytest.raises(OSError, match="broken") as caught:
        await source.pipe_through(chunked(3)).list()
    assert caught.value is error


async def test_repr_shows_the_size() -> None:
    assert repr(chunked(7)).startswith("<ChunkedStream size 7, from <WritableStream")
