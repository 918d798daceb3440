"""Mistakes: every marked line is an error for mypy and for pyright, and no other line is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator

from webstreams import (
    ByteLengthQueuingStrategy,
    CompressionStream,
    CountQueuingStrategy,
    ReadableByteStreamController,
    ReadableStream,
    ReadableStreamBYOBReader,
    ReadableStreamDefaultController,
    ReadableStreamDefaultReader,
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
    lines,
    merge,
    pipeline,
    share,
    to_callable,
    zip_streams,
)

# Callbacks with the wrong parameters: objects.


class PullWithoutController:
    def pull(self) -> None: ...
    def cancel(self, reason: object) -> None: ...


class PullWithTwo:
    async def pull(self, controller: ReadableStreamDefaultController[int], more: int) -> None: ...


class StartWithoutController:
    def start(self) -> None: ...


class PullIsNoFunction:
    pull = 1


class PullOfAnotherController:
    def pull(self, controller: WritableStreamDefaultController) -> None: ...


class PullOfByteController:
    def pull(self, controller: ReadableByteStreamController) -> None: ...


class BytePullWithoutController:
    type = "bytes"

    def pull(self) -> None: ...


class Empty:
    pass


def wrong_sources() -> None:
    ReadableStream(PullWithoutController())  # error
    ReadableStream(PullWithTwo())  # error
    ReadableStream(StartWithoutController())  # error
    ReadableStream(PullIsNoFunction())  # error
    ReadableStream(PullOfAnotherController())  # error
    ReadableStream(PullOfByteController())  # error
    ReadableStream(BytePullWithoutController())  # error
    ReadableStream(Empty())  # error
    ReadableStream(1)  # error
    ReadableStream("bytes")  # error
    ReadableStream([1, 2])  # error


class WriteWithoutController:
    def write(self, chunk: int) -> None: ...
    async def close(self) -> None: ...


class WriteOfAnotherController:
    async def write(self, chunk: int, controller: ReadableStreamDefaultController[int]) -> None: ...


class WriteIsNoFunction:
    write = "out"


def wrong_sinks() -> None:
    WritableStream(WriteWithoutController())  # error
    WritableStream(WriteOfAnotherController())  # error
    WritableStream(WriteIsNoFunction())  # error
    WritableStream(Empty())  # error
    WritableStream(print)  # error


class TransformWithoutController:
    def transform(self, chunk: int) -> str:
        return str(chunk)

    def flush(self, controller: TransformStreamDefaultController[str]) -> None: ...


class TransformInTheWrongOrder:
    def transform(self, controller: TransformStreamDefaultController[str], chunk: int) -> None: ...


class TransformOfAnotherController:
    async def transform(self, chunk: int, controller: ReadableStreamDefaultController[int]) -> None: ...


def wrong_transformers() -> None:
    TransformStream(TransformWithoutController())  # error
    TransformStream[int, str](TransformInTheWrongOrder())  # error
    TransformStream(TransformOfAnotherController())  # error
    TransformStream(Empty())  # error
    TransformStream(str)  # error


# Callbacks with the wrong parameters: mappings, whose every member is checked.


def nothing() -> None: ...
def one(value: object) -> None: ...
def three(first: object, second: object, third: object) -> None: ...
def pull(controller: ReadableStreamDefaultController[int]) -> None: ...
def pull_bytes(controller: ReadableByteStreamController) -> None: ...
async def pull_later(controller: ReadableStreamDefaultController[int]) -> None: ...
def write(chunk: int, controller: WritableStreamDefaultController) -> None: ...
def transform(chunk: int, controller: TransformStreamDefaultController[str]) -> None: ...


def wrong_members() -> None:
    ReadableStream({"pull": nothing})  # error
    ReadableStream({"pull": three})  # error
    ReadableStream({"pull": lambda: None})  # error
    ReadableStream({"start": nothing, "pull": pull})  # error
    ReadableStream({"pull": pull, "cancel": nothing})  # error
    ReadableStream({"pull": 1})  # error
    ReadableStream({"pull": pull_later(ReadableStreamDefaultController())})  # error
    ReadableStream({"pull": write})  # error
    ReadableStream({"pull": pull_bytes})  # error
    ReadableStream({"pull": pull, "start": pull_bytes})  # error
    WritableStream({"write": nothing})  # error
    WritableStream({"write": one})  # error
    WritableStream({"write": write, "close": one})  # error
    WritableStream({"write": write, "abort": nothing})  # error
    WritableStream({"write": write, "start": nothing})  # error
    WritableStream({"write": transform})  # error
    TransformStream({"transform": one})  # error
    TransformStream({"transform": transform, "flush": nothing})  # error
    TransformStream({"transform": transform, "cancel": nothing})  # error
    TransformStream({"transform": write})  # error


def wrong_names() -> None:
    ReadableStream({"pul": pull})  # error
    ReadableStream({"pull": pull, "highWaterMark": 3})  # error
    WritableStream({"write": write, "type": "bytes"})  # error
    TransformStream({"transform": transform, "readable_type": "bytes"})  # error


# Operators.


def double(number: int) -> int:
    return number * 2


async def double_later(number: int) -> int:
    return number * 2


def shorten(text: str) -> str:
    return text[:1]


def wrong_operators(numbers: ReadableStream[int], text: ReadableStream[str], data: ReadableStream[bytes]) -> None:
    numbers.map(shorten)  # error
    numbers.map(nothing)  # error
    numbers.map(double_later(1))  # error
    numbers.map(double_later, 4)  # error
    numbers.map(double_later, concurrency="4")  # error
    numbers.map(double_later, concurrency=4, executor=4)  # error
    numbers.map(double_later, limiter=4)  # error
    numbers.map(double_later, on_error=double)  # error
    numbers.map(double_later, key=len)  # error
    numbers.map(double).map(shorten)  # error
    numbers.filter(shorten)  # error
    numbers.flat_map(double)  # error
    numbers.take()  # error
    numbers.drop("1")  # error
    numbers.tap(shorten)  # error
    numbers.batched("3")  # error
    numbers.batched(size=3, size_of=len)  # error
    numbers.batched(3).map(double)  # error
    numbers.throttled(3)  # error
    numbers.debounced("1")  # error
    numbers.lines()  # error
    numbers.chunked(3)  # error
    text.chunked(3)  # error
    text.lines(newline=b"0")  # error
    data.lines().map(shorten)  # error
    numbers.for_each(shorten)  # error
    numbers.reduce(double, 0)  # error
    numbers.reduce(max)  # error
    to_callable(double_later, concurrency="4")  # error
    text.pipe_to(to_callable(double_later))  # error


# Byte sources.


def wrong_byte_sources() -> None:
    ReadableStream({"type": "bytes", "pull": pull})  # error
    ReadableStream({"type": "bytes", "pull": nothing})  # error
    ReadableStream({"type": "bits", "pull": pull_bytes})  # error
    ReadableStream({"type": "bytes", "auto_allocate_chunk_size": "10"})  # error
    ReadableStream({"auto_allocate_chunk_size": 10})  # error
    ReadableStream({"type": "bytes"}, {"size": len})  # error
    numbers: ReadableStream[int] = ReadableStream({"type": "bytes"})  # error
    print(numbers)


# The wrong type of chunk.


class Numbers:
    def pull(self, controller: ReadableStreamDefaultController[int]) -> None:
        controller.enqueue("1")  # error
        controller.enqueue(None)  # error
        controller.enqueue()  # error
        controller.enqueue(1, 2)  # error


class Sink:
    def write(self, chunk: int, controller: WritableStreamDefaultController) -> None: ...


class ToText:
    def transform(self, chunk: int, controller: TransformStreamDefaultController[str]) -> None:
        controller.enqueue(chunk)  # error
        controller.enqueue()  # error


class MeasuresText:
    def size(self, chunk: str) -> int:
        return len(chunk)


class MeasuresNothing:
    def size(self) -> int:
        return 1


def wrong_chunks(numbers: ReadableStream[int], sink: WritableStream[int]) -> None:
    text: ReadableStream[str] = ReadableStream(Numbers())  # error
    text = ReadableStream({"pull": pull})  # error
    text = numbers  # error
    text_sink: WritableStream[str] = WritableStream(Sink())  # error
    text_sink = WritableStream({"write": write})  # error
    text_sink = sink  # error
    same: TransformStream[int, int] = TransformStream(ToText())  # error
    same = TransformStream({"transform": transform})  # error
    ReadableStream[str](Numbers())  # error
    ReadableStream[str]({"pull": pull})  # error
    WritableStream[str]({"write": write})  # error
    TransformStream[str, str](ToText())  # error
    TransformStream[int, bytes]({"transform": transform})  # error
    print(text, text_sink, same)


def wrong_chunks_in_lambdas() -> None:
    ReadableStream[int]({"pull": lambda controller: controller.enqueue("1")})  # error
    numbers: ReadableStream[int] = ReadableStream({"pull": lambda controller: controller.enqueue("1")})  # error
    ReadableStream({"type": "bytes", "pull": lambda controller: controller.enqueue("1")})  # error
    WritableStream[int]({"write": lambda chunk, controller: chunk.upper()})  # error
    TransformStream[int, str]({"transform": lambda chunk, controller: controller.enqueue(chunk)})  # error
    TransformStream[int, str]({"flush": lambda controller: controller.enqueue(1)})  # error
    print(numbers)


def wrong_strategies() -> None:
    ReadableStream(Numbers(), MeasuresText())  # error
    ReadableStream(Numbers(), MeasuresNothing())  # error
    ReadableStream(Numbers(), {"size": len})  # error
    ReadableStream(Numbers(), {"size": str})  # error
    ReadableStream(Numbers(), {"high_water_mark": "3"})  # error
    ReadableStream(Numbers(), {"highWaterMark": 3})  # error
    ReadableStream(Numbers(), 3)  # error
    WritableStream[int](Sink(), MeasuresText())  # error
    WritableStream[int]({"write": write}, {"size": len})  # error
    sink: WritableStream[int] = WritableStream({"write": write}, {"size": len})  # error
    TransformStream[int, str](ToText(), MeasuresText())  # error
    TransformStream(ToText(), None, {"size": abs})  # error
    CountQueuingStrategy(3)  # error
    CountQueuingStrategy()  # error
    ByteLengthQueuingStrategy(high_water_mark="3")  # error
    print(sink)


async def wrong_writes(sink: WritableStream[int], writer: WritableStreamDefaultWriter[int]) -> None:
    await writer.write("1")  # error
    await writer.write(None)  # error
    await writer.write()  # error
    await writer.write(1, 2)  # error
    await sink.write(1)  # error
    async with sink.get_writer() as entered:
        await entered.write("1")  # error
    with sink.get_writer():  # error
        pass


# Reading.


def wants_text(chunk: str) -> None: ...


def wants_number(chunk: int) -> None: ...


async def wrong_reads(stream: ReadableStream[int], reader: ReadableStreamDefaultReader[int]) -> None:
    result = await reader.read()
    wants_number(result.value)  # error
    if result.done is False:
        wants_text(result.value)  # error
    else:
        wants_number(result.value)  # error
    reader.read().value  # error
    reader.read(10)  # error
    value, done = await reader.read()
    wants_number(value)  # error
    if done is False:
        wants_text(value)  # error
    async for chunk in stream:
        wants_text(chunk)  # error
    async with stream.values() as chunks:
        async for chunk in chunks:
            wants_text(chunk)  # error
    for each in stream:  # error
        print(each)
    stream.values(True)  # error
    objects: AsyncIterable[str] = stream  # error
    others: ReadableStreamDefaultReader[str] = reader  # error
    print(objects, others)


async def wrong_byte_reads(numbers: ReadableStream[int], stream: ReadableStream[bytes]) -> None:
    numbers.get_reader(mode="byob")  # error
    stream.get_reader(mode="bytes")  # error
    stream.get_reader("byob")  # error
    stream.get_reader(mode="byob").read("text")  # error
    stream.get_reader(mode="byob").read([0, 0])  # error
    stream.get_reader(mode="byob").read(bytearray(1), 1)  # error
    stream.get_reader().read(bytearray(1))  # error
    byob: ReadableStreamBYOBReader = stream.get_reader()  # error
    print(byob)


class Zeros:
    type = "bytes"

    def pull(self, controller: ReadableByteStreamController) -> None:
        controller.enqueue("text")  # error
        controller.enqueue([0])  # error
        controller.byob_request.respond(1)  # error


async def generate() -> AsyncIterator[int]:
    yield 1


def wrong_iterables() -> None:
    ReadableStream.from_(1)  # error
    ReadableStream.from_(generate)  # error
    text: ReadableStream[str] = ReadableStream.from_([1, 2])  # error
    text = ReadableStream.from_(generate())  # error
    print(text)


# Pipes that do not fit.


class ReadableOnly:
    readable: ReadableStream[str]


class Swapped:
    readable: WritableStream[int]
    writable: ReadableStream[str]


class NoStream:
    readable: list[str]
    writable: WritableStream[int]


class PairOfText:
    readable: ReadableStream[str]
    writable: WritableStream[str]


async def wrong_pipes(
    numbers: ReadableStream[int], text: ReadableStream[str], to_text: TransformStream[int, str]
) -> None:
    text.pipe_through(to_text)  # error
    numbers.pipe_through(to_text).pipe_through(to_text)  # error
    numbers.pipe_through(PairOfText())  # error
    text.pipe_through(lines()).pipe_through(CompressionStream("gzip"))  # error
    numbers.pipe_through(ReadableOnly())  # error
    numbers.pipe_through(Swapped())  # error
    numbers.pipe_through(NoStream())  # error
    numbers.pipe_through(to_text.writable)  # error
    same: ReadableStream[int] = numbers.pipe_through(to_text)  # error
    await text.pipe_to(WritableStream(Sink()))  # error
    await numbers.pipe_to(to_text)  # error
    await numbers.pipe_to(numbers)  # error
    await numbers.pipe_to(to_text.writable, True)  # error
    await numbers.pipe_to(to_text.writable, preventClose=True)  # error
    await numbers.pipe_to(to_text.writable, signal=asyncio.Event())  # error
    await same.pipe_to(to_text.writable)


def wrong_branches(numbers: ReadableStream[int]) -> None:
    one, two, three = numbers.tee()  # error
    left: ReadableStream[str] = numbers.tee()[0]  # error
    print(one, two, three, left)


# Several streams.


async def of_text(texts: AsyncIterator[str]) -> AsyncIterator[str]:
    async for text in texts:
        yield text


async def write_text(writer: WritableStreamDefaultWriter[str]) -> None:
    await writer.write(1)  # error


def wrong_uses_of_several(
    numbers: ReadableStream[int], text: ReadableStream[str], to_text: TransformStream[int, str]
) -> None:
    merge(numbers, [1])  # error
    concat([1])  # error
    zip_streams(numbers, text, equal=True)  # error
    pairs: ReadableStream[tuple[str, int]] = zip_streams(numbers, text)  # error
    share(numbers, policy="block")  # error
    share([1])  # error
    share(numbers).subscribe().lost = 3  # error
    channel(policy="drop")  # error
    channel("16")  # error
    from_producer(1)  # error
    produced: ReadableStream[int] = from_producer(write_text)  # error
    from_bytes(1)  # error
    from_bytes(["text"])  # error
    finished(to_text)  # error
    pipeline(numbers, to_text)  # error
    pipeline(numbers, sink=to_text)  # error
    pipeline(numbers, sink=WritableStream[str]())  # error
    pipeline(numbers, of_text, sink=print)  # error
    compose(to_text, to_text)  # error
    compose(to_text, 1)  # error
    print(pairs, produced)
