"""`webstreams.operations`: byte streams."""

from __future__ import annotations

import asyncio
from array import array
from typing import Any

import pytest

from webstreams import (
    Promise,
    ReadableStream,
    ReadableStreamBYOBReader,
)
from webstreams.operations import (
    close_readable_stream,
    create_readable_stream,
    create_readable_stream_with_byte_reading_support,
    current_byob_request_view,
    desired_size_to_fill_up_to_high_water_mark,
    enqueue_into_readable_stream,
    error_readable_stream,
    get_reader,
    is_closed,
    is_errored,
    pull_from_bytes,
    read_all_bytes_as_promise,
    set_up_readable_stream_with_byte_reading_support,
)

from .operating import (
    BOOM,
    jobs_done,
)

# Byte streams.


async def filled(read: Promise[Any]) -> bytes:
    value, done = await read
    assert not done
    return bytes(value)


async def byob_read(stream: ReadableStream[bytes], size: int) -> tuple[Promise[Any], ReadableStreamBYOBReader]:
    reader = stream.get_reader(mode="byob")
    read = reader.read(bytearray(size))
    await jobs_done()
    return read, reader


async def test_the_view_of_a_request_is_filled_and_enqueued_without_a_copy() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    assert current_byob_request_view(stream) is None
    memory = bytearray(8)
    read = stream.get_reader(mode="byob").read(memory)
    view = current_byob_request_view(stream)
    assert view is not None and view.nbytes == 8 and view.format == "B"
    view[:3] = b"abc"
    assert memory[:3] == b"abc"
    enqueue_into_readable_stream(stream, view[:3])
    value, done = await read
    assert (bytes(value or b""), done) == (b"abc", False)
    assert value is not None and value.obj is memory
    assert current_byob_request_view(stream) is None


async def test_the_rest_of_a_view_is_asked_for_when_the_minimum_is_not_there() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    read = stream.get_reader(mode="byob").read(bytearray(4), min=4)
    first = current_byob_request_view(stream)
    assert first is not None
    first[:3] = b"abc"
    enqueue_into_readable_stream(stream, first[:3])
    second = current_byob_request_view(stream)
    assert second is not None and second.nbytes == 1
    enqueue_into_readable_stream(stream, b"d")
    assert await filled(read) == b"abcd"


async def test_other_memory_is_copied_into_the_view() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    read, reader = await byob_read(stream, 4)
    chunk = bytearray(b"abcdef")
    enqueue_into_readable_stream(stream, chunk)
    chunk[:] = b"------"
    assert await filled(read) == b"abcd"
    assert await filled(reader.read(bytearray(4))) == b"ef"


async def test_a_part_of_the_view_must_begin_where_it_begins_and_not_be_longer() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    memory = bytearray(8)
    read = stream.get_reader(mode="byob").read(memoryview(memory)[:4])
    view = current_byob_request_view(stream)
    assert view is not None
    with pytest.raises(ValueError, match="must begin where its view begins"):
        enqueue_into_readable_stream(stream, view[1:])
    with pytest.raises(ValueError, match="must not be longer than the 4 bytes of its view, has 8"):
        enqueue_into_readable_stream(stream, memory)
    with pytest.raises(TypeError, match="the chunk must not be empty"):
        enqueue_into_readable_stream(stream, view[:0])
    view[:2] = b"ok"
    enqueue_into_readable_stream(stream, view[:2])
    assert await filled(read) == b"ok"


async def test_what_is_no_chunk_of_bytes() -> None:
    stream: ReadableStream[Any] = create_readable_stream_with_byte_reading_support()
    with pytest.raises(TypeError, match="the chunk must be a bytes-like object, not str: encode text first"):
        enqueue_into_readable_stream(stream, "text")
    with pytest.raises(TypeError, match="the chunk must not be empty"):
        enqueue_into_readable_stream(stream, b"")
    enqueue_into_readable_stream(stream, array("H", [1, 2]))
    value, _ = await get_reader(stream).read()
    assert value == array("H", [1, 2]).tobytes()


async def test_a_released_view_is_a_mistake() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    read, reader = await byob_read(stream, 4)
    view = current_byob_request_view(stream)
    assert view is not None
    view.release()
    for use in (current_byob_request_view, lambda each: pull_from_bytes(each, bytearray(b"abc"))):
        with pytest.raises(TypeError, match="the view of the current BYOB request was released"):
            use(stream)
    reader.release_lock()
    assert isinstance(read.exception(), TypeError)


async def test_closing_answers_the_reads_that_wait() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    reader = stream.get_reader(mode="byob")
    reads = [reader.read(bytearray(4)) for _ in range(3)]
    close_readable_stream(stream)
    for read in reads:
        value, done = await read
        assert (bytes(value or b""), done) == (b"", True)
    assert is_closed(stream)
    close_readable_stream(stream)
    enqueue_into_readable_stream(stream, b"late")


async def test_closing_with_a_part_of_an_item_errors_the_stream() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    read = stream.get_reader(mode="byob").read(array("H", [0, 0]), min=2)
    enqueue_into_readable_stream(stream, b"abc")
    with pytest.raises(TypeError, match="a part of an item only"):
        close_readable_stream(stream)
    with pytest.raises(TypeError, match="a part of an item only"):
        await read
    assert is_errored(stream)


async def test_erroring_a_byte_stream() -> None:
    stream = create_readable_stream_with_byte_reading_support(high_water_mark=8)
    enqueue_into_readable_stream(stream, b"abc")
    assert desired_size_to_fill_up_to_high_water_mark(stream) == 5
    error_readable_stream(stream, BOOM)
    assert desired_size_to_fill_up_to_high_water_mark(stream) == 0
    with pytest.raises(RuntimeError, match="boom"):
        await get_reader(stream).read()


async def test_pulling_from_bytes_gives_everything_to_a_default_reader() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    data = bytearray(b"abcdef")
    pull_from_bytes(stream, data)
    assert data == b""
    data += b"later"
    value, _ = await get_reader(stream).read()
    assert value == b"abcdef"


async def test_pulling_from_bytes_leaves_what_the_request_does_not_want() -> None:
    data = bytearray(b"abcdef")
    stream = create_readable_stream_with_byte_reading_support(pull_algorithm=lambda: pull_from_bytes(stream, data))
    reader = stream.get_reader(mode="byob")
    memory = bytearray(4)
    assert await filled(reader.read(memory)) == memory == b"abcd"
    assert data == b"ef"
    assert await filled(reader.read(bytearray(4))) == b"ef"
    assert data == b""


async def test_what_cannot_be_pulled_from() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    wrong: Any = b"bytes"
    with pytest.raises(TypeError, match="needs a bytearray, which it shortens, not bytes"):
        pull_from_bytes(stream, wrong)
    with pytest.raises(TypeError, match="at least one byte"):
        pull_from_bytes(stream, bytearray())
    data = bytearray(b"abc")
    with memoryview(data), pytest.raises(TypeError, match="memoryviews of it exist"):
        pull_from_bytes(stream, data)
    pull_from_bytes(stream, data)
    value, _ = await get_reader(stream).read()
    assert value == b"abc"


async def test_byte_reading_support_is_needed() -> None:
    stream = create_readable_stream()
    with pytest.raises(TypeError, match=r"current_byob_request_view\(\) needs a stream that was set up with byte"):
        current_byob_request_view(stream)
    with pytest.raises(TypeError, match=r"pull_from_bytes\(\) needs a stream that was set up with byte reading"):
        pull_from_bytes(stream, bytearray(b"abc"))


async def test_a_byte_subclass_pulls_from_bytes() -> None:
    class Body(ReadableStream[bytes]):
        def __init__(self, data: bytes) -> None:
            self.data = bytearray(data)
            set_up_readable_stream_with_byte_reading_support(self, pull_algorithm=self.more)

        async def more(self) -> None:
            await asyncio.sleep(0)
            pull_from_bytes(self, self.data)
            if not self.data:
                close_readable_stream(self)

    assert await read_all_bytes_as_promise(get_reader(Body(b"hello"))) == b"hello"
    reader = Body(b"hello").get_reader(mode="byob")
    assert await filled(reader.read(bytearray(3))) == b"hel"
