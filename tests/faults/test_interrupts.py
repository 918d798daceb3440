"""KeyboardInterrupt and SystemExit in callbacks go through (Y5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from tests.grids import each_of
from tests.loops import EVERY_LOOP
from webstreams import (
    Promise,
    ReadableStream,
    StreamError,
    TransformStream,
    WritableStream,
    queue_microtask,
)

from .helpers import FORMS, RecordingSource, chunks_stream, drain, finish, raising, soon, stream_of, turns

INTERRUPTS = each_of(interrupt=[KeyboardInterrupt, SystemExit])


async def interrupted_pull(callback: Callable[..., Any]) -> None:
    await ReadableStream[Any]({"pull": callback}, {"high_water_mark": 0}).get_reader().read()


async def interrupted_start_of_pulling(callback: Callable[..., Any]) -> None:
    stream: ReadableStream[Any] = ReadableStream({"pull": callback})
    await turns(10)
    assert stream is None, "the interrupt should have come"


async def interrupted_write(callback: Callable[..., Any]) -> None:
    await WritableStream[Any]({"write": callback}).get_writer().write("chunk")


async def interrupted_cancel(callback: Callable[..., Any]) -> None:
    await ReadableStream[Any]({"cancel": callback}).cancel()


async def interrupted_transform(callback: Callable[..., Any]) -> None:
    transform: TransformStream[Any, Any] = TransformStream({"transform": callback})
    transform.writable.get_writer().write("chunk")
    await transform.readable.get_reader().read()


async def interrupted_pipe(callback: Callable[..., Any]) -> None:
    await chunks_stream("a", "b").pipe_to(WritableStream({"write": callback}))


async def interrupted_microtask(callback: Callable[..., Any]) -> None:
    queue_microtask(callback)
    await turns(10)
    raise AssertionError("the interrupt should have come")


@EVERY_LOOP
@INTERRUPTS
@each_of(form=FORMS)
@each_of(
    program=[
        interrupted_pull,
        interrupted_start_of_pulling,
        interrupted_write,
        interrupted_cancel,
        interrupted_transform,
        interrupted_pipe,
    ]
)
def test_y5_interrupts_go_through(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
    interrupt: type[BaseException],
    form: str,
    program: Callable[[Callable[..., Any]], Coroutine[Any, Any, None]],
) -> None:
    """A callback raises KeyboardInterrupt or SystemExit: it comes out of the loop, which goes on working afterwards."""
    loop = make_loop()
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    other = RecordingSource()

    async def prepare() -> Any:
        reader = stream_of(other).get_reader()
        return reader, reader.read()

    async def go_on(reader: Any, pending: Promise[Any]) -> list[Any]:
        other.controller.enqueue("first")
        other.controller.close()
        fresh = await drain(chunks_stream("second").get_reader())
        return [(await soon(pending)).value, *fresh, (await soon(reader.read())).done]

    try:
        reader, pending = loop.run_until_complete(prepare())
        with pytest.raises(interrupt):
            loop.run_until_complete(program(raising(interrupt("stop"), form)))
        assert loop.run_until_complete(go_on(reader, pending)) == ["first", "second", True]
    finally:
        finish(loop)
    assert [each for each in reported if not tells_of(interrupt, each.get("exception"))] == []


async def list_behind_flush(callback: Callable[..., Any]) -> None:
    await chunks_stream("a").pipe_through(TransformStream({"flush": callback})).list()


async def loop_behind_flush(callback: Callable[..., Any]) -> None:
    async with chunks_stream("a").pipe_through(TransformStream({"flush": callback})).values() as chunks:
        async for _ in chunks:
            pass


async def list_and_cancel(callback: Callable[..., Any]) -> None:
    def fail(chunk: Any, controller: Any) -> None:
        raise ValueError(chunk)

    source: ReadableStream[Any] = ReadableStream(
        {"pull": lambda controller: controller.enqueue("a"), "cancel": callback}, {"high_water_mark": 0}
    )
    with suppress(ValueError):
        await source.pipe_through(TransformStream({"transform": fail})).list()
    await turns(10)


async def list_and_cancel_of_a_transform(callback: Callable[..., Any]) -> None:
    transform: TransformStream[Any, Any] = TransformStream({"cancel": callback})
    async with transform.readable.values():
        pass


async def list_behind_size(callback: Callable[..., Any]) -> None:
    await chunks_stream("a", "b").batched(size=2, size_of=callback).list()


async def list_behind_key(callback: Callable[..., Any]) -> None:
    async def same(chunk: Any) -> Any:
        return chunk

    await chunks_stream("a", "b").map(same, concurrency=2, key=callback).list()


async def block_of_a_writer_that_closes(callback: Callable[..., Any]) -> None:
    async with WritableStream[Any]({"close": callback}).get_writer():
        pass


async def block_of_a_writer_that_aborts(callback: Callable[..., Any]) -> None:
    async with WritableStream[Any]({"abort": callback}).get_writer():
        raise ValueError("the block fails")


@EVERY_LOOP
@INTERRUPTS
@each_of(form=FORMS)
@each_of(
    program=[
        list_behind_flush,
        loop_behind_flush,
        list_and_cancel,
        list_and_cancel_of_a_transform,
        list_behind_size,
        list_behind_key,
        block_of_a_writer_that_closes,
        block_of_a_writer_that_aborts,
    ]
)
def test_what_cleans_up_behind_an_interrupt_does_not_wait_for_the_interrupted_callback(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
    interrupt: type[BaseException],
    form: str,
    program: Callable[[Callable[..., Any]], Coroutine[Any, Any, None]],
) -> None:
    """The interrupt comes out of the task that awaits: its promise was never settled, and list() waited for ever."""
    if form != "function" and program in (list_behind_size, list_behind_key):
        return  # they take plain functions only
    loop = make_loop()
    loop.set_exception_handler(lambda _, context: None)

    async def main() -> None:
        async with asyncio.timeout(5):
            await program(raising(interrupt("stop"), form))

    try:
        with pytest.raises(interrupt):
            loop.run_until_complete(main())
    finally:
        finish(loop)


def tells_of(interrupt: type[BaseException], error: Any) -> bool:
    """Whether an error is the interrupt, or the error of a task that awaited the stream which the interrupt errored."""
    return isinstance(error.reason if isinstance(error, StreamError) else error, interrupt)


@EVERY_LOOP
@INTERRUPTS
def test_y5_interrupt_of_a_microtask_goes_through(
    make_loop: Callable[[], asyncio.AbstractEventLoop], interrupt: type[BaseException]
) -> None:
    """A microtask raises KeyboardInterrupt or SystemExit: the microtasks behind it run when the loop goes on."""
    loop = make_loop()
    ran: list[str] = []

    async def main() -> None:
        queue_microtask(raising(interrupt("stop"), "function"))
        queue_microtask(ran.append, "behind")
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    try:
        with pytest.raises(interrupt):
            loop.run_until_complete(main())
        loop.run_until_complete(turns())
        assert ran == ["behind"]
    finally:
        finish(loop)
