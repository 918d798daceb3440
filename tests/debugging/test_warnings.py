"""The warnings of debug mode: chunks that nobody reads, writers that do not wait, pipes that cannot begin."""

from __future__ import annotations

import asyncio
import gc
import inspect
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.faults.helpers import turns
from tests.grids import by_key, each_of
from tests.loops import LOOP_FACTORIES
from webstreams import (
    AbortSignal,
    ByteLengthQueuingStrategy,
    ReadableStream,
    StreamError,
    TransformStream,
    WritableStream,
    WritableStreamDefaultWriter,
)
from webstreams._engine import jobs as _jobs

from .support import Boom, ByteSource, Source, never, readable, writable


@pytest.fixture
async def debug() -> None:
    asyncio.get_running_loop().set_debug(True)


@contextmanager
def recorded() -> Iterator[list[str]]:
    """The texts of the ResourceWarnings that are given in the block, by the collection of what it left behind, too."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield texts
        gc.collect()
    assert {each.category for each in caught} <= {ResourceWarning}
    texts.extend(str(each.message) for each in caught)


def here(offset: int = 0) -> str:
    """The place of the caller, so many lines further down."""
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    caller = frame.f_back
    return f"{__file__}:{caller.f_lineno + offset} in {caller.f_code.co_qualname}"


@pytest.mark.usefixtures("debug")
async def test_a_dropped_stream_with_unread_chunks_gives_a_warning() -> None:
    with recorded() as texts:
        place = here(1)
        stream = ReadableStream(Source(), {"high_water_mark": 4})
        for chunk in range(3):
            stream._controller.enqueue(chunk)  # type: ignore[attr-defined]
        await stream.get_reader().read()
        del stream
    assert texts == [
        "a ReadableStream was dropped with 2 chunks unread in its queue: read it to its end, or cancel it; "
        f"it was made at {place}"
    ]


@pytest.mark.usefixtures("debug")
async def test_the_warning_belongs_to_the_place_where_the_stream_was_made() -> None:
    with pytest.warns(ResourceWarning) as caught:
        place = here(1)
        ReadableStream({"start": lambda controller: controller.enqueue("chunk")})
        await turns()
        gc.collect()
    assert [f"{each.filename}:{each.lineno}" for each in caught] == [place.split()[0]]
    assert str(caught[0].message).endswith(f"made at {place}")


@pytest.mark.usefixtures("debug")
async def test_the_warning_names_the_class_of_the_author_and_counts_chunks_of_bytes() -> None:
    class Body(ReadableStream[bytes]):
        pass

    with recorded() as texts:
        source = ByteSource()
        place = here(1)
        Body(source, {"high_water_mark": 4})
        source.controller.enqueue(b"abc")
        del source
        await turns()
    assert texts == [
        f"a Body was dropped with 1 chunk unread in its queue: read it to its end, or cancel it; it was made at {place}"
    ]


@pytest.mark.usefixtures("debug")
async def test_a_branch_of_a_tee_and_a_side_of_a_transform_stream_were_made_by_the_author() -> None:
    with recorded() as texts:
        source = Source()
        tee_place = here(1)
        branch, _ = readable(source=source).tee()
        read = branch.get_reader().read()
        source.controller.enqueue("a")
        assert (await read).value == "a"
        source.controller.close()
        transform_place = here(1)
        transform: TransformStream[Any, Any] = TransformStream(None, None, {"high_water_mark": 2})
        await transform.writable.get_writer().write("b")
        await turns()
        del source, branch, _, read, transform
    assert sorted(text.rpartition("made at ")[2] for text in texts) == sorted([tee_place, transform_place])


def read_to_the_end(source: Source, stream: ReadableStream[Any]) -> Any:
    async def read() -> None:
        source.controller.close()
        assert len([chunk async for chunk in stream]) == 3

    return read()


def cancel(source: Source, stream: ReadableStream[Any]) -> Any:
    return stream.cancel()


async def error(source: Source, stream: ReadableStream[Any]) -> None:
    source.controller.error("over")


async def leave_early(source: Source, stream: ReadableStream[Any]) -> None:
    async for _ in stream:
        break


async def read_all_that_is_there(source: Source, stream: ReadableStream[Any]) -> None:
    reader = stream.get_reader()
    for _ in range(3):
        await reader.read()


async def pipe(source: Source, stream: ReadableStream[Any]) -> None:
    source.controller.close()
    await stream.pipe_to(writable())


NORMAL_ENDS = [read_to_the_end, cancel, error, leave_early, read_all_that_is_there, pipe]


@pytest.mark.usefixtures("debug")
@pytest.mark.parametrize("end", NORMAL_ENDS)
@pytest.mark.parametrize("kind", [Source, ByteSource])
async def test_normal_ends_give_no_warning(
    end: Callable[[Source, ReadableStream[Any]], Any], kind: type[Source]
) -> None:
    with recorded() as texts:
        source = kind()
        stream = readable(source=source)
        for chunk in (b"a", b"b", b"c"):
            source.controller.enqueue(chunk)
        await end(source, stream)
        del source, stream
        await turns()
    assert texts == []


@pytest.mark.usefixtures("debug")
async def test_a_stream_whose_start_fails_gives_no_warning() -> None:
    def start(controller: Any) -> None:
        controller.enqueue("chunk")
        raise Boom

    with recorded() as texts, pytest.raises(Boom):
        ReadableStream({"start": start})
    assert texts == []


def run_in_debug_mode(factory: Callable[[], asyncio.AbstractEventLoop], main: Callable[[], Any]) -> list[Any]:
    """Run a coroutine in a loop of its own in debug mode; give what its exception handler was told."""
    told: list[Any] = []
    with asyncio.Runner(debug=True, loop_factory=factory) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: told.append(context))
        runner.run(main())
    return told


@each_of(factory=by_key(LOOP_FACTORIES))
def test_streams_that_are_open_when_the_loop_is_closed_give_no_warning(
    factory: Callable[[], asyncio.AbstractEventLoop], caplog: pytest.LogCaptureFixture
) -> None:
    kept: list[Any] = []

    async def main() -> None:
        stream, destination = readable(3), writable(write=never)
        kept.extend([stream, stream.get_reader(), destination, destination.get_writer(), readable(3).tee()])
        kept[1].read()
        kept[3].write("chunk")
        kept.append(TransformStream())
        readable(2).pipe_to(kept[-1].writable)
        await turns(10)

    with recorded() as texts:
        told = run_in_debug_mode(factory, main)
        kept.clear()
    assert texts == caplog.messages == []
    assert all("was cut off by the end of the event loop" in each["message"] for each in told)
    assert len(told) == 2


async def test_outside_debug_mode_nothing_watches() -> None:
    with recorded() as texts:
        stream, destination = readable(3), writable(write=never)
        assert stream._controller._unread_watch is None  # type: ignore[attr-defined]
        assert destination._controller._write_watch is None
        writer = destination.get_writer()
        for chunk in range(100):
            writer.write(chunk)
        readable().pipe_to(writable(0))
        del stream, destination, writer
    assert texts == []


@pytest.mark.usefixtures("debug")
@pytest.mark.parametrize(("mark", "quiet"), [(0, 9), (0.5, 9), (1, 10), (2, 20), (3, 30)])
async def test_a_queue_that_grows_without_ready_gives_one_warning(mark: float, quiet: int) -> None:
    with recorded() as texts:
        place = here(1)
        stream: WritableStream[int] = WritableStream({"write": never}, {"high_water_mark": mark})
        writer = stream.get_writer()
        for chunk in range(quiet):
            writer.write(chunk)
        assert texts == []
        writer.write(0)
        summary = repr(stream).replace("locked to <WritableStreamDefaultWriter not ready>, ", "")
        for chunk in range(100):
            writer.write(chunk)
        await turns()
    assert texts == [
        f"the queue of {summary} is past 10 times its high-water mark, and nobody waits for the writer's `ready` "
        f"before writing; the stream was made at {place}"
    ]


@pytest.mark.usefixtures("debug")
async def test_the_warning_comes_with_the_chunk_that_is_too_much() -> None:
    writer = writable(write=never).get_writer()
    for chunk in range(10):
        writer.write(chunk)
    with pytest.warns(ResourceWarning, match="past 10 times its high-water mark"):
        writer.write(10)


@pytest.mark.usefixtures("debug")
async def test_few_big_chunks_are_no_growing_queue() -> None:
    with recorded() as texts:
        stream: WritableStream[bytes] = WritableStream({"write": never}, ByteLengthQueuingStrategy(high_water_mark=1))
        writer = stream.get_writer()
        for _ in range(9):
            writer.write(b"x" * 1000)
    assert texts == []


@pytest.mark.usefixtures("debug")
async def test_a_writer_that_waits_for_ready_gets_no_warning() -> None:
    async def produce(writer: WritableStreamDefaultWriter[int], burst: int) -> None:
        for _ in range(5):
            await writer.ready
            for chunk in range(burst):
                writer.write(chunk)

    with recorded() as texts:
        together = writable().get_writer()
        await asyncio.gather(*(produce(together, 1) for _ in range(30)))
        await produce(writable().get_writer(), 30)
    assert texts == []


@each_of(seed=range(60))
@pytest.mark.usefixtures("debug")
async def test_a_writer_that_waits_for_ready_gets_no_warning_when_turns_are_short(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a busy machine: what was written last is still in the queue in the next turn."""
    dice, now = random.Random(seed), [0.0]

    def tick() -> float:
        now[0] += dice.choice([0, 0, _jobs.TURN_BUDGET / 3, 2 * _jobs.TURN_BUDGET])
        return now[0]

    monkeypatch.setattr(_jobs, "monotonic", tick)
    with recorded() as texts:
        writer = writable(write=lambda chunk, controller: None).get_writer()
        for _ in range(5):
            await writer.ready
            for chunk in range(30):
                writer.write(chunk)
        await turns(5)
        await writer.close()
    assert texts == []


@pytest.mark.usefixtures("debug")
async def test_a_writer_that_waited_for_ready_only_once_gets_the_warning() -> None:
    with recorded() as texts:
        writer = writable(write=never).get_writer()
        await writer.ready
        for chunk in range(50):
            writer.write(chunk)
        assert texts == []
        await turns()
    assert len(texts) == 1
    assert "queue 50/1" in texts[0]


@pytest.mark.usefixtures("debug")
async def test_warnings_that_are_errors_do_not_disturb_a_stream(reported: list[dict[str, Any]]) -> None:
    chunks: list[int] = []
    stream = writable(write=lambda chunk, _: chunks.append(chunk))
    writer = stream.get_writer()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for chunk in range(20):
            writer.write(chunk)
        never_wanted = readable().pipe_to(writable(0))
    await writer.close()
    assert chunks == list(range(20))
    assert not never_wanted.done()
    assert [context["message"] for context in reported] == ["webstreams: a warning was turned into an exception"] * 2
    assert {type(context["exception"]) for context in reported} == {ResourceWarning}


@pytest.mark.usefixtures("debug")
@pytest.mark.parametrize("through", [False, True])
async def test_w7_debug_mode_says_why_a_pipe_into_a_high_water_mark_of_0_is_pending(through: bool) -> None:
    with recorded() as texts:
        source = readable()
        made = here(1)
        transform: TransformStream[Any, Any] = TransformStream(None, {"high_water_mark": 0})
        destination = transform.writable
        piped = here(2)
        if through:
            source.pipe_through(transform)
        else:
            piped = here(1)
            source.pipe_to(destination)
    assert texts == [
        "a pipe from <ReadableStream readable, queue 0/16, desired_size 16> into <WritableStream writable, queue 0/0, "
        "desired_size 0> will not write anything: the destination's high-water mark is 0, so that it never asks for a "
        f"chunk; the pipe was started at {piped}, the destination was made at {made}"
    ]


@pytest.mark.usefixtures("debug")
async def test_a_pipe_that_ends_at_once_or_wants_chunks_gives_no_warning() -> None:
    with recorded() as texts:
        source = Source()
        stream = readable(source=source)
        source.controller.close()
        await stream.pipe_to(writable(0))
        with pytest.raises(StreamError, match="why"):
            await readable().pipe_to(writable(0), signal=AbortSignal.abort("why"))
        pending = readable().pipe_to(writable(0.5))
        assert not pending.done()
    assert texts == []
