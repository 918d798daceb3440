"""What the tests of this folder share: recording sources, and ways to wait without a clock."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from webstreams import ReadableStream, StreamError, TransformStream, WritableStream, queue_microtask

T = TypeVar("T")

# A test that would hang fails after this many seconds instead.
PATIENCE = 30.0


class RecordingSource:
    """A source that is fed by hand through `controller` and records how often it is pulled, and its cancellations."""

    type: str | None = None
    auto_allocate_chunk_size: int | None = None
    pull: Callable[[Any], Any] | None = None

    def __init__(self, cancel_result: Callable[[], Any] | None = None) -> None:
        self.controller: Any = None
        self.cancellations: list[Any] = []
        self._cancel_result = cancel_result

    def start(self, controller: Any) -> None:
        self.controller = controller

    def cancel(self, reason: Any) -> Any:
        self.cancellations.append(reason)
        return self._cancel_result() if self._cancel_result is not None else None


class ByteSource(RecordingSource):
    """The same for a byte stream."""

    type = "bytes"

    def __init__(
        self,
        cancel_result: Callable[[], Any] | None = None,
        pull: Callable[[Any], Any] | None = None,
        auto_allocate_chunk_size: int | None = None,
    ) -> None:
        super().__init__(cancel_result)
        self.pull = pull
        self.auto_allocate_chunk_size = auto_allocate_chunk_size


SOURCES: dict[str, type[RecordingSource]] = {"default": RecordingSource, "bytes": ByteSource}
BOTH_KINDS = pytest.mark.parametrize("kind", SOURCES)


def stream_of(source: Any, high_water_mark: float | None = None, size: Any = None) -> ReadableStream[Any]:
    """A stream over any source, with an optional strategy."""
    strategy: Any = {"high_water_mark": high_water_mark, "size": size}
    stream: ReadableStream[Any] = ReadableStream(source, strategy)
    return stream


def chunks_stream(*chunks: Any) -> ReadableStream[Any]:
    """A stream with these chunks in its queue, and closed behind them."""
    source = RecordingSource()
    stream = stream_of(source)
    for chunk in chunks:
        source.controller.enqueue(chunk)
    source.controller.close()
    return stream


class Counted:
    """A chunk of which the living ones can be counted."""

    def __init__(self, number: int = 0) -> None:
        self.number = number


def count_living(kind: type) -> int:
    """How many objects of a class (or of one derived from it) are alive after a collection."""
    gc.collect()
    return sum(issubclass(type(each), kind) for each in gc.get_objects())


async def turns(count: int = 5) -> None:
    """Let the loop go round; every pending job runs meanwhile."""
    for _ in range(count):
        await asyncio.sleep(0)


async def soon(awaitable: Awaitable[T]) -> T:
    """Wait for what must not hang."""
    async with asyncio.timeout(PATIENCE):
        return await awaitable


async def failure(awaitable: Awaitable[Any]) -> BaseException:
    """Wait for a failure and give it."""
    try:
        value = await soon(awaitable)
    except Exception as error:
        return error
    raise AssertionError(f"succeeded with {value!r}")


async def reason(awaitable: Awaitable[Any]) -> object:
    """Wait for a failure and give what it stands for."""
    error = await failure(awaitable)
    return error.reason if isinstance(error, StreamError) else error


async def read_all(stream: ReadableStream[Any]) -> list[Any]:
    """Read a stream to its end."""
    with stream.get_reader() as reader:
        return await soon(drain(reader))


async def drain(reader: Any) -> list[Any]:
    """Read to the end with a default reader."""
    chunks: list[Any] = []
    while True:
        value, done = await reader.read()
        if done:
            return chunks
        chunks.append(value)


def after_microtasks(count: int, function: Callable[..., object]) -> None:
    """Call a function as the microtask that is `count` generations away."""
    if count == 0:
        function()
    else:
        queue_microtask(after_microtasks, count - 1, function)


def other_tasks() -> set[asyncio.Task[Any]]:
    """The tasks of the loop that are not done, without the one that asks."""
    return asyncio.all_tasks() - {asyncio.current_task()}


@contextmanager
def quiet(generation: int = 2) -> Iterator[None]:
    """Nothing reaches the loop's exception handler during the block, nor when its garbage is collected.

    A test with hundreds of variants looks at the younger generations only: that is a hundred times faster.
    """
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    contexts: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: contexts.append(context))
    try:
        yield
        gc.collect(generation)
    finally:
        loop.set_exception_handler(before)
    assert contexts == []


# Callbacks that raise, in each of these forms.

FORMS = ["function", "coroutine", "later"]


def raising(error: BaseException, form: str) -> Callable[..., Any]:
    """A callback that raises: as a plain function, as a coroutine function, or only after a wait."""

    def function(*_: Any) -> None:
        raise error

    async def coroutine(*_: Any) -> None:
        if form == "later":
            await asyncio.sleep(0)
        raise error

    return function if form == "function" else coroutine


def finish(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what an interrupted program left behind, as asyncio.run() does, and close the loop."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    try:
        if tasks:
            _, pending = loop.run_until_complete(asyncio.wait(tasks, timeout=PATIENCE))
            assert not pending, "these tasks do not end when they are cancelled"
            for task in tasks:
                assert task.cancelled() or task.exception() is not None or task.result() is None
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
        gc.collect()


# Workers whose ends are always ready: without fairness none of them would let the loop have a turn before its limit.

LIMIT = 3_000_000
ENOUGH = 5


class Heartbeat:
    """Counts the turns of another task and of a timer while a worker is busy."""

    def __init__(self) -> None:
        self.steps = 0
        self.beats = 0
        self.ticks = 0

    def goes_on(self) -> bool:
        """Whether the worker takes one more step: the others have had too few turns yet, and there is time left."""
        self.steps += 1
        return self.steps < LIMIT and (self.beats < ENOUGH or self.ticks < ENOUGH)

    async def beat(self) -> None:
        while True:
            self.beats += 1
            await asyncio.sleep(0)

    def tick(self) -> None:
        self.ticks += 1
        if self.goes_on():
            asyncio.get_running_loop().call_later(0, self.tick)


class EndlessSource:
    """Always has a chunk, at once."""

    def __init__(self, heart: Heartbeat) -> None:
        self._heart = heart

    def pull(self, controller: Any) -> None:
        if self._heart.goes_on():
            controller.enqueue(b"chunk")
            return
        controller.close()
        if getattr(controller, "byob_request", None) is not None:
            controller.byob_request.respond(0)


class EndlessByteSource(EndlessSource):
    type = "bytes"


async def read_loop(heart: Heartbeat) -> None:
    await drain(ReadableStream[Any](EndlessSource(heart)).get_reader())


async def byob_read_loop(heart: Heartbeat) -> None:
    reader = ReadableStream(EndlessByteSource(heart), {"high_water_mark": 1}).get_reader(mode="byob")
    while heart.goes_on():
        await reader.read(bytearray(5))


async def queued_read_loop(heart: Heartbeat) -> None:
    source = RecordingSource()
    reader = stream_of(source).get_reader()
    while heart.goes_on():
        source.controller.enqueue("chunk")
        await reader.read()


async def write_loop(heart: Heartbeat) -> None:
    writer = WritableStream[Any]({"write": lambda chunk, controller: None}).get_writer()
    while heart.goes_on():
        await writer.ready
        await writer.write("chunk")


async def iteration(heart: Heartbeat) -> None:
    async for _ in ReadableStream[Any](EndlessSource(heart)):
        pass


async def from_iteration(heart: Heartbeat) -> None:
    async for _ in ReadableStream.from_(iter(heart.goes_on, False)):
        pass


async def pipe(heart: Heartbeat) -> None:
    await ReadableStream[Any](EndlessSource(heart)).pipe_to(WritableStream({"write": lambda chunk, controller: None}))


async def byte_pipe(heart: Heartbeat) -> None:
    await ReadableStream(EndlessByteSource(heart)).pipe_to(WritableStream({"write": lambda chunk, controller: None}))


async def pipe_chain(heart: Heartbeat) -> None:
    middle = ReadableStream[Any](EndlessSource(heart)).pipe_through(TransformStream())
    await middle.pipe_to(WritableStream({"write": lambda chunk, controller: None}))


async def tee(heart: Heartbeat) -> None:
    one, two = ReadableStream[Any](EndlessSource(heart)).tee()
    await asyncio.gather(drain(one.get_reader()), drain(two.get_reader()))


async def byte_tee(heart: Heartbeat) -> None:
    one, two = ReadableStream(EndlessByteSource(heart)).tee()
    await asyncio.gather(drain(one.get_reader()), drain(two.get_reader()))


WORKERS = [
    read_loop,
    byob_read_loop,
    queued_read_loop,
    write_loop,
    iteration,
    from_iteration,
    pipe,
    byte_pipe,
    pipe_chain,
    tee,
    byte_tee,
]
