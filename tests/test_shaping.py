"""``lines()`` and ``chunked()``."""

from __future__ import annotations

import asyncio
import io
import random
import re
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.faults.helpers import turns
from tests.faults.support import rejection
from tests.grids import each_of, each_row
from tests.loops import on_one_loop
from webstreams import LineStream, ReadableStream, TransformStream, WritableStream
from webstreams._cutting.lines import LineCutter
from webstreams._fastpath.policy import FAST_PATHS
from webstreams.consumers import LimitExceeded
from webstreams.shaping import chunked, lines


async def through(chunks: list[Any], transform: Any) -> list[Any]:
    stream: ReadableStream[Any] = ReadableStream.from_(chunks).pipe_through(transform)
    return await stream.list()


def split(text: str, numbers: random.Random) -> list[str]:
    cuts = sorted(numbers.randrange(len(text) + 1) for _ in range(3))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


# lines()


@on_one_loop
async def test_lines_are_those_of_text_files() -> None:
    """Whatever the text and the chunks: the lines are those of a text file, which knows the same ends."""
    numbers = random.Random(5)
    for _ in range(100):
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


@each_of(chunks=[["a", b"b"], [b"a", "b"], [1], ["a", 1], [None]])
async def test_lines_of_wrong_chunks(chunks: list[Any]) -> None:
    with pytest.raises(TypeError, match=r"the chunk must be a (str|bytes-like object|str or a bytes-like object), not"):
        await through(chunks, lines())


@each_of(keep_ends=[False, True])
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


@each_row(("limit", "error"), [(-1, ValueError), (1.5, TypeError)])
async def test_a_wrong_limit(limit: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="limit"):
        lines(limit=limit)


@on_one_loop
async def test_a_long_line_of_many_chunks_takes_linear_time() -> None:
    """Ten thousand parts: what copied the beginning each time would move 5 GB."""
    part = "0123456789" * 10
    assert await through([part] * 10_000, lines()) == [part * 10_000]


@on_one_loop
@each_of(keep_ends=[False, True])
async def test_lines_up_to_an_end_of_ones_own(keep_ends: bool) -> None:
    """Cut from the left, as ``str.split()`` does it, wherever the chunks end."""
    numbers = random.Random(7)
    for _ in range(100):
        end = "".join(numbers.choice("ab") for _ in range(numbers.randrange(1, 4)))
        text = "".join(numbers.choice("ab\r\n") for _ in range(numbers.randrange(12)))
        *whole, rest = text.split(end)
        expected = [line + end if keep_ends else line for line in whole] + ([rest] if rest else [])
        chunks = split(text, numbers)
        assert await through(chunks, lines(keep_ends=keep_ends, newline=end)) == expected
        encoded = [chunk.encode() for chunk in chunks]
        made = await through(encoded, lines(keep_ends=keep_ends, newline=end))
        assert made == [line.encode() for line in expected]


@on_one_loop
@each_of(newline=["\n", "\r\n", "\0", "aab", None])
@each_of(keep_ends=[False, True])
async def test_long_and_short_lines_in_chunks_of_any_size(newline: str | None, keep_ends: bool) -> None:
    """Longer than what is cut at once, and than what is searched at once; ends of lines at every border."""
    numbers = random.Random(8)
    sizes = [0, 1, 7, 16_383, 16_384, 16_385, 40_000, 1_100_000, 3, 0, 2_200_000]
    numbers.shuffle(sizes)
    end = newline or "\r\n"
    expected = ["x" * size + (end if keep_ends else "") for size in sizes]
    text = "".join("x" * size + end for size in sizes)
    for size in (16_384, 65_535, len(text)):
        chunks = [text[start : start + size] for start in range(0, len(text), size)]
        assert await through(chunks, lines(newline=newline, keep_ends=keep_ends)) == expected
        encoded = [chunk.encode() for chunk in chunks]
        made = await through(encoded, lines(newline=newline, keep_ends=keep_ends))
        assert made == [line.encode() for line in expected]


async def test_a_newline_is_encoded_for_bytes() -> None:
    assert await through(["aéb".encode(), "\u20acb\u20ac".encode()], lines(newline="\u20ac")) == ["aéb".encode(), b"b"]


async def test_a_line_feed_alone_leaves_carriage_returns() -> None:
    assert await through(["a\r", "\nb\rc"], lines(newline="\n")) == ["a\r", "b\rc"]


@each_row(("newline", "error"), [("", ValueError), (b"\n", TypeError), (1, TypeError)])
async def test_a_wrong_newline(newline: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="newline must"):
        lines(newline=newline)


@each_of(kind=[str, str.encode])
async def test_a_line_that_ends_in_a_carriage_return_comes_at_once(kind: Any) -> None:
    """It need not be known whether a line feed follows; with `keep_ends` it must be."""
    transform: Any = lines()
    writer, reader = transform.writable.get_writer(), transform.readable.get_reader()
    write = writer.write(kind("a\r"))
    assert await asyncio.wait_for(reader.read(), 20) == (kind("a"), False)
    await write
    for chunk in ("\n", "\n", "b\r", "c"):
        writer.write(kind(chunk))
    writer.close()
    assert [line async for line in reader_lines(reader)] == [kind(""), kind("b"), kind("c")]


async def reader_lines(reader: Any) -> AsyncIterator[Any]:
    while not (result := await reader.read()).done:
        yield result.value


async def test_with_its_end_such_a_line_waits_for_the_next_chunk() -> None:
    assert await through(["a\r", "\nb\r", "c\r"], lines(keep_ends=True)) == ["a\r\n", "b\r", "c\r"]


# lines(): when they are made.


async def test_lines_are_made_when_they_are_asked_for() -> None:
    """A million lines in one chunk, of which 16,384 are there at a time: the write waits for the reader."""
    transform: LineStream[str] = lines()
    writer, reader = transform.writable.get_writer(), transform.readable.get_reader()
    write = writer.write("\n" * 1_000_000)
    await turns()
    assert "queue 0/0" in repr(transform.readable)
    for _ in range(40_000):
        assert (await reader.read()).value == ""
    await turns()
    assert not write.done()
    queued = re.search(r"queue (\d+)/0", repr(transform.readable))
    assert queued is not None
    assert int(queued[1]) < 16_384
    write.then(None, lambda _: None)
    await reader.cancel()


@on_one_loop
@each_of(stages=[0, 2])
async def test_piped_into_a_sink_lines_are_those_of_a_loop(stages: int) -> None:
    """Where the fast path may take over, a line is given for each read; elsewhere many at once."""
    chance = random.Random(stages)
    text = "".join(chance.choice(["\n", "\r\n", "\r", "a line\n", "ab"]) for _ in range(15_000)) + "the last one"
    chunks = [text[start : start + 9000] for start in range(0, len(text), 9000)]
    expected = [line async for line in ReadableStream.from_(chunks).pipe_through(lines())]
    assert expected == io.StringIO(text, newline=None).read().split("\n")
    stream = ReadableStream.from_(chunks).pipe_through(lines())
    for _ in range(stages):
        stream = stream.pipe_through(TransformStream[str, str]())
    written: list[str] = []
    await stream.pipe_to(WritableStream({"write": lambda line, _: written.append(line)}))
    assert written == expected


async def test_lines_into_a_sink_take_the_fast_path() -> None:
    stream = ReadableStream.from_(["a line\n" * 5000] * 4)
    count = 0

    def write(line: str, controller: object) -> None:
        nonlocal count
        count += line == "a line"

    await stream.pipe_through(lines()).pipe_to(WritableStream({"write": write}))
    assert count == 20_000
    policy: Any = stream._jobs.policy
    # Most of them, on a machine that has nothing else to do: the clock says when other tasks get their turns.
    assert policy is None or FAST_PATHS != "1" or policy.periods > 300


async def test_the_memory_of_many_lines_is_flat() -> None:
    transform: LineStream[bytes] = lines()
    writer, reader = transform.writable.get_writer(), transform.readable.get_reader()
    write = writer.write(b"abc\n" * 1_000_000)
    await reader.read()
    tracemalloc.start()
    for _ in range(10_000):
        await reader.read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
    write.then(None, lambda _: None)
    await reader.cancel()


def test_one_step_cuts_a_bounded_part() -> None:
    """So the loop's other tasks wait a moment only, whatever is in a chunk: 256 KiB of line feeds held it a second."""
    for data, most in (("\n" * 1_000_000, 16_384), ("\r\n" * 1_000_000, 16_384), ("x" * 5_000_000, 1)):
        for kind in (str, str.encode):
            for newline in (None, "\n", "\r\n"):
                cutter = LineCutter(False, None, newline)
                cutter.take(kind(data))
                counts = []
                while not cutter.used_up:
                    counts.append(len(cutter.step()))
                assert max(counts) <= most
                assert len(counts) >= len(data) / 1_100_000


async def test_lines_before_one_that_is_too_long_are_given() -> None:
    """The error comes behind them, though they are in one chunk."""
    came = []
    with pytest.raises(LimitExceeded):
        async for line in ReadableStream.from_(["a\nb\n" + "c" * 9 + "\nd\n"]).pipe_through(lines(limit=5)):
            came.append(line)
    assert came == ["a", "b"]


@each_of(keep_ends=[False, True])
@each_of(newline=[None, "ab"])
async def test_the_end_does_not_count_for_the_limit(keep_ends: bool, newline: str | None) -> None:
    end = newline or "\r\n"
    assert (
        len(await through(["xyz", end[:1], end[1:], "xyz"], lines(limit=3, newline=newline, keep_ends=keep_ends))) == 2
    )
    for chunks in (["wxyz" + end], ["wx", "yz"], ["xyz" + end, "wxyz"]):
        with pytest.raises(LimitExceeded, match="a line has more than 3 characters"):
            await through(chunks, lines(limit=3, newline=newline, keep_ends=keep_ends))
    if newline:
        with pytest.raises(LimitExceeded):
            await through(["xyza"], lines(limit=3, newline=newline, keep_ends=keep_ends))


@each_of(reads=[1, 5])
async def test_cancelling_errors_the_write_and_ends(reads: int) -> None:
    transform: LineStream[str] = lines()
    writer, reader = transform.writable.get_writer(), transform.readable.get_reader()
    write = writer.write("line\n" * 100_000)
    for _ in range(reads):
        await reader.read()
    reason = Exception("enough")
    write.then(None, lambda _: None)
    await reader.cancel(reason)
    assert await rejection(write) is reason
    assert await rejection(writer.closed) is reason


async def test_reads_that_wait_get_the_lines_in_order() -> None:
    transform: LineStream[str] = lines()
    writer, reader = transform.writable.get_writer(), transform.readable.get_reader()
    reads = [reader.read() for _ in range(5)]
    writer.write("a\nb\nc\nd")
    writer.write("\n")
    assert [(await read).value for read in reads[:4]] == ["a", "b", "c", "d"]
    await writer.close()
    assert (await reads[4]).done


def test_a_line_stream_is_made_by_lines_only() -> None:
    with pytest.raises(TypeError, match=r"call lines\(\)"):
        LineStream()


async def test_repr_shows_both_sides_of_lines() -> None:
    assert repr(lines()).startswith("<LineStream from <WritableStream")


# chunked()


async def test_chunks_of_one_size() -> None:
    numbers = random.Random(6)
    for _ in range(100):
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


@each_row(("size", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (None, TypeError)])
async def test_a_wrong_size(size: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="size"):
        chunked(size)


@each_of(chunk=["text", 1, None])
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
