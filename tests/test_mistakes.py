"""What is easily mistaken: each mistake is a TypeError that says what to write instead, and locks nothing."""

from __future__ import annotations

import asyncio
import collections
import functools
import inspect
import multiprocessing
import operator
import queue
import re
import types
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from io import BytesIO
from typing import Any

import pytest

import webstreams
from tests.grids import each_of, each_row
from webstreams import (
    AbortController,
    AbortSignal,
    ByteLengthQueuingStrategy,
    CountQueuingStrategy,
    Promise,
    ReadableStream,
    TextDecoderStream,
    TransformStream,
    WritableStream,
    brokers,
    from_queue,
    lines,
    observe,
    threads,
    to_queue,
    workers,
)
from webstreams._engine.build import compiled


def function(*arguments: object) -> None:
    """Stand for a callback that is given where a mapping of callbacks is wanted."""


async def coroutine_function(*arguments: object) -> None:
    """Stand for a coroutine callback."""


def generator_function() -> Iterator[int]:
    yield 1


async def async_generator_function() -> AsyncIterator[int]:
    yield 1


class Members:
    """Has the members of everything, but is given as a class."""

    high_water_mark = 1

    def pull(self, controller: Any) -> None:
        """Does nothing."""


class Pulling:
    def pull(self, controller: Any) -> None:
        """Does nothing."""


class TransformPair:
    """A stage, which has two sides."""

    readable = writable = None


class Source(Members):
    """An iterator that is a source all the same."""

    def __iter__(self) -> Source:
        return self

    def __next__(self) -> int:
        raise StopIteration


def as_source(value: Any) -> object:
    return ReadableStream(value)


def as_sink(value: Any) -> object:
    return WritableStream(value)


def as_transformer(value: Any) -> object:
    return TransformStream(value)


def as_readable_strategy(value: Any) -> object:
    return ReadableStream(None, value)


def as_writable_strategy(value: Any) -> object:
    return WritableStream(None, value)


def as_strategy_of_a_transform(value: Any) -> object:
    return TransformStream(None, None, value)


CONSTRUCTORS = [
    as_source, as_sink, as_transformer, as_readable_strategy, as_writable_strategy, as_strategy_of_a_transform,
]  # fmt: skip
STRATEGIES = CONSTRUCTORS[3:]

FUNCTIONS: list[Any] = [print, function, coroutine_function, functools.partial(function, 1), [].append, "x".join]


@each_of(construct=CONSTRUCTORS)
@each_of(value=FUNCTIONS)
async def test_a_function_is_not_a_mapping_of_functions(construct: Callable[[Any], object], value: Any) -> None:
    with pytest.raises(TypeError, match=r"not the (coroutine )?function .*: use .*"):
        construct(value)


@each_of(construct=CONSTRUCTORS)
async def test_a_class_is_not_an_instance(construct: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError, match=r"not the class Members: pass an instance, as Members\(\)"):
        construct(Members)


CURES: list[tuple[Callable[[Any], object], Any, str]] = [
    (as_source, print, r'{"pull": function}'),
    (as_source, generator_function, r"ReadableStream.from_(function())"),
    (as_source, async_generator_function, r"ReadableStream.from_(function())"),
    (as_source, iter([1]), r"ReadableStream.from_(iterable)"),
    (as_source, [1, 2], r"ReadableStream.from_(iterable)"),
    (as_source, (1, 2), r"ReadableStream.from_(iterable)"),
    (as_source, {1, 2}, r"ReadableStream.from_(iterable)"),
    (as_source, "text", r"ReadableStream.from_([chunk])"),
    (as_source, b"data", r"ReadableStream.from_([chunk])"),
    (as_source, 5, r"its members are auto_allocate_chunk_size, cancel, pull, start, type"),
    (as_sink, print, r'to_callable(function), or a mapping as {"write": function}'),
    (as_sink, [], r"its members are abort, close, start, type, write"),
    (as_sink, iter([1]), r"its members are abort, close, start, type, write"),
    (as_transformer, str.upper, r'{"transform": function}'),
    (as_transformer, generator_function, r"generator_transform(function)"),
    (as_transformer, async_generator_function, r"generator_transform(function)"),
    (as_readable_strategy, 3, r"CountQueuingStrategy(high_water_mark=3)"),
    (as_writable_strategy, 0.5, r"CountQueuingStrategy(high_water_mark=0.5)"),
    (as_strategy_of_a_transform, len, r'{"high_water_mark": 16, "size": function}'),
    (as_readable_strategy, "many", r"its members are high_water_mark, size"),
]


@each_row(("construct", "value", "cure"), CURES)
async def test_the_error_says_what_to_write_instead(construct: Callable[[Any], object], value: Any, cure: str) -> None:
    with pytest.raises(TypeError) as caught:
        construct(value)
    assert cure in str(caught.value)


async def test_functions_of_other_kinds_and_more_containers_are_no_sources() -> None:
    kinds = [
        functools.lru_cache(function),
        operator.itemgetter(0),
        operator.attrgetter("a"),
        operator.methodcaller("a"),
    ]
    for value in [*kinds, collections.deque([1]), range(3)]:
        for construct in CONSTRUCTORS:
            with pytest.raises(TypeError, match="must be an object or a mapping"):
                construct(value)
    for value in kinds:
        with pytest.raises(TypeError, match=r"use a mapping as {.pull.: function}"):
            as_source(value)


async def test_what_was_not_awaited_and_a_stream_are_no_sources() -> None:
    """They have some of the members: cancel(), abort(), close()."""
    task = asyncio.ensure_future(coroutine_function())
    for value in (task, Promise.resolve(None)):
        for construct in CONSTRUCTORS:
            with pytest.raises(TypeError, match="pass what it gives when it is awaited"):
                construct(value)
    await task
    with pytest.raises(TypeError, match="not ReadableStream: that is a stream already"):
        as_source(ReadableStream())
    with pytest.raises(TypeError, match="not WritableStream: that is a stream already"):
        as_sink(WritableStream())


@each_of(construct=[as_source, as_transformer, as_sink])
async def test_generators_and_coroutines_are_not_members(construct: Callable[[Any], object]) -> None:
    agen = async_generator_function()
    for value in (generator_function(), agen, coroutine_function()):
        with pytest.raises(TypeError, match=f"not {type(value).__name__}"):
            construct(value)
    assert [chunk async for chunk in agen] == [1]


GENERATOR_FUNCTIONS = (generator_function, async_generator_function)


@each_of(value=GENERATOR_FUNCTIONS)
async def test_a_generator_function_is_no_callback(value: Any) -> None:
    """It would be called, and none of its code would run: a stream whose pull() yields waited for ever."""
    mistakes: list[tuple[Callable[[], object], str]] = [
        (lambda: ReadableStream({"pull": value}), r"source's pull .* never run: ReadableStream.from_\(function\(\)\)"),
        (lambda: WritableStream({"write": value}), r"sink's write .* never run: to_generator\(function\(\)\)"),
        (lambda: TransformStream({"transform": value}), r"transform .* never run: generator_transform\(function\)"),
        (lambda: WritableStream({}, {"size": value}), r"strategy's size .* never run"),
    ]
    for construct, told in mistakes:
        with pytest.raises(TypeError, match=told):
            construct()


class Yielding:
    """Its pull() yields."""

    def pull(self, controller: Any) -> Iterator[int]:
        yield 1


async def test_a_method_that_yields_is_no_callback() -> None:
    with pytest.raises(TypeError, match="the generator function pull"):
        ReadableStream(Yielding())


@each_of(value=GENERATOR_FUNCTIONS)
@each_of(method=["map", "filter", "tap", "for_each", "reduce"])
async def test_an_operator_refuses_a_generator_function(value: Any, method: str) -> None:
    stream = ReadableStream.from_([1])
    with pytest.raises(TypeError, match=rf"{method}\(\) needs .* never run: flat_map\(\) takes one"):
        getattr(stream, method)(*[value, 0][: 2 if method == "reduce" else 1])
    assert not stream.locked
    assert await stream.flat_map(lambda chunk: value()).list() == [1]
    assert await ReadableStream.from_([1]).flat_map(lambda chunk: [chunk]).list() == [1]


async def test_a_generator_that_is_a_coroutine_is_a_callback() -> None:
    @types.coroutine
    def pull(controller: Any) -> Iterator[None]:
        yield
        controller.enqueue("chunk")
        controller.close()

    assert await ReadableStream({"pull": pull}).list() == ["chunk"]


async def test_an_iterator_with_the_members_of_a_source_is_one() -> None:
    assert not ReadableStream(Source()).locked


async def test_objects_with_other_attributes_are_welcome() -> None:
    class Anything:
        """Has none of the members, and a name of JavaScript's."""

        highWaterMark = 3

        def __call__(self) -> None: ...

    for construct in CONSTRUCTORS:
        construct(Anything())


# JavaScript names.


NAMES = {
    "highWaterMark": "high_water_mark",
    "autoAllocateChunkSize": "auto_allocate_chunk_size",
    "readableType": "readable_type",
    "writableType": "writable_type",
}


class OtherMapping(Mapping[str, Any]):
    def __init__(self, **members: Any) -> None:
        self._members = members

    def __getitem__(self, key: str) -> Any:
        return self._members[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


@each_of(mapping=[dict, OtherMapping])
@each_of(construct=CONSTRUCTORS)
@each_of(name=NAMES)
async def test_a_key_with_its_name_of_javascript_is_an_error(
    mapping: Any, construct: Callable[[Any], object], name: str
) -> None:
    with pytest.raises(TypeError, match=f"got '{name}': in Python the name is '{NAMES[name]}'"):
        construct(mapping(**{name: 3}))


@each_of(strategy=[CountQueuingStrategy, ByteLengthQueuingStrategy])
async def test_a_strategy_tells_the_name_of_its_keyword(strategy: Any) -> None:
    name = strategy.__name__
    with pytest.raises(TypeError, match=f"^{name} has the one keyword 'high_water_mark', not 'highWaterMark'$"):
        strategy(highWaterMark=3)
    with pytest.raises(TypeError, match=rf"missing: {name}\(high_water_mark=...\)$"):
        strategy()
    with pytest.raises(TypeError, match="has the one keyword 'high_water_mark', not 'mark'"):
        strategy(high_water_mark=3, mark=3)
    with pytest.raises(TypeError, match=rf"given by its name: {name}\(high_water_mark=4\)$"):
        strategy(4)
    with pytest.raises(TypeError, match=rf"given by its name: {name}\(high_water_mark=...\)$"):
        strategy({"high_water_mark": 4})


PIPES: list[Callable[..., object]] = [
    lambda **options: ReadableStream().pipe_to(WritableStream(), **options),
    lambda **options: ReadableStream().pipe_through(TransformStream(), **options),
]


@each_of(pipe=PIPES)
@each_of(name=["prevent_close", "prevent_abort", "prevent_cancel"])
async def test_an_option_with_its_name_of_javascript_is_an_error(pipe: Callable[..., object], name: str) -> None:
    javascript_name = re.sub("_(.)", lambda found: found[1].upper(), name)
    with pytest.raises(TypeError, match=f"argument '{javascript_name}': in Python the name is '{name}'$"):
        pipe(**{javascript_name: True})
    pipe(**{name: True})


async def test_other_functions_tell_the_names_of_their_options() -> None:
    stream: Any = ReadableStream()
    with pytest.raises(TypeError, match=r"^values\(\) got .* 'preventCancel': in Python the name is 'prevent_cancel'$"):
        stream.values(preventCancel=True)
    with pytest.raises(TypeError, match="unexpected keyword argument 'prevent_everything'"):
        stream.values(prevent_everything=True)
    assert not stream.locked
    decoder: Any = TextDecoderStream
    with pytest.raises(TypeError, match=r"'ignoreBOM': in Python the name is 'ignore_bom'$"):
        decoder("utf-8", ignoreBOM=True)
    for values in (ReadableStream.values, stream.values):
        assert "prevent_cancel" in inspect.signature(values).parameters
        assert values.__name__ == "values" and values.__doc__


# Keys that nothing knows.


def warnings_of(construct: Callable[[], object], *, debug: bool = True) -> list[warnings.WarningMessage]:
    async def main() -> None:
        construct()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(main(), debug=debug)
    return caught


UNKNOWN: list[tuple[Callable[[Any], object], str]] = [
    (as_source, "underlying source"), (as_sink, "underlying sink"), (as_transformer, "transformer"),
    *[(construct, "queuing strategy") for construct in STRATEGIES],
]  # fmt: skip


@each_row(("construct", "name"), UNKNOWN)
def test_a_key_that_nothing_knows_is_a_warning_in_debug_mode(construct: Callable[[Any], object], name: str) -> None:
    caught = warnings_of(lambda: construct({"puul": None, "start": None}))
    assert [(each.category, each.filename) for each in caught] == [(RuntimeWarning, __file__)]
    assert f"{name} has no member 'puul': it is never used" in str(caught[0].message)
    assert warnings_of(lambda: construct({"puul": None}), debug=False) == []
    assert warnings_of(lambda: construct({"start": None, "high_water_mark": None})) == []


# What from_() is given.


@each_row(
    ("value", "told"),
    [
        (generator_function, r"not the function generator_function: call it, as generator_function\(\)"),
        (async_generator_function, r"call it, as async_generator_function\(\)"),
        (coroutine_function, r"not the coroutine function coroutine_function: use from_producer\(function\)"),
        (queue.Queue(), r"not Queue: use from_queue\(queue\)"),
        (asyncio.Queue(), r"not Queue: use from_queue\(queue\)"),
        (Pulling(), r"not Pulling: use ReadableStream\(source\)"),
        (5, r"not int 5: put a single chunk into a list"),
    ],
)
async def test_from_tells_what_it_was_given(value: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        ReadableStream.from_(value)


# What pipe_through() is given.


@each_row(
    ("value", "told"),
    [
        (lines, r"not the function lines: call it, as lines\(\)"),
        (TransformStream, r"not the class TransformStream: pass an instance, as TransformStream\(\)"),
        (generator_function, r"not the function generator_function: use generator_transform\(function\)"),
        (len, r'not the function len: use TransformStream\({"transform": function}\)'),
        (None, r"not NoneType: "),
        (5, r"not int 5: "),
    ],
)
async def test_pipe_through_tells_what_it_was_given(value: Any, told: str) -> None:
    stream = ReadableStream.from_([1])
    with pytest.raises(TypeError, match=told):
        stream.pipe_through(value)
    assert not stream.locked


class Sink:
    def write(self, chunk: Any) -> None:
        """Does nothing."""


@each_row(
    ("value", "told"),
    [
        (function, r"not the function function: use to_callable\(function\)"),
        (coroutine_function, r"not the coroutine function coroutine_function: use to_callable\(function\)"),
        (Sink, r"not the class Sink: pass an instance, as Sink\(\)"),
        (Sink(), r"not Sink: use WritableStream\(sink\)"),
        (BytesIO(), r"not BytesIO: use webstreams.ends.files.write_file\(path\)"),
        (TransformPair(), r"not TransformPair: a stage is for pipe_through\(\)"),
        ([], r"not list: to_callable\(function\) makes one"),
    ],
)
async def test_pipe_to_tells_what_it_was_given(value: Any, told: str) -> None:
    stream = ReadableStream.from_([1])
    with pytest.raises(TypeError, match=f"^pipe_to\\(\\) needs a WritableStream, {told}"):
        await stream.pipe_to(value)
    assert not stream.locked


async def test_pipe_through_tells_which_side_is_wrong() -> None:
    class Pair:
        readable = ReadableStream[int]()
        writable = "no stream"

    stream: ReadableStream[int] = ReadableStream()
    sink: Any = WritableStream()
    pair: Any = Pair()
    with pytest.raises(TypeError, match="the `writable` of this Pair is 'no stream', not a WritableStream"):
        stream.pipe_through(pair)
    with pytest.raises(TypeError, match=r"use pipe_to\(\)"):
        stream.pipe_through(sink)
    assert not stream.locked and not sink.locked


# Abort signals.


@each_of(name=["aborted", "Abort", "onabort", "ABORT"])
def test_a_name_that_is_nearly_abort_is_an_error(name: str) -> None:
    signal = AbortController().signal
    with pytest.raises(ValueError, match=f"the event of an AbortSignal is named 'abort', not '{name}'"):
        signal.add_event_listener(name, function)


async def test_the_unit_of_a_timeout_shows() -> None:
    assert repr(AbortSignal.timeout(100)) == "<AbortSignal not aborted, timeout of 100 s>"
    signal = AbortSignal.timeout(0)
    while not signal.aborted:
        await asyncio.sleep(0)
    assert str(signal.reason) == "AbortSignal.timeout(0) expired, after as many seconds"


def test_milliseconds_are_a_warning_in_debug_mode() -> None:
    (caught,) = warnings_of(lambda: AbortSignal.timeout(5000))
    assert (caught.category, caught.filename) == (RuntimeWarning, __file__)
    assert "AbortSignal.timeout(5000) is 5000 seconds: write 5.0 for milliseconds" in str(caught.message)
    assert warnings_of(lambda: AbortSignal.timeout(5000), debug=False) == []
    assert warnings_of(lambda: (AbortSignal.timeout(5000.0), AbortSignal.timeout(999))) == []


# Queues that block.


@each_of(kind=[queue.Queue, queue.LifoQueue, queue.SimpleQueue, multiprocessing.JoinableQueue])
@each_of(make=[from_queue, to_queue])
async def test_a_queue_that_blocks_is_refused(make: Any, kind: Any) -> None:
    blocking = kind()
    with pytest.raises(TypeError, match=r"needs an asyncio.Queue, not (the blocking )?\w*Queue"):
        make(blocking)


PUBLIC_CLASSES = {
    name: found
    for module in (webstreams, brokers, observe, threads, workers)
    for name in module.__all__
    if inspect.isclass(found := getattr(module, name)) and not getattr(found, "_is_protocol", False)
}
# Native classes with an argument that has to be given: what mypyc says of one that is missing names only that.
NAMED_BY_ARGUMENT = {"ReadableStreamBYOBReader", "ReadableStreamDefaultReader", "WritableStreamDefaultWriter"}


@each_of(arguments=[(), tuple("seven a")], named=[{}, {"unknown": 1}])
async def test_a_class_that_is_called_in_the_wrong_way_is_named(
    arguments: tuple[str, ...], named: dict[str, int]
) -> None:
    unclear = []
    for name, public in PUBLIC_CLASSES.items():
        try:
            public(*arguments, **named)
        except TypeError as error:
            if name not in str(error) and not (compiled and name in NAMED_BY_ARGUMENT):
                unclear.append(f"{name}: {error}")
    assert unclear == []


@each_of(arguments=[(), (function,), (lambda resolve, reject: resolve(1),)])
def test_a_promise_is_not_constructed(arguments: tuple[Any, ...]) -> None:
    """As in JavaScript, or in any other way."""
    with pytest.raises(TypeError, match=r"Promise cannot be constructed: Promise\.with_resolvers\(\) returns one with"):
        Promise(*arguments)
