"""Frames from a socket: many small ones with one call, and what is large straight to where it stays."""

from __future__ import annotations

import socket
from typing import Final

from .._platform.errors import DataError
from ._frames import (
    BYTES,
    HEAD,
    MAX_BUFFERS,
    MAX_FRAME,
    PICKLED,
    RAW_KINDS,
    SIZE,
    TEXT,
    WITHOUT_DATA,
    Data,
    Frame,
)

# The memory for what arrives (bytes). A head, and the sizes of all the buffers that a frame may have, fit into it.
PIECE: Final = 65536
# If so much of a frame is still to come, it goes straight to its place (bytes): another call costs less than a copy.
LARGE: Final = 16384
# What may have come as a whole into a socket that we do not wait for (bytes).
AT_ONCE: Final = 131072
# The memory for a large part of somebody who is not trusted, at first (bytes): it grows with what comes, for a length
# costs its sender nothing.
AT_FIRST: Final = 2**20

# Found once, for they are used for every frame.
HEAD_SIZE: Final = HEAD.size
UNPACK: Final = HEAD.unpack_from

# What becomes a `bytes` or a `str`. Everything else becomes memory that whoever gets it may change.
CONSTANT: Final = frozenset((BYTES, TEXT))


class FrameReader:
    """Puts frames together from what arrives over a socket, whatever the pieces."""

    def __init__(self, connection: socket.socket, trusted: bool = True) -> None:
        self._socket = connection
        # How much memory a length alone is worth.
        self._at_first = MAX_FRAME if trusted else AT_FIRST
        self._buffer = memoryview(bytearray(PIECE))
        self._filled = 0
        # How far it may be filled: after a large frame only with the next head, for the data would have to be copied.
        self._limit = PIECE
        self._large: LargeFrame | None = None
        # Whether less has come than there was room for.
        self.is_drained = False
        # Which of those that were returned last are frames.
        self.others: list[int] = []

    @property
    def is_in_a_frame(self) -> bool:
        """Whether a frame has begun to arrive and has not ended."""
        return self._filled > 0 or self._large is not None

    def receive(self, wait: bool) -> list[Frame | bytes]:
        """Receive once; return the frames that are complete now, or the chunks of small ones with `bytes`.

        Raises `EOFError` at the end, `DataError` for what is no frame, `OSError`; `BlockingIOError` if nothing has come
        and we are not to wait.
        """
        return self._receive_small(wait) if self._large is None else self._receive_large(self._large, wait)

    def _receive_small(self, wait: bool) -> list[Frame | bytes]:
        space = self._buffer[self._filled : self._limit]
        size = self._socket.recv_into(space, 0, 0 if wait else socket.MSG_DONTWAIT)
        if not size:
            raise self._end()
        self.is_drained = size < len(space)
        self._filled += size
        return self._take()

    def _receive_large(self, large: LargeFrame, wait: bool) -> list[Frame | bytes]:
        room = large.room
        size = large.receive(self._socket, wait)
        if not size:
            raise self._end()
        self.is_drained = size < room
        self.others = []
        if not large.is_complete:
            return []
        self._large = None
        self._limit = HEAD.size
        self.others.append(0)
        return [large.frame()]

    def _end(self) -> EOFError:
        return EOFError("the other end has stopped in the middle" if self.is_in_a_frame else "the other end has gone")

    def _take(self) -> list[Frame | bytes]:
        """Take the frames out of the buffer; keep the beginning of one that has to wait for more."""
        frames: list[Frame | bytes] = []
        others: list[int] = []
        self.others = others
        buffer, begin, end = self._buffer, 0, self._filled
        last = end - HEAD_SIZE
        while begin <= last:
            kind, number, length = UNPACK(buffer, begin)
            data = begin + HEAD_SIZE
            after: int = data + length
            if kind == BYTES and after <= end and not number:  # most of all frames
                frames.append(bytes(buffer[data:after]))
                begin = after
                continue
            count = len(frames)
            after = self._take_one(begin, end, frames)
            if after == begin:
                break
            if len(frames) > count:
                others.append(count)
            begin = after
        if len(frames) > len(others):
            self._limit = PIECE
        rest = end - begin
        if rest and begin:
            self._buffer[:rest] = self._buffer[begin:end]
        self._filled = rest
        return frames

    def _take_one(self, begin: int, end: int, frames: list[Frame | bytes]) -> int:
        """Take the frame that begins there; return where the next one begins, or the same if too little has come."""
        kind, number, length = HEAD.unpack_from(self._buffer, begin)
        data: int = begin + HEAD.size
        if kind in WITHOUT_DATA and not length:
            frames.append(Frame(kind, number, b"", []))
            return data
        if kind in RAW_KINDS and not number and data + length <= end:
            self._limit = PIECE
            after: int = data + length
            frames.append(Frame(kind, 0, _part(kind, self._buffer[data:after]), []))
            return after
        _check(kind, number, length)
        sizes = [length]
        if number:
            data += SIZE.size * number
            if data > end:
                # The pickle comes with the sizes; if that is large, it is not waited for.
                self._limit = PIECE if self._limit == PIECE else min(PIECE, data - begin + length)
                return begin
            sizes += [size for (size,) in SIZE.iter_unpack(self._buffer[begin + HEAD.size : data])]
        after = data + _checked_total(sizes)
        if after <= end:
            self._limit = PIECE
            frames.append(_frame(kind, number, _cut(self._buffer[data:after], sizes)))
            return after
        if after - end < LARGE and after - begin <= PIECE:
            self._limit = PIECE
            return begin
        self._large = LargeFrame(kind, number, sizes, self._at_first)
        self._large.put(self._buffer[data:end])
        return end


class LargeFrame:
    """A frame whose data are received where they stay, one part after the other."""

    def __init__(self, kind: int, number: int, sizes: list[int], at_first: int) -> None:
        self._kind = kind
        self._number = number
        self._sizes = sizes
        self._at_first = at_first
        # Those that are complete, and the one under way, of which so much has come.
        self._parts: list[Data] = []
        self._target = bytearray()
        self._filled = 0
        self._skip_empty()

    @property
    def is_complete(self) -> bool:
        """Whether everything has come."""
        return len(self._parts) == len(self._sizes)

    @property
    def missing(self) -> int:
        """How much of the part under way has not come (bytes)."""
        return self._sizes[len(self._parts)] - self._filled

    @property
    def room(self) -> int:
        """How much there is memory for, or will be (bytes): what is missing, or as much again as has come."""
        return len(self._target) - self._filled or min(self.missing, max(self._at_first, self._filled))

    def frame(self) -> Frame:
        """Return the frame, which is complete."""
        return _frame(self._kind, self._number, self._parts)

    def put(self, data: memoryview) -> None:
        """Take what has come elsewhere."""
        while data:
            size = min(len(data), self.room)
            self._space()[:size] = data[:size]
            self._arrived(size)
            data = data[size:]

    def receive(self, connection: socket.socket, wait: bool) -> int:
        """Receive what is missing of a part, or as much as has come; return its size."""
        missing = self.missing
        flags = socket.MSG_WAITALL if wait else socket.MSG_DONTWAIT
        if self._filled or self._kind not in CONSTANT or not (wait or missing <= AT_ONCE):
            size = connection.recv_into(self._space(), 0, flags)
            self._arrived(size)
            return size
        # No copy is needed if it comes as a whole.
        data = connection.recv(missing, flags)
        if len(data) == missing:
            self._parts.append(data)
        else:
            self.put(memoryview(data))
        return len(data)

    def _space(self) -> memoryview:
        if not self._filled:
            self._target = bytearray(self.room)
        elif self._filled == len(self._target):
            self._target += bytes(self.room)
        return memoryview(self._target)[self._filled :]

    def _arrived(self, size: int) -> None:
        self._filled += size
        if not self.missing:
            self._parts.append(self._target)
            self._target = bytearray()
            self._filled = 0
            self._skip_empty()

    def _skip_empty(self) -> None:
        while not self.is_complete and not self.missing:
            self._parts.append(bytearray())


def _frame(kind: int, number: int, parts: list[Data]) -> Frame:
    return Frame(kind, number, parts[0], parts[1:])


def _part(kind: int, data: memoryview) -> Data:
    return bytes(data) if kind in CONSTANT else bytearray(data)


def _cut(data: memoryview, sizes: list[int]) -> list[Data]:
    parts: list[Data] = []
    begin = 0
    for size in sizes:
        parts.append(bytearray(data[begin : begin + size]))
        begin += size
    return parts


def _check(kind: int, number: int, length: int) -> None:
    if kind not in PICKLED and (kind not in RAW_KINDS or number):
        raise DataError(f"the other end has sent a frame of an unknown kind: {kind}")
    if length > MAX_FRAME or number > MAX_BUFFERS:
        raise DataError(f"the other end has sent a frame that is too long: {length} bytes and {number} buffers")


def _checked_total(sizes: list[int]) -> int:
    total = sum(sizes)
    if total > MAX_FRAME:
        raise DataError(f"the other end has sent a frame that is too long: {total} bytes")
    return total
