"""The parts of pipelines, from their sources to all their sinks, and the callbacks in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import Context
from functools import partial
from inspect import CO_COROUTINE
from types import FunctionType, MethodType
from typing import Any, ClassVar, Final

from .._engine.callbacks import callback_failed, callback_returned
from .._engine.jobs import JobQueue
from .._engine.promise import END_OF_ITERATION
from .._engine.run import Measured
from .._platform.errors import stored_error
from .._streams.meter import put_counted
from .._streams.part import Part
from .._streams.queue import QueueWithSizes
from .._streams.readable.byte_controller import ReadableByteStreamController
from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.iterable import IterableSource
from .._streams.readable.operators.chain import Chain
from .._streams.readable.pipe import Pipe
from .._streams.readable.source import UnderlyingSource
from .._streams.readable.state import ReadableStreamState, ReadRequest
from .._streams.transform.generator import GeneratorSource
from .._streams.transform.sides import TransformSink
from .._streams.transform.state import TransformController
from .._streams.transform.transformer import Transformer
from .._streams.writable.controller import WritableStreamDefaultController
from .._streams.writable.sink import UnderlyingSink
from .._streams.writable.state import WritableStreamState
from .ends import ReadEnd
from .feeding import Feeding, expected_of
from .giver import Giver
from .measured import MeasuredSink
from .writer_end import WriterEnd

# A longer one takes too long to record: other tasks have to have their turn.
MAX_STAGES = 256
# With a higher high-water mark, a queue of many is not understood.
MAX_MARK = 32
# A stream that is about to close has so many chunks more than its high-water mark, or is not understood.
FEW = 8

Callback = Callable[..., Any]
Controller = Feeding | TransformController | WritableStreamDefaultController | None


class Reservoir(Giver):
    """A queue that may hold so many chunks that nothing depends on their number.

    While a run goes on, `store` holds the chunks and `spare` is in its place: simulations use that one. In a state of
    the pipeline a queue of many is one of `limit`.
    """

    __slots__ = ("controller", "limit", "queue", "spare", "store")

    # A period takes no more than so many chunks out of a queue.
    SLACK: ClassVar[int] = 3

    def __init__(self, controller: ReadableStreamDefaultController[Any]) -> None:
        super().__init__()
        self.controller = controller
        self.queue = controller._queue
        self.store = self.queue.chunks
        self.spare: deque[Any] = deque()
        hwm = controller._strategy_hwm
        self.limit = int(hwm) + 2 + self.SLACK if hwm <= MAX_MARK else 0

    def least(self) -> int:
        """Return how many chunks there must be left at the end of a period."""
        return self.limit - self.SLACK


class Stage(Giver):
    """A callback that takes or gives chunks, in the place where the plain path finds it.

    There is one subclass for each kind: a source's pull(), an iterator's next, a transformer's transform(), a sink's
    write(). They say what the plain path does with what the callback enqueues, returns and raises.
    """

    __slots__ = (
        "by_coroutine", "context", "controller", "function", "gives", "gives_first", "gives_seldom", "is_identity",
        "items", "measured",
    )  # fmt: skip

    # What the callback is called with; None for operators whose results nobody gets.
    controller: Controller

    def __init__(self, function: Callback, context: Context | None, gives: bool, gives_first: bool) -> None:
        super().__init__()
        self.function = function
        self.context = context
        # Whether it is a coroutine function: it completes at once, most likely.
        self.by_coroutine = context is not None and only_makes_a_coroutine(function)
        # Whether the callback enqueues a chunk each time, and whether it does so without being given one: a source.
        self.gives = gives
        self.gives_first = gives_first
        # Whether it enqueues none as a rule, although it may.
        self.gives_seldom = False
        # A transformer without transform().
        self.is_identity = False
        # The source whose iterator has the next chunk, if the callback does no more than to ask for it.
        self.items: IterableSource | None = None
        # What its chunks have to be like, if they are those of a byte stream, or if the queue that they go to counts
        # bytes.
        self.measured: Measured | None = None

    def may_give(self, controller: object, chunk: Any) -> bool:
        """Whether the callback may enqueue this chunk in a run."""
        is_fit = self.measured is None or self.measured.fits(chunk)
        return self.gives and self.controller is controller and is_fit

    def install(self, function: Callback) -> None:
        """Have the plain path call a function in the place of the callback, or the callback itself again."""
        raise NotImplementedError

    def put(self, chunk: Any) -> None:
        """Do what the plain path does with a chunk that the callback enqueues."""
        raise NotImplementedError

    def put_counted(self, chunk: Any) -> None:
        """Do the same with a chunk that was counted, if somebody observes the stage."""
        put_counted(self.readable_controller(), self.put, chunk)

    def returned(self, outcome: Any) -> None:
        """Do what the plain path does with what the callback returned (`callbacks.outcome_of`)."""
        raise NotImplementedError

    def failed(self, error: BaseException) -> None:
        """Do what the plain path does with what the callback raised."""
        raise NotImplementedError

    def readable_controller(self) -> Feeding | None:
        """Return the controller of the queue that its chunks go into."""
        return None

    def request(self) -> ReadRequest | None:
        """Return what reads the chunks that the callback is called with, if that may do so within another read."""
        return None

    def desired_size(self) -> float | None:
        """Return the desired_size of the controller."""
        return None if self.controller is None else self.controller._get_desired_size()


class PullStage(Stage):
    """The pull() of an underlying source."""

    __slots__ = ("_readable", "_source")

    def __init__(self, source: UnderlyingSource, controller: Feeding) -> None:
        assert source.pull is not None
        super().__init__(source.pull, source.context, gives=True, gives_first=True)
        self.controller = self._readable = controller
        self.measured = expected_of(controller)
        self._source = source

    def install(self, function: Callback) -> None:
        """See `Stage`."""
        self._source.pull = function

    def put(self, chunk: Any) -> None:
        """See `Stage`."""
        self._readable._put(chunk)

    def readable_controller(self) -> Feeding | None:
        """See `Stage`."""
        return self._readable

    def returned(self, outcome: Any) -> None:
        """See `Stage`."""
        callback_returned(self._readable, self._readable._jobs, outcome)

    def failed(self, error: BaseException) -> None:
        """See `Stage`."""
        callback_failed(self._readable, self._readable._jobs, error)


class ItemStage(Stage):
    """What takes the next item of an iterator."""

    __slots__ = ("_readable", "_source")

    def __init__(self, source: IterableSource, controller: ReadableStreamDefaultController[Any]) -> None:
        super().__init__(source.give, source.context, gives=True, gives_first=True)
        self.controller = self._readable = controller
        self._source = source
        if source.give == source._give_next:
            self.items = source

    def install(self, function: Callback) -> None:
        """See `Stage`."""
        self._source.give = function

    def put(self, chunk: Any) -> None:
        """See `Stage`."""
        self._source._put(chunk)

    def readable_controller(self) -> Feeding | None:
        """See `Stage`."""
        return self._readable

    def returned(self, outcome: Any) -> None:
        """The item itself goes on a job later: nothing is done."""

    def failed(self, error: BaseException) -> None:
        """See `Stage`."""
        callback_failed(self._readable, self._readable._jobs, error)


class TransformStage(Stage):
    """The transform() of a transformer."""

    __slots__ = ("_sink", "_transform_controller", "_transformer")

    def __init__(self, transformer: Transformer, controller: TransformController, sink: TransformSink) -> None:
        super().__init__(transformer.transform, transformer.context, gives=True, gives_first=False)
        self.controller = self._transform_controller = controller
        self.is_identity = transformer.is_identity
        self._transformer = transformer
        self._sink = sink

    def install(self, function: Callback) -> None:
        """See `Stage`."""
        self._transformer.transform = function

    def put(self, chunk: Any) -> None:
        """See `Stage`."""
        self._transform_controller._enqueue(chunk)

    def readable_controller(self) -> Feeding | None:
        """See `Stage`."""
        return self._sink._stream._readable_controller

    def returned(self, outcome: Any) -> None:
        """See `Stage`."""
        callback_returned(self._sink, self._sink._jobs, outcome)

    def failed(self, error: BaseException) -> None:
        """See `Stage`."""
        callback_failed(self._sink, self._sink._jobs, error)


class GeneratorStage(Stage):
    """A step of a generator: up to its next item, or to where it waits for its next chunk."""

    __slots__ = ("_readable", "_source")

    def __init__(
        self, function: Callback, source: GeneratorSource, controller: ReadableStreamDefaultController[Any], first: bool
    ) -> None:
        super().__init__(function, None, gives=True, gives_first=first)
        self.controller = self._readable = controller
        self._source = source

    def put(self, chunk: Any) -> None:
        """See `Stage`."""
        self._source.put(chunk)

    def readable_controller(self) -> Feeding | None:
        """See `Stage`."""
        return self._readable

    def failed(self, error: BaseException) -> None:
        """See `Stage`."""
        self._source.failed(stored_error(error))


class ResumeStage(GeneratorStage):
    """The step from an item: mostly, the generator asks for its next chunk."""

    __slots__ = ()

    def __init__(self, source: GeneratorSource, controller: ReadableStreamDefaultController[Any]) -> None:
        super().__init__(source.resume, source, controller, True)
        self.gives_seldom = True

    def install(self, function: Callback) -> None:
        """See `Stage`."""
        self._source.resume = function

    def returned(self, outcome: Any) -> None:
        """See `Stage`."""
        self._source.has_resumed()


class FeedStage(GeneratorStage):
    """The step from a chunk."""

    __slots__ = ()

    def __init__(self, source: GeneratorSource, controller: ReadableStreamDefaultController[Any]) -> None:
        super().__init__(source.feed, source, controller, False)

    def install(self, function: Callback) -> None:
        """See `Stage`."""
        self._source.feed = function

    def returned(self, outcome: Any) -> None:
        """See `Stage`."""
        self._source.was_fed()


class ChainStage(Stage):
    """The functions of operators, which a chunk of a stream passes in one job."""

    __slots__ = ("_chain",)

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain.feed, None, gives=chain.output is not None, gives_first=False)
        self.controller = chain.output
        self._chain = chain

    def install(self, function: Callback) -> None:
        """See `Stage`."""
        self._chain.feed = function

    def put(self, chunk: Any) -> None:
        """See `Stage`."""
        self._chain.put(chunk)

    def readable_controller(self) -> Feeding | None:
        """See `Stage`."""
        output: ReadableStreamDefaultController[Any] | None = self._chain.output
        return output

    def request(self) -> ReadRequest | None:
        """See `Stage`."""
        return self._chain.input()

    def returned(self, outcome: Any) -> None:
        """See `Stage`."""
        self._chain.was_fed()

    def failed(self, error: BaseException) -> None:
        """Do nothing: the chain itself has told of an error, and this one goes through."""


class WriteStage(Stage):
    """The write() of an underlying sink."""

    __slots__ = ("_sink", "_writable")

    def __init__(self, sink: UnderlyingSink, controller: WritableStreamDefaultController) -> None:
        super().__init__(sink.write, sink.context, gives=False, gives_first=False)
        self.controller = self._writable = controller
        self._sink = sink

    def install(self, function: Callback) -> None:
        """See `Stage`."""
        self._sink.write = function

    def returned(self, outcome: Any) -> None:
        """See `Stage`."""
        callback_returned(self._writable, self._writable._jobs, outcome)

    def failed(self, error: BaseException) -> None:
        """See `Stage`."""
        callback_failed(self._writable, self._writable._jobs, error)


class Pipeline:
    """The stages and all moving parts of a pipeline, or of several that run side by side.

    `is_eligible` is false if one of them is not understood; `known` are the identities of the parts. `trigger` is the
    pipe that reads from the source, if there is one, `end` stands for the reads of a user's at the end, and `origin`
    for the writes of a user's at the beginning.
    """

    __slots__ = (
        "end",
        "is_eligible",
        "jobs",
        "known",
        "measured",
        "origin",
        "parts",
        "reservoirs",
        "stages",
        "trigger",
    )

    def __init__(
        self, jobs: JobQueue, trigger: Pipe | None, end: ReadEnd | None, origin: WriterEnd | None = None
    ) -> None:
        self.jobs = jobs
        self.trigger = trigger
        self.end = end
        self.origin = origin
        self.stages: list[Stage] = []
        self.reservoirs: list[Reservoir] = []
        self.measured: list[MeasuredSink] = []
        self.parts: list[Part] = []
        self.is_eligible = True
        self.known: set[int] = set()

    def add_parts(self, *parts: Part) -> None:
        """Add moving parts."""
        for part in parts:
            if id(part) not in self.known:
                self.known.add(id(part))
                self.parts.append(part)

    def add_stage(self, stage: Stage) -> None:
        """Add a stage."""
        self.stages.append(stage)
        if len(self.stages) > MAX_STAGES:
            self.is_eligible = False

    def add_readable(self, controller: ReadableStreamDefaultController[Any]) -> None:
        """Add a controller that is read from, with its queue."""
        if id(controller) not in self.known:
            self.reservoirs.append(Reservoir(controller))
        self.add_parts(controller, controller._queue, controller._stream)

    def add(self, other: Pipeline) -> None:
        """Add another pipeline."""
        self.add_parts(*other.parts)
        for stage in other.stages:
            self.add_stage(stage)
        self.reservoirs += other.reservoirs
        self.measured += other.measured
        self.is_eligible = self.is_eligible and other.is_eligible

    def replace_callbacks(self, call: Callback) -> None:
        """Have ``call(stage, *arguments)`` called in the place of each callback."""
        for stage in self.stages:
            stage.install(partial(call, stage))
        for sink in self.measured:
            sink.stop_counting()

    def restore_callbacks(self) -> None:
        """Have the callbacks themselves called again."""
        for stage in self.stages:
            stage.install(stage.function)
        for sink in self.measured:
            sink.count_again()

    def add_measured(self, controller: WritableStreamDefaultController, feeding: Feeding) -> None:
        """Add a sink whose queue counts bytes; it is understood if its chunks come straight from a callback."""
        givers = [stage for stage in self.stages if stage.readable_controller() is feeding]
        if not givers or any(stage.is_identity for stage in givers):
            self.refuse()
            return
        sink = MeasuredSink(controller, feeding)
        self.measured.append(sink)
        for stage in givers:
            least = 0 if stage.measured is None else stage.measured.least
            stage.measured = Measured(stage.controller, sink.limit, least)

    def forget_sizes(self) -> None:
        """Give the chunks in queues that count bytes the size 0."""
        for sink in self.measured:
            sink.forget_sizes()

    def measure(self) -> None:
        """Give the chunks in queues that count bytes their sizes."""
        for sink in self.measured:
            sink.measure()

    def has_room(self) -> bool:
        """Whether no queue that counts bytes can be full."""
        return all(sink.has_room() for sink in self.measured)

    def refuse(self) -> None:
        """Say that a part is not understood."""
        self.is_eligible = False

    def owns(self, part: object) -> bool:
        """Whether an object is a part."""
        return id(part) in self.known

    def is_ordinary(self) -> bool:
        """Whether nothing is about to end: no period of the states from here on does more than pass chunks."""
        return all(map(is_ordinary, self.parts)) and all(sink.can_begin() for sink in self.measured)


def is_ordinary(part: Part) -> bool:
    """Whether a part neither has ended nor is about to."""
    for kind, test in _ORDINARY:
        if isinstance(part, kind):
            return bool(test(part))
    return True


def _readable_goes_on(stream: Any) -> bool:
    return bool(stream._state == "readable")


def _writable_goes_on(stream: Any) -> bool:
    # One that is about to close needs no look: the pipe that closes it, or finds it closing, shuts down before.
    return bool(stream._state == "writable")


def _byte_source_goes_on(controller: Any) -> bool:
    """Whether a byte stream has nothing but the source to take chunks from; then close() closes it at once."""
    return bool(controller._passes_chunks())


def _source_goes_on(controller: Any) -> bool:
    return controller._started and not (controller._close_requested and _is_near_its_end(controller))


def _is_near_its_end(controller: Any) -> bool:
    """Whether a run might take all chunks of a stream that closes: it stops in time only in front of a reservoir."""
    mark = controller._strategy_hwm
    return bool(mark > MAX_MARK or len(controller._queue.chunks) <= mark + FEW)


def _sink_goes_on(controller: Any) -> bool:
    return bool(controller._started)


def _iterator_goes_on(source: Any) -> bool:
    return source._item is not END_OF_ITERATION


def _generator_goes_on(source: Any) -> bool:
    return bool(source.goes_on())


def _has_no_chunks_put_back(queue: Any) -> bool:
    return queue._put_back is None


def _pipe_goes_on(pipe: Any) -> bool:
    """Whether a pipe does not shut down, and what was written before it began is done: a simulation would tell the
    writer of the end of its write."""
    request = pipe.dest._in_flight_write_request
    return not pipe.shutting_down and (request is None or request is pipe)


def _no_read_comes_first(end: Any) -> bool:
    """Whether no other read of the user's is pending: a simulation would answer it."""
    return not end.reader._read_requests


def _no_write_comes_first(origin: Any) -> bool:
    """Whether the writer neither closes nor writes, and nobody waits for it: those promises are not known."""
    stream, ready = origin.writer._stream, origin.writer._ready_promise
    is_idle = stream._in_flight_write_request is None and not stream._write_requests
    return is_idle and not stream._close_queued_or_in_flight() and (ready is None or ready.done())


_ORDINARY: Final[tuple[tuple[type, Callable[[Any], bool]], ...]] = (
    (QueueWithSizes, _has_no_chunks_put_back),
    (ReadableStreamState, _readable_goes_on),
    (WritableStreamState, _writable_goes_on),
    (ReadableStreamDefaultController, _source_goes_on),
    (ReadableByteStreamController, _byte_source_goes_on),
    (WritableStreamDefaultController, _sink_goes_on),
    (IterableSource, _iterator_goes_on),
    (GeneratorSource, _generator_goes_on),
    (Pipe, _pipe_goes_on),
    (ReadEnd, _no_read_comes_first),
    (WriterEnd, _no_write_comes_first),
)


def only_makes_a_coroutine(function: Any) -> bool:
    """Whether nothing of a callback runs before what it returned is awaited."""
    if type(function) is MethodType:
        function = function.__func__
    return type(function) is FunctionType and bool(function.__code__.co_flags & CO_COROUTINE)
