"""Errors name who holds the lock of a stream."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.helpers import turns
from tests.grids import each_of
from webstreams import (
    ReadableStream,
    ReadableStreamAsyncIterator,
    ReadableStreamBYOBReader,
    ReadableStreamDefaultReader,
    TransformStream,
    WritableStream,
    WritableStreamDefaultWriter,
)
from webstreams import operations as ops

from .support import ByteSource, Source, readable, writable


def lock_with_reader(stream: ReadableStream[Any]) -> str:
    stream.get_reader().read()
    return "<ReadableStreamDefaultReader with 1 pending read>"


def lock_with_byob_reader(stream: ReadableStream[Any]) -> str:
    stream.get_reader(mode="byob")
    return "<ReadableStreamBYOBReader with no pending reads>"


def lock_with_pipe(stream: ReadableStream[Any]) -> str:
    stream.pipe_to(writable())
    return "a pipe into <WritableStream writable, queue 0/1, desired_size 1>"


def lock_with_tee(stream: ReadableStream[Any]) -> str:
    stream.tee()
    return "a tee"


def lock_with_cloning_tee(stream: ReadableStream[Any]) -> str:
    ops.tee(stream)
    return "a tee"


def lock_with_iteration(stream: ReadableStream[Any]) -> str:
    KEPT.append(stream.values())
    return "an iteration"


KEPT: list[ReadableStreamAsyncIterator[Any]] = []


@pytest.fixture(autouse=True)
def _drop_kept() -> Iterator[None]:
    yield
    KEPT.clear()


READ_LOCKS = [lock_with_reader, lock_with_pipe, lock_with_tee, lock_with_cloning_tee, lock_with_iteration]


LOCKED_OUT: dict[str, Callable[[ReadableStream[Any]], Any]] = {
    "get_reader": lambda stream: stream.get_reader(),
    "get_reader byob": lambda stream: stream.get_reader(mode="byob"),
    "reader": ReadableStreamDefaultReader,
    "byob reader": ReadableStreamBYOBReader,
    "cancel": lambda stream: stream.cancel().result(),
    "tee": lambda stream: stream.tee(),
    "values": lambda stream: stream.values(),
    "pipe_to": lambda stream: stream.pipe_to(writable()).result(),
    "pipe_through": lambda stream: stream.pipe_through(TransformStream()),
}


@each_of(kind=[Source, ByteSource], lock=[*READ_LOCKS, lock_with_byob_reader], action=LOCKED_OUT)
async def test_an_error_names_who_holds_the_lock_of_a_readable_stream(
    action: str, lock: Callable[[ReadableStream[Any]], str], kind: type[Source]
) -> None:
    if lock is lock_with_byob_reader:
        kind = ByteSource
    stream = readable(mark=0, source=kind())
    holder = lock(stream)
    assert f", locked to {holder}, " in repr(stream)
    with pytest.raises(TypeError, match=re.escape(f"locked to {holder}") + "$"):
        LOCKED_OUT[action](stream)


def test_lock_holders_are_the_same_for_both_readers_of_a_byte_tee() -> None:
    async def main() -> None:
        stream = readable(source=ByteSource())
        branch, _ = stream.tee()
        branch.get_reader(mode="byob").read(bytearray(4))
        await turns(5)
        assert isinstance(stream._reader, ReadableStreamBYOBReader)
        assert ", locked to a tee, " in repr(stream)

    asyncio.run(main())


WRITE_LOCKED_OUT: dict[str, Callable[[WritableStream[Any]], Any]] = {
    "get_writer": lambda stream: stream.get_writer(),
    "writer": WritableStreamDefaultWriter,
    "abort": lambda stream: stream.abort().result(),
    "close": lambda stream: stream.close().result(),
    "pipe_to": lambda stream: readable().pipe_to(stream).result(),
}


@each_of(action=WRITE_LOCKED_OUT)
@each_of(by_pipe=[False, True])
async def test_an_error_names_who_holds_the_lock_of_a_writable_stream(action: str, by_pipe: bool) -> None:
    stream = writable()
    if by_pipe:
        readable().pipe_to(stream)
        holder = "a pipe from <ReadableStream readable, queue 0/16, desired_size 16>"
    else:
        stream.get_writer()
        holder = "<WritableStreamDefaultWriter ready>"
    assert f", locked to {holder}, " in repr(stream)
    with pytest.raises(TypeError, match=re.escape(f"locked to {holder}") + "$"):
        WRITE_LOCKED_OUT[action](stream)


async def test_a_finished_pipe_holds_no_lock() -> None:
    source = Source()
    stream, destination = readable(source=source), writable()
    pipe = stream.pipe_to(destination, prevent_close=True)
    source.controller.close()
    await pipe
    assert ", unlocked, " in repr(stream)
    assert ", unlocked, " in repr(destination)
