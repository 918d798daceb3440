"""Fast paths cannot be observed: random pipelines give the same callbacks, in the same order, with and without them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from itertools import product
from typing import Any
from weakref import WeakSet

import pytest

from webstreams import (
    AbortController,
    Promise,
    ReadableStream,
    TransformStream,
    WritableStream,
    generator_transform,
)

from .fastpath.compare import PROGRAMS, compare
from .fastpath.programs import CHECK, EMITTED, ON, Program, fast_paths, periods
from .loops import LOOP_FACTORIES
from .shares import share_of

# So many random programs of each kind: most on asyncio's own loop, for the loop makes little difference to a run. What
# they take is a few seconds; `python -m tests.fastpath.compare` runs as many as one likes.
SEEDS = {"asyncio": 30}
SEEDS_ELSEWHERE = 15
CHECKED_SEEDS = 10
# So many periods of each program are on the fast path, or more.
PERIODS = 15


@pytest.mark.parametrize("program", PROGRAMS.values())
@pytest.mark.parametrize("loop_name", LOOP_FACTORIES)
def test_a_run_cannot_be_observed(loop_name: str, program: Program) -> None:
    """The same callbacks in the same order, of all parts together, with the fast paths and without them."""
    seeds = share_of(range(SEEDS.get(loop_name, SEEDS_ELSEWHERE)))
    modes = ON, EMITTED
    count = sum(compare(seed, LOOP_FACTORIES[loop_name], modes[seed // 2 % 2], program) for seed in seeds)
    assert count > PERIODS * len(seeds), "the pipelines are too dull to prove anything"


@pytest.mark.parametrize("program", PROGRAMS.values())
def test_a_check_finds_no_difference(program: Program) -> None:
    """Nor can a run be observed whose periods are repeated on the plain path; and no period differs there."""
    seeds = share_of(range(CHECKED_SEEDS))
    count = sum(compare(seed, LOOP_FACTORIES["asyncio"], CHECK, program) for seed in seeds)
    assert count > 5 * len(seeds), "the pipelines are too dull to prove anything"


def numbers(last: int) -> ReadableStream[int]:
    count = iter(range(last))

    def pull(controller: Any) -> None:
        number = next(count)
        controller.enqueue(number)
        if number == last - 1:
            controller.close()

    return ReadableStream({"pull": pull})


class Chunk:
    """Can be referred to weakly."""


@pytest.fixture
def on_a_quiet_machine() -> Iterator[None]:
    """On a busy one the time of a turn may be over before a pipeline has been watched for long enough."""
    with fast_paths(ON):
        yield


QUIETLY = pytest.mark.usefixtures("on_a_quiet_machine")


@QUIETLY
@pytest.mark.parametrize("stages", [0, 1, 4, 6, 40])
async def test_the_fast_path_is_taken(stages: int) -> None:
    """An ordinary pipeline uses it: the comparison above compares something."""
    written: list[int] = []
    stream = numbers(1000)
    for _ in range(stages):
        stream = stream.pipe_through(TransformStream({"transform": lambda chunk, out: out.enqueue(chunk)}))
    await stream.pipe_to(WritableStream({"write": lambda chunk, _: written.append(chunk)}))
    assert written == list(range(1000))
    assert periods() > 800


@QUIETLY
async def test_the_fast_path_is_taken_by_several_pipes() -> None:
    """Also when they begin and end at different times."""
    lengths = [400, 600, 1000]
    await asyncio.gather(*(numbers(length).pipe_to(WritableStream()) for length in lengths))
    assert periods() > 800


@QUIETLY
async def test_the_fast_path_is_taken_by_a_tee() -> None:
    written: list[list[int]] = [[], []]
    branches = numbers(1000).tee()
    await asyncio.gather(
        branches[0].pipe_to(WritableStream({"write": lambda chunk, _: written[0].append(chunk)})),
        branches[1].pipe_to(WritableStream({"write": lambda chunk, _: written[1].append(chunk)})),
    )
    assert written == [list(range(1000))] * 2
    assert periods() > 800


@QUIETLY
@pytest.mark.parametrize("read", [0, 1])
async def test_the_fast_path_is_taken_by_a_tee_one_of_whose_branches_a_user_reads(read: int) -> None:
    written: list[int] = []
    branches = numbers(1000).tee()
    pipe = branches[1 - read].pipe_to(WritableStream({"write": lambda chunk, _: written.append(chunk)}))
    assert [chunk async for chunk in branches[read]] == list(range(1000))
    await pipe
    assert written == list(range(1000))
    # The two branches do not go at one pace: each period is another one for a while, which ends the run.
    assert periods() > 50


@QUIETLY
async def test_the_fast_path_is_taken_by_an_iterable() -> None:
    written: list[int] = []
    await ReadableStream.from_(range(1000)).pipe_to(WritableStream({"write": lambda chunk, _: written.append(chunk)}))
    assert written == list(range(1000))
    assert periods() > 800


@QUIETLY
@pytest.mark.parametrize("end", ["pipe", "read"])
async def test_the_fast_path_is_taken_by_an_asynchronous_generator(end: str) -> None:
    async def generate() -> AsyncIterator[int]:
        for number in range(1000):
            yield number

    stream = ReadableStream.from_(generate()).pipe_through(TransformStream())
    chunks: list[int] = []
    if end == "pipe":
        await stream.pipe_to(WritableStream({"write": lambda chunk, _: chunks.append(chunk)}))
    else:
        chunks = [chunk async for chunk in stream]
    assert chunks == list(range(1000))
    assert periods() > 800


@QUIETLY
@pytest.mark.parametrize("copies", [(1,), (0, 1), (3,), (0, 0, 5)])
@pytest.mark.parametrize("end", ["pipe", "read", "list"])
async def test_the_fast_path_is_taken_by_a_generator_transform(end: str, copies: tuple[int, ...]) -> None:
    async def change(chunks: AsyncIterator[int]) -> AsyncIterator[int]:
        async for chunk in chunks:
            for _ in range(copies[chunk % len(copies)]):
                yield chunk

    stream = numbers(500).pipe_through(generator_transform(change)).pipe_through(generator_transform(change))
    chunks: list[int] = []
    if end == "pipe":
        await stream.pipe_to(WritableStream({"write": lambda chunk, _: chunks.append(chunk)}))
    else:
        chunks = await stream.list() if end == "list" else [chunk async for chunk in stream]
    assert chunks == [chunk for chunk in range(500) for _ in range(copies[chunk % len(copies)] ** 2)]
    assert periods() > 350


@QUIETLY
async def test_the_fast_path_is_taken_by_coroutine_callbacks() -> None:
    written: list[int] = []

    async def write(chunk: int, controller: Any) -> None:
        written.append(chunk)

    await numbers(1000).pipe_to(WritableStream({"write": write}))
    assert written == list(range(1000))
    assert periods() > 800


@QUIETLY
@pytest.mark.parametrize("stages", [0, 1, 3])
@pytest.mark.parametrize("end", ["async for", "reader", "list", "bytes"])
async def test_the_fast_path_is_taken_by_reads(end: str, stages: int) -> None:
    stream: Any = ReadableStream.from_([b"%d," % number for number in range(1000)])
    for _ in range(stages):
        stream = stream.pipe_through(TransformStream({"transform": lambda chunk, out: out.enqueue(chunk)}))
    chunks: list[bytes] = []
    if end == "async for":
        async for chunk in stream:
            chunks.append(chunk)
    elif end == "reader":
        with stream.get_reader() as reader:
            while True:
                chunk, done = await reader.read()
                if done:
                    break
                chunks.append(chunk)
    else:
        chunks = await stream.list() if end == "list" else [await stream.bytes()]
    assert b"".join(chunks) == b"".join(b"%d," % number for number in range(1000))
    assert periods() > 750


@QUIETLY
@pytest.mark.parametrize(
    ("end", "copies"),
    [*product(["pipe", "read"], [(0, 1), (2,), (0, 0, 3)]), ("pipe", (80, 0)), ("read", (20, 0))],
)
async def test_the_fast_path_is_taken_by_filters_and_flatteners(end: str, copies: tuple[int, ...]) -> None:
    count = 1000 if max(copies) < 80 else 30
    chunks = await flattened(end, count, copies)
    assert chunks == [chunk for chunk in range(count) for _ in range(copies[chunk % len(copies)])]
    assert periods() > 800


@QUIETLY
async def test_a_pipe_behind_a_flattener_that_gives_a_few_dozen_chunks_is_left_alone() -> None:
    """To take over a queue takes longer than so many chunks save."""
    chunks = await flattened("pipe", 1000, (20, 0))
    assert chunks == [chunk for chunk in range(0, 1000, 2) for _ in range(20)]
    assert periods() < 300


async def flattened(end: str, count: int, copies: tuple[int, ...]) -> list[int]:
    """The chunks that come through a transformer that gives so many copies of each."""

    def transform(chunk: int, controller: Any) -> None:
        for _ in range(copies[chunk % len(copies)]):
            controller.enqueue(chunk)

    stream = numbers(count).pipe_through(TransformStream({"transform": transform}))
    chunks: list[int] = []
    if end == "read":
        return [chunk async for chunk in stream]
    await stream.pipe_to(WritableStream({"write": lambda chunk, _: chunks.append(chunk)}))
    return chunks


@QUIETLY
async def test_the_fast_path_is_taken_by_a_queue_that_is_full() -> None:
    def start(controller: Any) -> None:
        for number in range(1000):
            controller.enqueue(number)
        controller.close()

    stream: ReadableStream[int] = ReadableStream({"start": start})
    chunks: list[int] = []
    await stream.pipe_to(WritableStream({"write": lambda chunk, _: chunks.append(chunk)}))
    assert chunks == list(range(1000))
    assert periods() > 800


async def test_a_read_that_was_left_keeps_no_stream_alive() -> None:
    """The run of a reader ends with it, in the turn of its last read."""
    given: WeakSet[Chunk] = WeakSet()

    def pull(controller: Any) -> None:
        chunk = Chunk()
        given.add(chunk)
        controller.enqueue(chunk)

    async def read_some() -> None:
        count = 0
        async for _ in ReadableStream({"pull": pull}).pipe_through(TransformStream()):
            count += 1
            if count == 1000:
                break

    await asyncio.create_task(read_some())
    for _ in range(5):
        await asyncio.sleep(0)
    gc.collect()
    assert len(given) == 0


async def test_other_tasks_have_their_turn_beside_a_steady_run() -> None:
    """The loop goes round many times while an endless pipeline is always ready."""
    turns = 0
    stop = AbortController()
    stream: ReadableStream[int] = ReadableStream({"pull": lambda controller: controller.enqueue(1)})
    pipe = stream.pipe_through(TransformStream()).pipe_to(WritableStream(), signal=stop.signal)
    for _ in range(20):
        await asyncio.sleep(0)
        turns += 1
    stop.abort("enough")
    with pytest.raises(Exception, match="enough"):
        await pipe
    assert turns == 20


@QUIETLY
async def test_a_callback_cancels_the_task_that_waits_for_the_pipe() -> None:
    """The pipe is aborted at once, and in order, although it runs steadily."""
    faults: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["message"]))
    log: list[Any] = []

    def write(chunk: int, _: Any) -> None:
        log.append(chunk)
        if chunk == 700:
            waiting.cancel()

    async def wait() -> None:
        await pipe

    gate, open_gate, _ = Promise.with_resolvers()
    sink: Any = {"start": lambda _: gate, "write": write, "abort": lambda reason: log.append(str(reason))}
    pipe = numbers(1000).pipe_to(WritableStream(sink))
    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    open_gate(None)  # only now, when the task is suspended
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert log == [*range(701), "the task that awaited pipe_to() was cancelled"]
    assert pipe.done()
    assert faults == []


@QUIETLY
async def test_no_chunk_is_kept_alive_while_a_pipeline_waits() -> None:
    given: WeakSet[Chunk] = WeakSet()
    count = 0

    def pull(controller: Any) -> None:
        nonlocal count
        count += 1
        if count <= 700:
            chunk = Chunk()
            given.add(chunk)
            controller.enqueue(chunk)

    pipe = ReadableStream({"pull": pull}).pipe_through(TransformStream()).pipe_to(WritableStream())
    for _ in range(10):
        await asyncio.sleep(0)
    assert periods() > 500
    assert count > 700
    assert len(given) == 0
    assert not pipe.done()
