"""What is dropped is collected."""

from __future__ import annotations

from typing import Any

from tests.dropping import Dropped
from tests.faults.helpers import (
    SOURCES,
    RecordingSource,
    drain,
    quiet,
    soon,
    stream_of,
    turns,
)
from tests.grids import each_of
from webstreams import AbortController, Promise, TransformStream, WritableStream

BOTH_KINDS = each_of(kind=["default", "bytes"])


@BOTH_KINDS
@each_of(locked=[False, True])
@each_of(queued=[False, True])
async def test_a_dropped_readable_stream_is_collected(kind: str, locked: bool, queued: bool) -> None:
    seen = Dropped()

    def make() -> None:
        source = SOURCES[kind]()
        stream = stream_of(source)
        seen.see(source=source, stream=stream, controller=source.controller)
        if queued:
            source.controller.enqueue(b"chunk")
        if locked:
            reader = stream.get_reader()
            seen.see(reader=reader, closed=reader.closed, read=reader.read(), pending=reader.read())

    with quiet():
        make()
        await turns()
        assert seen.alive() == []


@each_of(queued=[0, 3])
async def test_a_dropped_writable_stream_is_collected(queued: int) -> None:
    seen = Dropped()

    class Sink:
        def write(self, chunk: Any, controller: Any) -> Any:
            return Promise.with_resolvers()[0]

    def make() -> None:
        sink = Sink()
        stream: WritableStream[Any] = WritableStream(sink)
        writer = stream.get_writer()
        seen.see(sink=sink, stream=stream, writer=writer, closed=writer.closed, ready=writer.ready)
        for _ in range(queued):
            seen.see(write=writer.write("chunk"))

    with quiet():
        make()
        await turns()
        assert seen.alive() == []


async def test_a_dropped_transform_stream_is_collected() -> None:
    seen = Dropped()

    class Transformer:
        def transform(self, chunk: Any, controller: Any) -> None:
            controller.enqueue(chunk)

    def make() -> None:
        transformer = Transformer()
        stream: TransformStream[Any, Any] = TransformStream(transformer)
        write = stream.writable.get_writer().write("chunk")
        seen.see(transformer=transformer, stream=stream, readable=stream.readable, writable=stream.writable)
        seen.see(write=write, read=stream.readable.get_reader().read())

    with quiet():
        make()
        await turns()
        assert seen.alive() == []


@BOTH_KINDS
async def test_a_dropped_iteration_is_collected(kind: str) -> None:
    seen = Dropped()

    def make() -> None:
        source = SOURCES[kind]()
        iterator = stream_of(source).values()
        seen.see(source=source, iterator=iterator, next=iterator.__anext__())

    with quiet():
        make()
        await turns()
        assert seen.alive() == []


@BOTH_KINDS
@each_of(index=[0, 1])
async def test_a_dropped_branch_of_a_tee_is_collected_while_the_other_one_is_read(kind: str, index: int) -> None:
    seen = Dropped()
    source = SOURCES[kind]()
    branches = list(stream_of(source).tee())
    seen.see(branch=branches.pop(index))
    with quiet():
        await turns()
        assert seen.alive() == []
        source.controller.enqueue(b"a")
        source.controller.close()
        assert await soon(drain(branches[0].get_reader())) == [b"a"]
    assert source.cancellations == []


@BOTH_KINDS
@each_of(reading=[False, True])
async def test_both_dropped_branches_of_a_tee_are_collected_with_the_source(kind: str, reading: bool) -> None:
    seen = Dropped()

    def make() -> None:
        source = SOURCES[kind]()
        stream = stream_of(source)
        one, two = stream.tee()
        seen.see(source=source, stream=stream, one=one, two=two)
        if reading:
            seen.see(read=one.get_reader().read())

    with quiet():
        make()
        await turns()
        assert seen.alive() == []


@BOTH_KINDS
async def test_a_pipe_whose_ends_are_dropped_is_collected(kind: str) -> None:
    seen = Dropped()

    def make() -> None:
        source = SOURCES[kind]()
        readable = stream_of(source)
        writable: WritableStream[Any] = WritableStream()
        pipe = readable.pipe_to(writable)
        seen.see(source=source, readable=readable, writable=writable, pipe=pipe)

    with quiet():
        make()
        await turns()
        assert seen.alive() == []


async def test_a_pipe_that_was_abandoned_with_its_signal_is_collected() -> None:
    seen = Dropped()

    def make() -> None:
        source = RecordingSource()
        controller = AbortController()
        pipe = stream_of(source).pipe_to(WritableStream(), signal=controller.signal)
        seen.see(source=source, controller=controller, signal=controller.signal, pipe=pipe)

    with quiet():
        make()
        await turns()
        assert seen.alive() == []


@BOTH_KINDS
async def test_an_abandoned_chain_of_transforms_is_collected(kind: str) -> None:
    seen = Dropped()

    def make() -> None:
        source = SOURCES[kind]()
        source_stream = stream_of(source)
        one: TransformStream[Any, Any] = TransformStream()
        two: TransformStream[Any, Any] = TransformStream()
        end = source_stream.pipe_through(one).pipe_through(two)
        source.controller.enqueue(b"chunk")
        seen.see(source=source, stream=source_stream, one=one, two=two, end=end)

    with quiet():
        make()
        await turns(10)
        assert seen.alive() == []
