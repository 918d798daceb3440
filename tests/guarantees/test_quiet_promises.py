"""Nothing is logged for `closed` and `ready` that nobody looked at; what stays unhandled is reported once, by name."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.faults.helpers import ByteSource, RecordingSource, failure, stream_of, turns
from tests.grids import each_of, each_row
from webstreams import AbortController, Promise, ReadableStream, StreamError, TransformStream, WritableStream

Reported = list[dict[str, Any]]
OOPS = OSError("oops")


class Sink:
    """A sink whose controller the test can reach."""

    controller: Any = None

    def start(self, controller: Any) -> None:
        self.controller = controller


def fail(*_: Any) -> Any:
    raise OSError("oops")  # a new one: a traceback that is kept keeps the promise alive, too


async def fail_late(*_: Any) -> Any:
    await asyncio.sleep(0)
    raise OSError("oops")  # a new one: a traceback that is kept keeps the promise alive, too


async def collected() -> None:
    """Everything that nobody refers to any more is gone, and has been reported."""
    for _ in range(2):
        await turns()
        gc.collect(1)  # they are young
    await turns()


def look_at(end: Any, touched: bool, keep: list[Any]) -> None:
    """Make the promise attributes, or have them never made."""
    if touched:
        keep.append(end.closed)
        if hasattr(end, "ready"):
            keep.append(end.ready)


async def handled(promise: Promise[Any]) -> None:
    """Wait for the outcome, whatever it is."""
    await asyncio.wait({promise.then(lambda _: None, lambda _: None)})  # type: ignore[type-var]


# Endings of a readable stream


async def readable_closed(source: Any, stream: Any, reader: Any) -> None:
    source.controller.close()


async def readable_errored(source: Any, stream: Any, reader: Any) -> None:
    source.controller.error(OOPS)


async def readable_errored_without_exception(source: Any, stream: Any, reader: Any) -> None:
    source.controller.error("oops")


async def readable_cancelled(source: Any, stream: Any, reader: Any) -> None:
    await reader.cancel("enough")


async def readable_released(source: Any, stream: Any, reader: Any) -> None:
    reader.release_lock()


async def readable_released_then_errored(source: Any, stream: Any, reader: Any) -> None:
    reader.release_lock()
    source.controller.error(OOPS)


async def readable_errored_then_released(source: Any, stream: Any, reader: Any) -> None:
    source.controller.error(OOPS)
    reader.release_lock()


async def readable_errored_while_read(source: Any, stream: Any, reader: Any) -> None:
    read = reader.read()
    source.controller.error(OOPS)
    assert await failure(read) is OOPS


async def readable_dropped(source: Any, stream: Any, reader: Any) -> None:
    pass


READABLE_ENDINGS = [
    readable_closed,
    readable_errored,
    readable_errored_without_exception,
    readable_cancelled,
    readable_released,
    readable_released_then_errored,
    readable_errored_then_released,
    readable_errored_while_read,
    readable_dropped,
]
BEFORE_AND_AFTER = each_of(touched=["before", "after"])


@each_of(ending=READABLE_ENDINGS)
@each_of(mode=[None, "byob"])
@BEFORE_AND_AFTER
async def test_closed_of_a_reader_that_nobody_looked_at_logs_nothing(
    ending: Callable[..., Awaitable[None]],
    mode: Any,
    touched: str,
    reported: Reported,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> None:
        keep: list[Any] = []
        source = ByteSource()
        stream = stream_of(source)
        reader: Any = stream.get_reader(mode=mode)
        if mode == "byob":
            real, reader_read = reader, reader.read
            reader = ByobReads(real, reader_read)
        look_at(reader, touched == "before", keep)
        await turns()
        await ending(source, stream, reader)
        await turns()
        look_at(reader, touched == "after", keep)

    await run()
    await collected()
    assert reported == []
    assert caplog.records == []


class ByobReads:
    """A BYOB reader that brings its own view."""

    def __init__(self, reader: Any, read: Callable[..., Any]) -> None:
        self._reader = reader
        self._read = read

    def read(self) -> Any:
        return self._read(bytearray(4))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)


# Endings of a writable stream


async def writable_closed(sink: Any, writer: Any) -> None:
    await writer.close()


async def writable_errored(sink: Any, writer: Any) -> None:
    sink.controller.error(OOPS)


async def writable_aborted(sink: Any, writer: Any) -> None:
    await writer.abort("enough")


async def writable_aborted_with_a_failure(sink: Any, writer: Any) -> None:
    sink.fails = True
    await handled(writer.abort("enough"))


async def writable_failed_to_write(sink: Any, writer: Any) -> None:
    sink.fails = True
    await handled(writer.write("chunk"))


async def writable_failed_with_writes_in_the_queue(sink: Any, writer: Any) -> None:
    sink.fails = True
    promises = [writer.write("chunk") for _ in range(3)]
    for each in promises:
        await handled(each)


async def writable_failed_to_close(sink: Any, writer: Any) -> None:
    sink.fails = True
    await handled(writer.close())


async def writable_released(sink: Any, writer: Any) -> None:
    writer.release_lock()


async def writable_released_full(sink: Any, writer: Any) -> None:
    written = writer.write("chunk")
    writer.release_lock()
    await written


async def writable_released_then_errored(sink: Any, writer: Any) -> None:
    writer.release_lock()
    sink.controller.error(OOPS)


async def writable_errored_then_released(sink: Any, writer: Any) -> None:
    sink.controller.error(OOPS)
    writer.release_lock()


async def writable_errored_while_written(sink: Any, writer: Any) -> None:
    promises = [writer.write("chunk"), writer.write("chunk")]
    sink.controller.error(OOPS)
    for each in promises:
        await handled(each)


async def writable_dropped(sink: Any, writer: Any) -> None:
    pass


WRITABLE_ENDINGS = [
    writable_closed,
    writable_errored,
    writable_aborted,
    writable_aborted_with_a_failure,
    writable_failed_to_write,
    writable_failed_with_writes_in_the_queue,
    writable_failed_to_close,
    writable_released,
    writable_released_full,
    writable_released_then_errored,
    writable_errored_then_released,
    writable_errored_while_written,
    writable_dropped,
]


class MovingSink(Sink):
    """Takes everything until it fails."""

    fails = False

    def _act(self, *_: Any) -> None:
        if self.fails:
            raise OSError("oops")  # a new one: a traceback that is kept keeps the promise alive, too

    write = close = abort = _act


@each_of(ending=WRITABLE_ENDINGS)
@each_of(high_water_mark=[1, 10])
@BEFORE_AND_AFTER
async def test_closed_and_ready_of_a_writer_that_nobody_looked_at_log_nothing(
    ending: Callable[..., Awaitable[None]],
    high_water_mark: int,
    touched: str,
    reported: Reported,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> None:
        keep: list[Any] = []
        sink = MovingSink()
        writer = WritableStream[Any](sink, {"high_water_mark": high_water_mark}).get_writer()
        look_at(writer, touched == "before", keep)
        await turns()
        await ending(sink, writer)
        await turns()
        look_at(writer, touched == "after", keep)

    await run()
    await collected()
    assert reported == []
    assert caplog.records == []


@each_of(callback=[fail, fail_late])
@each_of(member=["start", "pull", "transform", "sink start"])
async def test_a_callback_that_fails_before_anybody_looks_logs_nothing(
    callback: Any, member: str, reported: Reported, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        try:
            if member == "transform":
                transform: TransformStream[Any, Any] = TransformStream({"transform": callback})
                read = transform.readable.get_reader().read()
                await handled(transform.writable.get_writer().write("chunk"))
                await handled(read)
            elif member == "sink start":
                WritableStream[Any]({"start": callback}).get_writer()
            else:
                source: Any = {member: callback}
                ReadableStream[Any](source).get_reader()
        except OSError as error:
            assert str(error) == "oops"
            assert callback is fail
        await turns()

    await run()
    await collected()
    assert reported == []
    assert caplog.records == []


async def test_pipe_through_logs_nothing_when_its_pipe_fails(
    reported: Reported, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        sources: list[Any] = [{"pull": fail}, {"pull": fail_late}, {"start": lambda controller: controller.error(OOPS)}]
        for source in sources:
            ReadableStream[Any](source).pipe_through(TransformStream()).pipe_through(TransformStream())
        aborted = AbortController()
        aborted.abort("enough")
        stream_of(RecordingSource()).pipe_through(TransformStream(), signal=aborted.signal)
        await turns(10)

    await run()
    await collected()
    assert reported == []
    assert caplog.records == []


async def test_a_tee_of_a_stream_that_fails_logs_nothing(reported: Reported) -> None:
    async def run() -> None:
        for make in (RecordingSource, ByteSource):
            source = make()
            branches = stream_of(source).tee()
            await turns()
            source.controller.error(OOPS)
            await turns()
            assert [repr(each).count("errored") for each in branches] == [1, 1]

    await run()
    await collected()
    assert reported == []


# What is left unhandled

Unhandled = Callable[[], Awaitable[Any]]


def errored_stream() -> ReadableStream[Any]:
    return ReadableStream({"start": lambda controller: controller.error(OOPS)})


def errored_sink() -> WritableStream[Any]:
    return WritableStream({"start": lambda controller: controller.error(OOPS)})


async def read_unhandled() -> Any:
    return errored_stream().get_reader().read()


async def pending_read_unhandled() -> Any:
    source = RecordingSource()
    read = stream_of(source).get_reader().read()
    source.controller.error(OOPS)
    return read


async def byob_read_unhandled() -> Any:
    source = ByteSource()
    read = stream_of(source).get_reader(mode="byob").read(bytearray(4))
    source.controller.error(OOPS)
    return read


async def bad_view_unhandled() -> Any:
    reader: Any = stream_of(ByteSource()).get_reader(mode="byob")
    return reader.read(b"constant")


async def released_read_unhandled() -> Any:
    reader = stream_of(RecordingSource()).get_reader()
    reader.release_lock()
    return reader.read()


async def next_unhandled() -> Any:
    return errored_stream().values().__anext__()


async def aclose_unhandled() -> Any:
    return ReadableStream[Any]({"cancel": fail}).values().aclose()


async def cancel_unhandled() -> Any:
    return ReadableStream[Any]({"cancel": fail}).cancel()


async def cancel_of_an_errored_stream_unhandled() -> Any:
    return errored_stream().cancel()


async def cancel_of_a_locked_stream_unhandled() -> Any:
    stream = stream_of(RecordingSource())
    reader = stream.get_reader()
    cancelling = stream.cancel()
    reader.release_lock()
    return cancelling


async def reader_cancel_unhandled() -> Any:
    return ReadableStream[Any]({"cancel": fail_late}).get_reader().cancel()


async def pipe_unhandled() -> Any:
    return errored_stream().pipe_to(WritableStream())


async def refused_pipe_unhandled() -> Any:
    source: Any = stream_of(RecordingSource())
    return source.pipe_to("no stream")


async def write_unhandled() -> Any:
    return WritableStream[Any]({"write": fail}).get_writer().write("chunk")


async def released_write_unhandled() -> Any:
    writer = WritableStream[Any]().get_writer()
    writer.release_lock()
    return writer.write("chunk")


async def close_unhandled() -> Any:
    return WritableStream[Any]({"close": fail}).close()


async def writer_close_unhandled() -> Any:
    return WritableStream[Any]({"close": fail_late}).get_writer().close()


async def second_close_unhandled() -> Any:
    stream: WritableStream[Any] = WritableStream()
    await stream.close()
    return stream.close()


async def abort_unhandled() -> Any:
    return WritableStream[Any]({"abort": fail}).abort("enough")


async def writer_abort_unhandled() -> Any:
    return WritableStream[Any]({"abort": fail_late}).get_writer().abort("enough")


async def promise_unhandled() -> Any:
    return Promise.reject(OOPS)


UNHANDLED: list[tuple[Unhandled, str, str]] = [
    (read_unhandled, "read() from", "ReadableStream"),
    (pending_read_unhandled, "read() from", "ReadableStream"),
    (byob_read_unhandled, "read() from", "ReadableStream"),
    (bad_view_unhandled, "read() of", "ReadableStream"),
    (released_read_unhandled, "read() of", "ReadableStreamDefaultReader"),
    (next_unhandled, "__anext__()", "ReadableStream"),
    (aclose_unhandled, "aclose()", "ReadableStream"),
    (cancel_unhandled, "cancel() of", "ReadableStream"),
    (cancel_of_an_errored_stream_unhandled, "cancel() of", "ReadableStream"),
    (cancel_of_a_locked_stream_unhandled, "cancel() of", "ReadableStream"),
    (reader_cancel_unhandled, "cancel() of", "ReadableStream"),
    (pipe_unhandled, "pipe_to() from", "ReadableStream"),
    (refused_pipe_unhandled, "pipe_to() from", "ReadableStream"),
    (write_unhandled, "write() to", "WritableStream"),
    (released_write_unhandled, "write() to", "WritableStreamDefaultWriter"),
    (close_unhandled, "close() of", "WritableStream"),
    (writer_close_unhandled, "close() of", "WritableStream"),
    (second_close_unhandled, "close() of", "WritableStream"),
    (abort_unhandled, "abort() of", "WritableStream"),
    (writer_abort_unhandled, "abort() of", "WritableStream"),
    (promise_unhandled, "a promise", ""),
]
EVERY_UNHANDLED = each_row(("make", "call", "stream"), UNHANDLED)


@EVERY_UNHANDLED
async def test_an_unhandled_rejection_is_reported_once_and_names_stream_and_call(
    make: Unhandled, call: str, stream: str, reported: Reported
) -> None:
    async def run() -> None:
        promise = await make()
        await turns(10)
        assert promise.done()

    await run()
    await collected()
    assert len(reported) == 1
    message = reported[0]["message"]
    assert call in message
    assert f"<{stream}" in message or not stream
    assert isinstance(reported[0]["exception"], OSError | TypeError)


async def by_await(promise: Any) -> None:
    with pytest.raises(Exception):
        await promise


async def by_then(promise: Any) -> None:
    promise.then(None, lambda _: None)


async def by_exception(promise: Any) -> None:
    await turns(10)
    assert promise.exception() is not None


async def by_result(promise: Any) -> None:
    await turns(10)
    with pytest.raises(Exception):
        promise.result()


async def by_gather(promise: Any) -> None:
    outcome = (await asyncio.gather(promise, return_exceptions=True))[0]
    assert isinstance(outcome, Exception)


@EVERY_UNHANDLED
@each_of(look=[by_await, by_then, by_exception, by_result, by_gather])
async def test_a_rejection_that_somebody_looked_at_is_not_reported(
    make: Unhandled, call: str, stream: str, look: Any, reported: Reported
) -> None:
    async def run() -> None:
        await look(await make())
        await turns(10)

    await run()
    await collected()
    assert reported == []


async def test_an_unhandled_reason_that_is_no_exception_is_reported_as_a_stream_error(reported: Reported) -> None:
    async def run() -> None:
        source = RecordingSource()
        reader = stream_of(source).get_reader()
        source.controller.error("oops")
        reader.read()

    await run()
    await collected()
    assert len(reported) == 1
    assert isinstance(reported[0]["exception"], StreamError)
    assert reported[0]["exception"].reason == "oops"


async def test_a_derived_promise_is_reported_instead_of_the_one_it_follows(reported: Reported) -> None:
    async def run() -> None:
        (await read_unhandled()).then(lambda _: None).then(lambda _: None)
        await turns()

    await run()
    await collected()
    assert len(reported) == 1
    assert reported[0]["exception"] is OOPS


async def test_leaving_a_loop_reports_a_failing_cancel_once_and_names_the_stream(reported: Reported) -> None:
    async def run() -> None:
        def pull(controller: Any) -> None:
            controller.enqueue("chunk")

        async for _ in ReadableStream[Any]({"pull": pull, "cancel": fail}):
            break

    await run()
    await collected()
    assert len(reported) == 1
    assert "<ReadableStream" in reported[0]["message"]
    assert isinstance(reported[0]["exception"], OSError)


async def test_without_a_handler_an_unhandled_rejection_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        await read_unhandled()

    await run()
    await collected()
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert "read() from <ReadableStream" in errors[0].getMessage()
