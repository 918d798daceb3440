"""Pipes into sinks whose queues count bytes: small chunks run on the fast path, and nobody can tell."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from webstreams import ByteLengthQueuingStrategy, ReadableStream, TransformStream, WritableStream, write_file

from ..shares import share_of
from .pipelines import on_both_paths
from .programs import CHECK, ON, fast_paths, periods

COUNT = 120
MARK = 600  # of which a chunk in a run may have a sixth


class Program:
    """A pipeline of chunks of random sizes, whose callbacks note what they see of the queues."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.log: list[Any] = []
        self.mark = self.dice.choice([1, 60, MARK, MARK, MARK, 10_000, float("inf")])
        self.oddity = self.dice.choice([0.0, 0.0, 0.02, 0.1])
        self.sink: WritableStream[Any]

    def chunk(self, number: int) -> Any:
        if self.dice.random() >= self.oddity:
            return bytes([number % 256]) * self.dice.randrange(60)
        big = bytes(self.dice.choice([99, 100, 101, 599, 600, 601, 5000]))
        return self.dice.choice([big, big, bytearray(7), memoryview(b"many"), "text", None, 5])

    def odd(self) -> None:
        if self.dice.random() < self.oddity:
            self.log.append(self.dice.choice([partial(repr, self.sink), partial(repr, self.source)])())

    def numbers(self) -> Any:
        for number in range(COUNT):
            self.odd()
            yield self.chunk(number)

    def pull(self, controller: Any) -> None:
        self.left -= 1
        self.log.append(("pull", controller.desired_size))
        self.odd()
        for _ in range(self.dice.choice([1, 1, 1, 1, 1, 5] if self.oddity else [1])):
            controller.enqueue(self.chunk(self.left))
        if self.left == 0:
            controller.close()

    def transform(self, copies: int, chunk: Any, controller: Any) -> None:
        self.odd()
        for _ in range(copies):
            controller.enqueue(chunk if self.dice.random() < 0.9 else self.chunk(1))
            self.log.append(("transform", controller.desired_size))

    async def slow_write(self, chunk: Any, controller: Any) -> None:
        self.note(chunk)
        if self.dice.random() < self.oddity:
            await asyncio.sleep(0)

    def write(self, chunk: Any, controller: Any) -> Any:
        self.note(chunk)
        if self.dice.random() < self.oddity:
            return asyncio.sleep(0)
        if self.dice.random() < self.oddity / 10:
            raise ValueError("no more")
        return None

    def note(self, chunk: Any) -> None:
        self.odd()
        self.log.append(("write", len(chunk) if isinstance(chunk, bytes) else str(type(chunk))))

    async def run(self) -> list[Any]:
        dice = self.dice
        self.left = COUNT
        copies = dice.choice([1, 1, 1, 0, 2, 40])
        self.sink = WritableStream(
            {"write": dice.choice([self.write, self.write, self.slow_write])},
            ByteLengthQueuingStrategy(high_water_mark=self.mark),
        )
        self.source: ReadableStream[Any] = (
            ReadableStream.from_(self.numbers()) if dice.random() < 0.5 else ReadableStream({"pull": self.pull})
        )
        stream = self.source
        for _ in range(dice.choice([0, 0, 1, 1, 2])):
            plain: Any = {"transform": partial(self.transform, copies)} if dice.random() < 0.8 else None
            stream = stream.pipe_through(TransformStream(plain))
            copies = min(copies, 2)  # one stage makes so many of each: two would make 200,000 chunks
        try:
            await stream.pipe_to(self.sink)
        except Exception as error:
            self.log.append(repr(error))
        self.log.append((repr(self.sink), repr(self.source)))
        return self.log


@pytest.mark.parametrize("first", range(0, 100, 25))
def test_nobody_can_tell(first: int) -> None:
    differing = []
    for seed in share_of(range(first, first + 25)):
        plain, fast = on_both_paths(lambda seed=seed: Program(seed).run())  # type: ignore[misc]
        if plain != fast:
            differing.append(seed)
    assert differing == []


def test_a_check_agrees() -> None:
    reports: list[Any] = []

    async def program(seed: int) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append((seed, context)))
        await Program(seed).run()

    with fast_paths(CHECK):
        for seed in share_of(range(1000, 1012)):
            asyncio.run(program(seed))
    assert [report for report in reports if "fast path" in report[1]["message"]] == []


async def periods_of(stream: ReadableStream[Any], sink: WritableStream[Any]) -> int:
    before = periods()
    await stream.pipe_to(sink)
    return periods() - before


def small(chunk: Any, controller: Any) -> None:
    controller.enqueue(bytes([chunk % 256]))


def counting_sink() -> WritableStream[Any]:
    return WritableStream({"write": lambda chunk, _: None}, ByteLengthQueuingStrategy(high_water_mark=MARK))


def test_small_chunks_run_and_others_do_not() -> None:
    async def main() -> list[int]:
        return [
            await periods_of(ReadableStream.from_([b"x" * 99] * COUNT), counting_sink()),
            await periods_of(
                ReadableStream.from_(range(COUNT)).pipe_through(TransformStream({"transform": small})), counting_sink()
            ),
            await periods_of(ReadableStream.from_([b"x" * 100] * COUNT), counting_sink()),
            await periods_of(ReadableStream.from_([bytearray(5)] * COUNT), counting_sink()),
            # Nobody looks at what an identity passes on.
            await periods_of(ReadableStream.from_([b"x"] * COUNT).pipe_through(TransformStream()), counting_sink()),
        ]

    with fast_paths(ON):
        through, mapped, *others = asyncio.run(main())
    assert min(through, mapped) > COUNT / 2
    assert others == [0, 0, 0]


def test_a_size_function_of_a_users_is_called_for_every_chunk() -> None:
    async def main() -> list[Any]:
        log: list[Any] = []

        def size(chunk: bytes) -> int:
            log.append(chunk)
            return len(chunk)

        sink: WritableStream[bytes] = WritableStream(
            {"write": lambda chunk, _: None}, {"high_water_mark": MARK, "size": size}
        )
        await ReadableStream.from_([b"x"] * COUNT).pipe_to(sink)
        return log

    plain, fast = on_both_paths(main)
    assert plain == fast == [b"x"] * COUNT


def test_a_file_gets_what_runs_into_it(tmp_path: Path) -> None:
    lines = [f"{number}\n".encode() for number in range(5000)]

    async def main() -> None:
        await ReadableStream.from_(lines).pipe_to(write_file(tmp_path / "lines"))

    with fast_paths(ON):
        asyncio.run(main())
    assert (tmp_path / "lines").read_bytes() == b"".join(lines)
