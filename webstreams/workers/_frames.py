"""Messages as frames: a kind, lengths, a pickle, and beside it the memory that is too large to be copied into one.

A frame begins with its kind, a number and a length. The number counts chunks (PULL) or the buffers that follow the
pickle; the length is that of the pickle, or of the bytes themselves.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator
from functools import partial
from struct import Struct
from typing import Any, Final, NamedTuple

from .._platform.errors import DataError
from ._errors import pack, unpack

HEAD: Final = Struct("!BII")
SIZE: Final = Struct("!Q")

# What one frame may hold (bytes, buffers): a length beyond it comes from something other than a worker.
MAX_FRAME: Final = 2**30
MAX_BUFFERS: Final = 2**12

# What is received at a time; more than that goes straight to its place.
PIECE: Final = 65536

# The kinds.
SETUP: Final = 1  # what the worker has to do
CHUNK: Final = 2
PULL: Final = 3  # so many chunks more may come
CLOSE: Final = 4  # no chunk will come
ERROR: Final = 5  # the stream is errored, with the reason
CANCEL: Final = 6  # no chunk is wanted any more
BYTES: Final = 7  # chunks that need no pickle
BYTEARRAY: Final = 8
VIEW: Final = 9
TEXT: Final = 10

RAW_KINDS: Final[dict[int, Callable[[bytearray], Any]]] = {
    BYTES: bytes,
    BYTEARRAY: bytearray,
    VIEW: memoryview,
    TEXT: partial(str, encoding="utf-8", errors="surrogatepass"),
}
WITHOUT_DATA: Final = frozenset((PULL, CLOSE))
RAW: Final[dict[type, int]] = {bytes: BYTES, bytearray: BYTEARRAY, memoryview: VIEW, str: TEXT}
REASONS: Final = frozenset((ERROR, CANCEL))
PICKLED: Final = frozenset((SETUP, CHUNK, *REASONS))

Part = bytes | bytearray | memoryview
Message = tuple[int, Any]


class Frame(NamedTuple):
    """What has arrived."""

    kind: int
    number: int
    data: bytearray
    buffers: list[bytearray]


def encode(kind: int, value: Any) -> list[Part]:
    """Return the parts of the frame of a message; raises what pickling raises, and `ValueError` if it is too large."""
    if kind in WITHOUT_DATA:
        return [HEAD.pack(kind, value, 0)]
    raw = RAW.get(type(value)) if kind == CHUNK else None
    if raw is not None:
        data = _bytes_of(value)
        _require_size(len(data))
        return [HEAD.pack(raw, 0, len(data)), data]
    data, buffers = _reason_parts(value) if kind in REASONS else _pickled_parts(value)
    _require_size(len(data) + sum(map(len, buffers)))
    if len(buffers) > MAX_BUFFERS:
        raise ValueError(f"a chunk may have at most {MAX_BUFFERS} buffers, not {len(buffers)}: send fewer at a time")
    head = HEAD.pack(kind, len(buffers), len(data)) + b"".join(SIZE.pack(len(each)) for each in buffers)
    return [head, data, *buffers]


def _bytes_of(value: Any) -> Part:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    view = memoryview(value)
    return view.cast("B") if view.c_contiguous and view.nbytes else view.tobytes()


def _pickled_parts(value: Any) -> tuple[Part, list[Part]]:
    found: list[pickle.PickleBuffer] = []
    data = pickle.dumps(value, protocol=5, buffer_callback=found.append)
    return data, [buffer.raw() for buffer in found]


def _reason_parts(reason: object) -> tuple[Part, list[Part]]:
    words, data = pack(reason)
    return words, [] if data is None else [data]


def decode(frame: Frame, trusted: bool = True) -> Message:
    """Return the message of a frame; raises what unpickling raises.

    Nothing is unpickled that comes from somebody who is not trusted, for a pickle runs what its author wants: raises
    `DataError` for a chunk that is pickled, and leaves reasons at their words.
    """
    kind, number, data, buffers = frame
    if kind in WITHOUT_DATA:
        return kind, number
    if kind in RAW_KINDS:
        return CHUNK, RAW_KINDS[kind](data)
    if kind in REASONS:
        return kind, unpack(data, buffers[0] if buffers and trusted else None)
    if not trusted:
        raise DataError(
            "the other end has sent a chunk that is pickled, and unpickling runs whatever the sender wants: "
            "send bytes or str, or make the port with trusted=True if you trust whoever is there"
        )
    return kind, pickle.loads(data, buffers=buffers)


class FrameReader:
    """Puts frames together from what arrives, whatever the pieces."""

    def __init__(self) -> None:
        self._buffer = memoryview(bytearray(PIECE))
        self._is_direct = False
        self._frames: list[Frame] = []
        self._layout = _layout(self._frames)
        self._aim(next(self._layout))
        self._begun = False

    @property
    def is_in_a_frame(self) -> bool:
        """Whether a frame has begun to arrive and has not ended."""
        return self._begun

    def space(self) -> memoryview:
        """Return the memory for what arrives next."""
        rest = memoryview(self._target)[self._filled :]
        self._is_direct = len(rest) >= PIECE
        return rest if self._is_direct else self._buffer

    def received(self, size: int) -> list[Frame]:
        """Take what is in that memory now; give the frames that are complete.

        Raises `DataError` if it is no frame.
        """
        if self._is_direct:
            self._filled += size
            self._advance()
        else:
            self._take(self._buffer[:size])
        frames = self._frames[:]
        self._frames.clear()
        return frames

    def _take(self, data: memoryview) -> None:
        while data:
            size = min(len(data), len(self._target) - self._filled)
            self._target[self._filled : self._filled + size] = data[:size]
            self._filled += size
            data = data[size:]
            self._begun = True
            self._advance()

    def _advance(self) -> None:
        while self._filled == len(self._target):
            count = len(self._frames)
            self._aim(self._layout.send(self._target))
            self._begun = len(self._frames) == count

    def _aim(self, size: int) -> None:
        self._target = bytearray(size)
        self._filled = 0


def _layout(frames: list[Frame]) -> Generator[int, bytearray, None]:
    """Ask for one length after the other, and get the bytes."""
    while True:
        kind, number, length = HEAD.unpack((yield HEAD.size))
        if kind in WITHOUT_DATA and not length:
            frames.append(Frame(kind, number, bytearray(), []))
            continue
        if kind not in PICKLED and (kind not in RAW_KINDS or number):
            raise DataError(f"the other end has sent a frame of an unknown kind: {kind}")
        if length > MAX_FRAME or number > MAX_BUFFERS:
            raise DataError(f"the other end has sent a frame that is too long: {length} bytes and {number} buffers")
        sizes = [size for (size,) in SIZE.iter_unpack((yield SIZE.size * number))]
        if length + sum(sizes) > MAX_FRAME:
            raise DataError(f"the other end has sent a frame that is too long: {length + sum(sizes)} bytes")
        data = yield length
        buffers = []
        for size in sizes:
            buffers.append((yield size))
        frames.append(Frame(kind, number, data, buffers))


def _require_size(size: int) -> None:
    if size > MAX_FRAME:
        raise ValueError(f"a chunk may have at most {MAX_FRAME} bytes, not {size}: cut it into smaller ones")
