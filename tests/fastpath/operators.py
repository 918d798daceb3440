"""Random programs for the fast path in which operators stand between the stages, and at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from webstreams import SKIP, Promise, ReadableStream

from .mixtures import Mixture, World, mix
from .programs import LAST, Dice, Log, RandomPipeline


class OperatorMixture(Mixture):
    """A mixture whose stages are operators as often as transform streams, one behind the other, too."""

    def __init__(self, dice: Dice, log: Log, name: str, world: World) -> None:
        super().__init__(dice, log, name, world)
        # More than half of the callbacks are those of operators, and what is odd in one ends the run.
        self.oddity /= 4

    def through(self, stream: ReadableStream[Any], name: str) -> ReadableStream[Any]:
        if self.dice.random() < 0.5:
            return super().through(stream, name)
        for number in range(self.dice.choice([1, 1, 1, 2])):
            stream = self.operator(stream, f"{name}.{number}")
            if self.dice.random() < 0.2:
                self.world.streams.append(stream)
        return stream

    def takers(self) -> list[Callable[[ReadableStream[Any], Any], Coroutine[Any, Any, None]]]:
        return [*super().takers(), visit, visit, add_up]

    def operator(self, stream: ReadableStream[Any], name: str) -> ReadableStream[Any]:
        """Put one operator behind a stream."""
        choices: list[Callable[[], ReadableStream[Any]]] = [
            lambda: stream.filter(self.step(name, lambda chunk: not isinstance(chunk, int) or chunk % 3 > 0)),
            lambda: stream.filter(self.step(name, lambda chunk: isinstance(chunk, int) and chunk % 2 > 0)),
            lambda: stream.tap(self.step(name, lambda chunk: None)),
            lambda: stream.take(self.dice.choice([1, 40, LAST])),
            lambda: stream.drop(self.dice.choice([1, 20])),
            lambda: stream.batched(self.dice.choice([1, 2, 7])).map(len),
            lambda: stream.flat_map(self.step(name, lambda chunk: [chunk] * self.dice.choice([0, 1, 3]))),
            lambda: stream.map(self.step(name, lambda chunk: SKIP if chunk is None else chunk)),
            lambda: stream.map(self.later_step(name), concurrency=self.dice.choice([1, 2, 4])),
            *[lambda: stream.map(self.step(name, lambda chunk: chunk))] * 10,
        ]
        return self.dice.choice(choices)()

    def step(self, name: str, result: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """What an operator calls: a plain function, a coroutine function, or one that is now this and now that."""

        def call(chunk: Any) -> Any:
            self.log.append((self.name, "step", name, chunk))
            self.look(self.source_controller)
            odd = self.odd(self.source_controller) if self.dice.random() < self.oddity else None
            return odd if isinstance(odd, Promise) else result(chunk)

        async def call_later(chunk: Any) -> Any:
            found = call(chunk)
            await RandomPipeline.end_coroutine(self, None)  # before anything is waited for: the call may be cancelled
            return await found if isinstance(found, Promise) else found

        return self.maybe_coroutine(call, call_later)  # type: ignore[no-any-return]

    def later_step(self, name: str) -> Callable[[Any], Coroutine[Any, Any, Any]]:
        """What is called several times at once, in tasks that are used again."""

        async def call(chunk: Any) -> Any:
            self.log.append((self.name, "call", name, chunk))
            self.look(self.source_controller)
            if self.dice.random() < self.oddity:
                await asyncio.sleep(0)
            return chunk

        return call


async def visit(stream: ReadableStream[Any], parts: OperatorMixture) -> None:
    """Call a function for every chunk."""
    try:
        await stream.for_each(parts.step("each", lambda chunk: None))
        parts.log.append("all is visited")
    except BaseException as error:
        parts.log.append(("visiting failed", repr(error)))


async def add_up(stream: ReadableStream[Any], parts: OperatorMixture) -> None:
    """Count the chunks."""
    count = parts.step("count", lambda total: total + 1)
    try:
        parts.log.append(("counted", await stream.reduce(lambda total, _: count(total), 0)))
    except BaseException as error:
        parts.log.append(("counting failed", repr(error)))


async def operated(dice: Dice) -> Log:
    """Let random pipelines with operators run beside each other; give what happened."""
    return await mix(dice, OperatorMixture)
