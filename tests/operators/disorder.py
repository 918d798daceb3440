"""``map()`` with several calls at a time under random delays, errors, cancellations and early leaving.

    python -m tests.operators.disorder [--runs 10000] [--seed 0] [--loop uvloop]

Every run makes a stream, an operator and a consumer of its own. A delay is a number of turns of the event loop, not a
time. What has to hold is asserted in the calls and at the end of each run: no more calls at a time than `concurrency`
says, no more than `window` started and not taken, equal keys one after the other, no chunk lost, doubled or out of
order, and nothing alive behind the end. The suite does some hundreds of them.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tests.faults.helpers import other_tasks
from tests.loops import LOOP_FACTORIES
from webstreams import SKIP, ReadableStream

from .table import BOOM, Numbers

# How a run ends, if not with the source.
WAYS = ["end", "error of the source", "error of a call", "break", "cancel", "task cancelled", "silent source"]


class Calls:
    """The function, which watches its own calls."""

    def __init__(self, chance: random.Random, way: str) -> None:
        self.chance = chance
        self.concurrency = chance.choice([1, 2, 3, 8])
        self.window = self.concurrency * chance.choice([1, 2, 5])
        self.keys = chance.choice([None, None, 2])
        self.skips = chance.random() < 0.2
        self.fails_at = chance.randrange(60) if way == "error of a call" else -1
        self.is_answered = chance.random() < 0.3
        # How many turns a call takes: one of six at random, or nearly always none, so that calls are gathered.
        self.pauses = chance.choice([[0, 0, 0, 1, 3, 10], [0] * 40 + [1, 3]])
        self.running = self.started = self.taken = self.skipped = 0
        # How many reads the consumer has under way at a time: they may have their chunks before it looks.
        self.reads = 1
        self._by_key: Counter[int] = Counter()

    def key(self, chunk: int) -> int:
        return chunk % (self.keys or 1)

    def answer(self, error: Exception, chunk: int) -> Any:
        assert error is BOOM
        return chunk

    async def __call__(self, chunk: int) -> Any:
        self.running += 1
        self.started += 1
        self._by_key[self.key(chunk)] += 1
        assert self.running <= self.concurrency
        assert self.started - self.taken - self.skipped <= self.window + self.reads  # those that are being taken
        assert self.keys is None or self._by_key[self.key(chunk)] == 1
        is_stubborn = self.chance.random() < 0.01
        try:
            await self._pause(is_stubborn)
            if chunk == self.fails_at:
                raise BOOM
        finally:
            self.running -= 1
            self._by_key[self.key(chunk)] -= 1
        if self.skips and chunk % 3 == 0:
            self.skipped += 1
            return SKIP
        return chunk

    async def _pause(self, is_stubborn: bool) -> None:
        for _ in range(self.chance.choice(self.pauses)):
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                if not is_stubborn:
                    raise  # the others go on for a while, and have to be waited for


async def run_once(chance: random.Random) -> str:
    """Do one run; return how it was to end."""
    way = chance.choice(WAYS)
    calls = Calls(chance, way)
    length = chance.choice([0, 1, 10, 60, 300])
    source = Numbers(length, {"error of the source": "error", "silent source": "nothing"}.get(way, "close"))
    is_ordered = chance.random() < 0.5
    stream = _stream_of(source, way, chance).map(
        calls,
        concurrency=calls.concurrency,
        ordered=is_ordered,
        window=calls.window,
        key=calls.key if calls.keys else None,
        on_error=calls.answer if calls.is_answered else None,
    )
    chunks = await _consume(stream, calls, way, chance)
    assert calls.running == 0, way
    assert len(source.cancellations) <= 1
    assert len(set(chunks)) == len(chunks)
    wanted = [chunk for chunk in range(length) if not (calls.skips and chunk % 3 == 0) or chunk == calls.fails_at]
    if is_ordered:
        assert chunks == wanted[: len(chunks)]
    if way == "end":
        assert sorted(chunks) == wanted
        assert source.cancellations == []
    return way


def _stream_of(source: Numbers, way: str, chance: random.Random) -> ReadableStream[int]:
    """Return a stream of the source's; or of an iterator, whose items calls may take where they are."""
    stream = source.stream(chance.choice([0, 1, 4]))
    kind: Callable[[range], Iterable[int]] | None = chance.choice([None, None, range.__iter__, list, tuple])
    if kind is None or way in {"error of the source", "silent source"}:
        return stream
    return ReadableStream.from_(kind(range(source.stop)))


async def _consume(stream: ReadableStream[int], calls: Calls, way: str, chance: random.Random) -> list[int]:
    chunks: list[int] = []
    leaves_at = chance.randrange(1, 30) if way in {"break", "cancel"} else 0
    consumer = _read if way == "cancel" else _iterate
    task = asyncio.ensure_future(consumer(stream, calls, chunks, leaves_at, chance))
    if way in {"task cancelled", "silent source"}:
        for _ in range(chance.randrange(100) if way == "task cancelled" else 150):
            await asyncio.sleep(0)
        task.cancel()
    await asyncio.wait([task])
    error = None if task.cancelled() else task.exception()
    if error is not None and error is not BOOM:
        raise error
    assert task.cancelled() <= (way in {"task cancelled", "silent source"})
    assert (error is BOOM) <= (way in {"error of the source", "error of a call"})
    return chunks


async def _iterate(
    stream: ReadableStream[int], calls: Calls, chunks: list[int], leaves_at: int, chance: random.Random
) -> None:
    async with stream.values() as values:
        async for chunk in values:
            calls.taken += 1
            chunks.append(chunk)
            if len(chunks) == leaves_at:
                break
            for _ in range(chance.choice([0, 0, 2])):
                await asyncio.sleep(0)


async def _read(
    stream: ReadableStream[int], calls: Calls, chunks: list[int], leaves_at: int, chance: random.Random
) -> None:
    """Read with several reads at a time, and cancel while some of them wait."""
    reader = stream.get_reader()
    calls.reads = chance.choice([1, 1, 3])
    reads = [reader.read() for _ in range(calls.reads)]
    while len(chunks) < leaves_at:
        result = await reads.pop(0)
        if result.done:
            return
        calls.taken += 1
        chunks.append(result.value)
        reads.append(reader.read())
    await reader.cancel("enough")
    assert calls.running == 0


async def run_many(runs: int, seed: int) -> Counter[str]:
    """Do so many runs; return how often each way was taken."""
    ways: Counter[str] = Counter()
    for number in range(runs):
        chance = random.Random(seed * 1_000_000 + number)
        try:
            ways[await asyncio.wait_for(run_once(chance), 60)] += 1
        except BaseException as error:
            error.add_note(f"in run {number} of seed {seed}")
            raise
    assert other_tasks() == set()
    return ways


def main() -> None:
    """Do the runs that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--loop", choices=LOOP_FACTORIES, default="asyncio")
    options = parser.parse_args()
    began = time.monotonic()
    with asyncio.Runner(loop_factory=LOOP_FACTORIES[options.loop]) as runner:
        ways = runner.run(run_many(options.runs, options.seed))
    for way, count in ways.most_common():
        print(f"{count:7} {way}")
    print(f"{options.runs} runs in {time.monotonic() - began:.0f} s: all limits held, and nothing was left")


if __name__ == "__main__":
    main()
