"""Fast paths cannot be observed: random pipes give the same callbacks, in the same order, with and without them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from webstreams import AbortController, Promise, ReadableStream, WritableStream, _jobs, queue_microtask
from webstreams._readable import steady_run

from .conftest import LOOP_FACTORIES

Log = list[Any]


@contextmanager
def fast_paths(on: bool) -> Iterator[None]:
    """Switch the fast paths; stop the clock, which decides when the loop has its turn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steady_run, "FAST_PATHS", on)
        patch.setattr(_jobs, "monotonic", lambda: 0.0)
        yield


class RandomEnds:
    """A source and a sink that behave at random: mostly well, now and then not."""

    def __init__(self, seed: int, log: Log) -> None:
        self.dice = random.Random(seed)
        self.oddity = self.dice.choice([0.0, 0.02, 0.1, 0.4])
        self.log = log
        self.count = 0
        self.aborter = AbortController()
        self.sink_controller: Any = None
        self.source_controller: Any = None

    def start_source(self, controller: Any) -> None:
        self.source_controller = controller

    def start_sink(self, controller: Any) -> None:
        self.sink_controller = controller

    def pull(self, controller: Any) -> Any:
        self.log.append(("pull", controller.desired_size))
        if self.dice.random() < self.oddity:
            return self.odd(controller)
        self.enqueue(controller)
        return None

    def write(self, chunk: Any, controller: Any) -> Any:
        self.log.append(("write", chunk, self.source_controller.desired_size))
        if self.dice.random() < self.oddity:
            return self.odd(self.source_controller)
        return None

    def enqueue(self, controller: Any) -> None:
        self.count += 1
        try:
            controller.enqueue(self.count)
            if self.count >= 60:
                controller.close()
        except TypeError:
            self.log.append("refused")

    def odd(self, controller: Any) -> Any:
        choice = self.dice.randrange(12)
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
            self.sink_controller.error(RuntimeError("sink"))
        elif choice == 7:
            controller.error(RuntimeError("source"))
        elif choice == 8:
            self.aborter.abort("enough")
        elif choice == 9:
            self.end(controller)
        elif choice == 10:
            return "a value"
        return None

    def end(self, controller: Any) -> None:
        try:
            controller.close()
        except TypeError:
            self.log.append("refused")

    async def later(self) -> None:
        await Promise.resolve(None)
        self.log.append("later")


async def piped(seed: int) -> Log:
    """Pipe random ends into each other; give what happened."""
    log: Log = []
    ends = RandomEnds(seed, log)
    marks = [ends.dice.choice([0, 1, 1, 2, 5, 0.5]) for _ in range(2)]
    source: ReadableStream[Any] = ReadableStream(
        {"start": ends.start_source, "pull": ends.pull, "cancel": lambda reason: log.append(("cancel", str(reason)))},
        {"high_water_mark": marks[0]},
    )
    sink: WritableStream[Any] = WritableStream(
        {
            "start": ends.start_sink,
            "write": ends.write,
            "close": lambda: log.append("close"),
            "abort": lambda reason: log.append(("abort", str(reason))),
        },
        {"high_water_mark": max(marks[1], 1)},
    )
    pipe = source.pipe_to(sink, signal=ends.aborter.signal)
    pipe.then(lambda _: log.append("done"), lambda error: log.append(("failed", str(error))))
    for _ in range(30):
        log.append("turn")
        await asyncio.sleep(0)
        if pipe.done():
            break
        ends.enqueue(ends.source_controller)
    return log


def run(seed: int, make_loop: Callable[[], asyncio.AbstractEventLoop], fast: bool) -> Log:
    """Run one random pipe in a loop of its own."""
    with fast_paths(fast), asyncio.Runner(loop_factory=make_loop) as runner:
        return runner.run(piped(seed))


@pytest.mark.parametrize("loop_name", LOOP_FACTORIES)
def test_a_steady_run_cannot_be_observed(loop_name: str) -> None:
    """The same callbacks in the same order, of both ends together, with the fast path and without it."""
    make_loop = LOOP_FACTORIES[loop_name]
    lively = 0
    for seed in range(300):
        plain = run(seed, make_loop, fast=False)
        assert run(seed, make_loop, fast=True) == plain, f"seed {seed}"
        lively += sum(1 for each in plain if each[0] == "write") > 10
    assert lively > 100, "the pipes are too dull to prove anything"


async def test_the_fast_path_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary pipe uses it: the comparison above compares something."""
    runs: list[object] = []
    original = steady_run.SteadyRun.run

    def counted(self: steady_run.SteadyRun) -> None:
        runs.append(self)
        original(self)

    monkeypatch.setattr(steady_run.SteadyRun, "run", counted)
    written: list[int] = []
    count = iter(range(1000))

    def pull(controller: Any) -> None:
        number = next(count)
        controller.enqueue(number)
        if number == 999:
            controller.close()

    await ReadableStream({"pull": pull}).pipe_to(WritableStream({"write": lambda chunk, _: written.append(chunk)}))
    assert written == list(range(1000))
    assert 0 < len(runs) < 500
