"""What is recorded of a pipeline: the calls of one period, and the state at its begin."""

from __future__ import annotations

from typing import NamedTuple

from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.pipe import Pipe
from .._streams.readable.state import ReadRequest
from .pipeline import Stage
from .snapshot import Reference, Snapshot


class Answer(NamedTuple):
    """A read that the job under way answers after a call, with the chunk that it took out of the queue (or None)."""

    controller: ReadableStreamDefaultController[object]
    request: ReadRequest
    chunk: Reference | None


class Step:
    """One call of a callback in a period."""

    __slots__ = ("after", "answers", "before", "by_coroutine", "chunk", "has_given", "pipe", "snapshot", "stage")

    def __init__(self, stage: Stage, chunk: Reference | None) -> None:
        self.stage = stage
        # The chunk that the callback gets; and the state in which it is called, if that was ever needed (`replay`).
        self.chunk = chunk
        self.snapshot: Snapshot | None = None
        # What the job under way does after the call: the reads that it answers, from the source on; then the pipe
        # whose read is under way.
        self.answers: list[Answer] = []
        self.pipe: Pipe | None = None
        # Whether the callback has enqueued its chunk, and its controller's desired_size before and after that.
        self.has_given = False
        self.before: float | None = None
        self.after: float | None = None
        self.by_coroutine = False


class Trace:
    """One period, which the plain path does again and again: the state at its begin, and the calls."""

    __slots__ = ("begin", "history_lengths", "job_count", "steps")

    def __init__(self, begin: Snapshot) -> None:
        self.begin = begin
        self.steps: list[Step] = []
        self.job_count = 0
        # How many of the last chunks of each stage are somewhere in the pipeline, or were at the beginning.
        self.history_lengths: list[int] = []

    def is_complete(self, stage_count: int) -> bool:
        """Whether every stage is called, and every chunk is known."""
        return {step.stage.index for step in self.steps} == set(range(stage_count)) and all(
            (step.has_given or not step.stage.gives) and (step.chunk is not None or step.stage.gives_first)
            for step in self.steps
        )

    def count_chunks(self, stage_count: int) -> None:
        """Find the lengths of the histories, when the trace is complete."""
        given = [0] * stage_count
        for step in self.steps:
            given[step.stage.index] += 1
        oldest = [0] * stage_count
        for stage, age in self.begin.references():
            oldest[stage] = max(oldest[stage], age + 1)
        self.history_lengths = [age + count for age, count in zip(oldest, given, strict=True)]


def joined(traces: list[Trace]) -> Trace:
    """Make one trace of several that follow each other."""
    if len(traces) == 1:
        return traces[0]
    whole = Trace(traces[0].begin)
    for each in traces:
        whole.steps += each.steps
        whole.job_count += each.job_count
    return whole
