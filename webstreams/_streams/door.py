"""The door of the Standard's room: what other rooms may do with streams, readers and writers beyond what users may.

The slots and abstract operations of the Standard (the names with an underscore) are shared by the modules in this room;
everybody else takes this door.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .._debug.repr import summary
from .._engine.jobs import JobQueue
from .._engine.promise import Promise, promise_resolved_with
from .._engine.settling import Settled
from .holder import LockHolder
from .meter import Meter
from .queue import as_shown
from .readable.byte_controller import ReadableByteStreamController
from .readable.controller import ReadableStreamDefaultController
from .readable.pipe import Pipe, PipePromise
from .readable.piped_writes import looks_at_no_write
from .readable.pulling import PullingController
from .readable.reader import ReadableStreamDefaultReader
from .readable.state import GenericReaderState, ReadableStreamState, ReadRequest
from .transform.sides import TransformSink
from .transform.state import TransformStreamState
from .writable.controller import WritableStreamDefaultController
from .writable.overlapping import detach_write
from .writable.sink import UnderlyingSink
from .writable.state import WritableStreamState, WriterState
from .writable.writer import WritableStreamDefaultWriter

Stream = ReadableStreamState[Any] | WritableStreamState[Any]
Lock = GenericReaderState | WriterState


# Streams of both kinds.


def jobs_of(owner: Stream | Lock) -> JobQueue:
    """Return the jobs of the event loop that a stream, reader or writer belongs to."""
    return owner._jobs


def state_of(stream: Stream) -> str:
    """Return [[state]]."""
    return stream._state


def stored_error_of(stream: Stream) -> Any:
    """Return [[storedError]]."""
    return stream._stored_error


def high_water_mark_of(stream: Stream) -> float:
    """Return the high-water mark of the queue of a stream, in the units of its strategy."""
    controller: Any = stream._controller
    mark: float = controller._strategy_hwm
    return as_shown(mark)


def queued_in(stream: Stream) -> float:
    """Return the total size of what is in the queue of a stream, in the units of its strategy."""
    if stream._jobs.is_running():
        stream._jobs.leave_run()  # a run keeps the chunks elsewhere
    controller: Any = stream._controller
    queue = controller._measure if hasattr(controller, "_measure") else controller._queue
    total: float = queue.total
    return as_shown(total)


def lock_of(stream: Stream) -> Lock | None:
    """Return the reader or the writer that a stream is locked to."""
    return stream._reader if isinstance(stream, ReadableStreamState) else stream._writer


def stream_of(lock: Lock) -> Stream | None:
    """Return the stream that a reader or a writer has for itself; None when it was released."""
    return lock._stream


def require_unlocked(stream: Any, action: str) -> None:
    """Raise TypeError if a stream of a user's is locked: `action` cannot be done with it."""
    if stream._is_locked():
        raise stream._locked_error(action)


def name_holder(lock: Lock, *words: Any) -> None:
    """Say in error messages and in ``repr()`` who uses a reader or a writer, if that is not the user."""
    lock._holder = LockHolder(*words)


def end_of(stream: Stream) -> Promise[None]:
    """Return the promise that is settled as ``closed`` of a reader or a writer is; its rejection is not reported."""
    stream._jobs.leave_run()
    if stream._finished is None:
        promise: Promise[None] = Promise(stream._jobs)
        promise._mark_handled()
        if stream._state == "closed":
            promise._fulfill(None)
        elif stream._closed_is_rejected if isinstance(stream, WritableStreamState) else stream._state == "errored":
            promise._reject(stream._stored_error)
        stream._finished = promise
    return stream._finished


def show_sides(readable: ReadableStreamState[Any], writable: WritableStreamState[Any]) -> Iterator[str]:
    """Yield the details for the ``repr()`` of a pair of streams."""
    yield f"from {summary(writable)} to {summary(readable)}"


# Readable streams.


def set_consumer(reader: GenericReaderState, consumer: object) -> None:
    """Say what reads, for those who follow chunks through several streams."""
    reader._consumer = consumer


def consumer_of(stream: ReadableStreamState[Any]) -> object:
    """Return what reads a stream, if that is not the user: a pipe, a tee, operators."""
    return None if stream._reader is None else stream._reader._consumer


def set_meter(stream: ReadableStreamState[Any], meter: Meter) -> None:
    """Have the chunks counted that are put into the queue of a stream."""
    stream._controller._observe(meter)


def is_byte_stream(stream: ReadableStreamState[Any]) -> bool:
    """Whether a stream was made of an underlying byte source."""
    return stream._controller._is_byte_controller


def is_waited_for(stream: ReadableStreamState[Any]) -> bool:
    """Whether a read waits for a chunk."""
    stream._jobs.leave_run()
    return stream._reader is not None and bool(stream._reader._read_requests)


def has_queued(stream: ReadableStreamState[Any]) -> bool:
    """Whether there are chunks in the queue."""
    stream._jobs.leave_run()
    return stream._controller._has_queued()


def wants_chunks(controller: PullingController) -> bool:
    """Whether a read waits, or the queue is not full: when the Standard has the source asked for a chunk."""
    reader = controller._stream._reader
    is_waited_for = reader is not None and bool(reader._read_requests)
    return is_waited_for or controller._measure.total < controller._strategy_hwm


def close(stream: ReadableStreamState[Any]) -> None:
    """Close a stream of any chunks after what is in its queue; nothing happens if it has ended."""
    stream._jobs.leave_run()
    controller = stream._controller
    assert isinstance(controller, ReadableStreamDefaultController)
    controller._close()


def fail(stream: ReadableStreamState[Any], error: object) -> None:
    """Error a stream; nothing happens if it has ended."""
    stream._jobs.leave_run()
    controller = stream._controller
    assert isinstance(controller, PullingController)
    controller._error(error)


def enqueue(stream: ReadableStreamState[Any], chunk: Any) -> None:
    """Do what ``enqueue()`` of the controller does."""
    controller: Any = stream._controller
    controller.enqueue(chunk)


def is_piped_into_sink(controller: ReadableStreamDefaultController[Any]) -> bool:
    """Whether pipes lead from a stream, perhaps through transform streams, to a sink that takes chunk after chunk: what
    the fast path takes over if each of them gives one chunk for one."""
    reader = controller._stream._reader
    while reader is not None and isinstance(reader._consumer, Pipe):
        destination = reader._consumer.dest._controller
        if not isinstance(destination, WritableStreamDefaultController) or destination._queue.sizes is not None:
            return False
        sink = destination._sink
        if not isinstance(sink, TransformSink):
            return isinstance(sink, UnderlyingSink)
        reader = sink._stream._readable._reader
    return False


def lead_on(piping: Promise[None], readable: ReadableStreamState[Any]) -> None:
    """Make a pipe one into a stage, whose `readable` tells how it ends: who ends what reads that ends the pipe, too."""
    assert isinstance(piping, PipePromise)
    piping._pipe.feed(readable)


def fail_with(controller: ReadableStreamDefaultController[Any] | ReadableByteStreamController, error: object) -> None:
    """Error a stream with what arose elsewhere, so without a note; nothing happens if it has ended."""
    controller._jobs.require_running()
    controller._error(error)


def enqueue_all(controller: ReadableStreamDefaultController[Any], chunks: list[Any]) -> None:
    """Enqueue one chunk or more at once."""
    controller._enqueue_all(chunks)


def read(reader: ReadableStreamDefaultReader[Any], request: ReadRequest) -> None:
    """Read a chunk, without a promise."""
    reader._jobs.leave_run()
    reader._read(request)


# Writable streams.


def feeder_of(stream: WritableStreamState[Any]) -> object:
    """Return what writes to a stream, if that is not the user: a pipe."""
    return None if stream._writer is None else stream._writer._feeder


def write(writer: WritableStreamDefaultWriter[Any], chunk: Any, request: Settled) -> None:
    """Write a chunk, without a promise: `request` is told of the end of the write."""
    writer._write(chunk, request)


def has_backpressure(stream: WritableStreamState[Any]) -> bool:
    """Whether a stream is writable, and its queue is full."""
    return stream._backpressure and stream._state == "writable"


def user_sink_of(stream: WritableStreamState[Any]) -> UnderlyingSink | None:
    """Return the underlying sink of a stream that works for one which a user has given, and has not ended."""
    controller = stream._controller
    sink = controller._sink if isinstance(controller, WritableStreamDefaultController) else None
    return sink if isinstance(sink, UnderlyingSink) else None


def detach_last_write(controller: WritableStreamDefaultController) -> Settled | None:
    """Take the request of the write under way, which the caller settles then; None unless the stream is writable."""
    return detach_write(controller) if controller._stream._state == "writable" else None


def when_aborted(controller: WritableStreamDefaultController, algorithm: Callable[[], object]) -> None:
    """Have a function called when the stream of a sink is aborted; it must not raise."""
    controller._abort_algorithm = algorithm
    controller._jobs.end.sinks.add(controller._stream)  # as for those who ask for the signal


def jobs_of_sink(controller: WritableStreamDefaultController) -> JobQueue:
    """Return the jobs of the event loop that the stream of a sink belongs to."""
    return controller._jobs


def abort_at_once(writer: WritableStreamDefaultWriter[Any], reason: object) -> Promise[None]:
    """Abort the stream of a writer, and do not wait for the write under way; the rejection is not reported."""
    stream = writer._stream
    if stream is None or stream._is_closed_or_errored():
        return promise_resolved_with(writer._jobs)
    stream._jobs.leave_run()
    promise = stream._abort_at_once(reason)
    promise._mark_handled()
    return promise


def fail_sink(controller: WritableStreamDefaultController, error: object) -> None:
    """Error a stream with what arose elsewhere, so without a note; nothing happens if it has ended."""
    controller._jobs.require_running()
    controller._error_if_needed(error)


def takes_short_bursts(controller: WritableStreamDefaultController, take_at_once: Callable[[Any], bool]) -> None:
    """Have the fast path leave a sink alone, which often waits after a few chunks: to look at it would be in vain.

    A pipe gives its chunks to `take_at_once` as long as that takes them, before it writes.
    """
    sink = controller._sink
    if isinstance(sink, UnderlyingSink):
        sink.never_runs = True
        sink.take_at_once = take_at_once


def is_about_to_close(controller: WritableStreamDefaultController) -> bool:
    """Whether nobody need be told of the write under way before the end: the stream was told to close behind it, or it
    is that of a pipe which closes the stream, and waits for no write."""
    stream = controller._stream
    return stream._close_request is not None or looks_at_no_write(stream._in_flight_write_request)


def join_sides(
    stream: TransformStreamState, readable: ReadableStreamState[Any], writable: WritableStreamState[Any]
) -> None:
    """Make a transform stream that is blank one of two streams, which know by themselves how they hang together."""
    stream._readable, stream._writable = readable, writable
    stream._backpressure = False


def fail_writable(stream: WritableStreamState[Any], error: object) -> None:
    """Error a stream with what arose elsewhere; nothing happens if it is not writable any more."""
    stream._jobs.leave_run()
    controller: Any = stream._controller
    controller._error_if_needed(error)


def takes_chunks(stream: WritableStreamState[Any]) -> bool:
    """Whether a stream is writable, and not closing."""
    return stream._state == "writable" and not stream._close_queued_or_in_flight()


def is_closing(stream: WritableStreamState[Any]) -> bool:
    """WritableStreamCloseQueuedOrInFlight"""
    return stream._close_queued_or_in_flight()


def close_writable(stream: WritableStreamState[Any]) -> Promise[None]:
    """WritableStreamClose, whoever has locked the stream."""
    stream._jobs.leave_run()
    return stream._close()
