"""What threads that wait are told when the loop ends."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.faults.helpers import turns
from tests.grids import each_of
from tests.loops import LOOP_FACTORIES
from tests.waiting import until
from webstreams import (
    ReadableStream,
)
from webstreams.threads import ThreadSafeReader, ThreadSafeWriter

from .support import (
    CUT_OFF,
    READER_CALLS,
    WRITER_CALLS,
    SlowSink,
    Worker,
    in_thread,
    quick,
    slow,
    threads_wait,
)

# The loop ends.

WAITING: dict[str, Callable[[ThreadSafeWriter[Any], ThreadSafeReader[Any]], object]] = {
    "write": lambda writer, reader: writer.write("waits"),
    "write with a timeout": lambda writer, reader: writer.write("waits", timeout=20),
    "close": lambda writer, reader: writer.close(),
    "abort": lambda writer, reader: writer.abort(),
    "read": lambda writer, reader: reader.read(),
    "read with a timeout": lambda writer, reader: reader.read(timeout=20),
}


class Waiting:
    """A thread that waits in a call; made in a loop, which the test then ends."""

    def __init__(self, call: str) -> None:
        self.sink, self.writer = slow()
        self.reader = ThreadSafeReader(ReadableStream())
        self.function = WAITING[call]
        self.worker: Worker | None = None

    async def start(self) -> None:
        await in_thread(self.writer.write, "first")
        self.worker = Worker(self.function, self.writer, self.reader)
        await threads_wait()

    def outcome(self) -> Any:
        assert self.worker is not None
        return self.worker.joined()


async def start_waiting(call: str) -> Waiting:
    waiting = Waiting(call)
    await waiting.start()
    return waiting


@pytest.fixture(params=LOOP_FACTORIES)
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    loop = LOOP_FACTORIES[request.param]()
    yield loop
    loop.close()


@pytest.mark.parametrize("call", WAITING)
def test_a_thread_that_waits_when_the_loop_is_closed_gets_a_runtime_error(
    call: str, loop: asyncio.AbstractEventLoop
) -> None:
    waiting = loop.run_until_complete(start_waiting(call))
    loop.close()
    with pytest.raises(RuntimeError, match="is closed, has stopped or is shutting down"):
        waiting.outcome()


@pytest.mark.parametrize("call", WAITING)
def test_a_thread_that_waits_when_the_loop_stops_gets_a_runtime_error(
    call: str, loop: asyncio.AbstractEventLoop
) -> None:
    waiting = loop.run_until_complete(start_waiting(call))
    with pytest.raises(RuntimeError, match="is closed, has stopped or is shutting down"):
        waiting.outcome()
    loop.run_until_complete(turns(10))


def test_what_was_not_written_when_the_loop_stopped_is_not_written_when_it_runs_again(
    loop: asyncio.AbstractEventLoop,
) -> None:
    waiting = loop.run_until_complete(start_waiting("write"))
    with pytest.raises(RuntimeError, match="has stopped"):
        waiting.outcome()

    async def go_on() -> None:
        waiting.sink.go_on()
        await turns(10)

    loop.run_until_complete(go_on())
    assert waiting.sink.begun == ["first"]


def test_a_read_that_was_given_up_when_the_loop_stopped_takes_no_chunk_when_it_runs_again(
    loop: asyncio.AbstractEventLoop,
) -> None:
    controllers: list[Any] = []

    async def start() -> tuple[ThreadSafeReader[str], Worker]:
        reader: ThreadSafeReader[str] = ThreadSafeReader(ReadableStream({"start": controllers.append}))
        worker = Worker(reader.read)
        await threads_wait()
        return reader, worker

    reader, worker = loop.run_until_complete(start())
    with pytest.raises(RuntimeError, match="has stopped"):
        worker.joined()

    async def go_on() -> Any:
        await turns(10)
        controllers[0].enqueue("chunk")
        return await in_thread(reader.read)

    assert loop.run_until_complete(go_on()) == ("chunk", False)


def test_a_loop_that_only_pauses_does_not_disturb_a_thread(loop: asyncio.AbstractEventLoop) -> None:
    waiting = loop.run_until_complete(start_waiting("write"))
    for _ in range(20):
        loop.run_until_complete(turns(1))

    async def go_on() -> None:
        waiting.sink.go_on()
        await until(lambda: len(waiting.sink.written) == 2)

    loop.run_until_complete(go_on())
    waiting.outcome()
    assert waiting.sink.written == ["first", "waits"]


@pytest.mark.parametrize("call", [*WRITER_CALLS, *READER_CALLS])
def test_a_call_after_the_loop_was_closed_is_a_runtime_error(call: str, loop: asyncio.AbstractEventLoop) -> None:
    async def make() -> tuple[Any, Any]:
        return quick()[1], ThreadSafeReader(ReadableStream.from_(["a"]))

    writer, reader = loop.run_until_complete(make())
    loop.close()
    if call in WRITER_CALLS and call != "with":
        with pytest.raises(RuntimeError, match="is closed"):
            Worker(WRITER_CALLS[call], writer).joined()
    if call in READER_CALLS and call != "with":
        with pytest.raises(RuntimeError, match="is closed"):
            Worker(READER_CALLS[call], reader).joined()


@each_of(call=WAITING)
@each_of(factory=LOOP_FACTORIES)
def test_a_thread_of_the_loops_executor_does_not_hold_up_the_end_of_the_loop(
    call: str, factory: str, caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[RuntimeError] = []

    def produce(writer: ThreadSafeWriter[Any], reader: ThreadSafeReader[Any]) -> None:
        try:
            WAITING[call](writer, reader)
        except RuntimeError as error:
            errors.append(error)

    async def main() -> None:
        _, writer = slow()
        await asyncio.to_thread(writer.write, "first")
        asyncio.get_running_loop().run_in_executor(None, produce, writer, ThreadSafeReader(ReadableStream()))
        await threads_wait()

    with caplog.at_level(logging.WARNING), asyncio.Runner(loop_factory=LOOP_FACTORIES[factory]) as runner:
        runner.run(main())
    assert [str(error) for error in errors] == [str(errors[0])]
    assert [each for each in caplog.messages if CUT_OFF not in each] == []


@each_of(factory=LOOP_FACTORIES)
def test_a_thread_that_calls_while_the_loop_shuts_down_does_not_hold_it_up(factory: str) -> None:
    shutting_down = threading.Event()
    errors: list[RuntimeError] = []

    async def tell() -> AsyncIterator[None]:
        try:
            yield
        finally:
            shutting_down.set()

    def produce(writer: ThreadSafeWriter[Any]) -> None:
        writer.write("first")
        shutting_down.wait(20)
        try:
            writer.write("late")
        except RuntimeError as error:
            errors.append(error)

    async def main() -> object:
        teller = tell()
        await anext(teller)
        sink, writer = slow()
        asyncio.get_running_loop().run_in_executor(None, produce, writer)
        await until(lambda: sink.begun)
        return teller

    with asyncio.Runner(loop_factory=LOOP_FACTORIES[factory]) as runner:
        teller = runner.run(main())
    assert len(errors) == 1
    del teller


def test_closing_the_loop_while_threads_wait_logs_nothing(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        several = [loop.run_until_complete(start_waiting(call)) for call in ("write", "read", "close")]
        loop.close()
        while several:
            with pytest.raises(RuntimeError, match="is closed"):
                several.pop().outcome()
        gc.collect()
    assert [each for each in caplog.messages if CUT_OFF not in each] == []


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Have Ctrl-C raise `KeyboardInterrupt`, also in a process that was started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals for threads")
@pytest.mark.usefixtures("ctrl_c")
def test_a_write_that_ctrl_c_interrupts_is_not_written(loop: asyncio.AbstractEventLoop) -> None:
    main_thread = threading.get_ident()
    made: list[tuple[SlowSink, ThreadSafeWriter[Any]]] = []
    ready = threading.Event()

    async def serve() -> None:
        made.append(slow())
        ready.set()
        sink, _ = made[0]
        await until(lambda: sink.begun)
        await threads_wait()
        signal.pthread_kill(main_thread, signal.SIGINT)
        await until(interrupted.is_set)
        sink.go_on()
        await until(lambda: len(asyncio.all_tasks()) == 1)

    interrupted = threading.Event()
    worker = Worker(loop.run_until_complete, serve())
    assert ready.wait(20)
    sink, writer = made[0]
    writer.write("first")
    with pytest.raises(KeyboardInterrupt):
        writer.write("interrupted")
    interrupted.set()
    worker.joined()
    assert sink.written == ["first"]
