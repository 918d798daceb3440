"""Byte streams and their views: of every kind, partial, and taken over (B13, B14)."""

from __future__ import annotations

import array
import asyncio
import ctypes
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.grids import each_of, each_row
from webstreams import ReadableStream, from_bytes, write_file

from .byob import byob_stream, bytes_of, is_released
from .helpers import ByteSource, failure, quiet, soon, stream_of, turns

# Views of every kind.


def offset_view() -> tuple[Any, str, int]:
    return memoryview(bytearray(10))[3:7], "B", 4


def array_of_doubles() -> tuple[Any, str, int]:
    return array.array("d", [0.0] * 3), "d", 3


def cast_view() -> tuple[Any, str, int]:
    return memoryview(bytearray(8)).cast("H"), "H", 4


def offset_cast_view() -> tuple[Any, str, int]:
    return memoryview(bytearray(16)).cast("I")[1:3], "I", 2


def signed_view() -> tuple[Any, str, int]:
    return memoryview(bytearray(4)).cast("b"), "b", 4


def mapped_memory() -> tuple[Any, str, int]:
    return mmap.mmap(-1, 16), "B", 16


@each_of(make=[offset_view, array_of_doubles, cast_view, offset_cast_view, signed_view, mapped_memory])
@each_of(answer=["enqueue", "respond", "queued"])
async def test_b13_views_of_every_kind_are_filled(make: Callable[[], tuple[Any, str, int]], answer: str) -> None:
    """Views with an offset and with other item formats: filled in their own memory, with the right length."""
    given, item_format, items = make()
    with memoryview(given) as probe:
        size, item_size = probe.nbytes, probe.itemsize
        whole = memoryview(probe.obj)
    content = bytes(range(1, size + 1))
    source, reader = byob_stream()
    if answer == "queued":
        source.controller.enqueue(content)
    read = reader.read(given)
    if answer == "enqueue":
        source.controller.enqueue(content)
    elif answer == "respond":
        request = source.controller.byob_request
        assert (request.view.format, len(request.view)) == ("B", size)
        request.view[:] = content
        request.respond(size)
    value, done = await soon(read)
    assert value is not None
    assert (value.format, value.itemsize, len(value), done) == (item_format, item_size, items, False)
    assert value.tobytes() == content
    assert content in whole.tobytes()
    value.release()
    whole.release()


@pytest.mark.parametrize("cancelled", [(0,), (0, 1), (1, 0)])
async def test_close_while_bytes_of_a_cancelled_read_came_back_behind_a_request(cancelled: tuple[int, ...]) -> None:
    """The source holds a request for the second read when the bytes of the first come back: close() ends it all."""
    source, reader = byob_stream()
    reads = [asyncio.ensure_future(waited(reader.read(bytearray(4)))) for _ in range(3)]
    await turns()
    source.controller.enqueue(b"ab")
    request = source.controller.byob_request
    for index in cancelled:
        reads[index].cancel()
    await turns()
    source.controller.close()
    request.respond(0)
    rest = [bytes_of(await soon(each)) for index, each in enumerate(reads) if index not in cancelled]
    assert rest == [(b"ab", False), (b"", True)][: len(rest)]
    assert bytes_of(await soon(reader.read(bytearray(4)))) == (b"", True)


async def waited(promise: Any) -> Any:
    """What a task gets that waits for a promise."""
    return await promise


async def test_b13_part_of_an_item_stays_for_the_next_read() -> None:
    """5 bytes for a view of items of two: two items now, and the fifth byte comes first in the next read."""
    source, reader = byob_stream()
    read = reader.read(array.array("H", [0] * 4))
    source.controller.enqueue(b"abcde")
    value, _ = await soon(read)
    assert value is not None
    assert (value.format, len(value), value.tobytes()) == ("H", 2, b"abcd")
    source.controller.enqueue(b"f")
    assert bytes_of(await soon(reader.read(bytearray(4), min=2))) == (b"ef", False)


@each_of(
    view=[
        b"read-only",
        memoryview(b"read-only"),
        memoryview(bytearray(8))[::2],
        memoryview(bytearray(8))[::-1],
        "text",
        8,
    ]
)
async def test_b13_views_that_cannot_be_filled_are_a_type_error(view: Any) -> None:
    """Read-only and non-contiguous views, and what is no buffer: TypeError, and the stream stays usable."""
    source, reader = byob_stream()
    assert isinstance(await failure(reader.read(view)), TypeError)
    read = reader.read(bytearray(8))
    source.controller.enqueue(b"chunk")
    assert bytes_of(await soon(read)) == (b"chunk", False)


async def test_b13_view_of_a_foreign_format() -> None:
    """A view of an item format that memoryview cannot cast: a TypeError, or filled with the right length."""
    given = (ctypes.c_int32 * 4)()
    source, reader = byob_stream()
    read = reader.read(given)
    source.controller.enqueue(bytes(range(16)))
    try:
        value, _ = await soon(read)
    except TypeError:
        assert bytes(given) == bytes(16)
    else:
        assert value is not None and value.nbytes == 16
        assert bytes(given) == bytes(range(16))


class References(ctypes.Structure):
    """A structure that refers to an object of Python's."""

    _fields_ = [("Offset", ctypes.c_int), ("item", ctypes.py_object)]


@pytest.mark.parametrize("make", [ctypes.py_object * 4, References], ids=["array", "structure"])
async def test_b13_references_to_objects_are_no_bytes(make: Callable[[], Any], tmp_path: Path) -> None:
    """Who reads bytes into them ends the process; who sends them tells where its objects are."""
    source, reader = byob_stream()
    assert "refers to other objects" in str(await failure(reader.read(make())))
    for take in (source.controller.enqueue, from_bytes):
        with pytest.raises(TypeError, match="refers to other objects"):
            take(make())
    written = ReadableStream.from_([make()]).pipe_to(write_file(tmp_path / "file"))
    assert "refers to other objects" in str(await failure(written))
    assert not (tmp_path / "file").exists()


@each_row(
    ("chunk", "content"),
    [
        (memoryview(bytearray(b"..abcd.."))[2:6], b"abcd"),
        (array.array("d", [1.5, 2.5]), array.array("d", [1.5, 2.5]).tobytes()),
        (memoryview(bytearray(b"abcdefgh")).cast("H")[1:3], b"cdef"),
        (memoryview(bytearray(b"abcdef")).cast("B", (2, 3)), b"abcdef"),
        (memoryview(b"read-only"), b"read-only"),
        ((ctypes.c_int32 * 2)(1, 2), bytes((ctypes.c_int32 * 2)(1, 2))),
    ],
)
@each_of(reading=[False, True])
async def test_b13_chunks_of_every_kind_are_enqueued(chunk: Any, content: bytes, reading: bool) -> None:
    """enqueue() takes any C-contiguous buffer: all its bytes arrive, no more and no fewer."""
    source = ByteSource()
    reader = stream_of(source, 100).get_reader()
    read = reader.read() if reading else None
    source.controller.enqueue(chunk)
    assert source.controller.desired_size == (100 if reading else 100 - len(content))
    assert await soon(read or reader.read()) == (content, False)


@pytest.mark.parametrize(
    "chunk", [memoryview(bytearray(8))[::2], "text", 8, [1, 2]], ids=["every other byte", "text", "number", "list"]
)
async def test_b13_chunks_that_are_no_bytes_are_a_type_error(chunk: Any) -> None:
    """enqueue() of a non-contiguous buffer or of no buffer at all: TypeError, and the stream stays usable."""
    source = ByteSource()
    reader = stream_of(source).get_reader()
    with pytest.raises(TypeError):
        source.controller.enqueue(chunk)
    source.controller.enqueue(b"chunk")
    assert await soon(reader.read()) == (b"chunk", False)


async def test_b14_length_of_a_new_view_is_taken_before_the_transfer() -> None:
    """respond_with_new_view() takes the view over: its length counts as it was before, and it is released."""
    source, reader = byob_stream()
    read = reader.read(bytearray(8))
    request = source.controller.byob_request
    whole = request.view
    whole[:] = b"abcdefgh"
    view = whole[:3]
    request.respond_with_new_view(view)
    assert is_released(view)
    assert is_released(whole)
    assert request.view is None
    assert bytes_of(await soon(read)) == (b"abc", False)


async def test_b14_taken_over_view_is_refused() -> None:
    """A view that was taken over before is a TypeError for respond_with_new_view(), and the request stays valid."""
    source, reader = byob_stream()
    read = reader.read(bytearray(4))
    request = source.controller.byob_request
    gone = request.view[:2]
    gone.release()
    with quiet(), pytest.raises(TypeError, match="released"):
        request.respond_with_new_view(gone)
    request.view[:1] = b"a"
    request.respond(1)
    assert bytes_of(await soon(read)) == (b"a", False)


async def test_b14_new_view_after_the_stream_was_closed() -> None:
    """On a closed stream an empty new view of the same memory answers the request: the read is done."""
    source, reader = byob_stream()
    read = reader.read(bytearray(4))
    request = source.controller.byob_request
    source.controller.close()
    with pytest.raises(TypeError):
        request.respond_with_new_view(request.view[:1])
    request.respond_with_new_view(request.view[:0])
    assert bytes_of(await soon(read)) == (b"", True)
