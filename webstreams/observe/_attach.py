"""Putting the observers in: which stage a stream belongs to, and what is replaced for it.

For each kind of algorithms of the core there is one function. What is replaced are slots that hold callbacks, so that
the core and the fast path go on as they did, and streams that nobody observes know nothing of it.
"""

from __future__ import annotations

from typing import Any
from weakref import ref

from .._streams.door import consumer_of, jobs_of, set_meter
from .._streams.meter import Meter
from .._streams.readable.iterable import IterableSource
from .._streams.readable.operators.chain import Chain
from .._streams.readable.operators.concurrent import ConcurrentSource
from .._streams.readable.operators.source import ChainSource, OperatorSource
from .._streams.readable.operators.steps import Step
from .._streams.readable.source import UnderlyingSource
from .._streams.readable.state import ReadableStreamState
from .._streams.readable.tee import TeeBranch
from .._streams.transform.generator import GeneratorSource
from .._streams.transform.sides import TransformSink, TransformSource
from .._streams.writable.overlapping import OverlappingSink
from .._streams.writable.sink import UnderlyingSink
from .._streams.writable.state import WritableStreamState
from ..ends._concurrent_sink import ConcurrentSink
from ._callbacks import (
    ItemMeter,
    ObservedAsk,
    ObservedCall,
    ObservedCalls,
    ObservedItemPull,
    ObservedItems,
    ObservedPairWrite,
    ObservedPull,
    ObservedReader,
    ObservedStep,
    ObservedTaking,
    SourceMeter,
)
from ._counts import BLOCKED, BUSY, STARVED, AskedCounts, ChainCounts, Counts, ItemCounts, LoadCounts, StepCounts
from ._names import name_of
from ._stages import DRAINS, STAGES, Kind, Stage
from ._topology import (
    chain_of,
    input_of_step,
    own_function_of,
    owner_of,
    owner_of_sink,
    owner_of_source,
    part_of,
    pipe_into,
    source_of,
)


def stages_of(stream: Any) -> list[Stage]:
    """Return the stages that a stream belongs to, now that they are observed."""
    found = STAGES.get(stream)
    if found is None:
        if isinstance(stream, WritableStreamState):
            _attach_writable(stream)
        else:
            _attach_readable(stream)
        found = STAGES.get(stream)
    drained = DRAINS.get(stream)
    if drained is None and isinstance(stream, ReadableStreamState):
        drained = _attach_drain(stream)
    if drained is not None and found is not None and found not in drained.upstream:
        drained.upstream.append(found)
    return [each for each in (found, drained) if each is not None]


def settle_source(stage: Stage) -> None:
    """Find out what a source does that is not busy: nobody tells of what others take from it."""
    stream = stage.output()
    if stream is not None and stage.counts.state != BUSY:
        meter = stream._controller._meter
        if isinstance(meter, SourceMeter) and meter.pull is None and stream._state == "readable":
            meter.settle()


def _made(stage: Stage) -> Stage:
    for each in stage.ends():
        STAGES[each] = stage
    return stage


# Writable streams.


def _attach_writable(writable: Any) -> None:
    sink = writable._controller._sink
    pipe = pipe_into(writable)
    fed = None if pipe is None else pipe._fed
    if isinstance(sink, TransformSink):
        if fed is not None and _is_generator_transform(fed):
            _attach_readable(fed)
        if writable not in STAGES:
            _attach_transform(sink._stream)
        return
    readable = _other_side(writable, fed)
    if readable is not None:
        _attach_pair(writable, readable)
    elif isinstance(sink, OverlappingSink):
        _attach_overlapping(writable, sink)
    elif isinstance(sink, UnderlyingSink):
        _attach_sink(writable, sink)
    else:  # it has ended
        _made(Stage("sink", "sink", Counts(jobs_of(writable), STARVED), writable=writable))


def _attach_sink(writable: Any, sink: UnderlyingSink) -> None:
    owner = owner_of(sink.write)
    function = part_of(owner, "_function") or sink.write
    if isinstance(owner, ConcurrentSink):
        workers = owner.workers
        load = LoadCounts(jobs_of(writable), owner._concurrency, None)
        _made(Stage(name_of(workers._function, "sink"), "sink", load, writable=writable))
        workers._function = ObservedCalls(workers._function, load, takes=True).call
        return
    counts = Counts(jobs_of(writable), STARVED)
    _made(Stage(name_of(function, "sink"), "sink", counts, writable=writable))
    sink.write = ObservedCall(sink.write, counts, takes=True, gives=False).replacement
    sink.take_at_once = None
    sink.close = ObservedCall(sink.close, counts, takes=False, gives=False).replacement


def _attach_overlapping(writable: Any, sink: OverlappingSink) -> None:
    load = LoadCounts(jobs_of(writable), sink._limit, None)
    work = owner_of(sink._begin)
    _made(Stage(name_of(work if sink._begin is None else sink._begin, "sink"), "sink", load, writable=writable))
    if sink._begin is not None:
        sink._begin = ObservedCalls(sink._begin, load, takes=True).call


# Transforms and pairs.


def _attach_transform(stream: Any) -> None:
    counts = Counts(stream._jobs, STARVED)
    transformer = stream._controller._transformer
    name = "transform" if transformer is None else name_of(transformer.transform, "transform")
    stage = Stage(name, "transform", counts, writable=stream._writable, readable=stream._readable)
    _made(stage)
    stream._readable_controller._observe(counts)
    sink = stream._writable_controller._sink
    if sink is not None:  # else the writable side has ended, and the readable one still has chunks
        sink._meter = counts
    if transformer is not None:
        transformer.transform = ObservedCall(transformer.transform, counts, takes=True, gives=True).replacement
        transformer.flush = ObservedCall(transformer.flush, counts, takes=False, gives=False).replacement
        transformer.is_identity = False


def _other_side(writable: Any, fed: Any) -> Any:
    """Return the readable side of the pair that a writable stream belongs to, unless it is a transform stream."""
    owner = owner_of_sink(writable)
    if isinstance(fed, ReadableStreamState) and type(source_of(fed)) is UnderlyingSource:
        return fed
    candidate = getattr(owner, "readable", None)
    if isinstance(candidate, ReadableStreamState) and owner_of_source(candidate) is owner:
        return candidate
    return None


def _other_side_of(owner: Any, readable: Any) -> Any:
    """Return the writable side of the pair that is the source of a stream itself."""
    writable = getattr(owner, "writable", None)
    is_pair = isinstance(writable, WritableStreamState) and getattr(owner, "readable", None) is readable
    return writable if is_pair and owner_of_sink(writable) is owner else None


def _is_fed_as_pair(readable: Any) -> bool:
    """Whether ``pipe_through()`` was given a pair of which a stream is one side, and the other one is known by that."""
    writable = None if readable._fed_by is None else readable._fed_by.dest
    return writable is not None and type(writable._controller._sink) is UnderlyingSink and writable not in STAGES


def _attach_pair(writable: Any, readable: Any) -> None:
    counts = AskedCounts(jobs_of(readable), False)
    source, sink = readable._controller._source, writable._controller._sink
    owner = owner_of_source(readable)
    name = name_of(sink.write if owner is None else owner, "transform")
    _made(Stage(name, "transform", counts, writable=writable, readable=readable))
    set_meter(readable, PairMeter(counts, owner))
    if source.pull is not None:
        source.pull = ObservedAsk(source.pull, counts).call
    sink.write = ObservedPairWrite(sink.write, counts, takes=True).call
    sink.take_at_once = None
    sink.close = ObservedPairWrite(sink.close, counts, takes=False).call


class PairMeter(Meter):
    """What the readable side of a pair tells; `owner` may be workers, which have chunks when their write is done."""

    __slots__ = ("_channels", "_counts")

    def __init__(self, counts: AskedCounts, owner: Any) -> None:
        self._counts = counts
        self._channels: Any = part_of(owner, "channels")

    def chunk_is_put(self, chunk: Any) -> None:
        """See `Meter`."""
        self._counts.chunk_is_put(chunk)
        if self._channels is not None:
            self._counts.took(any(each.in_flight for each in self._channels))

    def bytes_are_put(self, count: int) -> None:
        """See `Meter`."""
        self._counts.bytes_are_put(count)


def _is_generator_transform(readable: Any) -> bool:
    return part_of(part_of(owner_of_source(readable), "_chunks"), "reader") is not None


# Readable streams.


def _attach_readable(readable: Any) -> None:
    source = source_of(readable)
    if isinstance(source, TransformSource):
        _attach_transform(source._stream)
    elif isinstance(source, TeeBranch):
        _attach_branch(readable, f"branch {source.index + 1}")
    elif isinstance(source, OperatorSource):
        _attach_operator(readable, source)
    elif isinstance(source, IterableSource):
        _attach_iterable(readable, source)
    elif isinstance(source, UnderlyingSource):
        _attach_source(readable, source)
    elif isinstance(source, GeneratorSource):
        _attach_source(readable, _with_promises(readable, source))
    else:  # it has ended
        _made(Stage("source", "source", Counts(jobs_of(readable), BLOCKED), readable=readable))


def _attach_source(readable: Any, source: UnderlyingSource) -> None:
    owner = owner_of_source(readable)
    if part_of(owner, "_hub") is not None:
        _attach_subscription(readable, source)
    elif part_of(owner, "_inputs") is not None:
        _attach_combination(readable, source, owner)
    elif _other_side_of(owner, readable) is not None:
        _attach_pair(owner.writable, readable)
    elif _is_fed_as_pair(readable):
        _attach_pair(readable._fed_by.dest, readable)
    else:
        _attach_plain_source(readable, source, owner)


def _attach_plain_source(readable: Any, source: UnderlyingSource, owner: Any) -> None:
    counts = Counts(jobs_of(readable), BLOCKED)
    controller = readable._controller
    callback = source.pull or source.cancel
    name = name_of(own_function_of(owner) or callback, "source")
    if _is_generator_transform(readable):
        _attach_generator(readable, owner._chunks, counts)
    else:
        _made(Stage(name, "source", counts, readable=readable))
    pull = None if source.pull is None else ObservedPull(source.pull, counts, controller)
    controller._observe(SourceMeter(counts, controller, pull))
    if pull is not None:
        source.pull = pull.replacement


def _with_promises(readable: Any, source: GeneratorSource) -> UnderlyingSource:
    """Have a coroutine take the items of a generator, and promises bring its chunks: those can be observed."""
    owner: Any = source.owner
    owner.take_over()
    stand_in = UnderlyingSource(owner)
    assert source.context is not None
    stand_in.context = source.context
    readable._controller._source = stand_in
    return stand_in


def _attach_generator(readable: Any, chunks: Any, counts: Counts) -> None:
    """The stage of ``generator_transform()``: a transform stream, whose readable side the generator reads."""
    inner = chunks.reader._stream
    writable = inner._controller._source._stream._writable
    name = name_of(owner_of_source(readable)._iterator, "generator")
    stage = _made(Stage(name, "transform", counts, writable=writable, readable=readable))
    STAGES[inner] = stage
    chunks.reader = ObservedReader(chunks.reader, counts)


def _attach_iterable(readable: Any, source: IterableSource) -> None:
    counts = (ItemCounts if source.is_async else Counts)(jobs_of(readable), BLOCKED)
    controller = readable._controller
    _made(Stage(name_of(source._iterator, "source"), "source", counts, readable=readable))
    if source.is_async:
        controller._observe(ItemMeter(counts))
        asking = ObservedItemPull(source, counts)
        stand_in = UnderlyingSource({"pull": asking.call, "cancel": source.cancel})
        assert source.context is not None
        stand_in.context = source.context
        controller._source = stand_in
        _ask_through_stream(readable, None)
    else:
        pull = ObservedPull(source.give, counts, controller)
        controller._observe(SourceMeter(counts, controller, pull))
        source.give = pull.replacement
        _ask_through_stream(readable, counts)


def _ask_through_stream(readable: Any, counts: Counts | None) -> None:
    """Have a chain that asks the iterator without the stream between tell of it, too, or ask the stream."""
    consumer = consumer_of(readable)
    if isinstance(consumer, Chain):
        if isinstance(consumer._receiver, ConcurrentSource):
            consumer._receiver.workers.interrupt()  # a worker may be at its items
        for each in consumer._inputs:
            each.tries_to_share = 0
            if each.reader is readable._reader and each.iterator is not None:
                each.iterator = None if counts is None else ObservedItems(each.iterator, counts)


def _attach_branch(readable: Any, name: str) -> None:
    counts = Counts(jobs_of(readable), STARVED)
    _made(Stage(name, "branch", counts, readable=readable))
    set_meter(readable, SourceMeter(counts, readable._controller, None))


def _attach_subscription(readable: Any, source: UnderlyingSource) -> None:
    counts = AskedCounts(jobs_of(readable), None)
    _made(Stage("subscription", "branch", counts, readable=readable))
    set_meter(readable, counts)
    source.pull = ObservedAsk(source.pull, counts).call


def _attach_combination(readable: Any, source: UnderlyingSource, owner: Any) -> None:
    counts = AskedCounts(jobs_of(readable), None)
    _made(Stage(part_of(owner, "function") or "merge", "transform", counts, readable=readable))
    owner.arrived = ObservedTaking(owner.arrived, counts).call
    set_meter(readable, counts)
    source.pull = ObservedAsk(source.pull, counts).call


# Operators.


def _attach_operator(readable: Any, source: Any) -> None:
    chain = chain_of(source)
    if chain is None:
        consumer = consumer_of(readable)
        if isinstance(consumer, Chain):
            _attach_chain(consumer)
        if readable not in STAGES:
            _made(Stage("operator", "transform", Counts(jobs_of(readable), STARVED), readable=readable))
        return
    steps = _attach_chain(chain).steps
    if isinstance(source, ChainSource):
        return
    last = steps[-1] if steps else None
    if isinstance(source, ConcurrentSource):
        workers = source.workers
        load = LoadCounts(jobs_of(readable), workers._concurrency, WantsMore(readable))
        load.step_before = last
        _made(Stage(name_of(_function_of(workers._function), "map"), "transform", load, readable=readable))
        workers._function = ObservedCalls(workers._function, load, takes=True).call
        set_meter(readable, load)
    else:
        counts = AskedCounts(jobs_of(readable), None)
        counts.step_before = last
        name = _method_of_step(chain, len(chain._steps))
        _made(Stage(name, "transform", counts, readable=readable))
        set_meter(readable, counts)
        source.pull = ObservedAsk(source.pull, counts).call


class WantsMore:
    """Whether ``map(concurrency=)`` would take another chunk: it has asked its input for one."""

    __slots__ = ("_readable",)

    def __init__(self, readable: Any) -> None:
        self._readable = ref(readable)

    def __call__(self) -> bool:
        """Look at its state."""
        readable = self._readable()
        source = None if readable is None else readable._controller._source
        return isinstance(source, ConcurrentSource) and source._is_asking


def _function_of(function: Any) -> Any:
    """Return the function of a call with a timeout, a limiter or the like."""
    return part_of(function, "_function") or function


def _attach_chain(chain: Chain) -> ChainCounts:
    """Observe the steps that are not observed yet; a chain grows as long as nobody has read it."""
    root = chain.root
    receiver = chain._receiver
    counts = _counts_of_chain(chain, root)
    counts.is_drained = receiver is not None and not isinstance(receiver, OperatorSource)
    outputs = _outputs_of_steps(chain)
    for index in range(len(counts.steps), _last_step(chain) + 1):
        _attach_step(chain, index, counts, outputs)
    if isinstance(receiver, ChainSource) and receiver._controller._meter is None:
        receiver._controller._meter = counts
        receiver.pull = ObservedAsk(receiver.pull, counts).call
    return counts


def _attach_step(chain: Chain, index: int, counts: ChainCounts, outputs: dict[int, Any]) -> None:
    step = chain._steps[index]
    own = StepCounts(chain.jobs, counts)
    has_name = step.context is not None and not isinstance(owner_of(step.function), Step)
    name = name_of(_function_of(step.function), "") if has_name else ""
    is_sink = counts.is_drained and index == _last_step(chain)
    output = outputs.get(index)
    kind: Kind = "sink" if is_sink else "transform"
    stage = _made(Stage(name or _method_of_step(chain, index), kind, own, readable=output))
    if output is None and is_sink:
        DRAINS[input_of_step(chain, index)] = stage
    chain.replace_function(index, ObservedStep(step.function, own).replacement)


def _last_step(chain: Chain) -> int:
    """Return the index of the last step; for_each() and reduce() add one that only drops the results."""
    last = len(chain._steps) - 1
    is_drained = chain._receiver is not None and not isinstance(chain._receiver, OperatorSource)
    return last - 1 if is_drained and chain._steps[last].context is None else last


def _counts_of_chain(chain: Chain, root: Any) -> ChainCounts:
    for step in chain._steps:
        observed = getattr(step.function, "__self__", None)
        if isinstance(observed, ObservedStep):
            found: ChainCounts = observed.counts.chain
            return found
    return ChainCounts(jobs_of(root))


def _outputs_of_steps(chain: Chain) -> dict[int, Any]:
    """Return the streams that steps give to, by the index of the step."""
    outputs = {count - 1: reader._stream for reader, count in chain._between if reader._stream is not None}
    if isinstance(chain._receiver, ChainSource):
        outputs[len(chain._steps) - 1] = chain._receiver._controller._stream
    return outputs


def _method_of_step(chain: Chain, index: int) -> str:
    """Return the method that added a step or what comes behind them, from the lock of the stream before it."""
    for reader, count in [(chain.root._reader, 0), *chain._between]:
        if count == index and reader is not None and reader._holder is not None:
            return str(reader._holder.words[0]).removesuffix("()")
    return "operator"


def _attach_drain(readable: Any) -> Stage | None:
    consumer = consumer_of(readable)
    if not isinstance(consumer, Chain) or consumer._receiver is None:
        return None
    _attach_chain(consumer)
    is_drained = not isinstance(consumer._receiver, OperatorSource)
    if is_drained and readable in STAGES and _last_step(consumer) < 0:
        STAGES[readable].kind = "sink"  # for_each() with several calls at a time
    return DRAINS.get(readable)
