"""The parts of pipelines, from their sources to all their sinks, and the callbacks in them."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Any

from .._engine.callbacks import callback_failed, callback_returned
from .._engine.jobs import JobQueue
from .._streams.part import Part
from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.iterable import IterableSource
from .._streams.readable.source import UnderlyingSource
from .._streams.transform.sides import TransformSink
from .._streams.transform.state import TransformController
from .._streams.transform.transformer import Transformer
from .._streams.writable.controller import WritableStreamDefaultController
from .._streams.writable.sink import UnderlyingSink

# A longer one takes too long to record: other tasks have to have their turn.
MAX_STAGES = 256

Callback = Callable[..., Any]
Controller = ReadableStreamDefaultController[Any] | TransformController | WritableStreamDefaultController


class Stage:
    """A callback that takes or gives chunks, in the place where the plain path finds it.

    There is one subclass for each kind: a source's pull(), an iterator's next, a transformer's transform(), a sink's
    write(). They say what the plain path does with what the callback enqueues, returns and raises.
    """

    __slots__ = ("context", "controller", "count", "function", "gives", "gives_first", "index", "is_identity")

    # What the callback is called with.
    controller: Controller

    def __init__(self, function: Callback, context: Context | None, gives: bool, gives_first: bool) -> None:
        self.function = function
        self.context = context
        # Whether the callback enqueues a chunk each time, and whether it does so without being given one: a source.
        self.gives = gives
        self.gives_first = gives_first
        # A transformer without transform().
        self.is_identity = False
        # How many chunks it has given, while it is recorded; and its place among the stages.
        self.count = 0
        self.index = 0

    def install(self, function: Callback) -> None:
        """Have the plain path call a function in the place of the callback, or the callback itself again."""
        raise NotImplementedError

    def put(self, chunk: Any) -> None:
        """Do what the plain path does with a chunk that the callback enqueues."""
        raise NotImplementedError

    def returned(self, outcome: Any) -> None:
        """Do what the plain path does with what the callback returned (`callbacks.outcome_of`)."""
        raise NotImplementedError

    def failed(self, error: BaseException) -> None:
        """Do what the plain path does with what the callback raised."""
        raise NotImplementedError

    def desired_size(self) -> float | None:
        """Return the desired_size of the controller."""
        return self.controller._get_desired_size()


class PullStage(Stage):
    """The pull() of an underlying source."""

    __slots__ = ("_readable", "_source")

    def __init__(self, source: UnderlyingSource, controller: ReadableStreamDefaultController[Any]) -> None:
        assert source.pull is not None
        super().__init__(source.pull, source.context, gives=True, gives_first=True)
        self.controller = self._readable = controller
        self._source = source

    def install(self, function: Callback) -> None:
        """See `Stage`."""
        self._source.pull = function

    def put(self, chunk: Any) -> None:
        """See `Stage`."""
        self._readable._put(chunk)

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

    def install(self, function: Callback) -> None:
        """See `Stage`."""
        self._source.give = function

    def put(self, chunk: Any) -> None:
        """See `Stage`."""
        self._source._put(chunk)

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

    def returned(self, outcome: Any) -> None:
        """See `Stage`."""
        callback_returned(self._sink, self._sink._jobs, outcome)

    def failed(self, error: BaseException) -> None:
        """See `Stage`."""
        callback_failed(self._sink, self._sink._jobs, error)


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

    `is_eligible` is false if one of them is not understood; `known` are the identities of the parts.
    """

    __slots__ = ("is_eligible", "jobs", "known", "parts", "stages")

    def __init__(self, jobs: JobQueue) -> None:
        self.jobs = jobs
        self.stages: list[Stage] = []
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
        stage.index = len(self.stages)
        self.stages.append(stage)
        if len(self.stages) > MAX_STAGES:
            self.is_eligible = False

    def add(self, other: Pipeline) -> None:
        """Add another pipeline."""
        self.add_parts(*other.parts)
        for stage in other.stages:
            self.add_stage(stage)
        self.is_eligible = self.is_eligible and other.is_eligible

    def replace_callbacks(self, call: Callback) -> None:
        """Have ``call(stage, *arguments)`` called in the place of each callback."""
        for stage in self.stages:
            stage.install(partial(call, stage))

    def restore_callbacks(self) -> None:
        """Have the callbacks themselves called again."""
        for stage in self.stages:
            stage.install(stage.function)

    def refuse(self) -> None:
        """Say that a part is not understood."""
        self.is_eligible = False

    def owns(self, part: object) -> bool:
        """Whether an object is a part."""
        return id(part) in self.known
