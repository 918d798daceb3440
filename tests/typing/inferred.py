# pyright: strict
"""What mypy and pyright infer, both the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeGuard, assert_type

from typing_extensions import TypeIs

from webstreams import (
    SKIP,
    CompressionStream,
    CountQueuingStrategy,
    LineStream,
    Promise,
    ReadableByteStreamController,
    ReadableStream,
    ReadableStreamAsyncIterator,
    ReadableStreamBYOBReader,
    ReadableStreamBYOBRequest,
    ReadableStreamDefaultController,
    ReadableStreamDefaultReader,
    ReadDoneResult,
    ReadValueResult,
    Shared,
    Subscription,
    TextDecoderStream,
    TransformStream,
    TransformStreamDefaultController,
    WritableStream,
    WritableStreamDefaultController,
    WritableStreamDefaultWriter,
    channel,
    compose,
    concat,
    finished,
    from_bytes,
    from_producer,
    from_queue,
    generator_transform,
    lines,
    merge,
    pipeline,
    share,
    to_callable,
    write_file,
    zip_streams,
)
from webstreams.brokers import Delivery, acknowledging, on_value
from webstreams.types import Skip
from webstreams.workers import worker, workers

# The types of streams, from what they are made of.


class Numbers:
    def start(self, controller: ReadableStreamDefaultController[int]) -> None: ...
    async def pull(self, controller: ReadableStreamDefaultController[int]) -> None: ...
    def cancel(self, reason: object) -> None: ...


class Pushed:
    def start(self, controller: ReadableStreamDefaultController[int]) -> None: ...


class Zeros:
    type = "bytes"

    async def pull(self, controller: ReadableByteStreamController) -> None:
        assert_type(controller.byob_request, ReadableStreamBYOBRequest | None)
        assert_type(controller.desired_size, float | None)


def pull(controller: ReadableStreamDefaultController[int]) -> None:
    assert_type(controller.desired_size, float | None)


async def pull_later(controller: ReadableStreamDefaultController[int]) -> None: ...


def pull_bytes(controller: ReadableByteStreamController) -> None: ...


def sources() -> None:
    assert_type(ReadableStream(Numbers()), ReadableStream[int])
    assert_type(ReadableStream(Pushed()), ReadableStream[int])
    assert_type(ReadableStream({"pull": pull}), ReadableStream[int])
    assert_type(ReadableStream({"start": pull_later, "cancel": print}), ReadableStream[int])
    assert_type(ReadableStream({"pull": pull}, CountQueuingStrategy(high_water_mark=3)), ReadableStream[int])
    assert_type(ReadableStream({"pull": pull}, {"size": lambda chunk: chunk}), ReadableStream[int])
    # Nothing tells the type of the chunks.
    assert_type(ReadableStream(), ReadableStream[Any])
    assert_type(ReadableStream({"pull": lambda controller: controller.enqueue(1)}), ReadableStream[Any])


def byte_sources() -> None:
    assert_type(ReadableStream(Zeros()), ReadableStream[bytes])
    assert_type(ReadableStream({"type": "bytes"}), ReadableStream[bytes])
    assert_type(ReadableStream({"type": "bytes", "pull": pull_bytes}, {"high_water_mark": 3}), ReadableStream[bytes])
    assert_type(ReadableStream({"type": "bytes", "pull": lambda c: c.enqueue(b"0")}), ReadableStream[bytes])


class Sink:
    def write(self, chunk: int, controller: WritableStreamDefaultController) -> None: ...
    async def close(self) -> None: ...


def write(chunk: int, controller: WritableStreamDefaultController) -> None: ...


async def write_later(chunk: int, controller: WritableStreamDefaultController) -> None: ...


def sinks() -> None:
    assert_type(WritableStream(Sink()), WritableStream[int])
    assert_type(WritableStream(Sink(), CountQueuingStrategy(high_water_mark=3)), WritableStream[int])
    assert_type(WritableStream({"write": write}), WritableStream[int])
    assert_type(WritableStream({"write": write_later}, {"high_water_mark": 3}), WritableStream[int])
    assert_type(WritableStream(), WritableStream[Any])


class ToText:
    def transform(self, chunk: int, controller: TransformStreamDefaultController[str]) -> None:
        assert_type(controller.desired_size, float | None)

    async def flush(self, controller: TransformStreamDefaultController[str]) -> None: ...


def to_text(chunk: int, controller: TransformStreamDefaultController[str]) -> None: ...


async def to_length(chunk: str, controller: TransformStreamDefaultController[int]) -> None: ...


def transformers() -> None:
    assert_type(TransformStream(ToText()), TransformStream[int, str])
    assert_type(TransformStream({"transform": to_text}), TransformStream[int, str])
    assert_type(TransformStream({"transform": to_length}), TransformStream[str, int])
    strategy = CountQueuingStrategy(high_water_mark=3)
    assert_type(TransformStream(ToText(), strategy, strategy), TransformStream[int, str])
    assert_type(TransformStream({"transform": to_length}, strategy, strategy), TransformStream[str, int])
    assert_type(TransformStream(), TransformStream[Any, Any])
    assert_type(
        TransformStream({"transform": lambda chunk, controller: controller.enqueue(chunk)}), TransformStream[Any, Any]
    )


async def generate() -> AsyncIterator[int]:
    yield 1


async def number() -> int:
    return 1


def from_iterables(stream: ReadableStream[int]) -> None:
    assert_type(ReadableStream.from_([1, 2]), ReadableStream[int])
    assert_type(ReadableStream.from_(["one", "two"]), ReadableStream[str])
    assert_type(ReadableStream.from_({1: "one"}), ReadableStream[int])
    assert_type(ReadableStream.from_(each for each in (1, 2)), ReadableStream[int])
    assert_type(ReadableStream.from_(generate()), ReadableStream[int])
    assert_type(ReadableStream.from_([number(), number()]), ReadableStream[int])
    assert_type(ReadableStream.from_(stream), ReadableStream[int])


# Reading. The type of a result is narrowed by `done`.


async def read(stream: ReadableStream[int]) -> None:
    reader = stream.get_reader()
    assert_type(reader, ReadableStreamDefaultReader[int])
    assert_type(reader.read(), Promise[ReadValueResult[int] | ReadDoneResult[None]])
    result = await reader.read()
    if result.done is False:
        assert_type(result, ReadValueResult[int])
        assert_type(result.value, int)
    else:
        assert_type(result, ReadDoneResult[None])
        assert_type(result.value, None)
    assert_type(reader.closed, Promise[None])
    assert_type(reader.cancel(), Promise[None])
    assert_type(reader.release_lock(), None)


async def read_in_a_loop(reader: ReadableStreamDefaultReader[int]) -> None:
    while True:
        result = await reader.read()
        if result.done is True:
            break
        assert_type(result.value, int)
    while (result := await reader.read()).done is not True:
        assert_type(result.value, int)
    assert_type(result.value, None)


async def read_and_unpack(reader: ReadableStreamDefaultReader[int]) -> None:
    value, done = await reader.read()
    assert_type(value, int | None)
    assert_type(done, bool)
    if value is not None:
        assert_type(value, int)


async def read_in_tasks(reader: ReadableStreamDefaultReader[int]) -> None:
    task = asyncio.ensure_future(reader.read())
    first, second = await asyncio.gather(task, reader.read())
    third = await asyncio.wait_for(asyncio.shield(reader.read()), 1)
    for result in (first, second, third, reader.read().result()):
        assert_type(result, ReadValueResult[int] | ReadDoneResult[None])


async def read_bytes(stream: ReadableStream[bytes]) -> None:
    default = await stream.get_reader().read()
    assert_type(default.value, bytes | None)
    reader = stream.get_reader(mode="byob")
    assert_type(reader, ReadableStreamBYOBReader)
    result = await reader.read(bytearray(10), min=1)
    assert_type(result, ReadValueResult[memoryview] | ReadDoneResult[memoryview | None])
    if result.done is False:
        assert_type(result.value, memoryview)


async def iterate(stream: ReadableStream[int]) -> None:
    async for chunk in stream:
        assert_type(chunk, int)
    async with stream.values() as chunks:
        assert_type(chunks, ReadableStreamAsyncIterator[int])
        async for chunk in chunks:
            assert_type(chunk, int)
    assert_type(await anext(aiter(stream)), int)
    assert_type([chunk async for chunk in stream], list[int])


def tee(stream: ReadableStream[int]) -> None:
    one, other = stream.tee()
    assert_type(one, ReadableStream[int])
    assert_type(other, ReadableStream[int])
    assert_type(stream.tee(), tuple[ReadableStream[int], ReadableStream[int]])


# Writing and piping.


async def write_chunks(stream: WritableStream[int]) -> None:
    writer = stream.get_writer()
    assert_type(writer, WritableStreamDefaultWriter[int])
    assert_type(writer.write(1), Promise[None])
    assert_type(await writer.ready, None)
    assert_type(writer.desired_size, float | None)
    async with stream.get_writer() as entered:
        assert_type(entered, WritableStreamDefaultWriter[int])


class Pair:
    readable: ReadableStream[str]
    writable: WritableStream[int]


def pipe(stream: ReadableStream[int]) -> None:
    transform = TransformStream({"transform": to_text})
    assert_type(transform.readable, ReadableStream[str])
    assert_type(transform.writable, WritableStream[int])
    assert_type(stream.pipe_through(transform), ReadableStream[str])
    assert_type(stream.pipe_through(Pair()), ReadableStream[str])
    assert_type(stream.pipe_through(TransformStream[int, int]()), ReadableStream[int])
    assert_type(stream.pipe_through(TransformStream(ToText())), ReadableStream[str])
    lengths = stream.pipe_through(transform).pipe_through(TransformStream({"transform": to_length}))
    assert_type(lengths, ReadableStream[int])
    assert_type(lengths.pipe_to(WritableStream(Sink())), Promise[None])


async def cut_into_lines(text: ReadableStream[str], data: ReadableStream[bytes]) -> None:
    assert_type(text.pipe_through(lines()), ReadableStream[str])
    assert_type(data.pipe_through(lines(keep_ends=True, newline="\n")), ReadableStream[bytes])
    decoded = data.pipe_through(TextDecoderStream()).pipe_through(lines(limit=100))
    assert_type(decoded, ReadableStream[str])
    async for line in decoded:
        assert_type(line, str)
    of_text: LineStream[str] = lines()
    assert_type(of_text.readable, ReadableStream[str])
    assert_type(of_text.writable, WritableStream[str])


# Operators.


def doubled(number: int) -> int:
    return number * 2


async def fetched(number: int) -> str:
    return str(number)


def maybe(number: int) -> str | Skip:
    return str(number) if number else SKIP


async def maybe_later(number: int) -> str | Skip:
    return str(number) if number else SKIP


def is_number(chunk: object) -> TypeGuard[int]:
    return isinstance(chunk, int)


def is_text(chunk: object) -> TypeIs[str]:
    return isinstance(chunk, str)


async def pieces(number: int) -> list[str]:
    return [str(number)]


async def generated(number: int) -> AsyncIterator[str]:
    yield str(number)


def streamed(number: int) -> ReadableStream[str]:
    return ReadableStream.from_([str(number)])


def replaced(error: Exception, number: int) -> str:
    return f"{number}: {error}"


async def looked_up(error: Exception, number: int) -> float | Skip:
    return SKIP if number else 0.5


def doubled_instead(error: Exception, number: int) -> int:
    return number * 2


def left_out(error: Exception, number: int) -> Skip:
    return SKIP


def operators(numbers: ReadableStream[int], mixed: ReadableStream[int | str]) -> None:
    assert_type(numbers.map(doubled), ReadableStream[int])
    assert_type(numbers.map(str), ReadableStream[str])
    assert_type(numbers.map(lambda number: [number]), ReadableStream[list[int]])
    assert_type(numbers.map(lambda number: number + 1), ReadableStream[int])
    assert_type(numbers.map(fetched), ReadableStream[str])
    assert_type(numbers.map(maybe), ReadableStream[str])
    assert_type(numbers.map(maybe_later), ReadableStream[str])
    assert_type(numbers.map(fetched, concurrency=4, ordered=False, window=8, timeout=1), ReadableStream[str])
    assert_type(numbers.map(fetched, concurrency=4, key=doubled, on_error=replaced), ReadableStream[str])
    assert_type(numbers.map(fetched, concurrency=4, on_error=left_out), ReadableStream[str])
    assert_type(numbers.map(fetched, concurrency=4, on_error=doubled_instead), ReadableStream[str | int])
    assert_type(numbers.map(fetched, concurrency=4, on_error=looked_up), ReadableStream[str | float])
    assert_type(numbers.map(doubled, on_error=looked_up), ReadableStream[int | float])
    assert_type(numbers.map(fetched, concurrency=4, on_error=lambda error, number: SKIP), ReadableStream[str])
    assert_type(numbers.map(fetched, on_error=lambda error, number: None), ReadableStream[str | None])
    assert_type(numbers.map(doubled, on_error=lambda error, number: SKIP), ReadableStream[int])
    assert_type(numbers.map(doubled, concurrency=4, executor=ThreadPoolExecutor()), ReadableStream[int])
    assert_type(numbers.map(fetched, limiter=asyncio.Semaphore(4)), ReadableStream[str])
    assert_type(numbers.filter(bool), ReadableStream[int])
    assert_type(mixed.filter(lambda chunk: chunk != 1), ReadableStream[int | str])
    assert_type(mixed.filter(is_number), ReadableStream[int])
    assert_type(mixed.filter(is_text), ReadableStream[str])
    assert_type(numbers.flat_map(pieces), ReadableStream[str])
    assert_type(numbers.flat_map(generated), ReadableStream[str])
    assert_type(numbers.flat_map(streamed), ReadableStream[str])
    assert_type(numbers.flat_map(lambda number: [number]), ReadableStream[int])
    assert_type(numbers.take(1).drop(1).tap(print), ReadableStream[int])
    assert_type(numbers.batched(3), ReadableStream[list[int]])
    assert_type(numbers.batched(size=3, size_of=doubled, seconds=1), ReadableStream[list[int]])
    assert_type(numbers.throttled(3, 1, burst=1), ReadableStream[int])
    assert_type(numbers.debounced(1), ReadableStream[int])


def operators_of_text(text: ReadableStream[str], data: ReadableStream[bytes]) -> None:
    assert_type(text.lines(), ReadableStream[str])
    assert_type(data.lines(keep_ends=True, newline="\n"), ReadableStream[bytes])
    assert_type(data.chunked(4096), ReadableStream[bytes])
    assert_type(data.chunked(4096).map(len).batched(2).map(len), ReadableStream[int])
    decoded = data.pipe_through(TextDecoderStream()).lines().filter(bool).map(str.split).flat_map(list)
    assert_type(decoded, ReadableStream[str])


async def ends_of_chains(numbers: ReadableStream[int]) -> None:
    assert_type(numbers.for_each(print), Promise[None])
    assert_type(numbers.for_each(fetched, concurrency=4), Promise[None])
    assert_type(numbers.reduce(lambda total, number: total + number, 0), Promise[int])
    assert_type(numbers.reduce(int.__add__, 0), Promise[int])
    assert_type(await numbers.map(fetched).batched(2).list(), list[list[str]])
    assert_type(to_callable(fetched, concurrency=4), WritableStream[int])
    assert_type(numbers.pipe_through(generator_transform(counted)), ReadableStream[str])


async def counted(numbers: AsyncIterator[int]) -> AsyncIterator[str]:
    async for number in numbers:
        yield str(number)


# Several streams.


async def shout(texts: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for text in texts:
        yield text.encode()


async def count(writer: WritableStreamDefaultWriter[int]) -> None:
    await writer.write(1)


def several(
    numbers: ReadableStream[int],
    text: ReadableStream[str],
    data: ReadableStream[bytes],
    many: list[ReadableStream[int]],
    files: list[TransformStream[bytes, bytes]],
) -> None:
    assert_type(merge(numbers, text), ReadableStream[int | str])
    assert_type(merge(numbers, text, data), ReadableStream[int | str | bytes])
    assert_type(merge(*many), ReadableStream[int])
    assert_type(concat(numbers, text, data, numbers), ReadableStream[int | str | bytes])
    assert_type(concat(numbers), ReadableStream[int])
    assert_type(zip_streams(numbers), ReadableStream[tuple[int]])
    assert_type(zip_streams(numbers, text), ReadableStream[tuple[int, str]])
    assert_type(zip_streams(numbers, text, data), ReadableStream[tuple[int, str, bytes]])
    assert_type(zip_streams(numbers, text, data, numbers), ReadableStream[tuple[int, str, bytes, int]])
    assert_type(
        zip_streams(numbers, text, data, text, numbers, strict=True), ReadableStream[tuple[int, str, bytes, str, int]]
    )
    assert_type(zip_streams(*many), ReadableStream[tuple[int, ...]])
    shared = share(numbers, policy="drop-oldest", size=lambda number: number)
    assert_type(shared, Shared[int])
    assert_type(shared.subscribe(policy="error"), Subscription[int])
    assert_type(shared.subscribe().lost, int)
    assert_type(shared.cancel(), Promise[None])
    assert_type(channel(), tuple[WritableStream[Any], ReadableStream[Any]])
    assert_type(from_producer(count, {"high_water_mark": 2}), ReadableStream[int])
    words: asyncio.Queue[str | None] = asyncio.Queue()
    assert_type(from_queue(words, end=None), ReadableStream[str])
    assert_type(from_queue(words), ReadableStream[str | None])
    assert_type(from_queue(words, end="the end"), ReadableStream[str | None])
    assert_type(from_bytes(b"bytes"), ReadableStream[bytes])
    assert_type(from_bytes([bytearray(b"bytes")]), ReadableStream[bytes])
    assert_type(finished(numbers), Promise[None])
    transform = TransformStream({"transform": to_text})
    assert_type(pipeline(numbers, sink=print), Promise[None])
    assert_type(pipeline([1], transform, shout, sink=WritableStream[bytes]()), Promise[None])
    pair = compose(transform, shout)
    assert_type(pair.readable, ReadableStream[bytes])
    assert_type(pair.writable, WritableStream[int])
    assert_type(numbers.pipe_through(pair), ReadableStream[bytes])
    assert_type(compose(*files).writable, WritableStream[bytes])


# Deliveries of brokers, and workers.


def decode(value: bytes) -> str:
    return value.decode()


async def look_up(value: str) -> int:
    return len(value)


async def deliveries(messages: ReadableStream[Delivery[bytes]], sink: WritableStream[str]) -> None:
    assert_type(messages.map(on_value(decode)), ReadableStream[Delivery[str]])
    assert_type(messages.map(on_value(decode)).map(on_value(look_up), concurrency=8), ReadableStream[Delivery[int]])
    assert_type(messages.batched(7).map(Delivery.join), ReadableStream[Delivery[list[bytes]]])
    # What takes any buffer takes deliveries of bytes.
    assert_type(messages.pipe_through(on_value(TextDecoderStream())), ReadableStream[Delivery[str]])
    assert_type(messages.pipe_through(on_value(CompressionStream("gzip"))), ReadableStream[Delivery[bytes]])
    decoding = on_value(TextDecoderStream())
    await messages.pipe_through(decoding).pipe_to(acknowledging(sink))
    file = acknowledging(write_file("messages"))
    await messages.pipe_to(file)
    async for message in messages:
        assert_type(message.value, bytes)
        assert_type(message.derive("a", "b"), list[Delivery[str]])


def count_words(lines: Iterable[bytes]) -> Iterator[int]:
    for line in lines:
        yield len(line.split())


async def in_workers(data: ReadableStream[bytes]) -> None:
    async with worker(count_words, kind="thread") as stage:
        assert_type(data.pipe_through(stage), ReadableStream[int])
    async with workers(count_words, count=2, ordered=False) as stage:
        assert_type(data.pipe_through(stage), ReadableStream[int])


# Without type arguments.


async def defaults(readable: ReadableStream, writable: WritableStream, transform: TransformStream) -> None:
    assert_type(readable, ReadableStream[Any])
    assert_type(writable, WritableStream[Any])
    assert_type(transform, TransformStream[Any, Any])
    async for chunk in readable:
        assert_type(chunk, Any)
