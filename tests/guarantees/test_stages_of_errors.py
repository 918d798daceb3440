"""An error says in which stage of a pipeline it arose: once, and only what is an exception."""

from __future__ import annotations

import gzip
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.grids import each_of
from webstreams import (
    CompressionStream,
    DataError,
    DecompressionStream,
    ReadableStream,
    StreamError,
    TextDecoderStream,
    TextEncoderStream,
    TransformStream,
    WritableStream,
    chunked,
    connect_tcp,
    from_blocking_iterable,
    from_producer,
    generator_transform,
    lines,
    read_file,
    standard_output,
    to_callable,
    write_file,
    zip_streams,
)
from webstreams.threads import readable_from_thread

BOOM = "boom"


def fail(*_: Any) -> None:
    raise ValueError(BOOM)


async def fail_later(*_: Any) -> None:
    raise ValueError(BOOM)


class Parser:
    def transform(self, chunk: Any, controller: Any) -> None:
        raise ValueError(BOOM)


class LateParser:
    async def transform(self, chunk: Any, controller: Any) -> None:
        raise ValueError(BOOM)


class Flusher:
    transform = None

    def flush(self, controller: Any) -> None:
        raise ValueError(BOOM)


class Source:
    def pull(self, controller: Any) -> None:
        raise ValueError(BOOM)


class LateSource:
    async def pull(self, controller: Any) -> None:
        raise ValueError(BOOM)


class LateStart:
    async def start(self, controller: Any) -> None:
        raise ValueError(BOOM)


class Sink:
    def write(self, chunk: Any, controller: Any) -> None:
        raise ValueError(BOOM)


class LateSink:
    async def write(self, chunk: Any, controller: Any) -> None:
        raise ValueError(BOOM)


class Tools:
    def parse(self, *_: Any) -> None:
        raise ValueError(BOOM)

    async def load(self, *_: Any) -> None:
        raise ValueError(BOOM)

    def items(self, *_: Any) -> Iterator[int]:
        yield from numbers()


class Closer:
    write = None

    async def close(self) -> None:
        raise ValueError(BOOM)


def numbers() -> Iterator[int]:
    yield 1
    raise ValueError(BOOM)


async def late_numbers() -> AsyncIterator[int]:
    yield 1
    raise ValueError(BOOM)


async def late_numbers_of(chunks: AsyncIterator[int]) -> AsyncIterator[int]:
    async for chunk in chunks:
        yield chunk
        raise ValueError(BOOM)


def source(count: int = 3) -> ReadableStream[Any]:
    return ReadableStream.from_(range(count))


def anything(*chunks: Any) -> ReadableStream[Any]:
    return ReadableStream.from_(chunks)


def through(transformer: Any) -> ReadableStream[Any]:
    return source().pipe_through(TransformStream(transformer))


async def into(sink: Any) -> None:
    await source().pipe_to(WritableStream(sink))


# What fails, and the note of its error. Some pipelines are long enough to run steadily before.
CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "transform": (lambda: through(Parser()).list(), "Parser, in its transform()"),
    "late transform": (lambda: through(LateParser()).list(), "LateParser, in its transform()"),
    "a function": (lambda: through({"transform": fail}).list(), "fail, in its transform()"),
    "a coroutine function": (lambda: through({"transform": fail_later}).list(), "fail_later, in its transform()"),
    "a method": (lambda: source().map(Tools().parse).list(), "Tools.parse, in its function"),
    "a coroutine method": (lambda: source().map(Tools().load, concurrency=2).list(), "Tools.load, in its function"),
    "a method as a member": (lambda: through({"transform": Tools().parse}).list(), "Tools.parse, in its transform()"),
    "an iterable in a thread": (lambda: from_blocking_iterable(numbers()).list(), "numbers, in its thread"),
    "a thread": (lambda: readable_from_thread(fail).list(), "fail, in its thread"),
    "a partial": (lambda: through({"transform": partial(fail, 1)}).list(), "fail, in its transform()"),
    "flush": (lambda: through(Flusher()).list(), "Flusher, in its flush()"),
    "pull": (lambda: ReadableStream[Any](Source()).list(), "Source, in its pull()"),
    "late pull": (lambda: ReadableStream[Any](LateSource()).list(), "LateSource, in its pull()"),
    "late start": (lambda: ReadableStream[Any](LateStart()).list(), "LateStart, in its start()"),
    "write": (lambda: into(Sink()), "Sink, in its write()"),
    "late write": (lambda: into(LateSink()), "LateSink, in its write()"),
    "close": (lambda: into(Closer()), "Closer, in its close()"),
    "a generator": (lambda: ReadableStream.from_(numbers()).list(), "numbers, in its pull()"),
    "an async generator": (lambda: ReadableStream.from_(late_numbers()).list(), "late_numbers, in its pull()"),
    "map": (lambda: source().map(fail).list(), "fail, in its function"),
    "late map": (lambda: source().map(fail_later).list(), "fail_later, in its function"),
    "map with several calls": (lambda: source().map(fail_later, concurrency=2).list(), "fail_later, in its function"),
    "map with a guard": (lambda: source().map(fail, timeout=9).list(), "fail, in its function"),
    "key": (lambda: source().map(fail_later, concurrency=2, key=fail).list(), "fail, in its key"),
    "for_each": (lambda: source().for_each(fail_later, concurrency=2), "fail_later, in its function"),
    "to_callable": (lambda: source().pipe_to(to_callable(fail)), "fail, in its write()"),
    "to_callable, later": (lambda: source().pipe_to(to_callable(fail_later)), "fail_later, in its write()"),
    "several calls": (lambda: source().pipe_to(to_callable(fail_later, concurrency=2)), "fail_later, in its function"),
    "a generator under an operator": (
        lambda: ReadableStream.from_(numbers()).map(str).list(),
        "numbers, in its pull()",
    ),
    "a generator of flat_map": (
        lambda: source().flat_map(partial(Tools().items)).list(),
        "Tools.items, in its function",
    ),
    "batched": (lambda: source().batched(size=9).list(), "batched(), in its function"),
    "batched by time": (lambda: source().batched(size=9, seconds=9).list(), "batched(), in its function"),
    "reduce": (lambda: source().reduce(fail, 0), "reduce(), in its function"),
    "lines as a method": (lambda: source().lines().list(), "lines(), in its function"),
    "chunked as a method": (lambda: source().chunked(3).list(), "chunked(), in its function"),
    "a producer": (lambda: from_producer(fail_later).list(), "fail_later, in its function"),
    "generator_transform": (
        lambda: source().pipe_through(generator_transform(late_numbers_of)).list(),
        "late_numbers_of, in its pull()",
    ),
    "decompression": (
        lambda: ReadableStream.from_([b"x"]).pipe_through(DecompressionStream("gzip")).bytes(),
        "DecompressionStream, in its transform()",
    ),
    "truncated": (
        lambda: ReadableStream.from_([gzip.compress(b"x")[:-1]]).pipe_through(DecompressionStream("gzip")).bytes(),
        "DecompressionStream, in its transform()",
    ),
    "compression": (
        lambda: anything("x").pipe_through(CompressionStream("gzip")).bytes(),
        "CompressionStream, in its transform()",
    ),
    "lines": (lambda: source().pipe_through(lines()).list(), "lines(), in its transform()"),
    "chunked": (lambda: source().pipe_through(chunked(3)).list(), "chunked(), in its transform()"),
    "decoding": (
        lambda: ReadableStream.from_([b"\xff"]).pipe_through(TextDecoderStream(fatal=True)).list(),
        "TextDecoderStream, in its transform()",
    ),
    "the end of decoding": (
        lambda: ReadableStream.from_([b"\xc3"]).pipe_through(TextDecoderStream(fatal=True)).list(),
        "TextDecoderStream, in its flush()",
    ),
    "encoding": (
        lambda: anything(b"x").pipe_through(TextEncoderStream()).list(),
        "TextEncoderStream, in its transform()",
    ),
}


def notes_of(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", []))


@each_of(name=CASES)
async def test_the_note_names_the_stage(name: str) -> None:
    run, note = CASES[name]
    with pytest.raises((ValueError, TypeError)) as caught:
        await run()
    assert notes_of(caught.value) == [f"in the stage {note}"]


@each_of(coroutine=[False, True])
async def test_the_stage_after_many_chunks(coroutine: bool) -> None:
    """A pipeline that runs steadily fails as any other does."""

    def check(chunk: int, controller: Any) -> None:
        if chunk == 900:
            raise ValueError(BOOM)
        controller.enqueue(chunk)

    async def check_later(chunk: int, controller: Any) -> None:
        check(chunk, controller)

    stream = source(1000).pipe_through(TransformStream({"transform": check_later if coroutine else check}))
    written: list[int] = []
    with pytest.raises(ValueError, match=BOOM) as caught:
        await stream.pipe_to(WritableStream({"write": lambda chunk, _: written.append(chunk)}))
    assert len(written) > 800
    (note,) = notes_of(caught.value)
    assert note.endswith(f"{'check_later' if coroutine else 'check'}, in its transform()")


async def test_an_error_that_passes_many_stages_keeps_one_note() -> None:
    stream = source().pipe_through(TransformStream(Parser()))
    for _ in range(3):
        stream = stream.pipe_through(TransformStream({"transform": lambda chunk, controller: None}))
    aborted: list[Any] = []
    with pytest.raises(ValueError, match=BOOM) as caught:
        await stream.pipe_to(WritableStream({"abort": aborted.append}))
    assert aborted == [caught.value]
    assert notes_of(caught.value) == ["in the stage Parser, in its transform()"]


async def test_one_error_raised_again_and_again_keeps_one_note() -> None:
    error = ValueError(BOOM)
    error.add_note("a note of the user's")

    def fail_again(chunk: Any, controller: Any) -> None:
        raise error

    for _ in range(3):
        with pytest.raises(ValueError, match=BOOM) as caught:
            await through({"transform": fail_again}).list()
        assert caught.value is error
        assert len(notes_of(error)) == 2
        assert notes_of(error)[0] == "a note of the user's"


async def test_a_sink_that_passes_on_an_error_of_another_stage_adds_nothing() -> None:
    inner = source().pipe_through(TransformStream(Parser()))

    async def write(chunk: Any, controller: Any) -> None:
        await inner.list()

    with pytest.raises(ValueError, match=BOOM) as caught:
        await source().pipe_to(WritableStream({"write": write}))
    assert notes_of(caught.value) == ["in the stage Parser, in its transform()"]


def told(controller: Any) -> None:
    controller.error(ValueError(BOOM))


def told_of_chunk(chunk: Any, controller: Any) -> None:
    told(controller)


class Telling:
    pull = staticmethod(told)


async def same(chunks: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for chunk in chunks:
        yield chunk


TOLD: dict[str, tuple[Callable[[], Any], str]] = {
    "a source": (lambda: ReadableStream[Any]({"pull": told}), "told"),
    "a source that starts": (lambda: ReadableStream[Any]({"start": told}), "told"),
    "a source with a class": (lambda: ReadableStream[Any](Telling()), "told"),
    "a byte source": (lambda: ReadableStream[Any]({"type": "bytes", "pull": told}), "told"),
    "a transformer": (lambda: through({"transform": told_of_chunk}), "told_of_chunk"),
    "a transformer's flush": (lambda: through({"flush": told}), "told"),
}
BEHIND: dict[str, Callable[[ReadableStream[Any]], ReadableStream[Any]]] = {
    "nothing": lambda stream: stream,
    "a generator": lambda stream: stream.pipe_through(generator_transform(same)),
    "a stage and a generator": lambda stream: stream.pipe_through(TransformStream()).pipe_through(
        generator_transform(same)
    ),
    "two generators": lambda stream: stream.pipe_through(generator_transform(same)).pipe_through(
        generator_transform(same)
    ),
    "a mapping": lambda stream: stream.map(str),
    "a branch": lambda stream: stream.tee()[0],
}


@each_of(name=TOLD)
@each_of(behind=BEHIND)
async def test_what_a_controller_is_told_has_arisen_in_its_stage(name: str, behind: str) -> None:
    make, stage = TOLD[name]
    with pytest.raises(ValueError, match=BOOM) as caught:
        await BEHIND[behind](make()).list()
    assert notes_of(caught.value) == [f"in the stage {stage}, in its controller.error()"]


async def test_what_the_controller_of_a_sink_is_told_has_arisen_there() -> None:
    with pytest.raises(ValueError, match=BOOM) as caught:
        await source().pipe_to(WritableStream({"write": told_of_chunk}))
    assert notes_of(caught.value) == ["in the stage told_of_chunk, in its controller.error()"]


async def test_reasons_that_are_no_exceptions_are_left_alone() -> None:
    for reason in ("text", None, 5):
        stream = ReadableStream[Any]({"pull": lambda controller, reason=reason: controller.error(reason)})
        with pytest.raises(StreamError) as caught:
            await stream.pipe_through(generator_transform(same)).list()
        assert notes_of(caught.value) == []


@each_of(make=[TransformStream, lines, lambda: CompressionStream("gzip")])
async def test_a_reason_that_comes_through_a_generator_is_left_alone(make: Any) -> None:
    """Whoever aborts tells what is wrong elsewhere; the generator only hears of it."""
    reason = ValueError(BOOM)
    pair = make()
    reading = pair.readable.pipe_through(generator_transform(same)).list()
    await pair.writable.abort(reason)
    with pytest.raises(ValueError, match=BOOM) as caught:
        await reading
    assert caught.value is reason
    assert notes_of(reason) == []


async def test_a_generator_that_raises_another_error_for_that_of_its_input_is_named() -> None:
    async def other(chunks: AsyncIterator[Any]) -> AsyncIterator[Any]:
        try:
            async for chunk in chunks:
                yield chunk
        except ValueError:
            raise ValueError("another") from None

    with pytest.raises(ValueError, match="another") as caught:
        await TOLD["a source"][0]().pipe_through(generator_transform(other)).list()
    (note,) = notes_of(caught.value)
    assert note.endswith("other, in its pull()")


async def test_a_reason_that_passes_through_a_transform_is_left_alone() -> None:
    """The sides of a transform stream are no stages of their own."""
    reason = ValueError(BOOM)
    transform = TransformStream[Any, Any]()
    writer = transform.writable.get_writer()
    write = writer.write("chunk")
    closing = writer.close()
    await transform.readable.cancel(reason)
    for promise in (write, closing, writer.closed):
        promise.then(None, lambda _: None)
    with pytest.raises(ValueError, match=BOOM) as caught:
        await writer.closed
    assert caught.value is reason
    assert notes_of(reason) == []


async def test_an_error_that_takes_no_attributes_is_raised_as_it_is() -> None:
    class Frozen(Exception):
        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

        def __getattribute__(self, name: str) -> Any:
            if name == "__notes__":
                raise AttributeError(name)
            return super().__getattribute__(name)

    error = Frozen()

    def fail_frozen(*_: Any) -> None:
        raise error

    with pytest.raises(Frozen) as caught:
        await through({"transform": fail_frozen}).list()
    assert caught.value is error


async def test_data_errors_are_data_errors_everywhere() -> None:
    for run in (
        CASES["decompression"][0],
        CASES["truncated"][0],
        CASES["decoding"][0],
        CASES["the end of decoding"][0],
    ):
        with pytest.raises(DataError):
            await run()
    with pytest.raises(DataError):
        await ReadableStream.from_([b"\xff"]).text(fatal=True)
    with pytest.raises(DataError):
        await ReadableStream.from_([b"\x81"]).text("shift_jis", fatal=True)


async def writing(stream: WritableStream[Any], chunk: Any = b"x") -> None:
    writer = stream.get_writer()
    await writer.write(chunk)
    await writer.close()


async def cut_off(_: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = await connect_tcp(*listener.getsockname())
        peer, _ = listener.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        async with connection:
            await connection.readable.bytes()


ENDS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a file in no directory": (lambda path: writing(write_file(path / "no" / "file")), "write_file(), in its write()"),
    "a file at its end": (
        lambda path: write_file(path / "no" / "file").get_writer().close(),
        "write_file(), in its close()",
    ),
    "no chunk for a file": (lambda path: writing(write_file(path / "file"), 5), "write_file(), in its write()"),
    "no file": (lambda path: read_file(path / "no").bytes(), "read_file(), in its pull()"),
    "a directory": (lambda path: read_file(path, follow=True).bytes(), "read_file(), in its pull()"),
    "no chunk for an output": (lambda path: writing(standard_output(), 5), "standard_output(), in its write()"),
    "unequal streams": (
        lambda path: zip_streams(source(1), source(2), strict=True).list(),
        "zip_streams(), in its function",
    ),
    "a connection": (cut_off, "connection, in its transport"),
}


@pytest.mark.parametrize("name", ENDS)
async def test_an_end_of_the_library_is_known_by_its_public_name(name: str, tmp_path: Path) -> None:
    run, note = ENDS[name]
    with pytest.raises((OSError, TypeError, ValueError)) as caught:
        await run(tmp_path)
    assert notes_of(caught.value) == [f"in the stage {note}"]
