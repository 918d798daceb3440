"""The mutants: every declaration of a part, found by reading the classes, and every guard, by its text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import webstreams
from webstreams._fastpath.snapshot import slots_of
from webstreams._streams.part import Part

from .byte_streams import GUARDS_OF_BYTES
from .code import GUARDS_OF_CODE
from .gathered import GUARDS_OF_GATHERED
from .operators import GUARDS_OF_OPERATORS
from .workers import GUARDS_OF_WORKERS

PACKAGE = Path(webstreams.__file__).parent
CONSTANT = "_constant: ClassVar[tuple[str, ...]] = ("
# Never parts: the pipelines that have them are refused.
NO_PARTS = {"ByteQueue", "ByteTee", "CloningTee", "QueueTotal"}
CLASS_CONSTANTS = {"_is_byob", "_is_byte_controller"}


class Mutant(NamedTuple):
    """A text in a module that stands there once, or for the n-th time, and what is put in its place."""

    name: str
    module: str
    text: str
    replacement: str

    def apply(self, package: Path) -> None:
        """Break a copy of the package."""
        path = package / f"{self.module}.py"
        source = path.read_text(encoding="utf-8")
        if source.count(self.text) != 1:
            raise ValueError(f"{self.name}: the text stands {source.count(self.text)} times in {self.module}.py")
        path.write_text(source.replace(self.text, self.replacement), encoding="utf-8")


def all_mutants() -> dict[str, Mutant]:
    """Every mutant by its name."""
    mutants = [*slots_not_copied(), *chunk_slots_not_named(), *jobs_not_declared(), *guards_dropped()]
    names = {each.name: each for each in mutants}
    assert len(names) == len(mutants)
    return names


# Declarations.


def part_classes(kind: type[Any] = Part) -> Iterator[type[Any]]:
    """The classes that declare something, and may be parts."""
    for each in kind.__subclasses__():
        if each.__module__.startswith("webstreams."):
            if "_constant" in vars(each) and each.__name__ not in NO_PARTS:
                yield each
            yield from part_classes(each)


def source_of(kind: type[Any]) -> tuple[str, str, str]:
    """The module of a class, and its text from its own line to the tuple of its constants, that included."""
    module = kind.__module__.removeprefix("webstreams.").replace(".", "/")
    source = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
    start = re.search(rf"^class {kind.__name__}\b", source, re.MULTILINE)
    assert start is not None
    end = source.index(CONSTANT, start.start()) + len(CONSTANT)
    return module, source[start.start() : end], source[end:]


def slots_not_copied() -> Iterator[Mutant]:
    """Each slot that a snapshot takes, declared to be constant."""
    for kind in part_classes():
        module, head, rest = source_of(kind)
        constant = vars(kind)["_constant"]
        inherited = {name for base in kind.__mro__[1:] if base is not object for name in slots_of(base)}
        for name in slots_of(kind):
            if name not in {*constant, *inherited, *CLASS_CONSTANTS, "__weakref__"}:
                text = head + rest[: rest.index(")") + 1]
                inner = rest[: rest.index(")")].rstrip().rstrip(",")
                changed = f'{head}{inner}, "{name}",)' if inner else f'{head}"{name}",)'
                yield Mutant(f"{kind.__name__}.{name} is constant", module, text, changed)


def chunk_slots_not_named() -> Iterator[Mutant]:
    """Each class that names its chunk slots, without them."""
    for kind in part_classes():
        if vars(kind).get("_chunk_slots"):
            module, head, rest = source_of(kind)
            declaration = re.search(r"_chunk_slots: ClassVar\[tuple\[str, \.\.\.\]\] = (\(.*?\))\n", rest)
            assert declaration is not None
            text = head + rest[: declaration.end()]
            changed = head + rest[: declaration.start(1)] + "()\n"
            yield Mutant(f"{kind.__name__} names no chunk slots", module, text, changed)


def jobs_not_declared() -> Iterator[Mutant]:
    """Each job that ends with a callback, undeclared."""
    for module, job in (
        ("_streams/readable/pipe", "_write_chunk"),
        ("_streams/readable/pulling", "_callback_fulfilled"),
        ("_streams/writable/controller", "_write_fulfilled"),
        ("_streams/transform/sides", "_go_on"),
        ("_fastpath/writer_end", "begin"),
    ):
        yield Mutant(f"{job} is not declared", module, f"return job == self.{job}", "return False")


# Guards.

GUARDS: dict[str, tuple[str, str, str]] = {
    # What a run takes.
    "take: whatever is pending": (
        "_engine/run",
        "if not self.pending and get_ident()",
        "if get_ident()",
    ),
    "take: from any thread": ("_engine/run", " and get_ident() == self.thread:", ":"),
    "take: for any controller": ("_engine/run", "if expected is controller or takes(", "if expected or takes("),
    "intercept does not leave": (
        "_fastpath/run",
        "        self.leave()\n        return chunk\n",
        "        return chunk\n",
    ),
    # After a callback.
    "a returned value": (
        "_fastpath/performer",
        "if result is not None or self.expecting is not None or pending:\n                return result\n",
        "if self.expecting is not None or pending:\n                return result\n",
    ),
    "a chunk that is missing": (
        "_fastpath/performer",
        "if result is not None or self.expecting is not None or pending:\n                return result\n",
        "if result is not None or pending:\n                return result\n",
    ),
    "a job that was queued": (
        "_fastpath/performer",
        "if result is not None or self.expecting is not None or pending:\n                return result\n",
        "if result is not None or self.expecting is not None:\n                return result\n",
    ),
    "repeated: a result that is no longer what it was": (
        "_fastpath/performer",
        "if result is not None or self.expecting is not None or pending:\n                self.done",
        "if self.expecting is not None or pending:\n                self.done",
    ),
    "repeated: a chunk that is missing": (
        "_fastpath/performer",
        "if result is not None or self.expecting is not None or pending:\n                self.done",
        "if result is not None or pending:\n                self.done",
    ),
    "repeated: a job that was queued": (
        "_fastpath/performer",
        "if result is not None or self.expecting is not None or pending:\n                self.done",
        "if result is not None or self.expecting is not None:\n                self.done",
    ),
    "repeated: more calls than one": (
        "_fastpath/performer",
        "    if len(segment.rows) != 1:\n        return False\n",
        "",
    ),
    "repeated: the next chunk of the queue": (
        "_fastpath/performer",
        "and chunks is drain.store and index == 0",
        "",
    ),
    "the rest of the job: the pull": (
        "_fastpath/run",
        "            if position > 0 and answer",
        "            if position > 9 and answer",
    ),
    "the rest of the job: the answer": (
        "_fastpath/run",
        "            if answer.chunk is not None:\n",
        "            if False:\n",
    ),
    "the rest of the job: the read": ("_fastpath/run", "        if step.pipe is not None:\n", "        if False:\n"),
    "the rest of the job: the pull of a branch": (
        "_fastpath/simulation",
        "path = read_path(owner._stream, NOBODY)",
        "path = []",
    ),
    "a chunk that was given before a side exit": (
        "_fastpath/run",
        "        for chunk in given:\n",
        "        for chunk in ():\n",
    ),
    "jobs that were queued before a side exit": ("_fastpath/run", "        jobs.jobs.extend(own)\n", ""),
    "chunks after the first one": (
        "_fastpath/run",
        "else [step.output.pop(), *self._more]\n",
        "else [step.output.pop()]\n",
    ),
    "more chunks behind a job": (
        "_fastpath/run",
        "        if self.pending or get_ident() != self.thread:\n",
        "        if get_ident() != self.thread:\n",
    ),
    "more chunks for another controller": (
        "_fastpath/run",
        "        if not stage.may_give(controller, chunk):\n",
        "        if not stage.gives:\n",
    ),
    # After a coroutine.
    "driver: a returned value": (
        "_fastpath/driver",
        "                result is not None\n                or run",
        "                run",
    ),
    "driver: a chunk that is missing": ("_fastpath/driver", "                or run.expecting is not None\n", ""),
    "driver: a job that was queued": ("_fastpath/driver", "                or pending\n", ""),
    "driver: a touched task": ("_fastpath/driver", "                or task.is_touched\n", ""),
    "driver: a task that is kept": ("_fastpath/driver", "                or getrefcount(task) != references\n", ""),
    "driver: a weak reference": (
        "_fastpath/driver",
        "                or getweakrefcount(task) != weak_references\n",
        "",
    ),
    "driver: a context": ("_fastpath/driver", "                or context != given\n", ""),
    "driver: a function that is more": (
        "_fastpath/pipeline",
        "return type(function) is FunctionType and bool(",
        "return bool(",
    ),
    "callbacks with different contexts": ("_fastpath/exits", " and stage.context == context for", " for"),
    "driver: a period without callbacks": (
        "_fastpath/coroutines",
        "            if segment.rows:\n                self._segment = segment\n",
        "            if True:\n                self._segment = segment\n",
    ),
    "driver: the clock where a period follows": (
        "_fastpath/coroutines",
        "if following is None or jobs.countdown <= 0:\n",
        "if following is None:\n",
    ),
    "driver: the name of a callback that is suspended": (
        "_engine/coroutine_call",
        "            self._leave_run()\n",
        "",
    ),
    # At the entry.
    "entry: a job of a stranger": (
        "_fastpath/run",
        "return pipeline.is_ordinary() and all(pipeline.owns(owner_of(job)) for job in self._jobs.jobs)",
        "return pipeline.is_ordinary()",
    ),
    "entry: what is about to end": (
        "_fastpath/run",
        "return pipeline.is_ordinary() and all(",
        "return all(",
    ),
    "ordinary: chunks that were put back": ("_fastpath/pipeline", "return queue._put_back is None", "return True"),
    "ordinary: a readable stream that has ended": (
        "_fastpath/pipeline",
        'return bool(stream._state == "readable")',
        "return True",
    ),
    "ordinary: a writable stream that is errored": (
        "_fastpath/pipeline",
        'return bool(stream._state == "writable")',
        "return True",
    ),
    "ordinary: a source that has not started": (
        "_fastpath/pipeline",
        "return controller._started and not (",
        "return not (",
    ),
    "ordinary: a readable stream that is about to close": (
        "_fastpath/pipeline",
        "return controller._started and not (controller._close_requested and _is_near_its_end(controller))",
        "return controller._started",
    ),
    "ordinary: the last chunks of a queue": (
        "_fastpath/pipeline",
        "return bool(mark > MAX_MARK or len(controller._queue.chunks) <= mark + FEW)",
        "return bool(mark > MAX_MARK)",
    ),
    "ordinary: a queue with a high mark": (
        "_fastpath/pipeline",
        "return bool(mark > MAX_MARK or len(",
        "return bool(len(",
    ),
    "ordinary: a sink that has not started": (
        "_fastpath/pipeline",
        "return bool(controller._started)",
        "return True",
    ),
    "ordinary: the end of an iterator": (
        "_fastpath/pipeline",
        "return source._item is not END_OF_ITERATION",
        "return True",
    ),
    "ordinary: a generator that waits": ("_fastpath/pipeline", "return bool(source.goes_on())", "return True"),
    "ordinary: a pipe that shuts down": ("_fastpath/pipeline", "return not pipe.shutting_down and ", "return "),
    "ordinary: a write of another's": (
        "_fastpath/pipeline",
        "return not pipe.shutting_down and (request is None or request is pipe)",
        "return not pipe.shutting_down",
    ),
    "ordinary: a read that comes first": ("_fastpath/pipeline", "return not end.reader._read_requests", "return True"),
    "entry: a read whose jobs nobody runs": (
        "_fastpath/policy",
        "if run is not None and not jobs.scheduled:",
        "if False:",
    ),
    "entry: another pipe": ("_fastpath/policy", "        elif pipe is not run.trigger:\n", "        elif False:\n"),
    "entry: something goes on": ("_fastpath/policy", "if not jobs.is_alone or jobs.run", "if jobs.run"),
    "entry: a run in a run": (
        "_fastpath/policy",
        "if not jobs.is_alone or jobs.run is not None or",
        "if not jobs.is_alone or",
    ),
    # In a simulation.
    "simulation: the jobs": ("_fastpath/snapshot", "return self.jobs == other.jobs and", "return"),
    "simulation: a job of a stranger": (
        "_fastpath/simulation",
        "            if not self.pipeline.owns(owner):\n",
        "            if False:\n",
    ),
    "simulation: a queue of many that becomes one of few": (
        "_fastpath/simulation",
        "        if len(marks) < reservoir.least():\n",
        "        if not marks:\n",
    ),
    "a queue of many that has become one of few": (
        "_fastpath/run",
        "            if len(store) < self._limits[giver]:\n",
        "            if not store:\n",
    ),
    "plenty: a queue that asks for more": (
        "_streams/queue",
        "high_water_mark + 1 if high_water_mark > 1 else 2",
        "high_water_mark if high_water_mark > 1 else 1",
    ),
    "plenty: the jobs that come first": (
        "_streams/readable/reader",
        "if queue.total < queue.plenty or jobs.jobs or jobs.busy",
        "if queue.total < queue.plenty or jobs.busy",
    ),
    "brimful: a queue that asks for more": ("_streams/queue", "max(high_water_mark, 1)", "1"),
    "brimful: a queue that is to close": (
        "_streams/readable/controller",
        "        self._queue.put_by_steps()\n",
        "",
    ),
    "brimful: somebody observes": ("_streams/readable/pulling", "        self._measure.put_by_steps()\n", ""),
    "brimful: chunks that came back": (
        "_streams/queue",
        "        self.put_by_steps()  # the queue",
        "        # the queue",
    ),
    "more: each one has to fit": (
        "_fastpath/run",
        "        if self._gives_more is not controller:\n",
        "        if False:\n",
    ),
    "so many chunks that are not too many for their queue": (
        "_fastpath/simulation",
        "        many = MAX_GIVEN if reservoir is None else 1 + reservoir.limit + Reservoir.SLACK\n",
        "        many = MAX_GIVEN\n",
    ),
    # The reads of users.
    "read: a chunk that is None": (
        "_fastpath/ends",
        "        return self.has_chunk\n",
        "        return self.chunk is not None\n",
    ),
    "read: of another reader": (
        "_fastpath/reading",
        "if ahead is not None and key is self._key and",
        "if ahead is not None and",
    ),
    "read: a job that was queued": (
        "_fastpath/reading",
        "key is self._key and not self.pending and not self._is_low:",
        "key is self._key and not self._is_low:",
    ),
    "await: not in its task": ("_fastpath/reading", "            or task_of(jobs.loop) is not jobs._top\n", ""),
    "await: another promise": (
        "_fastpath/reading",
        "            promise is not self.promise\n            or segment is None",
        "            segment is None",
    ),
    "await: a job that was queued": (
        "_fastpath/reading",
        "            or not segment.is_simple\n            or self.pending\n",
        "            or not segment.is_simple\n",
    ),
    "a promise of a reader that somebody keeps": (
        "_streams/readable/reader",
        "if ALONE and getrefcount(self) == ALONE and not getweakrefcount(self):",
        "if ALONE and not getweakrefcount(self):",
    ),
    "a promise of a reader that somebody refers to weakly": (
        "_streams/readable/reader",
        "                if ALONE and getrefcount(self) == ALONE and not getweakrefcount(self):",
        "                if ALONE and getrefcount(self) == ALONE:",
    ),
    "a promise of a reader that is not as new": (
        "_streams/readable/reader",
        "                    self._state = PENDING  # begin_anew(), without the call\n"
        "                    self._value = None\n                    run",
        "                    self._value = None\n                    run",
    ),
    "a promise of a reader outside of a run that somebody keeps": (
        "_streams/readable/reader",
        "not self._handled and getrefcount(self) == ALONE",
        "not self._handled",
    ),
    "a promise of a reader outside of a run that somebody refers to weakly": (
        "_streams/readable/reader",
        "not self._handled and getrefcount(self) == ALONE and not getweakrefcount(self)",
        "not self._handled and getrefcount(self) == ALONE",
    ),
    "a promise of a reader outside of a run that was handled": (
        "_streams/readable/reader",
        "ALONE and not self._handled and",
        "ALONE and",
    ),
    "a promise of an iteration that somebody keeps": (
        "_streams/readable/iteration",
        "if ALONE and getrefcount(self) == ALONE and not getweakrefcount(self):\n"
        "                    self.outcome = PENDING  # it may",
        "if ALONE and not getweakrefcount(self):\n                    self.outcome = PENDING  # it may",
    ),
    "a promise of an iteration over many chunks that somebody keeps": (
        "_streams/readable/iteration",
        "if ALONE and getrefcount(self) == ALONE and not getweakrefcount(self):\n"
        "                    self.outcome = PENDING\n",
        "if ALONE and not getweakrefcount(self):\n                    self.outcome = PENDING\n",
    ),
    "a promise of an iteration that keeps its chunk": (
        "_streams/readable/iteration",
        "                    self._value = None\n                    self.is_reading = False\n",
        "                    self.is_reading = False\n",
    ),
    "the loop has its turn": (
        "_engine/jobs",
        "        self.leave_run()\n        self._top = None\n",
        "        self._top = None\n",
    ),
    "a promise is awaited between two reads": (
        "_engine/jobs",
        "            self.run.leave()\n        jobs = self.jobs\n        self.busy = True\n",
        "            pass\n        jobs = self.jobs\n        self.busy = True\n",
    ),
    "a settled promise is awaited between two reads": (
        "_engine/jobs",
        "            self.run.leave()\n        jobs = self.jobs\n        if not jobs:\n",
        "            pass\n        jobs = self.jobs\n        if not jobs:\n",
    ),
    "a read is cancelled": (
        "_streams/readable/reader",
        "        self._jobs.leave_run()\n        if self._state != PENDING:\n",
        "        if self._state != PENDING:\n",
    ),
    "an iteration is abandoned": (
        "_streams/readable/iterator",
        "    iteration.jobs.leave_run()\n    stream = iteration.reader._stream\n",
        "    stream = iteration.reader._stream\n",
    ),
    # Loops of users, which take a read and its await in one.
    "loop: a job that is queued": (
        "_streams/readable/iteration",
        "            or jobs.jobs\n            or jobs.busy\n",
        "            or jobs.busy\n",
    ),
    "loop: in a callback": (
        "_streams/readable/iteration",
        "            or jobs.jobs\n            or jobs.busy\n",
        "            or jobs.jobs\n",
    ),
    "loop: not in its task": (
        "_streams/readable/iteration",
        "            or jobs.busy\n            or task_of(jobs.loop) is not jobs._top\n",
        "            or jobs.busy\n",
    ),
    "loop: the time is up": (
        "_streams/readable/iteration",
        "            or jobs.countdown <= 0\n            or jobs.jobs\n",
        "            or jobs.jobs\n",
    ),
    "loop: a promise that has given its chunk": (
        "_fastpath/reading",
        "        promise.begin_anew()\n        return HAS_COME\n",
        "        return HAS_COME\n",
    ),
    "loop: another state": ("_fastpath/reading", "            or cycle.state is not self._state\n", ""),
    "loop: another reader": (
        "_fastpath/reading",
        "            or key is not self._key\n            or not self._is_parked\n",
        "            or not self._is_parked\n",
    ),
    "loop: within a period": (
        "_fastpath/reading",
        "            or not self._is_parked\n            or self.pending\n",
        "            or self.pending\n",
    ),
    "loop: a job before the next period": (
        "_fastpath/reading",
        "            or self.pending\n            or (jobs.countdown <= 0 and (cycle",
        "            or (jobs.countdown <= 0 and (cycle",
    ),
    "loop: the time of a run is up": (
        "_fastpath/reading",
        "            or (jobs.countdown <= 0 and (cycle.once is None or jobs.is_late()))\n",
        "",
    ),
    "loop: a run in another task": ("_fastpath/reading", "            or jobs._top is not task_of(jobs.loop)\n", ""),
    "loop: longer histories": (
        "_fastpath/reading",
        "        self._iteration_cycle = None  # its rows refer to the histories\n",
        "",
    ),
    # The writes of users.
    "entry: a write whose jobs nobody runs": (
        "_fastpath/policy",
        "        if not jobs.scheduled and run is not None:\n",
        "        if False:\n",
    ),
    "ordinary: a write that comes first": (
        "_fastpath/pipeline",
        "    return is_idle and not stream",
        "    return not stream",
    ),
    "ordinary: a writer that closes": (
        "_fastpath/pipeline",
        "return is_idle and not stream._close_queued_or_in_flight() and (",
        "return is_idle and (",
    ),
    "write: of another writer": (
        "_fastpath/writing",
        "        if writer is not self._writer:\n            return False",
        "        if self._writer is None:\n            return False",
    ),
    "write: while another one is under way": (
        "_fastpath/writing",
        "self._segment_for(WRITE) if self._written is None else None",
        "self._segment_for(WRITE)",
    ),
    "write: a job that was queued": (
        "_fastpath/writing",
        "or not self._is_parked or self.pending or self._is_low:",
        "or not self._is_parked or self._is_low:",
    ),
    "write: in a callback": (
        "_fastpath/writing",
        "or not self._is_parked or self.pending or self._is_low:",
        "or self.pending or self._is_low:",
    ),
    "ready: of another writer": (
        "_fastpath/writing",
        "        if writer is not self._writer:\n            return None",
        "        if self._writer is None:\n            return None",
    ),
    "ready: in a callback": ("_fastpath/writing", "if self._ready is not None and self._is_parked:", "if self._ready:"),
    "await of a writer: not in its task": ("_fastpath/writing", " and jobs.may_run_jobs():", ":"),
    "await of a writer: another promise": (
        "_fastpath/writing",
        "        if promise is self._written or promise is self._ready:\n",
        "        if self._written or self._ready:\n",
    ),
    "a promise of a writer is looked at": (
        "_fastpath/writing",
        "        if is_behind and get_ident() == self.thread:\n            self.leave()\n",
        "        pass\n",
    ),
    "desired_size of a writer": (
        "_streams/writable/writer",
        "            self._jobs.leave_run()\n        stream = ",
        "            pass\n        stream = ",
    ),
    "a writable stream that the library errors": (
        "_streams/door",
        "    stream._jobs.leave_run()\n    controller: Any = stream._controller\n    controller._error",
        "    controller: Any = stream._controller\n    controller._error",
    ),
    # What is known of a controller.
    "desired_size: another controller": (
        "_fastpath/run",
        "            if step.controller is controller and self.expecting is not MORE:\n",
        "            if self.expecting is not MORE:\n",
    ),
    "desired_size does not leave": (
        "_fastpath/run",
        "                    return size\n        self.leave()\n",
        "                    return size\n",
    ),
    # Who leaves a run.
    "leave_run": (
        "_engine/jobs",
        "            self.run.leave()\n\n    def find_policy",
        "            pass\n\n    def find_policy",
    ),
    "what is collected in a run": (
        "_engine/jobs",
        "if self.is_running() and self.run is None:",
        "if self.is_running():",
    ),
    "require_running": (
        "_engine/jobs",
        "            self.require_loop()\n        if self.run is not None:\n"
        "            self.run.leave()  # leave_run(), without the call\n",
        "            self.require_loop()\n",
    ),
    "repr": ("_engine/jobs", "BEFORE_SHOWING.prepare = _leave_run_of\n", ""),
    "signal": ("_streams/writable/controller", "        self._jobs.leave_run()\n", ""),
    "an awaiting task that is cancelled": ("_engine/waiter", "        promise._jobs.leave_run()\n", ""),
    "an iterator that fails": (
        "_streams/readable/iterable",
        "        self._jobs.leave_run()\n        rejected",
        "        rejected",
    ),
    "an awaitable item": (
        "_streams/readable/iterable",
        "        self._jobs.leave_run()\n        promise",
        "        promise",
    ),
    "the end of an iterator": (
        "_streams/readable/iterable",
        "if value is END_OF_ITERATION:\n                run.leave()\n",
        "if value is END_OF_ITERATION:\n                pass\n",
    ),
    "the end of an asynchronous generator": (
        "_streams/readable/iterable",
        "or controller._meter is not None:\n                run.leave()\n",
        "or controller._meter is not None:\n                pass\n",
    ),
    # What is refused.
    "discovery: sizes of a writable queue": (
        "_fastpath/discovery",
        "is_known = counts_bytes(controller._strategy_size_algorithm) and isinstance",
        "is_known = isinstance",
    ),
    "measured: chunks that an identity passes on": (
        "_fastpath/pipeline",
        "if not givers or any(stage.is_identity for stage in givers):",
        "if not givers:",
    ),
    "measured: the size of a chunk": ("_engine/run", "<= len(chunk) < self.limit", "<= len(chunk)"),
    "measured: the type of a chunk": ("_engine/run", "type(chunk) is bytes and self.least", "self.least"),
    "measured: the chunks in the queues at the entry": ("_fastpath/measured", " and all(map(fits, waits))", ""),
    "measured: backpressure at the entry": (
        "_fastpath/measured",
        "not self._controller._stream._backpressure and ",
        "",
    ),
    "measured: the sizes after a run": ("_fastpath/pipeline", "sink.measure()", "pass"),
    "measured: room in a queue": ("_fastpath/simulation", "if not self.pipeline.has_room():", "if False:"),
    "discovery: sizes of a readable queue": (
        "_fastpath/discovery",
        "ReadableStreamDefaultController) or controller._queue.sizes is not None:\n        return",
        "ReadableStreamDefaultController):\n        return",
    ),
    "discovery: a tee that clones": (
        "_fastpath/discovery",
        "elif type(consumer) is DefaultTee:",
        "elif isinstance(consumer, DefaultTee):",
    ),
    "discovery: operators that make many of one": ("_fastpath/discovery", " and chain.gives_one_by_one()", ""),
    "discovery: the second branch": ("_fastpath/discovery", " or each.index == 0 for", " or True for"),
}


ALL_GUARDS = (GUARDS, GUARDS_OF_BYTES, GUARDS_OF_CODE, GUARDS_OF_GATHERED, GUARDS_OF_OPERATORS, GUARDS_OF_WORKERS)


def guards_dropped() -> Iterator[Mutant]:
    """Each guard, dropped."""
    for guards in ALL_GUARDS:
        for name, (module, text, replacement) in guards.items():
            yield Mutant(name, module, text, replacement)
