"""Fast paths cannot be observed: random pipelines give the same callbacks, in the same order, with and without them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import pytest

from webstreams import AbortController, Promise, ReadableStream, TransformStream, WritableStream, queue_microtask
from webstreams._engine import jobs as _jobs
from webstreams._engine.jobs import current_jobs
from webstreams._fastpath import policy

from .conftest import LOOP_FACTORIES

Log = list[Any]

LAST = 90
# Values of WEBSTREAMS_FAST_PATHS.
OFF, ON, CHECK = "0", "1", "check"


@contextmanager
def fast_paths(mode: str) -> Iterator[None]:
    """Switch the fast paths; stop the clock, which decides when the loop has its turn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy, "FAST_PATHS", mode)
        patch.setattr(policy, "FIRST_INTERVAL", 2)
        patch.setattr(_jobs, "monotonic", lambda: 0.0)
        yield


class NoController:
    """Stands for the controller of a source that has none."""

    def __repr__(self) -> str:
        return "no controller"

    def enqueue(self, chunk: Any) -> None:
        raise TypeError

    def close(self) -> None:
        raise TypeError

    def error(self, error: object) -> None:
        """Nothing can be done."""


class RandomPipeline:
    """A source, transformers and sinks that behave at random: mostly well, now and then not."""

    def __init__(self, dice: random.Random, log: Log, name: str = "") -> None:
        self.dice = dice
        self.name = name
        self.oddity = self.dice.choice([0.0, 0.005, 0.02, 0.1, 0.4])
        self.curiosity = self.dice.choice([0.0, 0.0, 0.2])
        self.coroutines = self.dice.choice([0.0, 0.25, 1.0])
        self.log = log
        self.count = 0
        self.aborter = AbortController()
        self.controllers: list[Any] = []
        self.source_controller: Any = None
        self.waiting: list[asyncio.Task[None]] = []

    # The parts.

    def source(self) -> ReadableStream[Any]:
        if self.dice.random() < 0.3:
            self.source_controller = NoController()
            return ReadableStream.from_(self.items())
        return ReadableStream(
            {
                "start": self.start_source,
                "pull": self.maybe_coroutine(self.pull, self.pull_later),
                "cancel": lambda reason: self.log.append(("cancel", str(reason))),
            },
            {"high_water_mark": self.dice.choice([0, 1, 1, 1, 2, 5, 0.5])},
        )

    def sink(self, name: str) -> WritableStream[Any]:
        return WritableStream(
            {
                "start": self.controllers.append,
                "write": self.maybe_coroutine(self.handler("write", name), self.later_handler("write", name)),
                "close": lambda: self.log.append(("close", name)),
                "abort": lambda reason: self.log.append(("abort", name, str(reason))),
            },
            {"high_water_mark": self.dice.choice([1, 1, 1, 2, 5])},
        )

    def transform(self, name: str) -> TransformStream[Any, Any]:
        kind = self.dice.randrange(4)
        marks = [self.dice.choice([1, 1, 1, 2, 4]), self.dice.choice([0, 0, 0, 1, 3])]
        if kind == 0:
            return TransformStream({}, {"high_water_mark": marks[0]}, {"high_water_mark": marks[1]})
        transformer: Any = {
            "transform": self.maybe_coroutine(self.handler("map", name), self.later_handler("map", name)),
            "flush": lambda controller: self.log.append(("flush", name)),
            "cancel": lambda reason: self.log.append(("cancel", name, str(reason))),
        }
        return TransformStream(transformer, {"high_water_mark": marks[0]}, {"high_water_mark": marks[1]})

    def maybe_coroutine(self, plain: Any, coroutine: Any) -> Any:
        return coroutine if self.dice.random() < self.coroutines else plain

    # The callbacks.

    def start_source(self, controller: Any) -> None:
        self.source_controller = controller
        self.controllers.append(controller)

    def pull(self, controller: Any) -> Any:
        self.log.append((self.name, "pull", controller.desired_size))
        self.look(controller)
        if self.dice.random() < self.oddity:
            return self.odd(controller)
        self.enqueue(controller)
        self.look(controller)
        return None

    def items(self) -> Iterator[Any]:
        """What ``from_()`` takes the chunks from."""
        try:
            while self.count < LAST:
                self.log.append((self.name, "next"))
                self.look(self.source_controller)
                if self.dice.random() < self.oddity:
                    result = self.odd(self.source_controller)
                    if result is not None:
                        yield result
                    elif self.dice.random() < 0.1:
                        return
                self.count += 1
                yield self.count
        finally:
            self.log.append((self.name, "iterator is closed"))

    async def pull_later(self, controller: Any) -> None:
        result = self.pull(controller)
        await self.end_coroutine(result)

    async def end_coroutine(self, result: Any) -> None:
        """Do now and then what only coroutines can do."""
        self.log.extend(traces_on_task())
        self.log.append(name_of_coroutine())
        if self.dice.random() < self.oddity / 2:
            leave_trace_on_task(self.dice)
        if isinstance(result, Promise):
            await result
        elif self.dice.random() < self.oddity / 8:
            await asyncio.sleep(0)

    def handler(self, kind: str, name: str) -> Callable[[Any, Any], Any]:
        def handle(chunk: Any, controller: Any) -> Any:
            self.log.append((self.name, kind, name, chunk))
            self.look(controller)
            result = self.odd(self.source_controller) if self.dice.random() < self.oddity else None
            if kind == "map" and self.dice.random() >= self.oddity:
                self.enqueue_into(controller, chunk)
            return result

        return handle

    def later_handler(self, kind: str, name: str) -> Callable[[Any, Any], Any]:
        handle = self.handler(kind, name)

        async def later(chunk: Any, controller: Any) -> None:
            result = handle(chunk, controller)
            await self.end_coroutine(result)

        return later

    def look(self, controller: Any) -> None:
        if self.dice.random() < self.curiosity:
            self.log.append([getattr(each, "desired_size", "-") for each in [controller, *self.controllers]])
        elif self.dice.random() < self.oddity / 2:
            self.log.append([repr(each) for each in [controller, *self.controllers]])

    def enqueue(self, controller: Any) -> None:
        self.count += 1
        self.enqueue_into(controller, self.count)
        try:
            if self.count >= LAST:
                controller.close()
        except TypeError:
            self.log.append("refused")

    def enqueue_into(self, controller: Any, chunk: Any) -> None:
        try:
            controller.enqueue(chunk)
        except TypeError:
            self.log.append("refused")

    def odd(self, controller: Any) -> Any:
        choice = self.dice.randrange(13)
        self.log.append(("odd", choice))
        if choice == 0:
            return Promise.resolve(None)
        if choice == 1:
            return self.later()
        if choice == 2:
            queue_microtask(self.log.append, "microtask")
        elif choice == 3:
            queue_microtask(self.enqueue, controller)
        elif choice == 4:
            self.enqueue(controller)
            self.enqueue(controller)
        elif choice == 5:
            raise RuntimeError("odd")
        elif choice == 6:
            self.dice.choice(self.controllers).error(RuntimeError("an end"))
        elif choice == 7:
            controller.error(RuntimeError("source"))
        elif choice == 8:
            self.aborter.abort("enough")
        elif choice == 9:
            self.end(controller)
        elif choice == 10:
            return "a value"
        elif choice == 11 and not self.name.endswith("+"):
            self.begin_another()
        elif choice == 12 and self.waiting:
            self.dice.choice(self.waiting).cancel()
        return None

    def begin_another(self) -> None:
        """Let one more pipeline run beside this one."""
        connect(RandomPipeline(random.Random(self.dice.random()), self.log, f"{self.name}+"))

    def end(self, controller: Any) -> None:
        try:
            controller.close()
        except TypeError:
            self.log.append("refused")

    def later(self) -> Any:
        async def wait() -> None:
            await Promise.resolve(None)
            self.log.append("later")

        return Promise.resolve(wait())


VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="as new")
BY_TASK: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
KEPT: list[Any] = []
# All pipelines of a program.
BEGUN: list[RandomPipeline] = []


def leave_trace_on_task(dice: random.Random) -> None:
    """Do something to the current task that the next coroutine must not see: it has another task."""
    task: Any = asyncio.current_task()
    leave = [
        task.cancel,
        lambda: task.set_name("touched"),
        lambda: task.add_done_callback(KEPT.append),
        lambda: setattr(task, "touched", True),
        lambda: VARIABLE.set("touched"),
        lambda: BY_TASK.__setitem__(task, "touched"),
        lambda: KEPT.append(task),
    ]
    dice.choice(leave)()


def name_of_coroutine() -> str:
    """Tell what the repr of the current task calls its coroutine."""
    return repr(asyncio.current_task()).split("coro=<")[1].split()[0]


def traces_on_task() -> Iterator[str]:
    """Tell what the current coroutine can see of earlier ones."""
    task: Any = asyncio.current_task()
    if task is None or task in KEPT or task in BY_TASK or task.get_name() == "touched" or hasattr(task, "touched"):
        yield "a task with a trace"
    if task.cancelling() or task._callbacks:
        yield "a task that is cancelled or watched"
    if VARIABLE.get() != "as new":
        yield "a context with a trace"


def connect(parts: RandomPipeline) -> list[Promise[None]]:
    """Put random parts together; give the promises of the pipes."""
    BEGUN.append(parts)
    pipes = pipes_of(parts)
    for pipe in pipes:
        if parts.dice.random() < 0.5:
            parts.waiting.append(asyncio.create_task(wait_for(pipe, parts.log)))
        else:
            pipe.then(lambda _: parts.log.append("done"), lambda error: parts.log.append(("failed", str(error))))
    return pipes


async def wait_for(pipe: Promise[None], log: Log) -> None:
    """Wait in a task that may be cancelled, which aborts the pipe."""
    try:
        await pipe
    except BaseException as error:
        log.append(("waited in vain", repr(error)))
    else:
        log.append("waited")


def pipes_of(parts: RandomPipeline) -> list[Promise[None]]:
    stream = parts.source()
    signal = parts.aborter.signal
    for number in range(parts.dice.choice([0, 0, 1, 1, 2, 3, 4, 5])):
        stream = stream.pipe_through(parts.transform(f"t{number}"), signal=signal)
    if parts.dice.random() >= 0.25:
        return [stream.pipe_to(parts.sink("sink"), signal=signal)]
    pipes = []
    for name, branch in zip("ab", stream.tee(), strict=True):
        if parts.dice.random() < 0.3:
            branch = branch.pipe_through(parts.transform(name), signal=signal)
        pipes.append(branch.pipe_to(parts.sink(name), signal=signal))
    return pipes


async def piped(seed: int) -> Log:
    """Let a random pipeline run; give what happened."""
    log: Log = []
    parts = RandomPipeline(random.Random(seed), log)
    return await until_done(parts, connect(parts), log)


async def piped_together(seed: int) -> Log:
    """Let some random pipelines run beside each other; give what happened."""
    log: Log = []
    dice = random.Random(seed)
    several = [
        RandomPipeline(random.Random(dice.random()), log, f"p{number}") for number in range(dice.choice([2, 2, 3, 5]))
    ]
    pipes = []
    for parts in several:
        pipes += connect(parts)
        if dice.random() < 0.3:
            await asyncio.sleep(0)
    return await until_done(several[0], pipes, log)


async def until_done(parts: RandomPipeline, pipes: list[Promise[None]], log: Log) -> Log:
    """Wait for pipes for some turns of the loop; give what happened."""
    for _ in range(30):
        log.append("turn")
        await asyncio.sleep(0)
        if all(pipe.done() for pipe in pipes):
            break
        parts.enqueue(parts.source_controller)
    for each in BEGUN:
        each.aborter.abort("it is over")
    for _ in range(10):
        await asyncio.sleep(0)
    return log


Program = Callable[[int], Coroutine[Any, Any, Log]]


def run(
    seed: int, make_loop: Callable[[], asyncio.AbstractEventLoop], mode: str, program: Program = piped
) -> tuple[Log, int]:
    """Run one random program in a loop of its own; give what happened, and how many periods of it ran steadily."""
    KEPT.clear()
    BEGUN.clear()
    with fast_paths(mode), asyncio.Runner(loop_factory=make_loop) as runner:
        log, count = runner.run(counted(program, seed))
    assert not [each for each in log if "trace" in each or "watched" in each]
    return log, count


async def counted(program: Program, seed: int) -> tuple[Log, int]:
    faults: Log = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["message"]))
    log = await program(seed)
    # What is reported besides depends on the garbage collection: promises that nobody looked at.
    return log + [each for each in faults if "microtask" in each], periods()


@pytest.mark.parametrize("program", [piped, piped_together])
@pytest.mark.parametrize("loop_name", LOOP_FACTORIES)
def test_a_steady_run_cannot_be_observed(loop_name: str, program: Program) -> None:
    """The same callbacks in the same order, of all parts together, with the fast paths and without them."""
    make_loop = LOOP_FACTORIES[loop_name]
    steady = 0
    for seed in range(300):
        plain, none = run(seed, make_loop, OFF, program)
        fast, count = run(seed, make_loop, ON, program)
        assert fast == plain, f"seed {seed}"
        assert none == 0
        steady += count
    assert steady > 2000, "the pipelines are too dull to prove anything"


def periods() -> int:
    """Tell how many periods have run steadily in the running loop."""
    found = current_jobs().policy
    return found.periods if isinstance(found, policy.TracePolicy) else 0


def numbers(last: int) -> ReadableStream[int]:
    count = iter(range(last))

    def pull(controller: Any) -> None:
        number = next(count)
        controller.enqueue(number)
        if number == last - 1:
            controller.close()

    return ReadableStream({"pull": pull})


@pytest.fixture
def on_a_quiet_machine() -> Iterator[None]:
    """On a busy one the time of a turn may be over before a pipeline has been watched for long enough."""
    with fast_paths(ON):
        yield


QUIETLY = pytest.mark.usefixtures("on_a_quiet_machine")


@QUIETLY
@pytest.mark.parametrize("stages", [0, 1, 4, 6, 40])
async def test_the_fast_path_is_taken(stages: int) -> None:
    """An ordinary pipeline uses it: the comparison above compares something."""
    written: list[int] = []
    stream = numbers(3000)
    for _ in range(stages):
        stream = stream.pipe_through(TransformStream({"transform": lambda chunk, out: out.enqueue(chunk)}))
    await stream.pipe_to(WritableStream({"write": lambda chunk, _: written.append(chunk)}))
    assert written == list(range(3000))
    assert periods() > 2500


@QUIETLY
async def test_the_fast_path_is_taken_by_several_pipes() -> None:
    """Also when they begin and end at different times."""
    lengths = [1000, 1500, 3000]
    await asyncio.gather(*(numbers(length).pipe_to(WritableStream()) for length in lengths))
    assert periods() > 2500


@QUIETLY
async def test_the_fast_path_is_taken_by_a_tee() -> None:
    written: list[list[int]] = [[], []]
    branches = numbers(3000).tee()
    await asyncio.gather(
        branches[0].pipe_to(WritableStream({"write": lambda chunk, _: written[0].append(chunk)})),
        branches[1].pipe_to(WritableStream({"write": lambda chunk, _: written[1].append(chunk)})),
    )
    assert written == [list(range(3000))] * 2
    assert periods() > 2500


@QUIETLY
async def test_the_fast_path_is_taken_by_an_iterable() -> None:
    written: list[int] = []
    await ReadableStream.from_(range(3000)).pipe_to(WritableStream({"write": lambda chunk, _: written.append(chunk)}))
    assert written == list(range(3000))
    assert periods() > 2500


@QUIETLY
async def test_the_fast_path_is_taken_by_coroutine_callbacks() -> None:
    written: list[int] = []

    async def write(chunk: int, controller: Any) -> None:
        written.append(chunk)

    await numbers(3000).pipe_to(WritableStream({"write": write}))
    assert written == list(range(3000))
    assert periods() > 2500


async def test_other_tasks_have_their_turn_beside_a_steady_run() -> None:
    """The loop goes round many times while an endless pipeline is always ready."""
    turns = 0
    stop = AbortController()
    stream: ReadableStream[int] = ReadableStream({"pull": lambda controller: controller.enqueue(1)})
    pipe = stream.pipe_through(TransformStream()).pipe_to(WritableStream(), signal=stop.signal)
    for _ in range(20):
        await asyncio.sleep(0)
        turns += 1
    stop.abort("enough")
    with pytest.raises(Exception, match="enough"):
        await pipe
    assert turns == 20


@QUIETLY
async def test_a_callback_cancels_the_task_that_waits_for_the_pipe() -> None:
    """The pipe is aborted at once, and in order, although it runs steadily."""
    faults: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["message"]))
    log: list[Any] = []

    def write(chunk: int, _: Any) -> None:
        log.append(chunk)
        if chunk == 2000:
            waiting.cancel()

    async def wait() -> None:
        await pipe

    gate, open_gate, _ = Promise.with_resolvers()
    sink: Any = {"start": lambda _: gate, "write": write, "abort": lambda reason: log.append(str(reason))}
    pipe = numbers(3000).pipe_to(WritableStream(sink))
    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    open_gate(None)  # only now, when the task is suspended
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert log == [*range(2001), "the task that awaited pipe_to() was cancelled"]
    assert pipe.done()
    assert faults == []


class Chunk:
    """Can be referred to weakly."""


@QUIETLY
async def test_no_chunk_is_kept_alive_while_a_pipeline_waits() -> None:
    given: WeakSet[Chunk] = WeakSet()
    count = 0

    def pull(controller: Any) -> None:
        nonlocal count
        count += 1
        if count <= 2000:
            chunk = Chunk()
            given.add(chunk)
            controller.enqueue(chunk)

    pipe = ReadableStream({"pull": pull}).pipe_through(TransformStream()).pipe_to(WritableStream())
    for _ in range(10):
        await asyncio.sleep(0)
    assert periods() > 1500
    assert count > 2000
    assert len(given) == 0
    assert not pipe.done()
