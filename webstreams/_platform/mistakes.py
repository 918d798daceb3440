"""What is easily mistaken for an underlying source or sink, a transformer or a strategy, and the error that tells the
cure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial, update_wrapper
from inspect import (
    CO_ASYNC_GENERATOR,
    CO_GENERATOR,
    CO_ITERABLE_COROUTINE,
    isasyncgenfunction,
    iscoroutinefunction,
    isgeneratorfunction,
)
from io import IOBase
from operator import attrgetter, itemgetter, methodcaller
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
)
from typing import Any, Final

# Python: JavaScript takes any object for a dictionary; these can only be a mistake.
_PLAIN_VALUES = (str, bytes, bytearray, memoryview, int, float, complex, list, tuple, set, frozenset, deque, range)
_FUNCTIONS = (
    FunctionType,
    BuiltinFunctionType,
    MethodType,
    MethodDescriptorType,
    MethodWrapperType,
    partial,
    type(lru_cache(len)),
    attrgetter,
    itemgetter,
    methodcaller,
)
_GENERATORS = (GeneratorType, AsyncGeneratorType)
# All of them, to be looked for among the base classes: that is quicker than asking for each.
_MISTAKEN: Final = frozenset({type, *_PLAIN_VALUES, CoroutineType, *_FUNCTIONS, *_GENERATORS})

SOURCE: Final = "underlying source"
SINK: Final = "underlying sink"
TRANSFORMER: Final = "transformer"
STRATEGY: Final = "queuing strategy"

_MEMBERS: Final = {
    SOURCE: ("auto_allocate_chunk_size", "cancel", "pull", "start", "type"),
    SINK: ("abort", "close", "start", "type", "write"),
    TRANSFORMER: ("cancel", "flush", "readable_type", "start", "transform", "writable_type"),
    STRATEGY: ("high_water_mark", "size"),
}
_METHOD_OF_STREAM: Final = {SOURCE: "get_reader", SINK: "get_writer"}
_KNOWN: Final = frozenset(member for members in _MEMBERS.values() for member in members)

# The members that have another name in JavaScript.
PYTHON_NAMES: Final[Mapping[str, str]] = {
    "autoAllocateChunkSize": "auto_allocate_chunk_size",
    "highWaterMark": "high_water_mark",
    "readableType": "readable_type",
    "writableType": "writable_type",
}

_JAVASCRIPT_NAMES: Final = frozenset(PYTHON_NAMES)

# The options that are keywords here, and have another name in JavaScript.
_OPTIONS: Final[Mapping[str, str]] = {
    "ignoreBOM": "ignore_bom",
    "preventAbort": "prevent_abort",
    "preventCancel": "prevent_cancel",
    "preventClose": "prevent_close",
}

# What to write instead of a function, and of something to iterate over.
_INSTEAD_OF_FUNCTION: Final = {
    SOURCE: 'a mapping as {"pull": function}',
    SINK: 'to_callable(function), or a mapping as {"write": function}',
    TRANSFORMER: 'a mapping as {"transform": function}',
    STRATEGY: 'a mapping as {"high_water_mark": 16, "size": function}',
}
_INSTEAD_OF_GENERATOR_FUNCTION: Final = {
    SOURCE: "ReadableStream.from_(function())",
    TRANSFORMER: "generator_transform(function)",
}
# What generators and their functions are for, where one of them was given as a member.
_FOR_GENERATORS: Final = {
    SOURCE: ": ReadableStream.from_(function()) makes a stream of what it yields",
    SINK: ": to_generator(function()) makes a stream that sends the chunks into it",
    TRANSFORMER: ": generator_transform(function) makes a stage of one that iterates over all the chunks",
    STRATEGY: "",
}
_STAGE_OF_FUNCTION: Final = 'TransformStream({"transform": function}), or generator_transform(function)'
_INSTEAD_OF_ITERABLE: Final = {
    SOURCE: "ReadableStream.from_(iterable)",
    TRANSFORMER: "generator_transform(function) with the generator function itself",
}


def refuse_mistaken(dictionary: Any, name: str) -> None:
    """Raise `TypeError` for an object that cannot be meant as the dictionary `name`, and say what to write instead."""
    kind = type(dictionary)
    if _MISTAKEN.isdisjoint(kind.__mro__) and not _is_stream(kind, name) and not _is_bare(dictionary, name):
        return
    if isinstance(dictionary, type):
        cure = _instance_of(dictionary)
    elif isinstance(dictionary, _PLAIN_VALUES):
        cure = _cure_for_value(dictionary, name)
    elif isinstance(dictionary, CoroutineType):
        dictionary.close()
        cure = "pass the coroutine function as a member, without calling it"
    elif isinstance(dictionary, _FUNCTIONS):
        cure = _cure_for_function(dictionary, name)
    elif _is_stream(kind, name):
        cure = "that is a stream already"
    elif hasattr(kind, "__await__"):
        cure = "pass what it gives when it is awaited"
    else:
        cure = f"use {_INSTEAD_OF_ITERABLE[name]}" if name in _INSTEAD_OF_ITERABLE else _members_wanted(name)
    raise TypeError(f"{with_article(name)} must be an object or a mapping, not {described(dictionary)}: {cure}")


def refuse_javascript_names(names: Mapping[str, Any], where: str) -> None:
    """Raise `TypeError` if there is a JavaScript name among the keys, and say the Python name."""
    if _JAVASCRIPT_NAMES.isdisjoint(names):
        return
    name = next(name for name in names if name in PYTHON_NAMES)
    raise TypeError(f"{where} got {name!r}: in Python the name is {PYTHON_NAMES[name]!r}")


def tell_option_names(kind: type, *methods: str) -> None:
    """Let methods tell the names that their options have in Python, as Python itself does from 3.13 on.

    They are replaced afterwards: to type checkers and to `inspect` they stay what they are.
    """
    for name in methods:
        setattr(kind, name, _Telling(getattr(kind, name), kind.__name__ if name == "__init__" else name))


class _Telling:
    """A method that tells the names of its options."""

    def __init__(self, method: Callable[..., Any], called: str) -> None:
        self._method = method
        self._called = called
        update_wrapper(self, method)

    def __get__(self, instance: object, owner: type) -> Callable[..., Any]:
        return self._method if instance is None else MethodType(self, instance)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        for name in options:
            if name in _OPTIONS:
                cure = f"in Python the name is {_OPTIONS[name]!r}"
                raise TypeError(f"{self._called}() got an unexpected keyword argument {name!r}: {cure}")
        return self._method(*arguments, **options)


def unknown_members(*arguments: tuple[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the keys of arguments that are mappings: no source, sink, transformer or strategy knows
    them. An argument is given with its name."""
    for name, mapping in arguments:
        for key in mapping if isinstance(mapping, Mapping) else ():
            if key not in _KNOWN:
                yield f"{with_article(name)} has no member {key!r}: it is never used"


def gives_generator(function: Any) -> bool:
    """Whether a call of this only makes a generator, plain or asynchronous: none of its code would run."""
    if type(function) is not FunctionType and type(function) is not MethodType:
        return False
    flags = function.__code__.co_flags if hasattr(function, "__code__") else 0
    return bool(flags & (CO_GENERATOR | CO_ASYNC_GENERATOR)) and not flags & CO_ITERABLE_COROUTINE


def is_coroutine_function(function: Any) -> bool:
    """Whether a function is declared with ``async def``; an object is asked for its ``__call__``."""
    while isinstance(function, partial):
        function = function.func
    return iscoroutinefunction(function) or iscoroutinefunction(type(function).__call__)


def refuse_generator_function(function: Any, member: str, name: str) -> None:
    """Raise `TypeError` for a generator function as a member of the dictionary `name`, and say what is for those."""
    if gives_generator(function):
        raise TypeError(
            f"the {name}'s {member} must be a plain or coroutine function, not the generator function "
            f"{_name_of(function)}, whose code would never run{_FOR_GENERATORS[name]}"
        )


def cure_for_stage(value: Any) -> str:
    """Return what to write instead of an object that is not a stage of a pipeline."""
    if isinstance(value, type):
        return _instance_of(value)
    if not isinstance(value, _FUNCTIONS):
        return 'a function that is called with each chunk becomes a stage as TransformStream({"transform": function})'
    if str(getattr(value, "__module__", "")).partition(".")[0] == __name__.partition(".")[0]:
        return f"call it, as {_name_of(value)}()"
    return f"use {_INSTEAD_OF_GENERATOR_FUNCTION[TRANSFORMER] if _is_generator(value) else _STAGE_OF_FUNCTION}"


def cure_for_destination(value: Any) -> str:
    """Return what to write instead of an object that is not a writable stream."""
    if isinstance(value, type):
        return _instance_of(value)
    if isinstance(value, _FUNCTIONS):
        return "use to_callable(function)"
    if isinstance(value, IOBase):
        return "use webstreams.ends.files.write_file(path)"
    if hasattr(value, "writable") and hasattr(value, "readable"):
        return "a stage is for pipe_through(), which returns the next stream"
    if any(hasattr(value, member) for member in _MEMBERS[SINK]):
        return "use WritableStream(sink)"
    return "to_callable(function) makes one of a function that is called with each chunk"


def cure_for_iterable(value: Any) -> str:
    """Return what to write instead of an object that cannot be iterated over."""
    if isinstance(value, _FUNCTIONS):
        return f"call it, as {_name_of(value)}()" if _is_generator(value) else "use from_producer(function)"
    if hasattr(value, "get") and hasattr(value, "put"):
        return "use from_queue(queue)"
    if any(hasattr(value, member) for member in ("pull", "start")):
        return "use ReadableStream(source)"
    return "put a single chunk into a list"


def _instance_of(kind: type) -> str:
    return f"pass an instance, as {kind.__name__}()"


def _cure_for_value(value: Any, name: str) -> str:
    if name == STRATEGY and isinstance(value, (int, float)):
        return f"use CountQueuingStrategy(high_water_mark={value!r})"
    if name == SOURCE and not isinstance(value, (int, float, complex)):
        text_or_bytes = isinstance(value, (str, bytes, bytearray, memoryview))
        return "use ReadableStream.from_([chunk])" if text_or_bytes else f"use {_INSTEAD_OF_ITERABLE[name]}"
    return _members_wanted(name)


def _cure_for_function(function: Any, name: str) -> str:
    if _is_generator(function) and name in _INSTEAD_OF_GENERATOR_FUNCTION:
        return f"use {_INSTEAD_OF_GENERATOR_FUNCTION[name]}"
    return f"use {_INSTEAD_OF_FUNCTION[name]}"


def _is_generator(function: Any) -> bool:
    return isgeneratorfunction(function) or isasyncgenfunction(function)


def _members_wanted(name: str) -> str:
    return f"its members are {', '.join(_MEMBERS[name])}"


def _is_stream(kind: type, name: str) -> bool:
    """Whether this is the stream that would be made; it has some of the members, as methods."""
    return hasattr(kind, _METHOD_OF_STREAM[name]) if name in _METHOD_OF_STREAM else False


def _is_bare(dictionary: Any, name: str) -> bool:
    """Whether this is an iterator, or to be awaited, and has none of the members: with one, it may well be meant. But
    the `cancel` of a future is none."""
    kind = type(dictionary)
    if not (hasattr(kind, "__next__") or hasattr(kind, "__anext__") or hasattr(kind, "__await__")):
        return False
    if hasattr(kind, "__await__") and hasattr(kind, "add_done_callback"):
        return True
    own = getattr(dictionary, "__dict__", {})
    return not any(hasattr(kind, member) or member in own for member in _MEMBERS[name])


def with_article(name: str) -> str:
    return f"an {name}" if name[0] == "u" else f"a {name}"


def described(value: Any) -> str:
    """Return how an error message names an object that was given by mistake."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, _FUNCTIONS):
        kind = "the coroutine function" if is_coroutine_function(value) else "the function"
        return f"{kind} {_name_of(value)}"
    return f"{type(value).__name__} {value!r:.60}" if isinstance(value, (int, float, str)) else type(value).__name__


def _name_of(function: Any) -> str:
    return getattr(function, "__name__", None) or repr(function)
