"""Chunks that have memory of their own: it is not copied into a pickle, in either direction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from webstreams import ReadableStream
from webstreams.workers import message_channel, receive, transfer, worker
from webstreams.workers._frames import CHUNK, encode

from . import functions

pytestmark = pytest.mark.usefixtures("from_nursery")

ARRAY: Any = np.arange(300_000, dtype=np.float32).reshape(3, 100_000)


@pytest.mark.parametrize("array", [ARRAY, ARRAY.T, np.arange(1000)], ids=["C order", "Fortran order", "small"])
def test_the_memory_of_an_array_is_sent_as_it_is(array: Any) -> None:
    head, pickled, memory = encode(CHUNK, array)
    assert len(head) + len(pickled) < 1000
    assert np.shares_memory(np.frombuffer(memory, dtype=array.dtype), array)


def test_the_memory_of_a_view_is_sent_as_it_is() -> None:
    for view in (memoryview(bytearray(100_000)), memoryview(ARRAY)):
        head, memory = encode(CHUNK, view)
        assert len(head) < 100
        assert np.shares_memory(np.frombuffer(memory, dtype=np.uint8), np.asarray(view))


async def test_arrays_in_a_process() -> None:
    chunks = [ARRAY, ARRAY.T, ARRAY[:, ::7], np.array(["a", "bc"]), np.array([{"a": 1}], dtype=object), np.zeros(0)]
    async with worker(functions.double_arrays) as stage:
        found: Any = await ReadableStream.from_(chunks[:3]).pipe_through(stage).list()
    for array, doubled in zip(chunks, found, strict=False):
        assert doubled.dtype == array.dtype
        np.testing.assert_array_equal(doubled, array * 2)
    async with worker(functions.same) as stage:
        found = await ReadableStream.from_(chunks).pipe_through(stage).list()
    for array, same in zip(chunks, found, strict=True):
        np.testing.assert_array_equal(same, array)


async def test_views_lose_their_shape_but_not_their_bytes() -> None:
    views = [memoryview(b"abc")[::2], memoryview(ARRAY), memoryview(ARRAY)[1:], memoryview(b"")]
    here, there = message_channel()
    with here, there:
        transfer(ReadableStream.from_(views), here)
        stream: ReadableStream[memoryview] = await receive(there)
        found = await stream.list()
    assert [view.tobytes() for view in found] == [view.tobytes() for view in views]
    assert {view.format for view in found} == {"B"}


async def test_arrays_through_a_transferred_stream() -> None:
    here, there = message_channel()
    with here, there:
        transfer(ReadableStream.from_([ARRAY, {"array": ARRAY}]), here)
        stream: ReadableStream[Any] = await receive(there)
        first, second = await stream.list()
    np.testing.assert_array_equal(first, ARRAY)
    np.testing.assert_array_equal(second["array"], ARRAY)
