"""Pull-into descriptors and the queue of a byte stream (4.7.2): what is filled, and what it is filled from."""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar, Literal

from ..._platform.buffer import as_bytes_view, items_of, same_memory, whole_buffer
from ..._platform.idl import NOTHING
from ..queue import PutBackChunks, QueueTotal

ReaderType = Literal["default", "byob", "none"]


class PullIntoDescriptor:
    """One region of memory that waits to be filled.

    # Python: `buffer` is a view of the region alone, byte by byte, so there is no byte offset in it; `view` is the same
    # memory with the item format that the reader gave: the same object, where that is bytes.
    """

    __slots__ = (
        "buffer",
        "byte_length",
        "bytes_filled",
        "element_size",
        "is_withdrawn",
        "minimum_fill",
        "reader_type",
        "request",
        "view",
    )

    def __init__(
        self,
        buffer: memoryview,
        view: memoryview,
        byte_length: int,
        minimum_fill: int,
        element_size: int,
        reader_type: ReaderType,
        request: Any,
    ) -> None:
        self.buffer = buffer
        self.view = view
        self.byte_length = byte_length
        self.bytes_filled = 0
        self.minimum_fill = minimum_fill
        self.element_size = element_size
        self.reader_type: ReaderType = reader_type
        # Ours: the read request that waits for it, to find it when that is withdrawn.
        self.request = request
        # Ours: the read was cancelled while the source had the memory; its bytes are for the next read.
        self.is_withdrawn = False

    def has_too_little(self) -> TypeError:
        """Return the error for an end that comes now."""
        if self.bytes_filled % self.element_size != 0:
            return TypeError(
                "the stream is closing with a part of an item only: too few bytes to fill the last item of the view"
            )
        return TypeError(
            "the stream is closing with fewer items than the read asked for: a smaller `min` gets them, or a read that "
            "has waited for them before"
        )

    def replace(self, buffer: memoryview) -> None:
        """Fill other memory from now on; TypeError if that cannot have the item format."""
        self.view = items_of(buffer, self.view.format)
        self.buffer = buffer

    def convert(self) -> memoryview | bytes:
        """ReadableByteStreamControllerConvertPullIntoDescriptor

        # Python: a default reader always gets bytes.
        """
        assert self.bytes_filled <= self.byte_length
        assert self.bytes_filled % self.element_size == 0
        if self.reader_type == "default":
            return self.buffer[: self.bytes_filled].tobytes()
        if self.bytes_filled == self.byte_length:
            return self.view  # all of it; nobody else has this view
        return self.view[: self.bytes_filled // self.element_size]


def descriptor_of(view: memoryview, minimum: int, request: Any) -> PullIntoDescriptor:
    """Return the descriptor for a BYOB read into `view`, a view of any items that is ours alone."""
    buffer = as_bytes_view(view, "the view")
    items = view if view.ndim == 1 else items_of(buffer, view.format)
    size = view.itemsize
    return PullIntoDescriptor(buffer, items, len(buffer), minimum * size, size, "byob", request)


def replacement(first: PullIntoDescriptor, view: memoryview) -> memoryview | None:
    """Check that a new view fits the request; give the memory to fill from now on, None if it is the same as before."""
    size = view.nbytes
    if first.bytes_filled + size > first.byte_length:
        raise ValueError(f"the view has {size} bytes, more than the request's view")
    new_buffer, new_offset = whole_buffer(view)
    old_buffer, old_offset = whole_buffer(first.buffer)
    if new_offset != old_offset + first.bytes_filled:
        raise ValueError("the view must begin where the request's view begins")
    if new_buffer.nbytes != old_buffer.nbytes:
        raise ValueError("the view's memory must have the same size as that of the request's view")
    if same_memory(new_buffer, old_buffer):
        return None
    return new_buffer[old_offset : old_offset + first.byte_length]


class ByteQueue(QueueTotal):
    """[[queue]] and [[queueTotalSize]] of a byte stream.

    # Python: an entry is a bytes-like object. Only the first can be taken in part: `_head_offset` bytes of it are gone.
    """

    __slots__ = ("_head_offset", "_put_back", "entries", "gives_rest")
    _constant: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.entries: deque[bytes | memoryview] = deque()
        self._head_offset = 0
        self.total = NOTHING
        self._put_back: PutBackChunks | None = None
        # Ours: there will be no more, and some came back from a read that was withdrawn. It would have got them with
        # the end, however few it had asked for at least, and so does the next one.
        self.gives_rest = False

    def enqueue(self, chunk: bytes | memoryview) -> None:
        """ReadableByteStreamControllerEnqueueChunkToQueue"""
        self.entries.append(chunk)
        self.total += len(chunk)

    def put_back(self, chunk: bytes, serial: int) -> None:
        """Take bytes back in front that were read by a read which was cancelled."""
        if self._head_offset:
            head = self.entries.popleft()
            self.entries.appendleft(head[self._head_offset :])
            self._head_offset = 0
        if self._put_back is None:
            self._put_back = PutBackChunks()
        self.entries.insert(self._put_back.place(serial, chunk, self.entries), chunk)
        self.total += len(chunk)

    def put_first(self, chunk: bytes) -> None:
        """Put bytes in front of all others."""
        self.put_back(chunk, -1)

    def end(self) -> None:
        """There will be no more."""
        if self._put_back is not None and self._put_back.are_in(self.entries):
            self.gives_rest = True

    def chunk_count(self) -> int:
        """How many chunks are in the queue."""
        return len(self.entries)

    def take_entry(self) -> bytes:
        """Remove the first entry and give what is left of it."""
        entry = self.entries.popleft()
        offset, self._head_offset = self._head_offset, 0
        self.total -= len(entry) - offset
        return bytes(entry[offset:] if offset else entry)

    def reset(self) -> None:
        """ResetQueue"""
        self.entries.clear()
        self._head_offset = 0
        self.total = NOTHING

    def settle_last(self) -> None:
        """Copy the last entry if it still is the user's memory, which may be used again."""
        if self.entries and type(self.entries[-1]) is not bytes:
            last = self.entries.pop()
            if not self.entries and self._head_offset:
                last = last[self._head_offset :]
                self._head_offset = 0
            self.entries.append(bytes(last))

    def fill(self, descriptor: PullIntoDescriptor) -> bool:
        """ReadableByteStreamControllerFillPullIntoDescriptorFromQueue: whether the descriptor is ready."""
        assert descriptor.bytes_filled < descriptor.minimum_fill
        total = int(self.total)
        to_copy = min(total, descriptor.byte_length - descriptor.bytes_filled)
        max_filled = descriptor.bytes_filled + to_copy
        max_aligned = max_filled - max_filled % descriptor.element_size
        ready = max_aligned >= descriptor.minimum_fill
        if ready:
            to_copy = max_aligned - descriptor.bytes_filled
        while to_copy > 0:
            to_copy -= self._copy_from_head(descriptor, to_copy)
        assert ready or (self.total == 0 and 0 < descriptor.bytes_filled < descriptor.minimum_fill)
        return ready

    def _copy_from_head(self, descriptor: PullIntoDescriptor, limit: int) -> int:
        head = self.entries[0]
        start = self._head_offset
        count = min(limit, len(head) - start)
        filled = descriptor.bytes_filled
        source = head if start == 0 and count == len(head) else memoryview(head)[start : start + count]
        descriptor.buffer[filled : filled + count] = source
        if start + count == len(head):
            self.entries.popleft()
            self._head_offset = 0
        else:
            self._head_offset = start + count
        self.total -= count
        descriptor.bytes_filled = filled + count  # ReadableByteStreamControllerFillHeadPullIntoDescriptor
        return count
