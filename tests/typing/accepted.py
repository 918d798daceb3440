# pyright: strict
"""Programs that mypy and pyright accept without a complaint."""

from __future__ import annotations

import asyncio
import dataclasses
from array import array
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any, Generic, Literal, TypeVar, Unpack

from webstreams import (
    AbortController,
    ByteLengthQueuingStrategy,
    CountQueuingStrategy,
    ReadableByteStreamController,
    ReadableStream,
    ReadableStreamBYOBReader,
    ReadableStreamDefaultController,
    ReadableStreamDefaultReader,
    ReadableWritablePair,
    ReadDoneResult,
    ReadValueResult,
    TransformStream,
    TransformStreamDefaultController,
    WritableStream,
    WritableStreamDefaultController,
    WritableStreamDefaultWriter,
    types,
)

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741

# Underlying sources.


class Numbers:
    """A source with all its members."""

    def start(self, controller: ReadableStreamDefaultController[int]) -> None:
        controller.enqueue(1)

    def pull(self, controller: ReadableStreamDefaultController[int]) -> None:
        controller.enqueue(2)
        controller.close()

    def cancel(self, reason: object) -> None:
        print(reason)


class SlowNumbers:
    """A source whose members are coroutine functions."""

    async def start(self, controller: ReadableStreamDefaultController[int]) -> None:
        await asyncio.sleep(0)

    async def pull(self, controller: ReadableStreamDefaultController[int]) -> int:
        controller.enqueue(1)
        return 1

    async def cancel(self, reason: Any) -> None:
        await asyncio.sleep(0)


class OnlyStart:
    """A push source keeps its controller."""

    controller: ReadableStreamDefaultController[int]

    def start(self, controller: ReadableStreamDefaultController[int]) -> None:
        self.controller = controller


class OnlyPull:
    """Static methods and return values of any kind are fine."""

    @staticmethod
    def pull(controller: ReadableStreamDefaultController[int]) -> str:
        controller.enqueue(1)
        return "is not looked at"


class OnlyCancel:
    """A source without `pull` and `start` says so."""

    pull: None = None

    def cancel(self, reason: object) -> None:
        print(reason)


@dataclasses.dataclass
class Configured:
    """A source whose members are attributes."""

    pull: Callable[[ReadableStreamDefaultController[int]], Awaitable[None]]
    cancel: Callable[[object], None] | None = None


class Source:
    """A source of any type of chunk."""

    def pull(self, controller: ReadableStreamDefaultController[Any]) -> None:
        controller.enqueue("anything")


def pull_number(controller: ReadableStreamDefaultController[int]) -> None:
    controller.enqueue(1)


async def pull_number_later(controller: ReadableStreamDefaultController[int]) -> None:
    controller.enqueue(await asyncio.sleep(0, 1))


async def cancel_later(reason: object) -> None:
    await asyncio.sleep(0)


def sources() -> list[ReadableStream[int]]:
    return [
        ReadableStream(Numbers()),
        ReadableStream(SlowNumbers()),
        ReadableStream(OnlyStart()),
        ReadableStream(OnlyPull()),
        ReadableStream(OnlyCancel()),
        ReadableStream(Configured(pull_number_later)),
        ReadableStream(Source()),
        ReadableStream({"start": pull_number, "pull": pull_number_later, "cancel": cancel_later}),
        ReadableStream({"pull": None, "cancel": None, "type": None}),
        ReadableStream({"pull": lambda controller: controller.enqueue(1)}),
        ReadableStream(
            {"pull": lambda controller: controller.close(), "cancel": lambda reason: print("reason", reason)}
        ),
        ReadableStream(),
        ReadableStream({}),
        ReadableStream(None, {"high_water_mark": 3}),
    ]


# A source of numbers is a source of objects.
def numbers_as_objects() -> ReadableStream[object]:
    return ReadableStream(Numbers())


# Byte sources.


class Zeros:
    """A byte source; the type of `type` is inferred as `str`."""

    type = "bytes"
    auto_allocate_chunk_size = 1024

    def pull(self, controller: ReadableByteStreamController) -> None:
        request = controller.byob_request
        if request is not None and request.view is not None:
            request.view[:] = bytes(len(request.view))
            request.respond(len(request.view))
        else:
            controller.enqueue(bytearray(10))
            controller.enqueue(memoryview(b"0"))
            controller.enqueue(array("H", [1, 2, 3]))


class PushedBytes:
    """A byte source with a precise `type`."""

    type: Literal["bytes"] = "bytes"

    async def start(self, controller: ReadableByteStreamController) -> None:
        controller.enqueue(b"0")


class NoBytes:
    """A byte source without `pull` and `start` says so."""

    type = "bytes"
    pull: None = None


def pull_bytes(controller: ReadableByteStreamController) -> None:
    controller.enqueue(b"0")


async def pull_bytes_later(controller: ReadableByteStreamController) -> None:
    controller.enqueue(b"0")


def byte_sources() -> list[ReadableStream[bytes]]:
    return [
        ReadableStream(Zeros()),
        ReadableStream(PushedBytes()),
        ReadableStream(NoBytes()),
        ReadableStream({"type": "bytes", "start": pull_bytes, "pull": pull_bytes_later, "cancel": cancel_later}),
        ReadableStream({"type": "bytes", "auto_allocate_chunk_size": 1024, "pull": lambda c: c.enqueue(b"0")}),
        ReadableStream({"type": "bytes"}, {"high_water_mark": 1024}),
        # A stream of bytes need not be a byte stream.
        ReadableStream({"pull": lambda controller: controller.enqueue(b"0")}),
    ]


# Strategies.


class HighWaterMark:
    """A strategy with one of its members."""

    high_water_mark = 3


class ByValue:
    """A strategy with both."""

    high_water_mark = 30.5

    def size(self, chunk: int) -> int:
        return chunk


def strategies() -> list[ReadableStream[int]]:
    return [
        ReadableStream(Numbers(), CountQueuingStrategy(high_water_mark=3)),
        ReadableStream(Numbers(), ByteLengthQueuingStrategy(high_water_mark=3)),
        ReadableStream(Numbers(), HighWaterMark()),
        ReadableStream(Numbers(), ByValue()),
        ReadableStream(Numbers(), {"high_water_mark": 3, "size": lambda chunk: chunk + 0.5}),
        ReadableStream({"pull": pull_number}, {"size": float}),
        ReadableStream(Numbers(), {"high_water_mark": None, "size": None}),
        ReadableStream(Numbers(), None),
    ]


# Underlying sinks.


class Total:
    """A sink with all its members."""

    total = 0

    def start(self, controller: WritableStreamDefaultController) -> None:
        controller.signal.add_event_listener("abort", print)

    def write(self, chunk: int, controller: WritableStreamDefaultController) -> None:
        self.total += chunk

    def close(self) -> None:
        print(self.total)

    def abort(self, reason: object) -> None:
        print(reason)


class SlowTotal:
    """A sink whose members are coroutine functions."""

    async def start(self, controller: WritableStreamDefaultController) -> None: ...

    async def write(self, chunk: float, controller: WritableStreamDefaultController) -> None: ...

    async def close(self) -> None: ...

    async def abort(self, reason: object) -> None: ...


class OnlyClose:
    """A sink without `write` says so."""

    write: None = None

    def close(self) -> None: ...


def write_number(chunk: int, controller: WritableStreamDefaultController) -> None:
    print(chunk + 1)


async def write_object(chunk: object, controller: WritableStreamDefaultController) -> None:
    print(chunk)


def sinks() -> list[WritableStream[int]]:
    return [
        WritableStream(Total()),
        WritableStream(SlowTotal()),
        WritableStream(OnlyClose()),
        WritableStream({"write": write_number}),
        WritableStream({"write": write_object, "abort": cancel_later, "close": lambda: print("end")}),
        WritableStream({"write": lambda chunk, controller: print(chunk + 1)}),
        WritableStream({"start": lambda controller: controller.error(1)}),
        WritableStream({"write": None}),
        WritableStream(),
        WritableStream(Total(), CountQueuingStrategy(high_water_mark=3)),
        WritableStream(Total(), ByValue()),
        WritableStream(Total(), {"high_water_mark": 10, "size": lambda chunk: chunk}),
    ]


# Transformers.


class ToText:
    """A transformer with all its members."""

    def start(self, controller: TransformStreamDefaultController[str]) -> None:
        controller.enqueue("[")

    def transform(self, chunk: int, controller: TransformStreamDefaultController[str]) -> None:
        controller.enqueue(str(chunk))

    def flush(self, controller: TransformStreamDefaultController[str]) -> None:
        controller.enqueue("]")

    def cancel(self, reason: object) -> None:
        print(reason)


class SlowToText:
    """A transformer whose members are coroutine functions."""

    async def start(self, controller: TransformStreamDefaultController[str]) -> None: ...

    async def transform(self, chunk: int, controller: TransformStreamDefaultController[str]) -> None: ...

    async def flush(self, controller: TransformStreamDefaultController[str]) -> None: ...

    async def cancel(self, reason: object) -> None: ...


class Trailer:
    """A transformer without `transform` says so."""

    transform: None = None

    def flush(self, controller: TransformStreamDefaultController[str]) -> None:
        controller.enqueue("the end")


def to_text(chunk: int, controller: TransformStreamDefaultController[str]) -> None:
    controller.enqueue(str(chunk))


async def to_text_later(chunk: int, controller: TransformStreamDefaultController[str]) -> None:
    controller.enqueue(str(chunk))


def end_text(controller: TransformStreamDefaultController[str]) -> None:
    controller.terminate()


def transformers() -> list[TransformStream[int, str]]:
    return [
        TransformStream(ToText()),
        TransformStream(SlowToText()),
        TransformStream(Trailer()),
        TransformStream({"transform": to_text, "start": end_text, "flush": end_text, "cancel": cancel_later}),
        TransformStream({"transform": to_text_later}),
        TransformStream({"transform": lambda chunk, controller: controller.enqueue(str(chunk + 1))}),
        TransformStream({"transform": None, "flush": lambda controller: controller.enqueue("the end")}),
        TransformStream(),
        TransformStream(ToText(), CountQueuingStrategy(high_water_mark=3), CountQueuingStrategy(high_water_mark=0)),
        TransformStream(ToText(), {"size": lambda chunk: chunk}, {"size": len}),
        TransformStream(ToText(), writable_strategy=ByValue(), readable_strategy=HighWaterMark()),
    ]


# Reading, writing, piping.


async def read(stream: ReadableStream[int]) -> int:
    total = 0
    with stream.get_reader() as reader:
        value, done = await reader.read()
        if value is not None and not done:
            total += value
        while (result := await reader.read()).done is False:
            total += result.value
        await reader.closed
        await reader.cancel(1)
    return total


def needs_result(result: ReadValueResult[object] | ReadDoneResult[None]) -> None: ...


async def read_in_every_way(reader: ReadableStreamDefaultReader[int]) -> None:
    read = reader.read()
    read.add_done_callback(print)
    await asyncio.gather(read, asyncio.wait_for(reader.read(), 1), asyncio.shield(reader.read()))
    task = asyncio.ensure_future(read)
    task.cancel()
    needs_result(await read)


async def read_bytes(stream: ReadableStream[bytes]) -> memoryview | None:
    with stream.get_reader(mode="byob") as reader:
        byob: ReadableStreamBYOBReader = reader
        await byob.read(array("d", [0.0]), min=1)
        await byob.read(memoryview(bytearray(10)))
        return (await reader.read(bytearray(10), min=10)).value


def needs_async_iterable(chunks: AsyncIterable[int]) -> None: ...


def needs_async_iterator(chunks: AsyncIterator[int]) -> None: ...


async def iterate(stream: ReadableStream[int]) -> int:
    needs_async_iterable(stream)
    needs_async_iterator(aiter(stream))
    objects: AsyncIterable[object] = stream
    async with stream.values(prevent_cancel=True) as chunks:
        async for chunk in chunks:
            return chunk + 1
    async for each in objects:
        print(each)
    return sum([chunk async for chunk in stream])


async def write(stream: WritableStream[int]) -> None:
    async with stream.get_writer() as writer:
        await writer.ready
        await writer.write(1)
        await writer.write(True)
        await writer.close()


async def write_nothing(stream: WritableStream[None], maybe: WritableStream[int | None]) -> None:
    await stream.get_writer().write()
    await maybe.get_writer().write()


# A reader of numbers is a reader of objects.
def readers_are_covariant(reader: ReadableStreamDefaultReader[int]) -> ReadableStreamDefaultReader[object]:
    return reader


def enqueue_nothing(
    nothing: ReadableStreamDefaultController[None], transformed: TransformStreamDefaultController[None]
) -> None:
    nothing.enqueue()
    transformed.enqueue()


# A writer of objects is a writer of numbers.
def writers_are_contravariant(
    writer: WritableStreamDefaultWriter[object], stream: WritableStream[object]
) -> tuple[WritableStreamDefaultWriter[int], WritableStream[int]]:
    return writer, stream


class Pair:
    """Any object with these attributes is a transform."""

    readable: ReadableStream[str]
    writable: WritableStream[float]


async def pipe(
    stream: ReadableStream[int], pair: ReadableWritablePair[ReadableStream[str], WritableStream[int]]
) -> None:
    controller = AbortController()
    await stream.pipe_to(WritableStream(Total()), prevent_close=True, prevent_abort=True, signal=controller.signal)
    await stream.pipe_to(WritableStream({"write": write_object}))
    await stream.pipe_to(WritableStream())
    text: ReadableStream[str] = stream.pipe_through(TransformStream(ToText()), prevent_cancel=True)
    texts = [text, stream.pipe_through(pair), stream.pipe_through(Pair())]
    await asyncio.gather(*(each.pipe_to(WritableStream({"write": write_object})) for each in texts))


def takes_a_pair(pair: ReadableWritablePair[ReadableStream[str], WritableStream[int]]) -> None: ...


def a_transform_stream_is_a_pair() -> None:
    takes_a_pair(TransformStream(ToText()))


def tee(stream: ReadableStream[int]) -> ReadableStream[int]:
    one, other = stream.tee()
    branches: tuple[ReadableStream[int], ReadableStream[int]] = one.tee()
    needs_async_iterable(branches[0])
    return other


async def generate() -> AsyncIterator[int]:
    yield 1


async def number() -> int:
    return 1


def from_iterables() -> list[ReadableStream[int]]:
    return [
        ReadableStream.from_([1, 2]),
        ReadableStream.from_(range(10)),
        ReadableStream.from_(generate()),
        ReadableStream.from_(each for each in (1, 2)),
        ReadableStream.from_([number(), number()]),
        ReadableStream.from_(ReadableStream(Numbers())),
    ]


# Without type arguments: the defaults.


def defaults(
    readable: ReadableStream, writable: WritableStream, transform: TransformStream
) -> tuple[ReadableStream[int], WritableStream[int], TransformStream[int, str]]:
    return readable, writable, transform


def controllers(
    readable: ReadableStreamDefaultController, transform: TransformStreamDefaultController
) -> tuple[ReadableStreamDefaultController[int], TransformStreamDefaultController[int]]:
    return readable, transform


# A stream of numbers is a stream of objects.
def streams_are_covariant(
    stream: ReadableStream[int], transform: TransformStream[object, bool]
) -> tuple[ReadableStream[object], TransformStream[int, int]]:
    return stream, transform


# Generic parts in generic functions.


class Mapped(Generic[I, O]):
    def __init__(self, function: Callable[[I], O]) -> None:
        self.function = function

    def transform(self, chunk: I, controller: TransformStreamDefaultController[O]) -> None:
        controller.enqueue(self.function(chunk))


def mapping(function: Callable[[I], O]) -> TransformStream[I, O]:
    return TransformStream(Mapped(function))


def mapping_by_steps(function: Callable[[I], O]) -> TransformStream[I, O]:
    transformer = Mapped(function)
    return TransformStream[I, O](transformer)


def texts(function: Callable[[str], O]) -> TransformStream[str, O]:
    return TransformStream(Mapped(function))


# The names of webstreams.types.


def with_public_types(
    source: types.UnderlyingSource[int],
    byte_source: types.UnderlyingByteSource,
    sink: types.UnderlyingSink[str],
    transformer: types.Transformer[int, str],
    strategy: types.QueuingStrategy[int],
    byte_strategy: types.ByteQueuingStrategy,
    pair: types.ReadableWritablePair[ReadableStream[str], WritableStream[int]],
    **options: Unpack[types.PipeOptions],
) -> ReadableStream[bytes]:
    ReadableStream(source, strategy).pipe_through(TransformStream(transformer)).pipe_to(WritableStream(sink), **options)
    takes_a_pair(pair)
    return ReadableStream(byte_source, byte_strategy)


async def with_a_result(stream: ReadableStream[int]) -> int | None:
    result: types.ReadResult[int] = await stream.get_reader().read()
    return None if result.done else result.value
