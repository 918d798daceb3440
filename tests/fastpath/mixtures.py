"""Random programs for the fast path in which several ends read and write beside each other, and whose callbacks touch
the streams of others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from webstreams import Promise, ReadableStream, WritableStream, finished, queue_microtask

from .programs import (
    BEGUN,
    Dice,
    Log,
    RandomPipeline,
    awaiting,
    consume,
    got,
    until_done,
    wait_for,
)


class Mixture(RandomPipeline):
    """A pipeline with tees and several ends, whose callbacks now and then touch what belongs to any pipeline."""

    def __init__(self, dice: Dice, log: Log, name: str, world: World) -> None:
        super().__init__(dice, log, name)
        self.world = world
        self.controllers = world.controllers
        self.waiting = world.tasks

    def maybe_coroutine(self, plain: Any, coroutine: Any) -> Any:
        """What is no coroutine function may make a coroutine, too."""
        return super().maybe_coroutine(plain, coroutine if self.dice.random() < 0.8 else partial(coroutine))

    def odd(self, controller: Any) -> Any:
        """Do something of one's own, or touch something of somebody else."""
        if self.dice.random() < 0.5:
            return super().odd(controller)
        self.world.touch_later()
        return None

    async def end_coroutine(self, result: Any) -> None:
        """Now and then wait for another stream in a callback."""
        if self.world.readers and self.dice.random() < self.oddity / 4:
            reading = asyncio.create_task(awaiting(self.dice.choice(self.world.readers).read()))
            await asyncio.sleep(0)
            self.log.append(("read beside", reading.done()))
            reading.add_done_callback(lambda done: self.log.append(("it had", done.cancelled())))
        elif self.world.readers and self.dice.random() < self.oddity / 4:
            try:
                self.log.append(("read in between", await self.dice.choice(self.world.readers).read()))
            except Exception as error:
                self.log.append(("read in vain", str(error)))
        await super().end_coroutine(result)

    def build(self) -> None:
        """Put a source, transformers, tees and ends together."""
        BEGUN.append(self)
        stream = self.source()
        self.world.streams.append(stream)
        if self.dice.random() < 0.15:
            writable = self.world.write_into(self)
            stream = writable if writable is not None else stream
        self.lead_on(stream, "t", 0)

    def lead_on(self, stream: ReadableStream[Any], name: str, depth: int) -> None:
        """Lead a stream through transformers and tees to its ends."""
        signal = self.aborter.signal
        for number in range(self.dice.choice([0, 0, 1, 1, 2, 3])):
            stream = self.through(stream, f"{name}{number}")
        self.world.streams.append(stream)
        if depth < 2 and self.dice.random() < 0.25:
            for index, branch in enumerate(stream.tee()):
                self.lead_on(branch, f"{name}{'ab'[index]}", depth + 1)
        elif self.dice.random() < 0.45:
            sink = self.sink(f"{name} sink")
            self.world.streams.append(sink)
            options = {f"prevent_{each}": self.dice.random() < 0.2 for each in ("close", "abort", "cancel")}
            pipe = stream.pipe_to(sink, signal=signal, **options)
            self.waiting.append(asyncio.create_task(wait_for(pipe, self.log)))
        elif self.dice.random() < 0.9:
            self.waiting.append(asyncio.create_task(self.dice.choice(self.takers())(stream, self)))

    def through(self, stream: ReadableStream[Any], name: str) -> ReadableStream[Any]:
        """Lead a stream through one stage."""
        return stream.pipe_through(self.transform(name), signal=self.aborter.signal)

    def takers(self) -> list[Callable[[ReadableStream[Any], Any], Coroutine[Any, Any, None]]]:
        """What reads at the end."""
        return [consume, consume, iterate_oddly]


class World:
    """All that the callbacks of a program can reach."""

    def __init__(self, dice: Dice, log: Log) -> None:
        self.dice = dice
        self.log = log
        self.controllers: list[Any] = []
        self.streams: list[ReadableStream[Any] | WritableStream[Any]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.readers: list[Any] = []
        self.left = 12

    def touch_later(self) -> None:
        """Touch something now, in a microtask, or in a later turn of the loop."""
        choice = self.dice.randrange(4)
        if choice <= 1:
            self.touch()
        elif choice == 2:
            queue_microtask(self.touch)
        else:
            asyncio.get_running_loop().call_soon(self.touch)

    def touch(self) -> None:
        """Look at something, or change it."""
        actions = [
            self.look_at_stream,
            self.wait_for_end,
            self.read,
            self.read,
            self.enqueue,
            self.look_at_controller,
            self.use_reader,
            self.end,
            self.cancel_task,
            self.begin_to_read,
        ]
        action = self.dice.choice(actions)
        self.log.append(("touch", action.__name__))
        try:
            action()
        except Exception as error:
            self.log.append(("touched in vain", str(error)))

    def watch(self, promise: Promise[Any], name: str) -> None:
        promise.then(
            lambda value: self.log.append((name, value if isinstance(value, (int, tuple)) else str(type(value)))),
            lambda error: self.log.append((name, "failed", str(error))),
        )

    def look_at_stream(self) -> None:
        stream = self.dice.choice(self.streams)
        self.log.append((repr(stream), stream.locked))

    def wait_for_end(self) -> None:
        self.watch(finished(self.dice.choice(self.streams)), "finished")

    def unlocked(self) -> list[ReadableStream[Any]]:
        return [each for each in self.streams if isinstance(each, ReadableStream) and not each.locked]

    def begin_to_read(self) -> None:
        streams = self.unlocked()
        if streams:
            self.readers.append(self.dice.choice(streams).get_reader())

    def read(self) -> None:
        if self.readers:
            self.watch(self.dice.choice(self.readers).read(), "read")

    def use_reader(self) -> None:
        if not self.readers:
            return
        reader = self.dice.choice(self.readers)
        choice = self.dice.randrange(6)
        if choice == 0:
            self.log.append(repr(reader))
        elif choice == 1:
            self.watch(reader.closed, "closed")
        elif choice == 2:
            reader.read().cancel()
        elif choice == 3:
            self.watch(reader.cancel("a touch"), "cancelled")
        elif choice == 4:
            reader.release_lock()
        else:
            self.watch(reader.read(), "read")
            self.watch(reader.read(), "read")

    def enqueue(self) -> None:
        if self.controllers:
            controller = self.dice.choice(self.controllers)
            if hasattr(controller, "enqueue"):
                controller.enqueue(1000)

    def look_at_controller(self) -> None:
        if self.controllers:
            controller = self.dice.choice(self.controllers)
            self.log.append(repr(controller))
            signal = getattr(controller, "signal", None)
            self.log.append(("sees", getattr(controller, "desired_size", "-"), getattr(signal, "aborted", "-")))

    def end(self) -> None:
        if not self.controllers or self.dice.random() < 0.5:
            return
        controller = self.dice.choice(self.controllers)
        choice = self.dice.randrange(3)
        if choice == 0:
            controller.error(RuntimeError("touched"))
        elif choice == 1 and hasattr(controller, "close"):
            controller.close()
        elif choice == 2 and hasattr(controller, "terminate"):
            controller.terminate()

    def cancel_task(self) -> None:
        if self.tasks and self.dice.random() < 0.5:
            self.dice.choice(self.tasks).cancel()

    def write_into(self, parts: Mixture) -> ReadableStream[Any] | None:
        """Have a task write into a transform stream."""
        transform = parts.transform("w")
        self.tasks.append(asyncio.create_task(write_all(transform.writable.get_writer(), parts)))
        return transform.readable


async def iterate_oddly(stream: ReadableStream[Any], parts: Mixture) -> None:
    """Take items by hand, and do not always await them at once."""
    iterator = stream.values(prevent_cancel=parts.dice.random() < 0.5)
    try:
        while True:
            items = [iterator.__anext__()]
            if parts.dice.random() < parts.oddity:
                await look_at_item(items, iterator, parts)
            for each in items:
                if await got(await each, parts):
                    await iterator.aclose()
    except StopAsyncIteration:
        parts.log.append("all is read")
    except BaseException as error:
        parts.log.append(("reading failed", repr(error)))


async def look_at_item(items: list[Any], iterator: Any, parts: Mixture) -> None:
    """Do something between ``__anext__()`` and the await of its promise."""
    choice = parts.dice.randrange(10)
    parts.log.append(("odd item", choice, items[0].done()))
    if choice == 0:
        parts.log.append((repr(items[0]), repr(iterator)))
    elif choice == 1:
        items.append(iterator.__anext__())
    elif choice == 2:
        await asyncio.sleep(0)
    elif choice == 3:
        items[0].then(lambda chunk: parts.log.append(("then", chunk)), lambda _: parts.log.append("the end"))
    elif choice == 4:
        await Promise.resolve(None)
    elif choice == 5:
        parts.log.append(("cancelled", items[0].cancel()))
    elif choice == 6:
        items[:] = [asyncio.ensure_future(items[0])]
    elif choice == 7:
        parts.world.watch(iterator.aclose(), "left")
    elif choice == 8:  # the last one is awaited first
        items.insert(0, iterator.__anext__())
    else:
        parts.world.touch_later()


async def write_all(writer: Any, parts: Mixture) -> None:
    """Write numbers in one of the ways in which people write."""
    dice, log = parts.dice, parts.log
    how = dice.randrange(3)
    try:
        for number in range(dice.choice([5, 60])):
            if how == 0:
                await writer.ready
                parts.world.watch(writer.write(number), "written") if dice.random() < 0.1 else writer.write(number)
            elif how == 1:
                await writer.write(number)
            else:
                parts.world.watch(writer.write(number), "written")
                log.append(("wants", writer.desired_size))
                if dice.random() < 0.5:
                    await writer.ready
            if dice.random() < parts.oddity:
                parts.odd(parts.source_controller)
        await writer.close()
    except BaseException as error:
        log.append(("writing failed", repr(error)))


async def mixed(dice: Dice) -> Log:
    """Let random pipelines with tees and many ends run beside each other; give what happened."""
    return await mix(dice, Mixture)


async def mix(dice: Dice, kind: type[Mixture]) -> Log:
    """Let random pipelines of a kind run beside each other; give what happened."""
    log: Log = []
    world = World(dice, log)
    several = [kind(dice, log, f"p{number}", world) for number in range(dice.choice([1, 1, 2, 3]))]
    for parts in several:
        parts.build()
        if dice.random() < 0.3:
            await asyncio.sleep(0)
    await until_done(several[0], world.tasks, log)
    for task in list(world.tasks):
        task.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    return log
