"""The end of an event loop: what is under way never looks complete, and is reported once (API.md)."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.faults.helpers import turns
from tests.grids import each_of
from tests.loops import LOOP_FACTORIES, NOT_EAGER
from webstreams import (
    AbortError,
    ReadableStream,
    TransformStream,
    WritableStream,
    WritableStreamDefaultWriter,
    from_producer,
    generator_transform,
    pipeline,
    to_callable,
    to_generator,
    write_file,
)

LOOPS = pytest.mark.parametrize("loop", NOT_EAGER)
EVERY_LOOP = each_of(loop=NOT_EAGER)


def run(loop: str, main: Callable[[], Coroutine[Any, Any, Any]]) -> list[str]:
    """Run a program to its end; give what was reported."""
    reports: list[str] = []

    async def reporting() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context["message"]))
        await main()

    with asyncio.Runner(loop_factory=LOOP_FACTORIES[loop]) as runner:
        runner.run(reporting())
    gc.collect()
    return reports


async def three() -> AsyncIterator[bytes]:
    for number in range(3):
        yield b"%d" % number


@LOOPS
def test_an_open_writer_is_aborted(loop: str, tmp_path: Path) -> None:
    kept: list[Any] = []

    async def main() -> None:
        writer = write_file(tmp_path / "file").get_writer()
        await writer.write(b"half")
        kept.append(writer)

    (report,) = run(loop, main)
    assert "write_file(" in report
    assert "was cut off by the end of the event loop" in report
    assert list(tmp_path.iterdir()) == []


async def _hang(*_: Any) -> None:
    await asyncio.Event().wait()


async def _produce(writer: WritableStreamDefaultWriter[int]) -> None:
    await writer.write(1)
    await asyncio.Event().wait()


async def _through(chunks: AsyncIterator[int]) -> AsyncIterator[int]:
    async for chunk in chunks:
        yield chunk


class Source:
    """Gives three chunks and then nothing."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log

    def pull(self, controller: Any) -> None:
        if len(self.log) < 3:
            self.log.append("chunk")
            controller.enqueue(1)

    def cancel(self, reason: object) -> None:
        self.log.append(reason)


class Sink:
    def __init__(self, log: list[Any]) -> None:
        self.log = log

    def write(self, chunk: Any, controller: Any) -> None:
        pass

    def close(self) -> None:
        self.log.append("closed")

    def abort(self, reason: object) -> None:
        self.log.append(reason)


CUT_OFF: dict[str, tuple[Callable[[ReadableStream[Any], WritableStream[Any]], Any], str, int]] = {
    "for_each": (lambda stream, _: stream.for_each(str), "for_each() of", 1),
    "for_each, calling": (lambda stream, _: stream.for_each(_hang), "for_each() of", 1),
    "for_each, several": (lambda stream, _: stream.for_each(_hang, concurrency=2), "for_each() of", 1),
    "reduce": (lambda stream, _: stream.reduce(lambda result, chunk: chunk, 0), "reduce() of", 1),
    "several calls": (lambda stream, _: stream.pipe_to(to_callable(_hang, concurrency=2)), "pipe_to() from", 1),
    "a producer": (lambda _, sink: from_producer(_produce).pipe_to(sink), "pipe_to() from", 1),
    "map with several calls": (
        lambda stream, sink: stream.map(_hang, concurrency=2).pipe_to(sink),
        "pipe_to() from",
        2,
    ),
    "pipeline": (lambda stream, sink: pipeline(stream, _through, TransformStream(), sink=sink), "pipe_to() from", 2),
}


@EVERY_LOOP
@each_of(case=CUT_OFF)
def test_what_is_under_way_is_reported_once_and_looks_complete_to_nobody(loop: str, case: str) -> None:
    make, words, ends = CUT_OFF[case]
    log: list[Any] = []
    reasons: list[Any] = []

    async def main() -> None:
        promise = make(ReadableStream(Source(log), {"high_water_mark": 0}), WritableStream(Sink(reasons)))
        promise.add_done_callback(lambda promise: reasons.append(promise.exception()))
        await turns(20)

    (report,) = run(loop, main)
    assert words in report
    assert "was cut off by the end of the event loop" in report
    told = [each for each in [*log, *reasons] if each != "chunk"]
    assert len(told) == ends + 1
    assert all(type(each).__name__ == "LoopEndedError" for each in told)


@EVERY_LOOP
def test_a_consumer_that_a_task_awaits_is_reported_as_a_pipe_is(loop: str) -> None:
    tasks: list[Any] = []

    async def consume() -> None:
        await ReadableStream[int]().for_each(str)

    async def main() -> None:
        tasks.append(asyncio.create_task(consume()))
        await turns()

    (report,) = run(loop, main)
    assert "for_each() of" in report
    assert tasks[0].cancelled()


@EVERY_LOOP
def test_a_write_that_nobody_awaits_is_reported_once(loop: str) -> None:
    async def main() -> None:
        writer = WritableStream[int]({"write": lambda chunk, controller: asyncio.Event().wait()}).get_writer()
        writer.write(1)
        writer.write(2)
        await turns()

    assert len(run(loop, main)) == 1


@LOOPS
def test_a_file_that_was_not_begun_leaves_nothing(loop: str, tmp_path: Path) -> None:
    kept: list[Any] = []

    async def main() -> None:
        kept.append(write_file(tmp_path / "file"))
        await turns()

    assert run(loop, main) == []
    assert list(tmp_path.iterdir()) == []


@LOOPS
def test_a_file_that_is_being_closed_is_finished(loop: str, tmp_path: Path) -> None:
    """Whole and not reported; a machine that is so busy that it takes too long loses all of it, with one report."""

    async def main() -> None:
        writer = write_file(tmp_path / "file").get_writer()
        await writer.write(b"whole")
        writer.close()
        await turns(1)

    for _ in range(20):
        reports = run(loop, main)
        files = [each.read_bytes() for each in tmp_path.iterdir()]
        if files:
            break
        assert len(reports) == 1
    assert (reports, files) == ([], [b"whole"])


@EVERY_LOOP
def test_what_a_sink_needs_no_end_for_is_not_reported(loop: str) -> None:
    async def main() -> None:
        await WritableStream[int]({"write": lambda chunk, controller: None}).get_writer().write(1)

    assert run(loop, main) == []


@EVERY_LOOP
def test_reading_everything_in_another_task_is_reported(loop: str) -> None:
    tasks: list[Any] = []

    async def main() -> None:
        tasks.append(asyncio.create_task(ReadableStream[bytes]().text()))
        await turns()

    (report,) = run(loop, main)
    assert "was cut off by the end of the event loop" in report
    assert tasks[0].cancelled()


@EVERY_LOOP
def test_cancelling_some_tasks_between_two_runs_of_a_loop_ends_no_pipe(loop: str) -> None:
    log: list[int] = []
    kept: list[Any] = []

    async def idle() -> None:
        stream = ReadableStream[int]()
        await stream.get_reader().read()

    async def begin() -> None:
        kept.append(asyncio.create_task(idle()))
        kept.append(
            ReadableStream.from_(range(10)).pipe_to(WritableStream({"write": lambda chunk, _: log.append(chunk)}))
        )
        await asyncio.sleep(0)

    async def wait() -> None:
        await kept[1]

    with asyncio.Runner(loop_factory=LOOP_FACTORIES[loop]) as runner:
        runner.run(begin())
        kept[0].cancel()
        runner.run(wait())
    assert log == list(range(10))


# Asynchronous generators that somebody else closes.


async def test_a_generator_that_was_closed_in_the_middle_is_an_error() -> None:
    generator = three()
    reader = ReadableStream.from_(generator).get_reader()
    assert (await reader.read()).value == b"0"
    await generator.aclose()  # type: ignore[attr-defined]
    with pytest.raises(AbortError, match="three"):
        await reader.read()


async def test_a_generator_that_has_ended_before_is_an_empty_stream() -> None:
    generator = three()
    await generator.aclose()  # type: ignore[attr-defined]
    assert await ReadableStream.from_(generator).list() == []


async def test_two_streams_may_share_a_generator() -> None:
    generator = three()
    one, other = (ReadableStream.from_(generator).get_reader() for _ in range(2))
    assert [(await reader.read()).value for reader in (one, other, one)] == [b"0", b"1", b"2"]
    assert (await one.read()).done
    assert (await other.read()).done


async def test_a_transform_whose_generator_was_closed_in_the_middle_is_an_error() -> None:
    generators: list[Any] = []

    def through(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async def give() -> AsyncIterator[bytes]:
            async for chunk in chunks:
                yield chunk

        generators.append(give())
        return generators[0]  # type: ignore[no-any-return]

    reader = ReadableStream.from_(three()).pipe_through(generator_transform(through)).get_reader()
    assert (await reader.read()).value == b"0"
    await generators[0].aclose()
    with pytest.raises(AbortError):
        await reader.read()


@each_of(is_async=[True, False])
async def test_a_sink_whose_generator_was_closed_does_not_close(is_async: bool) -> None:
    async def receive() -> Any:
        while True:
            yield

    def receive_plainly() -> Any:
        while True:
            yield

    generator: Any = receive() if is_async else receive_plainly()
    writer = to_generator(generator).get_writer()
    await writer.write(1)
    if is_async:
        await generator.aclose()
    else:
        generator.close()
    with pytest.raises(AbortError):
        await writer.close()
