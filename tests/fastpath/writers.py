"""Random programs for the fast path that write: every way to write into a chain of stages."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from webstreams import Promise, WritableStream, queue_microtask

from .programs import BEGUN, LAST, Dice, Log, NoController, RandomPipeline, until_done, wait_for


class Inside:
    """Stands for the controller of a source, and gives to the readable side of the first transform stream."""

    def __init__(self, controller: Any) -> None:
        self._controller = controller

    def __repr__(self) -> str:
        return repr(self._controller)

    @property
    def desired_size(self) -> Any:
        return self._controller.desired_size

    def enqueue(self, chunk: Any) -> None:
        self._controller.enqueue(chunk)

    def close(self) -> None:
        self._controller.terminate()

    def error(self, error: object) -> None:
        self._controller.error(error)


class Written(RandomPipeline):
    """A chain of stages that a task writes into, whose callbacks look at the writer now and then, or use it."""

    def __init__(self, dice: Dice, log: Log) -> None:
        super().__init__(dice, log)
        self.source_controller = NoController()
        self.writer: Any = None
        # The last promises of write() and of ready.
        self.promises: list[Any] = []

    def chain(self) -> WritableStream[Any]:
        """Put the stages together; return where the chunks are written."""
        signal = self.aborter.signal
        count = self.dice.choice([0, 0, 1, 1, 2, 3])
        if count == 0:
            return self.sink("sink")
        first = self.transform("t0")
        if self.controllers and self.dice.random() < 0.5:
            self.source_controller = Inside(self.controllers[0])
        stream = first.readable
        for number in range(1, count):
            stream = stream.pipe_through(self.transform(f"t{number}"), signal=signal)
        ends = stream.tee() if self.dice.random() < 0.2 else [stream]
        for name, end in zip("ab", ends, strict=False):
            pipe = end.pipe_to(self.sink(name), signal=signal)
            self.waiting.append(asyncio.create_task(wait_for(pipe, self.log)))
        return first.writable

    def look(self, controller: Any) -> None:
        """Look at the promises of the writer, too."""
        super().look(controller)
        if self.dice.random() < self.curiosity / 2:
            self.log.append([each.done() for each in self.promises])
        elif self.dice.random() < self.oddity / 2:
            self.log.append([repr(each) for each in [self.writer, *self.promises]])

    def odd(self, controller: Any) -> Any:
        """Use the writer, or do something else."""
        if self.dice.random() < 0.5:
            return super().odd(controller)
        uses = [self.ask, self.ask, self.watch, self.write_more, self.write_more, self.end_writing]
        use = self.dice.choice(uses)
        self.log.append(("use", use.__name__))
        use()
        return None

    def ask(self) -> None:
        writer = self.writer
        self.log.append((writer.desired_size, writer.ready is writer.ready, writer.ready.done()))

    def watch(self) -> None:
        for each in [self.writer.ready, *self.promises]:
            each.then(partial(self.log.append, "then"), lambda error: self.log.append(("then", str(error))))

    def write_more(self) -> None:
        self.keep(self.writer.write(1000))
        if self.dice.random() < 0.5:
            self.watch()

    def end_writing(self) -> None:
        choice = self.dice.randrange(8)
        self.log.append(("end", choice))
        if choice == 0:
            self.writer.close()
        elif choice == 1:
            self.writer.abort("no more")
        elif choice == 2:
            self.writer.release_lock()
        else:
            self.log.append(repr(self.writer.closed))

    def keep(self, promise: Any) -> Any:
        self.promises = [*self.promises[-2:], promise]
        return promise


async def write_all(writable: WritableStream[Any], parts: Written) -> None:
    """Write numbers in one of the ways in which people write, or in all of them by turns."""
    dice, log = parts.dice, parts.log
    parts.writer = writer = writable.get_writer()
    ways = dice.choice([[write_when_ready], [write_when_ready], [write_and_wait], [write_and_wait], WAYS])
    try:
        for number in range(dice.choice([20, LAST])):
            await dice.choice(ways)(number if (number + 1) % parts.blank else None, parts)
            log.append("goes on")
            parts.look(parts.source_controller)
            if dice.random() < parts.oddity / 2:
                await between_writes(parts)
        await writer.close()
    except BaseException as error:
        log.append(("writing failed", repr(error)))


async def write_when_ready(chunk: Any, parts: Written) -> None:
    await parts.keep(parts.writer.ready)
    parts.keep(parts.writer.write(chunk))


async def write_and_wait(chunk: Any, parts: Written) -> None:
    await parts.keep(parts.writer.write(chunk))


async def write_and_keep(chunk: Any, parts: Written) -> None:
    parts.keep(parts.writer.write(chunk))
    if parts.dice.random() < 0.5:
        await parts.dice.choice([*parts.promises, parts.writer.ready])


async def write_as_wanted(chunk: Any, parts: Written) -> None:
    size = parts.writer.desired_size
    parts.log.append(("wants", size))
    if size is not None and size <= 0:
        await parts.writer.ready
    parts.keep(parts.writer.write(chunk))


WAYS = [write_when_ready, write_and_wait, write_and_keep, write_as_wanted]


async def between_writes(parts: Written) -> None:
    """Do something between two writes."""
    choice = parts.dice.randrange(8)
    parts.log.append(("between writes", choice))
    if choice == 0:
        await asyncio.sleep(0)
    elif choice == 1:
        await Promise.resolve(None)
    elif choice == 2:
        queue_microtask(parts.log.append, "microtask")
    elif choice == 3:
        waiting = asyncio.ensure_future(parts.writer.ready)
        waiting.add_done_callback(lambda done: parts.log.append(("ready beside", done.cancelled())))
    elif choice == 4:
        parts.log.append((repr(parts.writer), repr(parts.promises)))
    elif choice == 5:
        for each in parts.promises:
            await each
    else:
        result = parts.odd(parts.source_controller)
        if isinstance(result, Promise):
            await result


async def written(dice: Dice) -> Log:
    """Write into a random chain of stages in a random way; give what happened."""
    log: Log = []
    parts = Written(dice, log)
    BEGUN.append(parts)
    parts.waiting.append(asyncio.create_task(write_all(parts.chain(), parts)))
    if dice.random() < 0.2:
        other = Written(dice, log)
        other.name = "other"
        BEGUN.append(other)
        parts.waiting.append(asyncio.create_task(write_all(other.chain(), other)))
    return await until_done(parts, parts.waiting, log)
