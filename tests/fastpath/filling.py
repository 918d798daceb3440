"""Random programs for the fast path in which memory is filled: by BYOB reads, and where every read gets some."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Coroutine
from typing import Any

from webstreams import ReadableStream, ReadableStreamBYOBReader, queue_microtask
from webstreams._engine.jobs import current_jobs
from webstreams._fastpath import policy

from .byte_streams import ByteMixture, fill
from .mixtures import mix
from .programs import OFF, Dice, Log, consume, got


class FillingMixture(ByteMixture):
    """A mixture of byte streams whose sources fill the memory that they are given, or bring bytes of their own."""

    def lead_on(self, stream: ReadableStream[Any], name: str, depth: int) -> None:
        """Read the bytes, mostly; sometimes those of the branches of a tee, or what transformers make of them."""
        choice = self.dice.random()
        if depth > 0 or choice < 0.75:
            self.world.streams.append(stream)
            self.waiting.append(asyncio.create_task(self.dice.choice(self.takers())(stream, self)))
        elif choice < 0.85:
            for branch in stream.tee():
                self.lead_on(branch, name, depth + 1)
        else:
            super().lead_on(stream, name, 2)

    def source(self) -> ReadableStream[Any]:
        source: Any = {
            "type": "bytes",
            "start": self.start_source,
            "pull": self.maybe_coroutine(self.pull, self.pull_later),
            "cancel": lambda reason: self.log.append(("cancel", str(reason))),
            "auto_allocate_chunk_size": self.dice.choice([None, None, 1, 4]),
        }
        return ReadableStream(source, {"high_water_mark": self.dice.choice([0, 0, 0, 1, 9])})

    def enqueue_into(self, controller: Any, chunk: Any) -> None:
        if controller is not self.source_controller or self.dice.random() < self.oddity:
            super().enqueue_into(controller, chunk)
            return
        try:
            request = controller.byob_request if self.dice.random() < 0.7 else None
            if request is None:
                controller.enqueue(self.dice.choice([b"", b"a longer one "]) + b"%d" % self.count)
            else:
                self.answer(request, controller)
        except (TypeError, ValueError) as error:
            self.log.append(("refused", str(error)))

    def answer(self, request: Any, controller: Any) -> None:
        """Fill the view of a request: all of it, mostly."""
        view = request.view
        count = view.nbytes
        choice = self.dice.randrange(12)
        if choice >= 8:
            count = 1 + self.dice.randrange(count)
        view[:count] = (b"%d " % self.count * count)[:count]
        if self.dice.random() < self.oddity:
            self.answer_oddly(request, count, controller)
        elif choice == 8:
            request.respond_with_new_view(view[:count])
        else:
            request.respond(count)
            self.log.append(("answered", count, request.view, is_open(view), controller.byob_request is None))

    def answer_oddly(self, request: Any, count: int, controller: Any) -> None:
        choice = self.dice.randrange(9)
        self.log.append(("odd answer", choice))
        if choice == 0:
            request.respond(0)
        elif choice == 1:
            request.respond(self.dice.choice([-1, count + 100, 2**60, 1.5, "1"]))
        elif choice == 2:
            request.view.release()
            request.respond(count)
        elif choice == 3:
            request.view.release()
            controller.enqueue(b"behind it")
        elif choice == 4:
            kept = request.view[:1]
            request.respond(count)
            self.log.append(("kept", is_open(kept)))
        elif choice == 5:
            queue_microtask(self.answer_later, request, count)
        elif choice == 6:
            asyncio.get_running_loop().call_soon(self.answer_later, request, count)
        elif choice == 7:
            controller.close()
            request.respond(0)
        else:
            request.respond(count)
            request.respond(count)

    def answer_later(self, request: Any, count: int) -> None:
        try:
            request.respond(count)
        except (TypeError, ValueError) as error:
            self.log.append(("refused later", str(error)))

    def takers(self) -> list[Callable[[ReadableStream[Any], Any], Coroutine[Any, Any, None]]]:
        return [fill_views, fill_views, fill_views, fill, read_and_see, consume]


def is_open(view: memoryview) -> bool:
    """Whether a view was not released."""
    try:
        return view.nbytes > 0
    except ValueError:
        return False


def as_without_shortcuts() -> None:
    """Have the jobs lead from the next await of a read to its outcome, on the plain path: no task is known any more."""
    if policy.FAST_PATHS == OFF:
        current_jobs()._top = None


def memory(dice: Dice, is_odd: bool) -> Any:
    """Make some memory to be filled."""
    choice = dice.randrange(20) if is_odd else dice.choice([0, 0, 0, 0, 1, 1, 2, 3, 4, 5])
    views: list[Any] = [
        bytearray(3),
        memoryview(bytearray(2)),
        memoryview(bytearray(12))[4:9],
        memoryview(array("H", [0, 0, 0])),
        memoryview(bytearray(12)).cast("i", (3, 1)),
        memoryview(bytearray(4)).cast("b"),
        b"not writable",
        bytearray(),
        memoryview(bytearray(9))[::2],
        "text",
        None,
    ]
    if choice < len(views):
        return views[choice]
    view = memoryview(bytearray(5))
    if choice == len(views):
        view.release()
    elif choice == len(views) + 1:
        KEPT_OPEN.append(memoryview(view))  # harmless
    elif choice == len(views) + 2:
        KEPT_OPEN.append(array("B", view))
    return view


KEPT_OPEN: list[Any] = []


def shown(result: Any) -> Any:
    """Tell what a read has brought."""
    value = result.value
    if not isinstance(value, memoryview):
        return (value, result.done)
    facts = value.format, value.shape, value.readonly, type(value.obj).__name__, len(memoryview(value.obj).tobytes())
    return (value.tobytes(), facts, result.done)


async def fill_views(stream: ReadableStream[Any], parts: FillingMixture) -> None:
    """Read into memory of one's own, in most of the ways in which that can be done."""
    dice, log = parts.dice, parts.log
    try:
        reader = ReadableStreamBYOBReader(stream)
    except TypeError:
        await consume(stream, parts)
        return
    parts.world.readers.append(ByReader(reader, dice))
    view: Any = None
    try:
        while True:
            is_odd = dice.random() < parts.oddity
            if view is None or is_odd or dice.random() < 0.3:
                view = memory(dice, is_odd)
            options: Any = {"min": dice.choice([2, 2, 3, 0, -1, 9])} if dice.random() < parts.oddity + 0.05 else {}
            read = reader.read(view, **options)
            log.append(("read", isinstance(view, memoryview) and is_open(view), read.done()))
            if dice.random() < parts.oddity:
                read = await look_at_read(read, reader, parts)
            as_without_shortcuts()
            result = await read
            if await got(shown(result), parts) or result.done:
                break
            view = result.value if dice.random() < 0.8 else None
    except BaseException as error:
        log.append(("filling failed", repr(error)))
        if isinstance(error, TypeError) and dice.random() < 0.8 and not is_ended(stream):
            reader.release_lock()
            await fill_views(stream, parts)
            return
    if dice.random() < 0.5:
        reader.release_lock()
        log.append(repr(stream))
        await consume(stream, parts)


def is_ended(stream: ReadableStream[Any]) -> bool:
    return "readable" not in repr(stream)


async def look_at_read(read: Any, reader: Any, parts: FillingMixture) -> Any:
    """Do something between ``read()`` and the await of its promise."""
    choice = parts.dice.randrange(10)
    parts.log.append(("odd read", choice))
    if choice == 0:
        parts.log.append((read.done(), repr(reader)))
    elif choice == 1:
        parts.world.watch(reader.read(bytearray(2)), "another")
    elif choice == 2:
        await asyncio.sleep(0)
    elif choice == 3:
        read.then(lambda result: parts.log.append(("then", shown(result))), lambda _: parts.log.append("then failed"))
    elif choice == 4:
        parts.log.append(("cancelled", read.cancel()))
    elif choice == 5:
        return asyncio.ensure_future(read)
    elif choice == 6:
        reader.release_lock()
    elif choice == 7:
        queue_microtask(parts.log.append, "between")
    elif choice == 8:
        waiting = asyncio.ensure_future(awaited(reader.read(bytearray(3))))
        await asyncio.sleep(0)
        waiting.cancel()
    else:
        parts.world.touch_later()
    return read


async def awaited(read: Any) -> Any:
    return shown(await read)


class ByReader:
    """A BYOB reader, for those that only know how to read."""

    def __init__(self, reader: ReadableStreamBYOBReader, dice: Dice) -> None:
        self.reader = reader
        self.dice = dice

    def read(self) -> Any:
        return self.reader.read(memory(self.dice, False))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reader, name)

    def __repr__(self) -> str:
        return repr(self.reader)


async def read_and_see(stream: ReadableStream[Any], parts: FillingMixture) -> None:
    """Read chunks by a loop; their memory is the source's, or was made for every read."""
    try:
        with stream.get_reader() as reader:
            while True:
                read = reader.read()
                if parts.dice.random() < parts.oddity:
                    parts.log.append((read.done(), repr(stream)))
                as_without_shortcuts()
                chunk, done = await read
                if done or await got(chunk, parts):
                    return
    except BaseException as error:
        parts.log.append(("reading failed", repr(error)))


async def filled(dice: Dice) -> Log:
    """Let random byte streams be read into memory of their readers, beside pipelines that run; give what happened."""
    KEPT_OPEN.clear()
    return [*await mix(dice, FillingMixture), *await mix(dice, FillingMixture), *await mix(dice, ByteMixture)]
