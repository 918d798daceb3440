"""`webstreams.operations`: reading."""

from __future__ import annotations

import asyncio
from array import array
from typing import Any

import pytest

from tests.grids import each_of
from tests.waiting import each_look_ends_a_turn
from webstreams import (
    ReadableStream,
    ReadableStreamDefaultReader,
)
from webstreams.operations import (
    cancel_readable_stream,
    cancel_reader,
    close_readable_stream,
    create_readable_stream,
    create_readable_stream_with_byte_reading_support,
    enqueue_into_readable_stream,
    error_readable_stream,
    get_reader,
    is_closed,
    is_disturbed,
    is_errored,
    is_locked,
    is_readable,
    read_all_bytes,
    read_all_bytes_as_promise,
    read_chunk,
    release_reader,
    set_up_reader,
    tee,
)

from .operating import (
    BOOM,
    Steps,
    items,
    raise_boom,
    record_reports,
)

# Reading.


async def test_a_reader_needs_an_unlocked_stream() -> None:
    stream = create_readable_stream()
    reader = get_reader(stream)
    with pytest.raises(TypeError, match="the stream is locked"):
        get_reader(stream)
    release_reader(reader)
    release_reader(reader)
    assert isinstance(get_reader(stream), ReadableStreamDefaultReader)


async def test_a_subclass_of_the_reader_sets_itself_up() -> None:
    class Lines(ReadableStreamDefaultReader[str]):
        def __init__(self, stream: ReadableStream[str], end: str) -> None:
            self.end = end
            set_up_reader(self, stream)

    stream: ReadableStream[str] = ReadableStream.from_(["a"])
    reader = Lines(stream, "\n")
    assert is_locked(stream)
    value, _ = await reader.read()
    assert value == "a"
    with pytest.raises(TypeError, match="has not been set up"):
        set_up_reader(reader, stream)
    with pytest.raises(TypeError, match="locked"):
        Lines(stream, "\n")


async def test_a_chunk_is_read_without_a_promise() -> None:
    stream = create_readable_stream(high_water_mark=0)
    reader = get_reader(stream)
    enqueue_into_readable_stream(stream, "queued")
    queued, waiting, ended = Steps(), Steps(), Steps()
    read_chunk(reader, queued)
    assert queued.outcome == ["chunk", "queued"]
    read_chunk(reader, waiting)
    assert waiting.outcome == []
    enqueue_into_readable_stream(stream, "fresh")
    assert waiting.outcome == ["chunk", "fresh"]
    close_readable_stream(stream)
    read_chunk(reader, ended)
    assert ended.outcome == ["close"]
    assert is_disturbed(stream)


async def test_a_chunk_that_does_not_come() -> None:
    stream = create_readable_stream(high_water_mark=0)
    reader = get_reader(stream)
    errored, released = Steps(), Steps()
    read_chunk(reader, released)
    release_reader(reader)
    assert released.outcome[0] == "error" and isinstance(released.outcome[1], TypeError)
    with pytest.raises(TypeError, match="the reader was released"):
        read_chunk(reader, Steps())
    reader = get_reader(stream)
    read_chunk(reader, errored)
    error_readable_stream(stream, "why")
    assert errored.outcome == ["error", "why"]


async def test_steps_that_raise_do_not_reach_the_source() -> None:
    reported = record_reports()

    class Bad(Steps):
        def chunk_steps(self, chunk: Any) -> None:
            raise BOOM

        def close_steps(self) -> None:
            raise BOOM

    stream = create_readable_stream(high_water_mark=0)
    reader = get_reader(stream)
    read_chunk(reader, Bad())
    enqueue_into_readable_stream(stream, 1)
    close_readable_stream(stream)
    read_chunk(reader, Bad())
    assert [context["exception"] for context in reported] == [BOOM, BOOM]


async def test_a_read_request_has_three_methods() -> None:
    reader = get_reader(create_readable_stream())
    wrong: Any = object()
    with pytest.raises(TypeError, match="a read request must have the method chunk_steps, and object has not"):
        read_chunk(reader, wrong)
    assert not is_disturbed(create_readable_stream())


async def test_all_bytes_are_read() -> None:
    stream: ReadableStream[Any] = create_readable_stream(high_water_mark=0)
    outcome: list[Any] = []
    read_all_bytes(get_reader(stream), outcome.append, raise_boom)
    reused = bytearray(b"bb")
    for chunk in (b"aa", reused, memoryview(b"xccx")[1:3], array("B", b"dd")):
        enqueue_into_readable_stream(stream, chunk)
    reused[:] = b"--"
    assert outcome == []
    close_readable_stream(stream)
    assert outcome == [b"aabbccdd"]
    assert is_locked(stream)


async def test_a_long_queue_is_read_without_recursion_and_in_turns() -> None:
    stream = create_readable_stream(high_water_mark=0)
    chunks = 20_000  # deeper than any stack
    for _ in range(chunks):
        enqueue_into_readable_stream(stream, b"x")
    close_readable_stream(stream)
    turns = 0
    with each_look_ends_a_turn():
        promise = read_all_bytes_as_promise(get_reader(stream))
        while not promise.done():
            turns += 1
            await asyncio.sleep(0)
    assert promise.result() == b"x" * chunks
    assert turns > 1, "other tasks had their turns"


async def test_all_bytes_of_a_source_that_enqueues_inside_pull() -> None:
    stream = create_readable_stream(pull_algorithm=lambda: next_byte(stream, left), high_water_mark=0)
    left = list(range(200))
    assert await read_all_bytes_as_promise(get_reader(stream)) == bytes(reversed(range(200)))


def next_byte(stream: ReadableStream[Any], left: list[int]) -> None:
    enqueue_into_readable_stream(stream, bytes([left.pop()]))
    if not left:
        close_readable_stream(stream)


@each_of(chunk=["text", 1, array("H", [1]), None])
async def test_a_chunk_that_is_no_bytes_ends_reading_all(chunk: Any) -> None:
    stream: ReadableStream[Any] = create_readable_stream(high_water_mark=0)
    enqueue_into_readable_stream(stream, chunk)
    enqueue_into_readable_stream(stream, b"rest")
    reader = get_reader(stream)
    with pytest.raises(TypeError, match=r"the chunk must be a bytes-like object|of which all bytes are read must be"):
        await read_all_bytes_as_promise(reader)
    value, _ = await reader.read()
    assert value == b"rest", "the stream is neither cancelled nor released"


async def test_reading_all_bytes_fails_with_the_error_of_the_stream() -> None:
    stream = create_readable_stream(high_water_mark=0)
    failures: list[Any] = []
    read_all_bytes(get_reader(stream), raise_boom, failures.append)
    enqueue_into_readable_stream(stream, b"some")
    error_readable_stream(stream, "why")
    assert failures == ["why"]


async def test_releasing_the_reader_ends_reading_all() -> None:
    waiting = create_readable_stream(high_water_mark=0)
    reader = get_reader(waiting)
    promise = read_all_bytes_as_promise(reader)
    release_reader(reader)
    assert isinstance(promise.exception(), TypeError)
    with pytest.raises(TypeError, match="the reader was released"):
        read_all_bytes(reader, print, print)
    busy = create_readable_stream(high_water_mark=0)
    for _ in range(1000):
        enqueue_into_readable_stream(busy, b"x")
    reader = get_reader(busy)
    promise = read_all_bytes_as_promise(reader)
    release_reader(reader)
    with pytest.raises(TypeError, match="not all bytes were read"):
        await promise


async def test_steps_of_reading_all_bytes() -> None:
    reported = record_reports()
    stream = create_readable_stream()
    reader = get_reader(stream)
    wrong: Any = None
    with pytest.raises(TypeError, match="failure_steps must be callable, not NoneType"):
        read_all_bytes(reader, print, wrong)
    close_readable_stream(stream)
    read_all_bytes(reader, raise_boom, print)
    assert [context["exception"] for context in reported] == [BOOM]


async def test_a_locked_stream_can_be_cancelled() -> None:
    reasons: list[Any] = []
    stream = create_readable_stream(cancel_algorithm=reasons.append)
    reader = get_reader(stream)
    with pytest.raises(TypeError, match="locked"):
        await stream.cancel()
    await cancel_readable_stream(stream, "enough")
    assert reasons == ["enough"]
    assert (await reader.read()).done
    assert is_disturbed(stream)


async def test_a_reader_cancels_its_stream() -> None:
    reasons: list[Any] = []
    stream = create_readable_stream(cancel_algorithm=reasons.append)
    reader = get_reader(stream)
    await cancel_reader(reader, "enough")
    assert reasons == ["enough"]
    release_reader(reader)
    with pytest.raises(TypeError, match="the reader was released"):
        await cancel_reader(reader)


async def test_the_branches_of_a_tee_do_not_share_chunks() -> None:
    chunk = {"list": [1]}
    memory = memoryview(bytearray(b"\1\0\2\0")).cast("H")
    branch1, branch2 = tee(ReadableStream.from_([chunk, memory]))
    first, second = await items(branch1), await items(branch2)
    assert first[0] is chunk and second[0] == chunk and second[0]["list"] is not chunk["list"]
    assert first[1] is memory and second[1] == memory and second[1].format == "H"
    memory[0] = 9
    assert second[1][0] == 1


async def test_a_chunk_that_cannot_be_cloned_errors_both_branches() -> None:
    class Uncopyable:
        def __deepcopy__(self, memo: Any) -> Any:
            raise BOOM

    reasons: list[Any] = []
    stream = create_readable_stream(cancel_algorithm=reasons.append)
    enqueue_into_readable_stream(stream, Uncopyable())
    for branch in tee(stream):
        with pytest.raises(RuntimeError) as caught:
            await items(branch)
        assert caught.value is BOOM
    assert reasons == [BOOM]


async def test_nothing_is_cloned_for_a_cancelled_branch() -> None:
    class Uncopyable:
        def __deepcopy__(self, memo: Any) -> Any:
            raise BOOM

    chunk = Uncopyable()
    stream = create_readable_stream(high_water_mark=0)
    branch1, branch2 = tee(stream)
    cancelled = branch2.cancel()
    enqueue_into_readable_stream(stream, chunk)
    close_readable_stream(stream)
    assert await items(branch1) == [chunk]
    await cancelled


async def test_a_tee_waits_for_the_faster_branch_and_of_bytes_too() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    enqueue_into_readable_stream(stream, b"abc")
    close_readable_stream(stream)
    branch1, branch2 = tee(stream)
    assert is_locked(stream)
    with pytest.raises(TypeError, match="locked"):
        tee(stream)
    assert await items(branch1) == await items(branch2) == [b"abc"]


async def test_introspection() -> None:
    stream = create_readable_stream()
    states = (is_readable, is_closed, is_errored, is_locked, is_disturbed)
    assert [state(stream) for state in states] == [True, False, False, False, False]
    reader = get_reader(stream)
    assert [state(stream) for state in states] == [True, False, False, True, False]
    await cancel_reader(reader)
    assert [state(stream) for state in states] == [False, True, False, True, True]
    other: ReadableStream[Any] = ReadableStream()
    error_readable_stream(other, 1)
    assert [state(other) for state in states] == [False, False, True, False, False]
