"""Random programs for the fast path: pipelines whose callbacks behave well, mostly, and now and then do not."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import pytest

from webstreams import AbortController, Promise, ReadableStream, TransformStream, WritableStream, queue_microtask
from webstreams._engine import jobs as _jobs
from webstreams._engine.jobs import current_jobs
from webstreams._fastpath import performer, policy
from webstreams._fastpath import run as _run

Log = list[Any]
T = TypeVar("T")

LAST = 90
# Values of WEBSTREAMS_FAST_PATHS.
OFF, ON, CHECK = "0", "1", "check"
# On, with code that is made for each period at once (`_fastpath.codegen`), which is never made in the others.
EMITTED = "emitted"


@contextmanager
def fast_paths(mode: str) -> Iterator[None]:
    """Switch the fast paths, which try everything again at once; stop the clock, which decides when the loop has its
    turn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy, "FAST_PATHS", ON if mode == EMITTED else mode)
        patch.setattr(performer, "OFTEN", 0 if mode == EMITTED else float("inf"))
        patch.setattr(performer, "LINK_AFTER", 1)
        patch.setattr(performer, "LINKS", float("inf"))
        patch.setattr(policy, "FIRST_INTERVAL", 2)
        patch.setattr(policy, "LONG_READ_RUN", 0)
        patch.setattr(_run, "FEW_BRANCHES", 1000)
        for module in (policy, _jobs):
            patch.setattr(module, "FIRST_READS", 2)
        patch.setattr(_jobs, "monotonic", lambda: 0.0)
        yield


def periods() -> int:
    """Tell how many periods have run on the fast path in the running loop."""
    found = current_jobs().policy
    return found.periods if isinstance(found, policy.TracePolicy) else 0


# How many chunks a transformer makes of one, of the next one, and so on: most map; others filter and flatten.
ONE = (1,)
COPIES = (ONE, ONE, ONE, ONE, (0, 1), (1, 0, 0, 1), (2,), (2, 0), (0, 0, 3), (1, 15, 0), (11, 0, 0), (24, 0, 0, 1, 0))

# Above this no callback does anything odd.
CALM = 0.999999


class Dice:
    """What a random program decides by; it remembers the throws, so that they can be made again, or fewer of them.

    With `throws`, these come first; then everything is calm.
    """

    def __init__(self, seed: int = 0, throws: Sequence[float] | None = None) -> None:
        self._random = random.Random(seed)
        self._given = None if throws is None else iter(throws)
        self.throws: list[float] = []

    def _throw(self, calm: float) -> float:
        value = self._random.random() if self._given is None else next(self._given, calm)
        self.throws.append(value)
        return value

    def random(self) -> float:
        return self._throw(CALM)

    def randrange(self, stop: int) -> int:
        return int(self._throw(0) * stop)

    def choice(self, values: Sequence[T]) -> T:
        return values[self.randrange(len(values))]


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

    def __init__(self, dice: Dice, log: Log, name: str = "") -> None:
        self.dice = dice
        self.name = name
        self.oddity = self.dice.choice([0.0, 0.005, 0.02, 0.1, 0.4])
        self.curiosity = self.dice.choice([0.0, 0.0, 0.2])
        self.coroutines = self.dice.choice([0.0, 0.25, 1.0])
        # One stage at most makes more of them: else there were too many.
        self.multiplies = False
        # Every so many chunks there is None.
        self.blank = self.dice.choice([1000, 1000, 1000, 3])
        # How many chunks pull() gives at once.
        self.gives = self.dice.choice([1, 1, 1, 1, 1, 2, 9, 15])
        # How many chunks are in the source's queue before it is asked for one.
        self.filling = self.dice.choice([0, 0, 0, 3, 30])
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
            {"high_water_mark": self.dice.choice([0, 1, 1, 1, 2, 5, 0.5, 14])},
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
        marks = [self.dice.choice([1, 1, 1, 2, 4]), self.dice.choice([0, 0, 0, 1, 3, 14])]
        if kind == 0:
            return TransformStream({}, {"high_water_mark": marks[0]}, {"high_water_mark": marks[1]})
        transformer: Any = {
            "start": self.controllers.append,
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
        for _ in range(self.filling):
            self.enqueue(controller)

    def pull(self, controller: Any) -> Any:
        self.log.append((self.name, "pull", controller.desired_size))
        self.look(controller)
        if self.dice.random() < self.oddity:
            return self.odd(controller)
        for _ in range(self.gives):
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
        copies = self.dice.choice(COPIES) if kind == "map" else ONE
        if max(copies) > 1:
            if self.multiplies:
                copies = ONE
            self.multiplies = True

        def handle(chunk: Any, controller: Any) -> Any:
            self.log.append((self.name, kind, name, chunk))
            self.look(controller)
            result = self.odd(self.source_controller) if self.dice.random() < self.oddity else None
            if kind == "map" and self.dice.random() >= self.oddity:
                for _ in range(copies[chunk % len(copies)] if isinstance(chunk, int) else 1):
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
        self.enqueue_into(controller, self.count if self.count % self.blank else None)
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
        choice = self.dice.randrange(14)
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
        elif choice == 13:
            raise asyncio.CancelledError("odd")
        elif choice == 12 and self.waiting:
            self.dice.choice(self.waiting).cancel()
        return None

    def begin_another(self) -> None:
        """Let one more pipeline run beside this one; not in the context of this callback, which may have a trace."""
        context = copy_context()
        context.run(VARIABLE.set, "as new")
        context.run(connect, RandomPipeline(self.dice, self.log, f"{self.name}+"))

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


def leave_trace_on_task(dice: Dice) -> None:
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


async def piped(dice: Dice) -> Log:
    """Let a random pipeline run; give what happened."""
    log: Log = []
    parts = RandomPipeline(dice, log)
    return await until_done(parts, connect(parts), log)


async def piped_together(dice: Dice) -> Log:
    """Let some random pipelines run beside each other; give what happened."""
    log: Log = []
    several = [RandomPipeline(dice, log, f"p{number}") for number in range(dice.choice([2, 2, 3, 5]))]
    pipes = []
    for parts in several:
        pipes += connect(parts)
        if dice.random() < 0.3:
            await asyncio.sleep(0)
    return await until_done(several[0], pipes, log)


# Programs that read: every end that is no pipe.


async def read_from(dice: Dice) -> Log:
    """Read from a random chain of stages in a random way; give what happened."""
    log: Log = []
    parts = RandomPipeline(dice, log)
    BEGUN.append(parts)
    stream = parts.source()
    for number in range(dice.choice([0, 0, 1, 1, 2, 3])):
        stream = stream.pipe_through(parts.transform(f"t{number}"), signal=parts.aborter.signal)
    parts.waiting.append(asyncio.create_task(consume(stream, parts)))
    return await until_done(parts, parts.waiting, log)


async def consume(stream: ReadableStream[Any], parts: RandomPipeline) -> None:
    """Read a stream to its end, in one way."""
    consumers = [iterate, iterate, iterate_and_close, read_one_by_one, read_one_by_one, read_oddly, collect]
    try:
        await parts.dice.choice(consumers)(stream, parts)
    except BaseException as error:
        parts.log.append(("reading failed", repr(error)))
    else:
        parts.log.append("all is read")


async def iterate(stream: ReadableStream[Any], parts: RandomPipeline) -> None:
    async for chunk in stream:
        if await got(chunk, parts):
            break


async def iterate_and_close(stream: ReadableStream[Any], parts: RandomPipeline) -> None:
    async with stream.values(prevent_cancel=parts.dice.random() < 0.5) as chunks:
        async for chunk in chunks:
            if await got(chunk, parts):
                break
    if not stream.locked:
        await iterate(stream, parts)


async def read_one_by_one(stream: ReadableStream[Any], parts: RandomPipeline) -> None:
    with stream.get_reader() as reader:
        while True:
            chunk, done = await reader.read()
            if done or await got(chunk, parts):
                return


async def read_oddly(stream: ReadableStream[Any], parts: RandomPipeline) -> None:
    """Now and then not await a read at once, or begin several."""
    reader = stream.get_reader()
    while True:
        reads = [reader.read()]
        if parts.dice.random() < parts.oddity:
            await look_at_read(reads, reader, parts)
        for each in reads:
            chunk, done = await each
            if done or await got(chunk, parts):
                return


async def look_at_read(reads: list[Any], reader: Any, parts: RandomPipeline) -> None:
    choice = parts.dice.randrange(9)
    parts.log.append(("odd read", choice, reads[0].done()))
    if choice == 0:
        parts.log.append(repr(reads[0]))
    elif choice == 1:
        reads.append(reader.read())
    elif choice == 2:
        await asyncio.sleep(0)
    elif choice == 3:
        reads[0].then(lambda result: parts.log.append(("then", result)))
    elif choice == 4:
        await Promise.resolve(None)
    elif choice == 5:
        parts.log.append(("cancelled", reads[0].cancel()))
    elif choice == 6:
        reads[:] = [asyncio.ensure_future(reads[0])]
    elif choice == 7:
        reads.append(asyncio.create_task(awaiting(reader.read())))
    else:  # the last one is awaited first
        reads[:0] = [reader.read() for _ in range(parts.dice.choice([1, 2]))][::-1]


async def awaiting(read: Any) -> Any:
    return await read


async def collect(stream: ReadableStream[Any], parts: RandomPipeline) -> None:
    parts.log.append(await stream.list(limit=parts.dice.choice([None, 50])))


async def got(chunk: Any, parts: RandomPipeline) -> bool:
    """Do something between two reads, mostly nothing; whether it was the last one."""
    parts.log.append(("got", chunk))
    parts.look(parts.source_controller)
    if parts.dice.random() < parts.oddity / 2:
        choice = parts.dice.randrange(6)
        parts.log.append(("between reads", choice))
        if choice == 0:
            return True
        if choice == 1:
            await asyncio.sleep(0)
        elif choice == 2:
            await Promise.resolve(chunk)
        elif choice == 3:
            parts.enqueue(parts.source_controller)
        else:
            result = parts.odd(parts.source_controller)
            if isinstance(result, Promise):
                await result
    return False


async def until_done(parts: RandomPipeline, pipes: Sequence[Any], log: Log) -> Log:
    """Wait for pipes, or for tasks, for some turns of the loop; give what happened."""
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


Program = Callable[[Dice], Coroutine[Any, Any, Log]]


class Outcome:
    """What a program did in one mode: its log, the periods on the fast path, and what a check has reported."""

    def __init__(self, log: Log, steady: int, differences: list[str]) -> None:
        self.log = log
        self.periods = steady
        self.differences = differences


def run(dice: Dice, make_loop: Callable[[], asyncio.AbstractEventLoop], mode: str, program: Program) -> Outcome:
    """Run one random program in a loop of its own."""
    KEPT.clear()
    BEGUN.clear()
    gc.disable()  # a generator that is collected tells its log
    try:
        with fast_paths(mode), asyncio.Runner(loop_factory=make_loop) as runner:
            outcome = runner.run(observed(program, dice))
    finally:
        gc.enable()
        gc.collect(0)  # all that the program has left
    assert not [each for each in outcome.log if "trace" in each or "watched" in each]
    return outcome


async def observed(program: Program, dice: Dice) -> Outcome:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    log = await program(dice)
    # What is reported besides depends on the garbage collection: promises that nobody looked at.
    log += [each["message"] for each in faults if "microtask" in each["message"]]
    return Outcome(list(log), periods(), [str(each["exception"]) for each in faults if "fast path" in each["message"]])
