"""acknowledging(): nothing is acknowledged before it is written, and what becomes of a write that fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.brokers.memory import logged, memory_stream
from tests.grids import each_of, each_row
from tests.waiting import until
from webstreams import WritableStream
from webstreams.brokers import Delivery, OnFailure, acknowledging


async def test_nothing_is_acknowledged_before_its_write_has_succeeded() -> None:
    stream, broker = memory_stream(limit=32, count=50)
    log: list[tuple[str, int]] = []
    broker.settling = lambda key, outcome: log.append((outcome, key))

    async def write(value: int, controller: object) -> None:
        await asyncio.sleep(0)
        log.append(("written", value))

    pipe = stream.pipe_to(acknowledging(WritableStream({"write": write})))
    await until(lambda: len(broker.acknowledged) >= 50)
    await stream.drain()
    await pipe
    assert [value for what, value in log if what == "written"] == list(range(50))
    for value in range(50):
        assert log.index(("written", value)) < log.index(("ack", value))


async def test_a_write_is_done_when_it_is_acknowledged() -> None:
    delivery, outcomes = logged("a")
    writer = acknowledging(WritableStream[Any]()).get_writer()
    await writer.write(delivery)
    assert outcomes == ["ack"]
    await writer.close()


async def test_closing_and_aborting_reach_the_sink() -> None:
    calls: list[object] = []
    sink = WritableStream[Any]({"close": lambda: calls.append("close"), "abort": calls.append})
    await acknowledging(sink).close()
    sink = WritableStream[Any]({"close": lambda: calls.append("close"), "abort": calls.append})
    await acknowledging(sink).abort("a reason")
    assert calls == ["close", "a reason"]


async def test_stop_errors_the_stream_with_the_error_of_the_sink() -> None:
    error = ValueError("no")

    def write(value: str, controller: object) -> None:
        if value == "bad":
            raise error

    (good, log_of_good), (bad, log_of_bad), (later, log_of_later) = logged("good"), logged("bad"), logged("later")
    writer = acknowledging(WritableStream({"write": write})).get_writer()
    writes = [writer.write(each) for each in (good, bad, later)]
    await writes[0]
    for write_promise in writes[1:]:
        with pytest.raises(ValueError) as caught:
            await write_promise
        assert caught.value is error
    assert log_of_good == ["ack"]
    assert log_of_bad == ["requeue"]
    assert log_of_later in ([], ["requeue"])
    with pytest.raises(ValueError):
        await writer.closed


@each_of(is_coroutine=[False, True])
@each_row(("on_failure", "outcome"), [("requeue", "requeue"), ("reject", "reject")])
async def test_the_stream_goes_on_after_a_failed_write(on_failure: OnFailure, outcome: str, is_coroutine: bool) -> None:
    written: list[int] = []

    def write(value: int, controller: object) -> None:
        if value % 3 == 0:
            raise ValueError(value)
        written.append(value)

    async def write_later(value: int, controller: object) -> None:
        await asyncio.sleep(0)
        write(value, controller)

    logs = [logged(number) for number in range(10)]
    sink: WritableStream[int] = WritableStream({"write": write_later if is_coroutine else write})
    writer = acknowledging(sink, on_failure=on_failure).get_writer()
    for delivery, _ in logs:
        await writer.ready
        writer.write(delivery)
    await writer.close()
    assert written == [1, 2, 4, 5, 7, 8]
    assert [log for _, log in logs] == [[outcome] if number % 3 == 0 else ["ack"] for number in range(10)]


async def test_rejecting_ends_with_a_sink_that_is_errored() -> None:
    def write(value: str, controller: Any) -> None:
        controller.error(OSError("gone"))
        raise OSError("gone")

    delivery, outcomes = logged("a")
    writer = acknowledging(WritableStream({"write": write}), on_failure="reject").get_writer()
    with pytest.raises(OSError, match="gone"):
        await writer.write(delivery)
    assert outcomes == ["reject"]
    with pytest.raises(OSError, match="gone"):
        await writer.closed


async def test_poison_is_rejected_and_the_rest_is_written() -> None:
    stream, broker = memory_stream(limit=8, count=20)
    written: list[int] = []

    def write(value: int, controller: object) -> None:
        if value == 7:
            raise ValueError("poison")
        written.append(value)

    pipe = stream.pipe_to(acknowledging(WritableStream({"write": write}), on_failure="reject"))
    await until(lambda: len(broker.acknowledged) >= 19)
    await stream.drain()
    await pipe
    assert broker.rejected == [7]
    assert written == [number for number in range(20) if number != 7]


async def test_a_requeued_delivery_comes_again_with_its_attempt_counted() -> None:
    stream, broker = memory_stream(limit=8, count=3)
    failures = iter([ValueError("once"), ValueError("twice")])

    def write(value: int, controller: object) -> None:
        if value == 1:
            for failure in failures:
                raise failure

    pipe = stream.pipe_to(acknowledging(WritableStream({"write": write}), on_failure="requeue"))
    await until(lambda: len(broker.acknowledged) >= 3)
    await stream.drain()
    await pipe
    assert broker._attempts == {0: 1, 1: 3, 2: 1}


async def test_a_lost_delivery_is_no_failure() -> None:
    """Its value was written, the broker delivers it again, and its own stream has told why."""
    stream, _ = memory_stream(limit=2, count=2)
    reader = stream.get_reader()
    delivery = (await reader.read()).value
    assert delivery is not None
    await reader.cancel()
    written: list[int] = []
    sink: WritableStream[int] = WritableStream({"write": lambda value, controller: written.append(value)})
    writer = acknowledging(sink).get_writer()
    await writer.write(delivery)
    await writer.close()
    assert written == [0]


async def test_aborting_ends_a_write_that_waits_in_the_sink() -> None:
    signalled: list[object] = []
    written = asyncio.Event()

    async def write(value: int, controller: Any) -> None:
        written.set()
        stopped = asyncio.get_running_loop().create_future()
        controller.signal.add_event_listener("abort", lambda event: stopped.set_result(None))
        await stopped
        signalled.append(controller.signal.reason)
        raise ConnectionAbortedError

    stream, broker = memory_stream(limit=4, count=4)
    reader = stream.get_reader()
    writer = acknowledging(WritableStream({"write": write})).get_writer()
    delivery = (await reader.read()).value
    assert delivery is not None
    writing = writer.write(delivery)
    await written.wait()
    await writer.abort("enough")
    with pytest.raises(ConnectionAbortedError):
        await writing
    assert signalled == ["enough"]
    await reader.cancel()
    assert sorted(number for number, _ in broker.waiting) == [0, 1, 2, 3]
    assert broker.acknowledged == []


async def test_mistakes_are_told() -> None:
    with pytest.raises(TypeError, match="needs a WritableStream"):
        acknowledging([])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match='"stop", "requeue" or "reject"'):
        acknowledging(WritableStream(), on_failure="retry")  # type: ignore[arg-type]
    writer = acknowledging(WritableStream()).get_writer()
    with pytest.raises(TypeError, match="takes deliveries, not int"):
        await writer.write(1)  # type: ignore[arg-type]
    delivery, _ = logged("a")
    await delivery.ack()
    with pytest.raises(RuntimeError, match="settled once"):
        await acknowledging(WritableStream()).get_writer().write(delivery)


async def test_writing_and_acknowledging_takes_no_task() -> None:
    loop = asyncio.get_running_loop()
    logs = [logged(number) for number in range(24)]
    deliveries = [delivery for delivery, _ in logs]
    writer = acknowledging(WritableStream[Any]()).get_writer()
    made: list[asyncio.Task[Any]] = []

    def make(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        made.append(asyncio.Task(work, loop=loop, **options))
        return made[-1]

    loop.set_task_factory(make)
    try:
        for delivery in (*deliveries[:20], Delivery.join(deliveries[20:])):
            await writer.write(delivery)
    finally:
        loop.set_task_factory(None)
    assert [log for _, log in logs] == [["ack"]] * 24
    assert made == []
