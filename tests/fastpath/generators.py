"""Random programs for the fast path in which asynchronous generators give and transform the chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from webstreams import Promise, ReadableStream, generator_transform

from .programs import (
    BEGUN,
    COPIES,
    LAST,
    Dice,
    Log,
    NoController,
    RandomPipeline,
    connect,
    consume,
    leave_trace_on_task,
    until_done,
)


class GeneratorPipeline(RandomPipeline):
    """A pipeline whose source may be an asynchronous generator, and whose transformers may be, too."""

    def source(self) -> ReadableStream[Any]:
        if self.dice.random() < 0.5:
            self.source_controller = NoController()
            return ReadableStream.from_(self.items_later())
        return super().source()

    def transform(self, name: str) -> Any:
        if self.dice.random() < 0.6:
            return generator_transform(self.generator(name))
        return super().transform(name)

    async def items_later(self) -> AsyncIterator[Any]:
        """What ``from_()`` takes the chunks from."""
        try:
            while self.count < LAST:
                self.log.append((self.name, "next"))
                self.look(self.source_controller)
                await self.end_coroutine(None)
                if self.dice.random() < self.oddity:
                    result = self.odd(self.source_controller)
                    if result is not None:
                        yield result
                    elif self.dice.random() < 0.1:
                        return
                self.count += 1
                yield self.count
        finally:
            self.log.append((self.name, "generator is closed"))

    def generator(self, name: str) -> Any:
        """What ``generator_transform()`` takes: gives no item for a chunk, one or several."""
        copies = self.dice.choice(COPIES)
        if max(copies) > 1:
            if self.multiplies:
                copies = (1,)
            self.multiplies = True
        shape = self.dice.randrange(4)

        async def change(chunks: AsyncIterator[Any]) -> AsyncIterator[Any]:
            try:
                if shape == 1:
                    yield "first"
                async for chunk in chunks:
                    self.log.append((self.name, name, chunk))
                    await self.between(chunks)
                    for _ in range(copies[chunk % len(copies)] if isinstance(chunk, int) else 1):
                        yield chunk
                        self.log.append((self.name, name, "goes on"))
                    if shape == 2 and self.dice.random() < self.oddity / 2:
                        return
                if shape == 3:
                    for number in range(3):
                        yield number
            except BaseException as error:
                self.log.append((self.name, name, "raised", repr(error)))
                if self.dice.random() < self.oddity and not isinstance(error, GeneratorExit):
                    yield "instead"
                raise
            finally:
                self.log.append((self.name, name, "closes"))
                if self.dice.random() < self.oddity:
                    await asyncio.sleep(0)
                self.log.append((self.name, name, "is closed"))

        return change

    async def between(self, chunks: AsyncIterator[Any]) -> None:
        """Do something in a generator, mostly nothing."""
        self.look(self.source_controller)
        if self.dice.random() < self.oddity / 2:
            leave_trace_on_task(self.dice)  # which the same task sees when it has taken its next chunk
        if self.dice.random() < self.oddity / 2:
            await self.read_oddly_in_generator(chunks)
        elif self.dice.random() < self.oddity:
            result = self.odd(self.source_controller)
            if isinstance(result, Promise):
                await result
        elif self.dice.random() < self.oddity / 4:
            await asyncio.sleep(0)

    async def read_oddly_in_generator(self, chunks: AsyncIterator[Any]) -> None:
        choice = self.dice.randrange(5)
        self.log.append(("odd in generator", choice))
        try:
            if choice == 0:
                async with asyncio.timeout(0):
                    self.log.append(("more", await anext(chunks)))
            elif choice == 1:
                self.log.append(("more", await asyncio.wait_for(anext(chunks), None)))
            elif choice == 2:
                reading = asyncio.ensure_future(anext(chunks))
                await asyncio.sleep(0)
                self.log.append(("is there", reading.done()))
                self.log.append(("more", await reading))
            elif choice == 3:
                task = asyncio.current_task()
                assert task is not None
                asyncio.get_running_loop().call_soon(task.cancel)
                self.log.append(("more", await anext(chunks)))
            else:
                self.log.append(("more", await anext(chunks), await anext(chunks)))
        except TimeoutError:
            self.log.append("in vain")
        except StopAsyncIteration:
            self.log.append("no more")


async def generated(dice: Dice) -> Log:
    """Let a pipeline with generators run, and read from it or pipe it; give what happened."""
    log: Log = []
    parts = GeneratorPipeline(dice, log)
    if dice.random() < 0.5:
        return await until_done(parts, connect(parts), log)
    BEGUN.append(parts)
    stream = parts.source()
    for number in range(dice.choice([0, 1, 1, 1, 2, 3])):
        stream = stream.pipe_through(parts.transform(f"t{number}"), signal=parts.aborter.signal)
    parts.waiting.append(asyncio.create_task(consume(stream, parts)))
    return await until_done(parts, parts.waiting, log)
