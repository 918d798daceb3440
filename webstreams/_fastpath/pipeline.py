"""The parts of pipelines, from their sources to all their sinks, and the callbacks in them."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Any

from .._engine.jobs import JobQueue

# A longer one takes too long to record: other tasks have to have their turn.
MAX_STAGES = 256


class Stage:
    """A callback that gets or gives chunks: a source's pull(), a transformer's transform() or a sink's write()."""

    __slots__ = (
        "context",
        "controller",
        "count",
        "failed",
        "function",
        "gives_first",
        "holder",
        "index",
        "is_identity",
        "name",
        "put",
        "returned",
    )

    def __init__(
        self,
        holder: Any,
        name: str,
        controller: Any,
        put: Callable[[Any], object] | None,
        returned: Callable[[Any], object],
        failed: Callable[[BaseException], object],
        is_identity: bool = False,
        gives_first: bool = False,
    ) -> None:
        # Where the plain path finds the callback, and with what it is called.
        self.holder = holder
        self.name = name
        self.function: Callable[..., Any] = getattr(holder, name)
        self.context: Context | None = holder.context
        self.controller = controller
        # What the plain path does with a chunk that the callback enqueues (None: it does not enqueue), with what it
        # returns (`promise.outcome_of`), and with what it raises.
        self.put = put
        self.returned = returned
        self.failed = failed
        # A transformer without transform(); the source.
        self.is_identity = is_identity
        self.gives_first = gives_first
        # How many chunks it has given, while it is recorded; and its place among the stages.
        self.count = 0
        self.index = 0


class Pipeline:
    """The stages and all moving parts of a pipeline, or of several that run side by side.

    `is_eligible` is false if one of them is not understood; `known` are the identities of the parts.
    """

    __slots__ = ("is_eligible", "jobs", "known", "parts", "stages")

    def __init__(self, jobs: JobQueue) -> None:
        self.jobs = jobs
        self.stages: list[Stage] = []
        self.parts: list[Any] = []
        self.is_eligible = True
        self.known: set[int] = set()

    def add_parts(self, *parts: Any) -> None:
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

    def replace_callbacks(self, call: Callable[..., Any]) -> None:
        """Have ``call(stage, *arguments)`` called in the place of each callback."""
        for stage in self.stages:
            setattr(stage.holder, stage.name, partial(call, stage))

    def restore_callbacks(self) -> None:
        """Have the callbacks themselves called again."""
        for stage in self.stages:
            setattr(stage.holder, stage.name, stage.function)

    def refuse(self) -> None:
        """Say that a part is not understood."""
        self.is_eligible = False

    def owns(self, part: object) -> bool:
        """Whether an object is a part."""
        return id(part) in self.known
