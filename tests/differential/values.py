"""Values of differential programs: how programs write them and how logs show them."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from typing import Any, TypeAlias

from webstreams import (
    AbortError,
    Promise,
    StreamError,
)

Format: TypeAlias = Callable[[Any], str]


class Mark(Exception):
    """An error that a program made."""


def decode(value: Any, argument: Any = None) -> Any:
    """The value that a program's JSON stands for."""
    if isinstance(value, list):
        return bytearray(value)
    if not isinstance(value, dict):
        return value
    if "e" in value:
        return Mark(value["e"])
    if "sub" in value:
        return memoryview(bytearray([99, *value["sub"], 99]))[1:-1]
    return argument if "arg" in value else float(value["n"])


def show_bytes(view: memoryview) -> str:
    """A buffer as the logs show it; a released one is a detached one."""
    try:
        return f"{view.format}[{' '.join(map(str, view.tobytes()))}]"
    except ValueError:
        return "B[]"


def show_number(value: float) -> str:
    """A number as JavaScript writes it."""
    if isnan(value):
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return str(int(value)) if value == int(value) else repr(value)


def show_error(error: BaseException) -> str:
    """An exception under the name of its JavaScript counterpart."""
    if isinstance(error, Mark):
        return f"!{error}"
    names: dict[type[BaseException], str] = {TypeError: "TypeError", ValueError: "RangeError", AbortError: "AbortError"}
    return names.get(type(error)) or f"{type(error).__name__}({error})"


def show_object(value: object) -> str:
    """An object that is no primitive."""
    if isinstance(value, StreamError):
        return show(value.reason)
    if isinstance(value, BaseException):
        return show_error(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return show_bytes(value if isinstance(value, memoryview) else memoryview(value))
    if isinstance(value, list):
        return f"[{', '.join(map(show, value))}]"
    if hasattr(value, "done") and hasattr(value, "value"):
        return f"{{{show(value.value)}, {show(value.done)}}}"
    return "object"


def show(value: object) -> str:
    """A value as the logs show it."""
    if value is None:
        return "undefined"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return show_number(value)
    return value if isinstance(value, str) else show_object(value)


def show_size(size: float | None) -> str:
    """A desired size: None is JavaScript's null."""
    return "null" if size is None else show_number(size)


def rejection(promise: Any) -> Exception | None:
    """The reason of a settled promise, or None when it was fulfilled."""
    try:
        promise.result()
    except Exception as error:
        return error
    return None


def tag_of(identifier: str) -> str:
    """The stream that an object belongs to: ``s0`` for ``s0.a``."""
    return identifier.partition(".")[0]


def promise_of(value: Any) -> Promise[Any]:
    """What JavaScript's ``await`` and async functions make of a value: a promise as it is, else a new one."""
    return value if isinstance(value, Promise) else Promise.resolve(value)
