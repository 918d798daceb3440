"""Which streams belong together, read from their locks and from what feeds and empties them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from .._engine.task_promise import TaskPromise
from .._streams.door import consumer_of, feeder_of, stream_of
from .._streams.readable.iterable import IterableSource
from .._streams.readable.operators.chain import Chain
from .._streams.readable.operators.concurrent import ConcurrentSource
from .._streams.readable.operators.ending import EndPromise
from .._streams.readable.operators.source import ChainSource, OperatorSource
from .._streams.readable.operators.timed import TimedSource
from .._streams.readable.pipe import Pipe, PipePromise
from .._streams.readable.source import UnderlyingSource
from .._streams.readable.state import GenericReaderState, ReadableStreamState
from .._streams.readable.tee import Tee, TeeBranch
from .._streams.transform.generator import GeneratorSource
from .._streams.transform.sides import TransformSink, TransformSource
from .._streams.writable.sink import UnderlyingSink
from .._streams.writable.state import WritableStreamState
from ._callbacks import Observed, ObservedItemPull, ObservedReader

_PACKAGE: Final = __name__.partition(".")[0] + "."


def is_ours(thing: Any) -> bool:
    """Whether an object is one of this package: what its attributes mean is known then."""
    return f"{type(thing).__module__}.".startswith(_PACKAGE)


def part_of(thing: Any, name: str) -> Any:
    """Return an attribute of an object of this package; None if it is another one, or has none of that name."""
    return getattr(thing, name, None) if is_ours(thing) else None


def own_function_of(owner: Any) -> Any:
    """Return the function of a producer or a thread, which feeds a stream through streams of its own."""
    producer = part_of(owner, "_producer")
    if producer is None and part_of(owner, "_thread") is None:
        return None
    return part_of(owner if producer is None else producer, "_function")


def source_of(readable: Any) -> Any:
    """Return the algorithms that feed a stream; None when it has ended."""
    source = readable._controller._source
    observed = getattr(source.pull, "__self__", None) if type(source) is UnderlyingSource else None
    return observed.function if isinstance(observed, ObservedItemPull) else source


def sink_of(writable: Any) -> Any:
    """Return the algorithms that empty a stream."""
    return writable._controller._sink


def owner_of(callback: Any) -> Any:
    """Return the object whose method a callback is; a pair of streams has one for both."""
    callback = original(callback)
    return getattr(callback, "__self__", None)


def original(callback: Any) -> Any:
    """Return the callback itself, for one that is observed."""
    owner = getattr(callback, "__self__", None)
    return owner.function if isinstance(owner, Observed) else callback


def owner_of_source(readable: Any) -> Any:
    """Return the object that feeds a stream, if one does."""
    source = source_of(readable)
    if isinstance(source, GeneratorSource):
        return source.owner
    if type(source) is not UnderlyingSource:
        return None
    owner = owner_of(source.pull)
    return owner_of(source.cancel) if owner is None else owner


def owner_of_sink(writable: Any) -> Any:
    """Return the object that empties a stream, if one does."""
    sink = sink_of(writable)
    return owner_of(sink.write) if isinstance(sink, UnderlyingSink) else None


def pipe_into(writable: Any) -> Pipe | None:
    """Return the pipe that writes to a stream."""
    feeder = feeder_of(writable)
    return feeder if isinstance(feeder, Pipe) else None


def streams_of_promise(subject: Any) -> Iterator[Any]:
    """Yield streams of the pipeline that a promise tells the end of; none for any other object."""
    if isinstance(subject, PipePromise):
        yield from (subject._pipe.source, subject._pipe.dest)
    elif isinstance(subject, EndPromise):
        yield subject._drain.chain.root
    elif isinstance(subject, TaskPromise) and subject.about is not None:
        stream = subject.about()
        if stream is not None:
            yield stream


# Neighbours.


def neighbours(stream: Any) -> Iterator[Any]:
    """Yield the streams beside one."""
    if isinstance(stream, WritableStreamState):
        yield from _of_writable(stream)
    else:
        yield from feeding(stream)
        yield from reading(stream)


def _of_writable(writable: Any) -> Iterator[Any]:
    pipe = pipe_into(writable)
    if pipe is not None:
        yield pipe.source
        if pipe._fed is not None:
            yield pipe._fed
    sink = sink_of(writable)
    if isinstance(sink, TransformSink):
        yield sink._stream._readable
    else:
        yield from streams_in(owner_of_sink(writable))


def reading(readable: Any) -> Iterator[Any]:
    """Yield the streams that get what is read from a stream."""
    consumer = consumer_of(readable)
    if isinstance(consumer, Pipe):
        yield consumer.dest
        if consumer._fed is not None:
            yield consumer._fed
    elif isinstance(consumer, Tee):
        yield from (each for each in consumer.branches() if each is not None)
    elif isinstance(consumer, Chain):
        yield from _beside(consumer)
    else:
        taker: Any = part_of(consumer, "_taker")
        yield from streams_in(taker) if part_of(taker, "branches") is None else subscriptions_of(taker)


def subscriptions_of(hub: Any) -> Iterator[Any]:
    """Yield the subscriptions of a shared stream that somebody still has."""
    for branch in list(hub.branches):
        stream = branch.outlet._stream()
        if stream is not None:
            yield stream


def _beside(chain: Chain) -> Iterator[Any]:
    yield chain.root
    for reader, _ in chain._between:
        yield reader._stream
    receiver: Any = chain._receiver
    if isinstance(receiver, OperatorSource):
        yield receiver._controller._stream


def feeding(readable: Any) -> Iterator[Any]:
    """Yield the streams that a stream gets its chunks from, and the writable side of its pair."""
    source = source_of(readable)
    if readable._fed_by is not None:
        yield readable._fed_by.dest
    if isinstance(source, TransformSource):
        yield source._stream._writable
    elif isinstance(source, TeeBranch):
        yield source.tee.stream
    elif isinstance(source, OperatorSource):
        chain = chain_of(source)
        if chain is not None:
            yield chain.root
            yield from (reader._stream for reader, _ in chain._between)
    elif not isinstance(source, IterableSource):
        yield from _feeding_object(owner_of_source(readable))


def _feeding_object(owner: Any) -> Iterator[Any]:
    hub = part_of(owner, "_hub")
    if hub is not None:
        yield from streams_in(hub._input)
        yield from subscriptions_of(hub)
    elif own_function_of(owner) is None:
        yield from streams_in(owner)


def chain_of(source: Any) -> Chain | None:
    """Return the chain that an operator asks."""
    if isinstance(source, ChainSource):
        return source.chain
    if isinstance(source, (ConcurrentSource, TimedSource)):
        return source._chain
    return None


def inputs_of(stream: Any) -> Iterator[Any]:
    """Yield the readable streams whose chunks a stream gets at once, not those before them."""
    if isinstance(stream, WritableStreamState):
        pipe = pipe_into(stream)
        if pipe is not None:
            yield pipe.source
        return
    source = source_of(stream)
    owner = owner_of_source(stream)
    if isinstance(source, OperatorSource):
        yield from _input_of_operator(stream, source)
    elif isinstance(source, TeeBranch):
        yield source.tee.stream
    elif part_of(owner, "_hub") is not None:
        yield from streams_in(owner._hub._input)
    elif part_of(owner, "writable") is None and own_function_of(owner) is None:
        for each in streams_in(owner):
            if each is not stream and isinstance(each, ReadableStreamState):
                yield each


def _input_of_operator(readable: Any, source: OperatorSource) -> Iterator[Any]:
    chain = chain_of(source)
    if chain is None:
        consumer = consumer_of(readable)
        if isinstance(consumer, Chain):
            count = next((count for reader, count in consumer._between if reader._stream is readable), 0)
            yield input_of_step(consumer, count - 1)
    else:
        is_step = isinstance(source, ChainSource)
        yield input_of_step(chain, len(chain._steps) - 1 if is_step else len(chain._steps))


def input_of_step(chain: Chain, index: int) -> Any:
    """Return the stream that a step of a chain gets its chunks from."""
    for reader, count in chain._between:
        if count == index and reader._stream is not None:
            return reader._stream
    return chain.root


def streams_in(owner: Any, depth: int = 2) -> Iterator[Any]:
    """Yield the streams that an object of this package refers to: itself, by readers and writers, by its parts."""
    if owner is None or not is_ours(owner):
        return
    for value in _values_in(owner):
        if isinstance(value, (ReadableStreamState, WritableStreamState)):
            yield value
        elif isinstance(value, (GenericReaderState, ObservedReader)):
            stream = value.stream if isinstance(value, ObservedReader) else stream_of(value)
            if stream is not None:
                yield stream
        elif depth and not isinstance(value, type):
            yield from streams_in(value, depth - 1)


def _values_in(owner: Any) -> Iterable[Any]:
    values = list(getattr(owner, "__dict__", {}).values())
    for kind in type(owner).__mro__:
        slots = vars(kind).get("__slots__", ())
        names = (slots,) if isinstance(slots, str) else slots
        values += [getattr(owner, name, None) for name in names if not name.startswith("__")]
    for value in list(values):
        if isinstance(value, dict):
            values += list(value)
    return values
