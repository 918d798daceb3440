"""Messages as frames: a kind, lengths, a pickle, and beside it the memory that is too large to be copied into one.

A frame begins with its kind, a number and a length. The number counts chunks (PULL) or the buffers that follow the
pickle; the length is that of the pickle, or of the bytes themselves.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from struct import Struct
from typing import Any, Final, NamedTuple

from .._platform.errors import DataError
from ._errors import pack, unpack

HEAD: Final = Struct("!BII")
SIZE: Final = Struct("!Q")

# What one frame may hold (bytes, buffers): a length beyond it comes from something other than a worker.
MAX_FRAME: Final = 2**30
MAX_BUFFERS: Final = 2**12

# The kinds.
SETUP: Final = 1  # what the worker has to do
CHUNK: Final = 2
PULL: Final = 3  # so many chunks more may come
CLOSE: Final = 4  # no chunk will come
ERROR: Final = 5  # the stream is errored, with the reason
CANCEL: Final = 6  # no chunk is wanted any more
READY: Final = 11  # the worker has loaded its function
BYTES: Final = 7  # chunks that need no pickle
BYTEARRAY: Final = 8
VIEW: Final = 9
TEXT: Final = 10

Data = bytes | bytearray
Part = Data | memoryview


def _text_of(data: Data) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise DataError(f"the other end has sent text that is not UTF-8 ({error})") from error


RAW_KINDS: Final[dict[int, Callable[[Data], Any]]] = {
    BYTES: bytes,
    BYTEARRAY: bytearray,
    VIEW: memoryview,
    TEXT: _text_of,
}
WITHOUT_DATA: Final = frozenset((PULL, CLOSE, READY))
RAW: Final[dict[type, int]] = {bytearray: BYTEARRAY, memoryview: VIEW, str: TEXT}
REASONS: Final = frozenset((ERROR, CANCEL))
PICKLED: Final = frozenset((SETUP, CHUNK, *REASONS))

Message = tuple[int, Any]


class Frame(NamedTuple):
    """What has arrived."""

    kind: int
    number: int
    data: Data
    buffers: list[Data]


def encode(kind: int, value: Any) -> list[Part]:
    """Return the parts of the frame of a message; raises what pickling raises, and `ValueError` if it is too large."""
    if kind == CHUNK and type(value) is bytes:  # most of all chunks
        if len(value) > MAX_FRAME:
            _require_size(len(value))
        return [HEAD.pack(BYTES, 0, len(value)), value]
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


def decode(frame: Frame | bytes, trusted: bool = True) -> Message:
    """Return the message of a frame, which may be the chunk already; raises what unpickling raises.

    Nothing is unpickled that comes from somebody who is not trusted, for a pickle runs what its author wants: raises
    `DataError` for a chunk that is pickled, and leaves reasons at their words.
    """
    if not isinstance(frame, Frame):
        return CHUNK, frame
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


def _require_size(size: int) -> None:
    if size > MAX_FRAME:
        raise ValueError(f"a chunk may have at most {MAX_FRAME} bytes, not {size}: cut it into smaller ones")
