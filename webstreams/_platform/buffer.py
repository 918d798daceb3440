"""Section 8.3, as far as it is about memory: views, "detached" buffers, and copies.

A JavaScript view whose buffer was detached is a released `memoryview` here. Transferring a buffer means to take a
memoryview of our own and to release the one that was given away.
"""

from __future__ import annotations

import ctypes
import re
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Final


class _PyBuffer(ctypes.Structure):
    """CPython's ``Py_buffer``."""

    _fields_ = [
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    ]


def _address_of(view: memoryview) -> int:
    """Return the address of the first byte: Python has no other way to tell where in its object a view begins."""
    buffer = _PyBuffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(view), ctypes.byref(buffer), 0)
    try:
        return int(buffer.buf or 0)
    finally:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(buffer))


# The names in the format of a structure (PEP 3118); "O" elsewhere in it is a reference to an object.
_FIELD_NAMES: Final = re.compile(":[^:]*:")
# What is asked about most.
_NEVER_BYTES_LIKE: Final = frozenset({str, list, tuple, dict, range, GeneratorType, AsyncGeneratorType})


def is_released(view: object) -> bool:
    """IsDetachedBuffer: whether `view` is a memoryview that was released."""
    if not isinstance(view, memoryview):
        return False
    try:
        view.nbytes  # noqa: B018
    except ValueError:
        return True
    return False


def is_bytes_like(value: object) -> bool:
    """Whether a value has the buffer protocol."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return True
    if type(value) in _NEVER_BYTES_LIKE:
        return False  # without an exception, which takes longer
    try:
        memoryview(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False  # an array of dates, of numpy, has the protocol, and raises ValueError
    return True


def open_view(buffer: Any, what: str) -> memoryview:
    """Return a memoryview of any C-contiguous buffer; TypeError, which names `what`, for anything else."""
    view = any_view(buffer, what)
    if not view.c_contiguous:
        raise TypeError(f"{what} must be C-contiguous")
    return view


def any_view(buffer: Any, what: str) -> memoryview:
    """Return a memoryview of any buffer; TypeError, which names `what`, for anything else.

    Memory that holds references to Python objects is refused, too: as bytes they mean nothing, and who writes bytes
    over them ends the process.
    """
    try:
        view = memoryview(buffer)
    except TypeError:
        raise wrong_chunk(buffer, what) from None
    except ValueError as error:
        if isinstance(buffer, memoryview):
            raise TypeError(f"{what} must not be a released memoryview") from None
        raise TypeError(f"{what} must be a bytes-like object, and {type(buffer).__name__} is none: {error}") from error
    if view.format != "B" and "O" in _FIELD_NAMES.sub("", view.format):
        raise TypeError(f"{what} must be a bytes-like object, and this {type(buffer).__name__} refers to other objects")
    return view


def wrong_chunk(value: object, what: str = "the chunk", wanted: str = "a bytes-like object") -> TypeError:
    """Return the error for a value that has the wrong type: what it must be, what it is, and what converts it."""
    return TypeError(f"{what} must be {wanted}, not {type(value).__name__}{_cure(value, wanted)}")


def _cure(value: object, wanted: str) -> str:
    if isinstance(value, str) and wanted == "a bytes-like object":
        return ": encode text first, for example with pipe_through(TextEncoderStream())"
    if is_bytes_like(value) and wanted == "a str":
        return ": decode bytes first, for example with pipe_through(TextDecoderStream())"
    return ""


def as_bytes_view(view: memoryview, what: str) -> memoryview:
    """Return a view of the same memory, byte by byte."""
    if view.format == "B" and view.ndim == 1:
        return view
    try:
        return view.cast("B")
    except TypeError:
        raise TypeError(f"{what} has the item format {view.format!r}, which memoryview.cast() cannot handle") from None


def items_of(buffer: memoryview, format: str) -> memoryview:
    """Return a view of the same memory, item by item."""
    if buffer.format == format:
        return buffer
    try:
        return buffer.cast(format)  # type: ignore[call-overload, no-any-return, unused-ignore]
    except ValueError:
        raise TypeError(f"memoryview.cast() cannot make items of the format {format!r}") from None


def same_memory(one: memoryview, other: memoryview) -> bool:
    """Whether two views begin at the same byte."""
    return _address_of(one) == _address_of(other)


def whole_buffer(view: memoryview) -> tuple[memoryview, int]:
    """[[ViewedArrayBuffer]] and [[ByteOffset]]: everything of the object that a view shows a part of, and where it
    begins."""
    whole = memoryview(view.obj)
    return as_bytes_view(whole, "the buffer"), _address_of(view) - _address_of(whole)


def transfer(view: object) -> None:
    """TransferArrayBuffer: release a memoryview that was given to us; TypeError if other views keep it open."""
    if isinstance(view, memoryview):
        try:
            view.release()
        except BufferError as error:
            raise TypeError(f"the memoryview cannot be taken over: {error}") from None
