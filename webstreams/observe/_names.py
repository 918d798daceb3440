"""What stages are called: by a label, else by the class or the function that does the work."""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

from .._platform.stages import stage_name

_labels: Final[WeakKeyDictionary[Any, str]] = WeakKeyDictionary()

# What tells nothing about a stage.
_MEANINGLESS: Final = frozenset({"<lambda>", "<genexpr>", "do_nothing", "_enqueue_chunk"})


def label(thing: Any, name: str) -> None:
    """Name a stage, in everything that `observe` shows: tables, pages, logs, metrics.

    `thing` is a stream, or a pair of `readable` and `writable`. A label may be given before the stage is observed, or
    later. Nothing is kept alive by it. Raises `TypeError` for anything else, and for a name that is no `str`. Not in
    the Standard.

    >>> import asyncio
    >>> from webstreams import TransformStream, WritableStream
    >>> from webstreams.observe import label, observe
    >>> async def main() -> None:
    ...     numbers = TransformStream()
    ...     label(numbers, "parse")
    ...     print([stage.name for stage in observe(numbers).stages])
    >>> asyncio.run(main())
    ['parse']
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f"label() needs the name as a str that is not empty, not {name!r}")
    for stream in streams_of(thing, "label()"):
        _labels[stream] = name


def streams_of(thing: Any, function: str) -> list[Any]:
    """Return the streams that a stream, or a pair of them, stands for; TypeError for anything else."""
    streams = [thing] if hasattr(thing, "_jobs") and hasattr(thing, "_controller") else []
    if not streams or hasattr(thing, "readable"):
        streams = [getattr(thing, "writable", None), getattr(thing, "readable", None)]
    if not all(hasattr(each, "_jobs") and hasattr(each, "_controller") for each in streams):
        promise = ", the promise of their end" if function == "observe()" else ""
        raise TypeError(
            f"{function} needs a ReadableStream, a WritableStream{promise} or a pair of them (`readable` and "
            f"`writable`), not {type(thing).__name__}"
        )
    return streams


def label_of(*streams: Any) -> str | None:
    """Return the label of one of some streams, if it has one."""
    for each in streams:
        name = None if each is None else _labels.get(each)
        if name is not None:
            return name
    return None


def name_of(callback: Any, default: str) -> str:
    """Return the name of a callback: of its class or function, without the places where that was defined."""
    name = stage_name(callback).rpartition(".")[2]
    return default if not name or name in _MEANINGLESS or name.endswith("iterator") else name.lstrip("_")
