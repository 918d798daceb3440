"""Section 4.5: ReadableStreamBYOBReader ("bring your own buffer")."""

from __future__ import annotations

from collections import deque
from typing import Any

from typing_extensions import Buffer

from ..._engine.promise import Promise, promise_rejected_with
from ..._platform.buffer import as_bytes_view, items_of, open_view, transfer
from ..._platform.idl import to_enforced_integer
from ..._platform.mypyc import mypyc_attr
from ..results import ReadDoneResult, ReadValueResult
from .pull_into import ByteQueue, PullIntoDescriptor, descriptor_of
from .reader import ReadableStreamGenericReader, ReadPromise, require_unlocked
from .state import ReadableStreamState, ReadRequest


@mypyc_attr(allow_interpreted_subclasses=True)
class ReadableStreamBYOBReader(ReadableStreamGenericReader):
    """Reads bytes into the caller's memory; the stream is locked to it. Streams Standard, 4.5.

    ``with stream.get_reader(mode="byob") as reader:`` releases the lock at the end. Constructing one raises
    `TypeError` for anything other than an unlocked `ReadableStream` of bytes.

    >>> import asyncio
    >>> from webstreams import ReadableStream
    >>> async def main() -> None:
    ...     stream = ReadableStream({"type": "bytes", "pull": lambda controller: controller.enqueue(b"ab")})
    ...     memory = bytearray(4)
    ...     value, done = await stream.get_reader(mode="byob").read(memory)
    ...     print(value.tobytes(), memory)
    >>> asyncio.run(main())
    b'ab' bytearray(b'ab\\x00\\x00')
    """

    __slots__ = ("__weakref__",)

    _is_byob = True

    def __init__(self, stream: ReadableStreamState[Any]) -> None:
        """SetUpReadableStreamBYOBReader"""
        require_unlocked(stream, "ReadableStreamBYOBReader")
        if not stream._controller._is_byte_controller:
            raise TypeError('a BYOB reader needs a byte stream: one whose underlying source has type="bytes"')
        self._generic_initialize(stream)

    def read(
        self, view: Buffer | None = None, *, min: int = 1
    ) -> Promise[ReadValueResult[memoryview] | ReadDoneResult[memoryview | None]]:
        """Fill `view`, a writable C-contiguous buffer, with at least `min` items and at most all it has room for.

        The result's `.value` is a memoryview of the same memory and item format, as long as what was filled. At the
        end of the stream `.done` is true and `.value` is empty; it is None when the stream was cancelled. A
        memoryview that is given is released.

        Rejected with `TypeError` for a view or `min` that cannot be used and when the lock was released, with
        `ValueError` for a `min` above the size of the view, and with the stored error when the stream is errored.
        Cancelling the only task that awaits the promise withdraws the read: bytes that it got already are for the
        next one. Streams Standard, 4.5.3.
        """
        jobs = self._jobs
        jobs.require_running()
        try:
            own = open_view(view, "the view")
            is_bytes = own.ndim == 1 and own.format == "B"
            length = len(own) if is_bytes else 0
            if length == 0 or own.readonly:
                _check_view(own)
            minimum = 1 if type(min) is int and min == 1 else _checked_minimum(min, own)
            stream = self._stream
            if stream is None:
                raise TypeError("the reader was released: cannot read from the stream")
        except (TypeError, ValueError) as error:
            return promise_rejected_with(jobs, error, "read() of", self if self._stream is None else self._stream)
        spare: ReadPromise[Any] | None = self._spare
        if spare is None:
            promise: ReadPromise[Any] = ReadPromise(stream)
        else:
            promise = spare
            self._spare = None
        if stream._state != "readable":
            self._read(own, view, minimum, promise)
            return promise
        # _read() and descriptor_of(), without the calls.
        stream._disturbed = True
        if is_bytes:
            descriptor = PullIntoDescriptor(own, own, length, minimum, 1, "byob", promise)
        else:
            descriptor = descriptor_of(own, minimum, promise)
        stream._controller._pull_into(descriptor, view)
        return promise

    def _read(self, view: memoryview, given: Any, minimum: int, request: ReadRequest) -> None:
        """ReadableStreamBYOBReaderRead"""
        stream = self._stream
        assert stream is not None
        stream._disturbed = True
        if stream._state == "errored":
            request.error_steps(stream._stored_error)
        elif stream._returned:
            self._fill_from_returned(stream._returned, view, given, request)
        else:
            stream._controller._pull_into(descriptor_of(view, minimum, request), given)

    def _fill_from_returned(self, returned: deque[Any], view: memoryview, given: Any, request: ReadRequest) -> None:
        """Fill the view of a read of a closed stream with bytes that were taken back from a cancelled read."""
        try:
            transfer(given)
        except TypeError as error:
            request.error_steps(error)
            return
        descriptor = descriptor_of(view, 1, request)
        queue = ByteQueue()
        for chunk in returned:
            queue.enqueue(bytes(chunk))
        returned.clear()
        if queue.fill(descriptor):
            request.chunk_steps(descriptor.convert())
            if queue.total > 0:
                returned.append(b"".join([queue.take_entry() for _ in range(len(queue.entries))]))
        else:
            request.error_steps(TypeError("too few bytes are left to fill one item of the view"))


def _check_view(own: memoryview) -> None:
    if own.readonly:
        raise TypeError("the view must be writable")
    if own.nbytes == 0:
        raise TypeError("the view must not be empty")
    buffer = as_bytes_view(own, "the view")
    if own.ndim != 1:
        items_of(buffer, own.format)


def _checked_minimum(minimum: Any, view: memoryview) -> int:
    number = to_enforced_integer(minimum, "min")
    if number == 0:
        raise TypeError("min must be greater than 0")
    items = view.nbytes // view.itemsize
    if number > items:
        raise ValueError(f"min must not be above the {items} items of the view, is {number}")
    return number
