"""Section 4.7: ReadableByteStreamController. Like the default controller, and it fills the memory of BYOB readers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Final

from typing_extensions import Buffer

from ..._debug.repr import show_count, show_queue
from ..._engine.jobs import ASKS_LOOP, get_ident, get_running_loop
from ..._engine.promise import Promise
from ..._platform.buffer import as_bytes_view, is_released, open_view, transfer
from ..._platform.idl import INTERNAL, refuse_constructor
from .byob_request import ReadableStreamBYOBRequest, Responding
from .pull_into import ByteQueue, PullIntoDescriptor, replacement
from .pulling import PullingController
from .source import Source, UnderlyingSource
from .state import (
    ReadableStreamState,
    ReadRequest,
    add_read_request,
    fulfill_read_request,
    get_num_read_requests,
    has_byob_reader,
    has_default_reader,
)

# Of all streams that nobody has read with memory of their own: an empty deque takes 760 bytes.
NO_PULL_INTOS: Final[deque[PullIntoDescriptor]] = deque(maxlen=0)


class ReadableByteStreamController(PullingController, Responding):
    """What an underlying byte source uses to feed its stream. Streams Standard, 4.7."""

    __slots__ = (
        "__weakref__",
        "_auto_allocate_chunk_size",
        "_byob_request",
        "_pending_pull_intos",
        "_queue",
    )
    # No memory waits to be filled where a run begins, and in its periods nothing is put into the queue.
    _constant: ClassVar[tuple[str, ...]] = (
        "_auto_allocate_chunk_size",
        "_byob_request",
        "_pending_pull_intos",
        "_queue",
    )

    _is_byte_controller = True

    def __init__(self, token: object = None, *setup: Any, **_: Any) -> None:
        if token is not INTERNAL:
            raise refuse_constructor("ReadableByteStreamController")
        self._set_up(*setup)

    def _set_up(
        self,
        stream: ReadableStreamState[Any],
        source: Source | UnderlyingSource,
        high_water_mark: float,
        auto_allocate_chunk_size: int | None,
    ) -> None:
        """SetUpReadableByteStreamController"""
        self._initialize(stream, source, high_water_mark)
        self._byob_request: ReadableStreamBYOBRequest | None = None
        self._measure = self._queue = ByteQueue()
        self._auto_allocate_chunk_size = auto_allocate_chunk_size
        self._pending_pull_intos: deque[PullIntoDescriptor] = NO_PULL_INTOS
        self._start(source)

    # What the source calls.

    @property
    def byob_request(self) -> ReadableStreamBYOBRequest | None:
        """The request of a reader to fill its own memory, None if there is none."""
        # In a run, too: no memory waits there.
        request = self._byob_request
        if request is None and self._pending_pull_intos:
            first = self._pending_pull_intos[0]
            request = ReadableStreamBYOBRequest(INTERNAL, self, first.buffer[first.bytes_filled :])
            self._byob_request = request
        return request

    @property
    def desired_size(self) -> float | None:
        """How many more bytes the queue wants: not above 0 when it is full, None when errored, 0 when closed."""
        return self._get_desired_size()  # in a run, too: nothing is in the queue there

    def enqueue(self, chunk: Buffer) -> None:
        """Put a copy of the bytes of `chunk` into the queue, or give them to the read that waits for them.

        `chunk` is any C-contiguous buffer, free for use again at once; `bytes` are passed on without a copy. Raises
        `TypeError` for anything else, for an empty buffer, and when the stream is closed, errored or about to close.
        """
        jobs = self._jobs
        run = jobs.run
        if run is not None and run.take(self, chunk):
            return
        if not (ASKS_LOOP and get_running_loop() is jobs.loop) and get_ident() != jobs.thread_probe._thread_id:
            jobs.require_loop()
        if run is not None:
            chunk = run.intercept(self, chunk)
        own = chunk if type(chunk) is bytes else as_bytes_view(open_view(chunk, "the chunk"), "the chunk")
        if len(own) == 0:
            raise TypeError("the chunk must not be empty")
        if self._close_requested or self._stream._state != "readable":
            raise TypeError(f"cannot enqueue: {self._why_not()}")
        self._enqueue(own)

    def close(self) -> None:
        """Close the stream after the bytes that are in the queue.

        Raises `TypeError` when it is closed, errored or about to close already, and when a pending read has got a
        part of an item only (this errors the stream).
        """
        self._jobs.require_running()
        self._require_open("close")
        self._close()

    def error(self, error: object = None) -> None:
        """Error the stream now: the bytes in the queue are dropped, every read fails with `error`, any object."""
        self._jobs.require_running()
        self._note_told(error)
        self._error(error)

    # What the stream and its reader call.

    def _cancel_steps(self, reason: object) -> Promise[Any] | None:
        """[[CancelSteps]]"""
        self._clear_pending_pull_intos()
        self._queue.reset()
        return self._run_cancel_algorithm(reason)

    def _pull_steps(self, read_request: ReadRequest) -> None:
        """[[PullSteps]]"""
        if self._queue.total > 0:
            self._fill_read_request_from_queue(read_request)
            return
        size = self._auto_allocate_chunk_size
        if size is not None:
            try:
                buffer = memoryview(bytearray(size))
            except (MemoryError, OverflowError) as allocation_error:
                read_request.error_steps(allocation_error)
                return
            self._append_pull_into(PullIntoDescriptor(buffer, buffer, size, 1, 1, "default", read_request))
        add_read_request(self._stream, read_request)
        self._call_pull_if_needed()

    def _append_pull_into(self, descriptor: PullIntoDescriptor) -> None:
        if self._pending_pull_intos is NO_PULL_INTOS:
            self._pending_pull_intos = deque()
        self._pending_pull_intos.append(descriptor)

    def _release_steps(self) -> None:
        """[[ReleaseSteps]]"""
        if self._pending_pull_intos:
            first = self._pending_pull_intos[0]
            first.reader_type = "none"
            self._pending_pull_intos = deque([first])

    def _has_queued(self) -> bool:
        return self._queue.total > 0

    def _withdraw_read(self, read_request: ReadRequest) -> None:
        reader = self._stream._reader
        if reader is not None:
            reader._read_requests.remove(read_request)
        self._withdraw_pull_into_of(read_request)

    def _withdraw_pull_into_of(self, read_request: ReadRequest) -> None:
        for descriptor in self._pending_pull_intos:
            if descriptor.request is read_request:
                self._withdraw_pull_into(descriptor)
                break

    def _withdraw_pull_into(self, descriptor: PullIntoDescriptor) -> None:
        """Keep the bytes that a withdrawn read has got already for the next one."""
        if self._byob_request is not None and descriptor is self._pending_pull_intos[0]:
            # The source may be writing into it: as in [[ReleaseSteps]].
            descriptor.reader_type = "none"
            descriptor.is_withdrawn = True
            return
        self._pending_pull_intos.remove(descriptor)
        if descriptor.bytes_filled > 0:
            self._queue.put_first(descriptor.buffer[: descriptor.bytes_filled].tobytes())
            self._answer_from_queue()

    def _unread(self, chunk: Any, serial: int) -> None:
        self._queue.put_back(bytes(chunk), serial)
        if self._close_requested:
            self._queue.end()
        self._answer_from_queue()

    def _answer_from_queue(self) -> None:
        """Answer reads that wait, after bytes came back into the queue."""
        if has_default_reader(self._stream):
            self._process_read_requests_using_queue()
        elif has_byob_reader(self._stream) and self._pending_pull_intos and self._byob_request is None:
            self._put_partial_fill_behind_queue()
            self._commit_all(self._process_pull_into_descriptors_using_queue())

    def _put_partial_fill_behind_queue(self) -> None:
        """Keep the order of the bytes: what was taken back into the queue was read before what the first view has."""
        first = self._pending_pull_intos[0]
        if self._queue.total > 0 and first.bytes_filled > 0:
            self._queue.enqueue(first.buffer[: first.bytes_filled].tobytes())
            first.bytes_filled = 0

    # Abstract operations (4.9.5): ending.

    def _clear_pending_pull_intos(self) -> None:
        """ReadableByteStreamControllerClearPendingPullIntos"""
        self._invalidate_byob_request()
        self._pending_pull_intos.clear()

    def _close(self) -> None:
        """ReadableByteStreamControllerClose"""
        if self._close_requested or self._stream._state != "readable":
            return
        if self._queue.total > 0:
            self._close_requested = True
            self._can_pull = False
            self._queue.end()
            if self._pending_pull_intos:
                self._close_behind_queue(self._pending_pull_intos[0])
            return
        if self._pending_pull_intos:
            first = self._pending_pull_intos[0]
            if first.is_withdrawn and first.bytes_filled > 0:
                self._close_behind_queue(first)
                return
            if first.bytes_filled % first.element_size != 0:
                error = first.has_too_little()
                self._error(error)
                raise error
        self._clear_algorithms()
        self._stream._close()

    def _close_behind_queue(self, first: PullIntoDescriptor) -> None:
        """Close the stream behind bytes that came back from reads which were withdrawn: nobody responds any more."""
        if self._byob_request is not None:
            self._byob_request._expect_nothing()
            self._byob_request = None
        if first.is_withdrawn:
            self._queue.gives_rest = self._queue.gives_rest or first.bytes_filled > 0
            self._enqueue_detached_pull_into_to_queue(first)
        self._close_requested = True
        self._can_pull = False
        self._answer_from_queue()
        if self._queue.total == 0 and self._stream._state == "readable":
            self._close_with_pending_reads()

    def _close_with_pending_reads(self) -> None:
        """Close the stream when nothing is left for the reads that wait, and nobody will respond to them."""
        pending = self._pending_pull_intos
        if pending and pending[0].bytes_filled % pending[0].element_size != 0:
            self._error(pending[0].has_too_little())
            return
        self._handle_queue_drain()
        if pending:
            self._respond_in_closed_state(pending[0])

    def _error(self, error: object) -> None:
        """ReadableByteStreamControllerError"""
        if self._stream._state != "readable":
            return
        self._clear_pending_pull_intos()
        self._queue.reset()
        self._clear_algorithms()
        self._stream._error(error)

    def _handle_queue_drain(self) -> None:
        """ReadableByteStreamControllerHandleQueueDrain"""
        if self._queue.total == 0 and self._close_requested:
            self._clear_algorithms()
            self._stream._close()
        else:
            self._call_pull_if_needed()

    # Bytes from the source.

    def _enqueue(self, chunk: bytes | memoryview) -> None:
        """ReadableByteStreamControllerEnqueue

        # Python: bytes are never detached. The user's memory is copied once: into the view that waits for it,
        # and what does not fit there in the end, before any of the user's code can run again.
        """
        stream = self._stream
        if self._close_requested or stream._state != "readable":
            return
        reader = stream._reader
        if reader is not None and reader._read_requests and type(chunk) is bytes and self._passes_chunks():
            self._put(chunk)
            return
        if self._meter is not None:
            self._meter.chunk_is_put(chunk)
        pending = self._pending_pull_intos
        if pending:
            first = pending[0]
            if first.reader_type == "byob" and self._may_fill() and self._complete(first, len(chunk), chunk):
                return
            self._take_over_first_pull_into()
            reader = stream._reader
        if reader is not None and not reader._is_byob:
            if self._queue.total > 0:
                self._process_read_requests_using_queue()
            if not reader._read_requests:
                self._queue.enqueue(chunk)
                self._queue.settle_last()
            else:
                if self._pending_pull_intos:
                    self._shift_pending_pull_into()
                reader._read_requests.popleft().chunk_steps(bytes(chunk))
        else:
            self._queue.enqueue(chunk)
            if has_byob_reader(stream):
                filled = self._process_pull_into_descriptors_using_queue()
                self._queue.settle_last()
                self._commit_all(filled)
            else:
                self._queue.settle_last()
        self._call_pull_if_needed()

    def _passes_chunks(self) -> bool:
        """Whether nothing but chunks is asked for: no memory waits to be filled, and nothing is in the queue."""
        return not self._pending_pull_intos and self._queue.total == 0

    def _put(self, chunk: Any) -> None:
        """Give bytes to the read that waits for them: all that `_enqueue` does where chunks only pass.

        In a simulation, that is a stand-in for them.
        """
        if self._meter is not None:
            self._meter.chunk_is_put(chunk)
        reader = self._stream._reader
        assert reader is not None
        reader._read_requests.popleft().chunk_steps(chunk)
        self._call_pull_if_needed()

    def _take_over_first_pull_into(self) -> None:
        first = self._pending_pull_intos[0]
        if not self._may_fill():
            raise TypeError("cannot enqueue: the view of the pending BYOB request was released")
        self._invalidate_byob_request()
        if first.reader_type == "none":
            self._enqueue_detached_pull_into_to_queue(first)
        elif first.reader_type == "byob":
            self._put_partial_fill_behind_queue()

    def _may_fill(self) -> bool:
        """Whether the source has not released the view that it was asked to fill."""
        request = self._byob_request
        return request is None or not is_released(request._view)

    def _enqueue_cloned_chunk_to_queue(self, chunk: memoryview) -> None:
        """ReadableByteStreamControllerEnqueueClonedChunkToQueue"""
        self._queue.enqueue(chunk.tobytes())

    def _enqueue_detached_pull_into_to_queue(self, first: PullIntoDescriptor) -> None:
        """ReadableByteStreamControllerEnqueueDetachedPullIntoToQueue"""
        assert first.reader_type == "none"
        if first.bytes_filled > 0:
            self._enqueue_cloned_chunk_to_queue(first.buffer[: first.bytes_filled])
        self._shift_pending_pull_into()

    # Bytes for default readers.

    def _fill_read_request_from_queue(self, read_request: ReadRequest) -> None:
        """ReadableByteStreamControllerFillReadRequestFromQueue"""
        chunk = self._queue.take_entry()
        self._handle_queue_drain()
        read_request.chunk_steps(chunk)

    def _process_read_requests_using_queue(self) -> None:
        """ReadableByteStreamControllerProcessReadRequestsUsingQueue"""
        reader = self._stream._reader
        assert reader is not None
        while reader._read_requests and self._queue.total > 0:
            request = reader._read_requests.popleft()
            if self._pending_pull_intos:  # only when bytes were taken back from a cancelled read
                self._withdraw_pull_into_of(request)
            self._fill_read_request_from_queue(request)

    # Bytes for BYOB readers.

    def _pull_into(self, descriptor: PullIntoDescriptor, given: Any) -> None:
        """ReadableByteStreamControllerPullInto; the view of the descriptor is ours already, `given` what the reader
        was given."""
        request = descriptor.request
        try:
            transfer(given)
        except TypeError as error:
            request.error_steps(error)
            return
        stream, pending = self._stream, self._pending_pull_intos
        if not pending:
            if stream._state == "closed":
                request.close_steps(descriptor.convert())
                return
            if self._queue.total > 0 and self._pull_from_queue(descriptor, request):
                return
            if pending is NO_PULL_INTOS:
                pending = self._pending_pull_intos = deque()
        reader = stream._reader
        assert reader is not None
        is_first = not pending
        pending.append(descriptor)
        reader._read_requests.append(request)
        if is_first:
            if self._pulling and self._can_pull:
                self._pull_again = True  # _call_pull_if_needed(), without the call
            else:
                self._call_pull_if_needed()

    def _pull_from_queue(self, descriptor: PullIntoDescriptor, request: ReadRequest) -> bool:
        """Answer a read from the queue, or with an error if there is too little; whether that could be done."""
        if self._queue.gives_rest:
            descriptor.minimum_fill = descriptor.element_size
        if self._queue.fill(descriptor):
            filled_view = descriptor.convert()
            self._handle_queue_drain()
            request.chunk_steps(filled_view)
            return True
        if self._close_requested:
            error = descriptor.has_too_little()
            self._error(error)
            request.error_steps(error)
            return True
        return False

    def _process_pull_into_descriptors_using_queue(self) -> list[PullIntoDescriptor]:
        """ReadableByteStreamControllerProcessPullIntoDescriptorsUsingQueue"""
        filled = []
        while self._pending_pull_intos and self._queue.total > 0:
            descriptor = self._pending_pull_intos[0]
            if self._queue.fill(descriptor):
                self._shift_pending_pull_into()
                filled.append(descriptor)
        return filled

    def _commit_all(self, descriptors: Iterable[PullIntoDescriptor]) -> None:
        for descriptor in descriptors:
            self._commit_pull_into_descriptor(descriptor)

    def _commit_pull_into_descriptor(self, descriptor: PullIntoDescriptor) -> None:
        """ReadableByteStreamControllerCommitPullIntoDescriptor"""
        assert self._stream._state != "errored" and descriptor.reader_type != "none"
        done = self._stream._state == "closed"
        fulfill_read_request(self._stream, descriptor.convert(), done)

    def _complete(self, first: PullIntoDescriptor, count: int, chunk: bytes | memoryview | None) -> bool:
        """Give the reader its view, if that is ready with so many bytes more, and nothing else is to be done; whether
        that was done.

        # Python: what the abstract operations do in this most common case, in their order, without their calls. The
        # bytes are those of `chunk`, or in the view already.
        """
        filled = first.bytes_filled + count
        if (
            filled > first.byte_length
            or filled < first.minimum_fill
            or filled % first.element_size != 0
            or self._queue.total > 0
            or first.reader_type == "none"
            or self._stream._state != "readable"
            or self._meter is not None
        ):
            return False
        request = self._byob_request
        if request is not None:
            self._byob_request = None
            request._invalidate()
        if chunk is not None:
            first.buffer[first.bytes_filled : filled] = chunk
        first.bytes_filled = filled
        self._pending_pull_intos.popleft()
        requests = self._stream._reader._read_requests  # type: ignore[union-attr]  # there is a read request
        is_all = filled == first.byte_length and first.reader_type == "byob"
        requests.popleft().chunk_steps(first.view if is_all else first.convert())
        if requests or self._strategy_hwm > 0:
            self._call_pull_if_needed()
        return True

    def _shift_pending_pull_into(self) -> PullIntoDescriptor:
        """ReadableByteStreamControllerShiftPendingPullInto"""
        assert self._byob_request is None
        return self._pending_pull_intos.popleft()

    # The BYOB request.

    def _get_byob_request(self) -> ReadableStreamBYOBRequest | None:
        """ReadableByteStreamControllerGetBYOBRequest"""
        return self.byob_request

    def _invalidate_byob_request(self) -> None:
        """ReadableByteStreamControllerInvalidateBYOBRequest"""
        if self._byob_request is not None:
            self._byob_request._invalidate()
            self._byob_request = None

    def _respond(self, bytes_written: int) -> None:
        """ReadableByteStreamControllerRespond"""
        first = self._pending_pull_intos[0]
        if bytes_written > 0 and self._complete(first, bytes_written, None):
            return
        if self._stream._state == "closed":
            if bytes_written != 0:
                raise TypeError(f"bytes_written must be 0 on a closed stream, not {bytes_written}")
        elif bytes_written == 0:
            raise TypeError("bytes_written must be greater than 0 on a readable stream: call close() before respond(0)")
        elif first.bytes_filled + bytes_written > first.byte_length:
            free = first.byte_length - first.bytes_filled
            raise ValueError(f"bytes_written must not be above the {free} bytes of the view, is {bytes_written}")
        self._respond_internal(bytes_written)

    def _respond_with_new_view(self, view: memoryview, given: Any) -> None:
        """ReadableByteStreamControllerRespondWithNewView"""
        first = self._pending_pull_intos[0]
        byte_length = view.nbytes
        if self._stream._state == "closed":
            if byte_length != 0:
                raise TypeError(f"the view must be empty on a closed stream, it has {byte_length} bytes")
        elif byte_length == 0:
            raise TypeError("the view must not be empty on a readable stream")
        new_buffer = replacement(first, view)
        if new_buffer is not None:
            first.replace(new_buffer)
        transfer(given)
        self._respond_internal(byte_length)

    def _respond_internal(self, bytes_written: int) -> None:
        """ReadableByteStreamControllerRespondInternal"""
        first = self._pending_pull_intos[0]
        self._invalidate_byob_request()
        if self._stream._state == "closed":
            self._respond_in_closed_state(first)
        else:
            if self._meter is not None:
                self._meter.bytes_are_put(bytes_written)
            self._respond_in_readable_state(bytes_written, first)
        self._call_pull_if_needed()

    def _respond_in_closed_state(self, first: PullIntoDescriptor) -> None:
        """ReadableByteStreamControllerRespondInClosedState"""
        assert first.bytes_filled % first.element_size == 0
        if first.reader_type == "none":
            self._shift_pending_pull_into()
        if has_byob_reader(self._stream):
            count = get_num_read_requests(self._stream)
            self._commit_all([self._shift_pending_pull_into() for _ in range(count)])

    def _respond_in_readable_state(self, bytes_written: int, descriptor: PullIntoDescriptor) -> None:
        """ReadableByteStreamControllerRespondInReadableState"""
        if self._queue.total > 0:
            self._respond_behind_queue(bytes_written, descriptor)
            return
        descriptor.bytes_filled += bytes_written  # ReadableByteStreamControllerFillHeadPullIntoDescriptor
        if descriptor.reader_type == "none":
            self._enqueue_detached_pull_into_to_queue(descriptor)
            if self._queue.total > 0:
                self._commit_all(self._process_pull_into_descriptors_using_queue())
            return
        if descriptor.bytes_filled < descriptor.minimum_fill:
            return  # it stays at the head of the queue, so that the source can go on filling it
        self._shift_pending_pull_into()
        remainder = descriptor.bytes_filled % descriptor.element_size
        if remainder > 0:
            end = descriptor.bytes_filled
            self._enqueue_cloned_chunk_to_queue(descriptor.buffer[end - remainder : end])
        descriptor.bytes_filled -= remainder
        if self._queue.total == 0:
            self._commit_pull_into_descriptor(descriptor)
        else:
            filled = self._process_pull_into_descriptors_using_queue()
            self._commit_pull_into_descriptor(descriptor)
            self._commit_all(filled)

    # Debugging.

    def _details(self) -> Iterator[str]:
        yield from super()._details()
        if self._pending_pull_intos:
            yield f"{show_count(len(self._pending_pull_intos), 'view')} to fill"

    def _show_total(self) -> str:
        return show_queue(self._queue.total, self._strategy_hwm, " bytes", len(self._queue.entries))

    def _respond_behind_queue(self, bytes_written: int, descriptor: PullIntoDescriptor) -> None:
        """Respond while bytes that were taken back from a cancelled read are in the queue: those come first."""
        descriptor.bytes_filled += bytes_written
        if descriptor.reader_type == "none":
            self._enqueue_detached_pull_into_to_queue(descriptor)
        self._answer_from_queue()
