"""``WEBSTREAMS_FAST_PATHS=check``: every period of a run is repeated on the plain path, and compared.

The callbacks are called once, from the run. Then the plain path runs from the same begin with stand-ins that do what
the callbacks did: it has to make the same calls, with the same chunks, and to end in the same state. While the run has
the streams, nothing else may have changed them: a guard is missing where that happens. A difference is reported to the
event loop's exception handler as a `RuntimeError`, and the loop's fast path is given up.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

from .._engine.build import compiled
from .._streams.part import Part
from .._streams.readable.pipe import Pipe
from .pipeline import Pipeline, Stage
from .replay import Replay
from .run import TraceRun
from .snapshot import Snapshot, Tagged, plan_for, slots_of
from .trace import Step, Trace

_ABSENT: Final = object()


class CheckedRun(TraceRun):
    """A run of one period, which is then repeated on the plain path."""

    __slots__ = ("_frozen", "has_differed")

    def __init__(self, pipeline: Pipeline, trigger: Pipe, trace: Trace) -> None:
        super().__init__(pipeline, trigger, trace)
        # All slots of all parts as they are while the run goes on.
        self._frozen: list[Slot] = []
        self.has_differed = False

    def run(self) -> int:
        """See `TraceRun`; after one period the run pauses, and the next read begins another one."""
        self._frozen = [Slot(part, name) for part in self._pipeline.parts for name in all_slots(type(part))]
        try:
            return super().run()
        finally:
            self._frozen = []

    def _periods_without_clock(self) -> int:
        return 1

    def _has_to_pause(self) -> bool:
        return True

    def take(self, controller: object, chunk: Any) -> bool:
        """See `Run`."""
        is_behind = bool(self.pending)
        taken = super().take(controller, chunk)
        if taken and is_behind:
            self._differs("a chunk was taken although the callback had queued a job before")
        return taken

    def leave(self) -> None:
        """See `TraceRun`."""
        self._compare_frozen()
        super().leave()

    def _snapshot_in(self, step: Step) -> Snapshot:
        known = step.snapshot
        replay = CheckedReplay(self._pipeline, self.trigger, self._trace)
        step.snapshot = replay.snapshot_in(step)
        if known is not None and not known.equals(step.snapshot):
            self._differs(
                f"the state in {name_of(step.stage)} is another one than before", *differing(known, step.snapshot)
            )
        if replay.differences:
            self._differs(*replay.differences)
        return step.snapshot

    def _pause(self) -> None:
        self._compare_frozen()
        if self.pending:
            self._differs("a job was queued by a callback, and the run went on")
        own = list(self.pending)
        constant = [Slot(part, name) for part in self._pipeline.parts for name in constant_slots(type(part))]
        replay = CheckedReplay(self._pipeline, self.trigger, self._trace)
        differences = replay.repeat_and_compare()
        changed = [
            f"{slot.name} changes in a period, and is declared to be constant"
            for slot in constant
            if slot.has_changed()
        ]
        if differences or changed:
            self._differs(*differences, *changed)
        super()._pause()
        self._jobs.jobs.extend(own)

    def _compare_frozen(self) -> None:
        """See whether something has changed the streams without leaving the run."""
        changed = [slot.name for slot in self._frozen if slot.has_changed()]
        self._frozen = []
        if changed:
            call = name_of(self._call_under_way().step.stage)
            self._differs(f"{', '.join(changed)} changed while the run was not left, last in {call}")

    def _differs(self, *differences: str) -> None:
        if not self.has_differed:
            self.has_differed = True
            text = describe(self._trace, differences)
            self._jobs.report("the fast path differs from the plain path", RuntimeError(text))


class CheckedReplay(Replay):
    """The plain path of a period, which compares its calls with those of the trace."""

    __slots__ = ("differences",)

    def __init__(self, pipeline: Pipeline, trigger: Pipe, trace: Trace) -> None:
        super().__init__(pipeline, trigger, trace)
        self.differences: list[str] = []

    def repeat_and_compare(self) -> list[str]:
        """Run the period; return how it differs from the trace. The present state is lost, and no job is queued."""
        self.repeat()
        queue = self._pipeline.jobs.jobs
        if not queue or queue.popleft() != self._trigger.read_next:
            self.differences.append("the period does not end with the next read")
        if self._position != len(self._trace.steps):
            self.differences.append(f"{self._position} callbacks are called, not {len(self._trace.steps)}")
        end = Snapshot(self._pipeline.parts, self._pipeline.jobs)
        if not end.equals(self._trace.begin):
            self.differences.append("the period ends in another state than it began in")
            self.differences += differing(self._trace.begin, end)
        queue.clear()
        return self.differences

    def is_called(self, step: Step, stage: Stage, arguments: tuple[Any, ...]) -> None:
        """See `Replay`."""
        if step.stage is not stage:
            self.differences.append(f"{name_of(stage)} is called instead of {name_of(step.stage)}")
        chunk = arguments[0] if len(arguments) > 1 else None
        reference = chunk.reference() if type(chunk) is Tagged else None
        if reference != step.chunk:
            self.differences.append(f"{name_of(stage)} gets the chunk {reference}, not {step.chunk}")
        if stage.gives and step.before != stage.desired_size():
            self.differences.append(f"in {name_of(stage)} desired_size is {stage.desired_size()}, not {step.before}")


class Slot:
    """A slot of a part, and what it held."""

    __slots__ = ("_elements", "_part", "_slot", "_value")

    def __init__(self, part: Part, slot: str) -> None:
        self._part = part
        self._slot = slot
        self._value: Any = getattr(part, slot, _ABSENT)
        self._elements = list(self._value) if type(self._value) in (deque, list) else []

    @property
    def name(self) -> str:
        """The class and the slot."""
        return f"{type(self._part).__name__}.{self._slot}"

    def has_changed(self) -> bool:
        """Whether the slot holds something else now."""
        value: Any = getattr(self._part, self._slot, _ABSENT)
        if value is not self._value:
            return type(value) is not type(self._value) or type(value) not in (int, float, str) or value != self._value
        if type(value) not in (deque, list):
            return False
        return len(value) != len(self._elements) or any(
            each is not other for each, other in zip(value, self._elements, strict=True)
        )


def all_slots(kind: type[Part]) -> tuple[str, ...]:
    """Return the names of all slots that this package gives a part."""
    names = chain.from_iterable(slots_of(each) for each in kind.__mro__ if "_constant" in vars(each))
    return tuple(name for name in names if name != "__weakref__")


def constant_slots(kind: type[Part]) -> tuple[str, ...]:
    """Return the names of the slots that no snapshot takes."""
    moving = plan_for(kind).names
    return tuple(name for name in all_slots(kind) if name not in moving)


def differing(one: Snapshot, other: Snapshot) -> Iterator[str]:
    """Tell where two snapshots differ."""
    if one.jobs != other.jobs:
        yield f"the jobs are {list(map(name_of_job, other.jobs))}, not {list(map(name_of_job, one.jobs))}"
    for part, values, others in zip(one.parts, one.values, other.values, strict=True):
        for name, value, there in zip(plan_for(type(part)).names, values, others, strict=True):
            if value != there:
                yield f"{type(part).__name__}.{name} is {there!r}, not {value!r}"


def name_of(stage: Stage) -> str:
    """Name a callback."""
    name = getattr(stage.function, "__qualname__", type(stage.function).__name__)
    return f"{type(stage).__name__} {stage.index} ({name})"


def name_of_job(job: Any) -> str:
    """Name a job."""
    return str(getattr(job, "__qualname__", type(job).__name__))


def describe(trace: Trace, differences: Sequence[str]) -> str:
    """Say what differs, and what to send with a report of the bug."""
    calls = ", ".join(name_of(step.stage) for step in trace.steps[:32])
    build = "compiled" if compiled else "not compiled"
    return "\n".join([
        "WEBSTREAMS_FAST_PATHS=check found that the fast path differs from the plain path:",
        *(f"- {each}" for each in differences),
        f"The trace has {len(trace.steps)} calls in {trace.job_count} jobs: {calls}.",
        f"Python {sys.version.split()[0]}, webstreams {build}.",
        "This is a bug of webstreams: please report it with this text and, if you can, with the program.",
        "Set WEBSTREAMS_FAST_PATHS=0 to do without the fast path until it is mended.",
    ])  # fmt: skip
