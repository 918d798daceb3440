"""Byte streams whose chunks are read by default readers, pipes and operators: they run, and nobody can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from threading import Thread
from typing import Any

from tests.grids import each_of, each_row
from webstreams import (
    ByteLengthQueuingStrategy,
    ReadableStream,
    ReadableStreamBYOBReader,
    TextDecoderStream,
    WritableStream,
)
from webstreams._engine.jobs import current_jobs

from .pipelines import assert_alike, mapping, on_both_paths
from .programs import periods

COUNT = 160
LATE = 60
# So many chunks pass before a run begins.
FEW = 20
Pull = Callable[[Any, int], object]
End = Callable[[ReadableStream[Any]], Coroutine[Any, Any, Any]]


def enqueue(controller: Any, number: int) -> None:
    """What most sources do."""
    controller.enqueue(b"%d " % number)


def byte_stream(
    pull: Pull = enqueue, mark: int = 0, allocate: int | None = None, ran: list[bool] | None = None
) -> ReadableStream[Any]:
    """A byte stream whose source is asked so many times, and notes whether a run asks it."""
    count = iter(range(COUNT))

    def pull_next(controller: Any) -> None:
        number = next(count)
        if ran is not None:
            ran.append(current_jobs().run is not None)
        pull(controller, number)
        if number == COUNT - 1:
            controller.close()

    source: Any = {"type": "bytes", "pull": pull_next, "auto_allocate_chunk_size": allocate}
    return ReadableStream(source, {"high_water_mark": mark})


async def by_reads(stream: ReadableStream[Any]) -> list[Any]:
    chunks: list[Any] = []
    with stream.get_reader() as reader:
        while True:
            chunk, done = await reader.read()
            if done:
                return chunks
            chunks.append(chunk)


async def by_iteration(stream: ReadableStream[Any]) -> list[Any]:
    return [chunk async for chunk in stream]


async def at_once(stream: ReadableStream[Any]) -> list[Any]:
    return [await stream.bytes()]


async def by_a_pipe(stream: ReadableStream[Any]) -> list[Any]:
    chunks: list[Any] = []
    await stream.pipe_to(WritableStream({"write": lambda chunk, _: chunks.append(chunk)}))
    return chunks


async def by_a_pipe_that_counts_bytes(stream: ReadableStream[Any]) -> list[Any]:
    chunks: list[Any] = []
    sink: Any = {"write": lambda chunk, _: chunks.append(chunk)}
    await stream.pipe_to(WritableStream(sink, ByteLengthQueuingStrategy(high_water_mark=60)))
    return chunks


async def as_text(stream: ReadableStream[Any]) -> list[Any]:
    return [(await stream.pipe_through(TextDecoderStream()).text()).encode()]


async def through_operators(stream: ReadableStream[Any]) -> list[Any]:
    return await stream.map(bytes).filter(bool).list()


async def through_a_transform(stream: ReadableStream[Any]) -> list[Any]:
    return await by_reads(stream.pipe_through(mapping(lambda chunk, out: out.enqueue(chunk))))


ENDS = [
    by_reads,
    by_iteration,
    at_once,
    by_a_pipe,
    by_a_pipe_that_counts_bytes,
    as_text,
    through_operators,
    through_a_transform,
]


@each_of(end=ENDS)
def test_the_fast_path_is_taken(end: End) -> None:
    async def program() -> list[Any]:
        ran: list[bool] = []
        chunks = await end(byte_stream(ran=ran))
        return [*chunks, ran.count(True) > COUNT - FEW]

    assert b"".join(assert_alike(program)) == b"".join(b"%d " % number for number in range(COUNT))


async def outcome_of(awaitable: Awaitable[Any]) -> Any:
    """Return the result, or what has been raised instead."""
    try:
        return await awaitable
    except Exception as error:
        return repr(error)


def late(action: Pull) -> Pull:
    """A source that does one thing late, in the midst of a run."""

    def pull(controller: Any, number: int) -> None:
        (action if number == LATE else enqueue)(controller, number)

    return pull


def enqueue_nothing(controller: Any, number: int) -> None:
    """Such a chunk is refused, and the stream is errored with that."""
    controller.enqueue(b"")


def enqueue_text(controller: Any, number: int) -> None:
    controller.enqueue("text")


def enqueue_memory_that_is_used_again(controller: Any, number: int) -> None:
    memory = bytearray(b"as it was")
    controller.enqueue(memory)
    memory[:] = b"another"


def enqueue_several(controller: Any, number: int) -> None:
    for chunk in b"one", b"two", bytearray(b"three"):
        controller.enqueue(chunk)


def enqueue_and_look(controller: Any, number: int) -> None:
    looks = [controller.desired_size, controller.byob_request]
    controller.enqueue(b"%d " % number)
    looks += [controller.desired_size, controller.byob_request]
    controller.enqueue(repr(looks).encode())
    controller.enqueue(repr([controller.desired_size, controller.byob_request]).encode())


def enqueue_from_a_thread(controller: Any, number: int) -> None:
    errors: list[str] = []

    def enqueue_there() -> None:
        try:
            controller.enqueue(b"from a thread")
        except RuntimeError as error:
            errors.append(type(error).__name__)

    thread = Thread(target=enqueue_there)
    thread.start()
    thread.join()
    controller.enqueue(repr(errors).encode())


def enqueue_none(controller: Any, number: int) -> None:
    """Nobody asks again before the next chunk has come: it is given later."""
    asyncio.get_running_loop().call_soon(enqueue, controller, number)


def close(controller: Any, number: int) -> None:
    controller.enqueue(b"the last one")
    controller.close()
    raise RuntimeError("too late to tell")


def fail(controller: Any, number: int) -> None:
    controller.enqueue(b"the last one")
    raise RuntimeError("no more")


ACTIONS = [
    enqueue_nothing,
    enqueue_text,
    enqueue_memory_that_is_used_again,
    enqueue_several,
    enqueue_and_look,
    enqueue_from_a_thread,
    enqueue_none,
    close,
    fail,
]


@each_of(end=ENDS)
@each_of(action=ACTIONS)
def test_what_a_source_does_in_a_run(action: Pull, end: End) -> None:
    async def program() -> list[Any]:
        ran: list[bool] = []
        return [await outcome_of(end(byte_stream(late(action), ran=ran))), ran[LATE - 1]]

    assert_alike(program)


@each_of(end=ENDS)
@each_row(("mark", "allocate"), [(1, None), (10, None), (0, 5), (0, 1)])
def test_streams_whose_queues_or_memory_are_filled_do_not_run(mark: int, allocate: int | None, end: End) -> None:
    """Their states are too many: each number of bytes in the queue is another one."""

    async def program() -> tuple[list[Any], bool]:
        ran: list[bool] = []
        chunks = await end(byte_stream(mark=mark, allocate=allocate, ran=ran))
        return chunks, any(ran)

    plain, fast = on_both_paths(program)
    assert fast == plain == (plain[0], False)
    assert b"".join(fast[0]) == b"".join(b"%d " % number for number in range(COUNT))


def test_readers_of_both_kinds_take_turns() -> None:
    """A run begins anew behind each reader that brings memory."""

    async def program() -> list[Any]:
        log: list[Any] = []
        stream = byte_stream()
        for _ in range(4):
            with stream.get_reader() as reader:
                log += [(await reader.read()).value for _ in range(30)]
                left = reader.read()
            with ReadableStreamBYOBReader(stream) as filling:
                result = await filling.read(bytearray(2))
                log += [bytes(result.value or b""), result.done]
            log.append(await outcome_of(left))
        log.append(periods() > FEW)
        return log

    assert_alike(program)


def test_a_view_that_waits_keeps_a_run_from_beginning() -> None:
    """What a released BYOB reader has left is filled first."""

    async def program() -> list[Any]:
        log: list[Any] = []
        waiting: list[Any] = []

        def pull(controller: Any) -> None:
            if not waiting:
                waiting.append(controller)
            elif len(waiting) < COUNT:
                waiting.append(None)
                controller.enqueue(b"%d " % len(waiting))
            else:
                controller.close()

        stream: ReadableStream[Any] = ReadableStream({"type": "bytes", "pull": pull})
        filling = ReadableStreamBYOBReader(stream)
        read = filling.read(bytearray(5))
        await asyncio.sleep(0)
        log.append(repr(waiting[0].byob_request.view.nbytes))
        filling.release_lock()
        log.append(await outcome_of(read))
        waiting[0].byob_request.view[:2] = b"ab"
        waiting[0].byob_request.respond(2)
        log.append(await by_reads(stream))
        log.append(periods() > FEW)
        return log

    assert_alike(program)
