"""A loop that is closed with streams open leaves nothing, and says what was cut off."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.helpers import (
    ByteSource,
    RecordingSource,
    stream_of,
    turns,
)
from tests.grids import by_key, each_of
from tests.loops import LOOP_FACTORIES
from webstreams import AbortController, AbortSignal, ReadableStream, TransformStream, WritableStream


async def open_read() -> Any:
    source = RecordingSource()
    reader = stream_of(source).get_reader()
    return source, reader, reader.read(), reader.closed


async def open_byob_read() -> Any:
    source = ByteSource()
    reader = stream_of(source).get_reader(mode="byob")
    return source, reader, reader.read(bytearray(4))


async def open_queue() -> Any:
    source = RecordingSource()
    stream = stream_of(source)
    source.controller.enqueue("chunk")
    return source, stream


async def open_pull() -> Any:
    async def pull(controller: Any) -> None:
        await asyncio.Event().wait()

    reader = ReadableStream[Any]({"pull": pull}).get_reader()
    read = reader.read()
    await turns()
    return reader, read


async def open_write() -> Any:
    async def write(chunk: Any, controller: Any) -> None:
        await asyncio.Event().wait()

    writer = WritableStream[Any]({"write": write}).get_writer()
    writes = [writer.write("a"), writer.write("b"), writer.close()]
    await turns()
    return writer, writes, writer.ready, writer.closed


async def open_pipe() -> Any:
    source = RecordingSource()
    controller = AbortController()
    pipe = stream_of(source).pipe_to(WritableStream(), signal=controller.signal)
    await turns()
    return source, controller, pipe


async def open_endless_pipe() -> Any:
    def pull(controller: Any) -> None:
        controller.enqueue("chunk")

    pipe = ReadableStream[Any]({"pull": pull}).pipe_to(WritableStream())
    await turns(2)
    return pipe


async def open_chain() -> Any:
    source = RecordingSource()
    end = stream_of(source).pipe_through(TransformStream()).pipe_through(TransformStream())
    source.controller.enqueue("chunk")
    await turns()
    return source, end


async def open_tee() -> Any:
    source = RecordingSource()
    one, two = stream_of(source).tee()
    return source, one, two, one.get_reader().read()


async def open_iteration() -> Any:
    source = RecordingSource()
    iterator = stream_of(source).values()
    return source, iterator, iterator.__anext__()


async def open_generator() -> Any:
    async def generate() -> Any:
        while True:
            yield "chunk"

    iterator = ReadableStream.from_(generate()).values()
    assert await anext(iterator) == "chunk"
    return iterator


async def open_task() -> Any:
    async def iterate(stream: ReadableStream[Any]) -> None:
        async for _ in stream:
            pass

    source = RecordingSource()
    task = asyncio.create_task(iterate(stream_of(source)))
    await turns()
    return source, task


async def open_timer() -> Any:
    return AbortSignal.timeout(1_000), stream_of(RecordingSource())


OPEN = [
    open_read,
    open_byob_read,
    open_queue,
    open_pull,
    open_write,
    open_pipe,
    open_endless_pipe,
    open_chain,
    open_tee,
    open_iteration,
    open_generator,
    open_task,
    open_timer,
]


@each_of(make_loop=by_key(LOOP_FACTORIES))
@each_of(make=OPEN)
@each_of(kept=[False, True])
def test_closing_the_loop_with_streams_open_logs_nothing(
    make: Callable[[], Any], kept: bool, make_loop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    contexts: list[Any] = []
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: contexts.append(context))
        objects: Any = runner.run(make())
        if not kept:
            objects = None
    del objects
    gc.collect()  # an unraisable exception fails the test: warnings are errors
    # What was cut off is reported, once; and nothing else.
    assert len(contexts) == (make in {open_write, open_pipe, open_endless_pipe})
    assert all("was cut off by the end of the event loop" in each["message"] for each in contexts)
    assert [record.getMessage() for record in caplog.records if "selector" not in record.getMessage()] == []


def test_a_program_that_ends_with_streams_open_prints_what_was_cut_off() -> None:
    program = """
        import asyncio
        from webstreams import ReadableStream, TransformStream, WritableStream

        class Source:
            def start(self, controller):
                self.controller = controller
                controller.enqueue(b"chunk")

        async def pull(controller):
            await asyncio.Event().wait()

        async def main():
            global kept
            source = Source()
            end = ReadableStream(source).pipe_through(TransformStream())
            reading = ReadableStream({"pull": pull}).get_reader().read()
            writer = WritableStream({"write": lambda chunk, controller: asyncio.Event().wait()}).get_writer()
            writes = [writer.write("a"), writer.write("b")]
            branches = ReadableStream(Source()).tee()
            pipe = ReadableStream(Source()).pipe_to(WritableStream())
            iterator = ReadableStream(Source()).values()
            await anext(iterator)
            kept = source, end, reading, writer, writes, branches, pipe, iterator
            await asyncio.sleep(0)

        asyncio.run(main())
    """
    for keep in (True, False):
        text = textwrap.dedent(program) + ("" if keep else "\ndel kept\nimport gc\ngc.collect()\n")
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", text], capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode, done.stdout) == (0, "")
        reports = [line for line in done.stderr.splitlines() if line.startswith("webstreams: ")]
        assert ["pipe_to() from" in each for each in reports] == [True, False]
        assert all("was cut off by the end of the event loop" in each for each in reports)
        errors = [line for line in done.stderr.splitlines() if line not in reports]
        assert errors == ["webstreams._platform.errors.LoopEndedError: the event loop has ended"] * 2
