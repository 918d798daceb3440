"""The promise of a read is used for the next one only if nobody can look at it any more."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

from webstreams import ReadableStream, TransformStream
from webstreams._engine.alone import ALONE
from webstreams._engine.build import compiled

from ..grids import each_of
from ..waiting import until
from .programs import EMITTED, OFF, ON, fast_paths, periods

LAST = 100

Read = Callable[[], Any]


class Chunk:
    """Something that can be told apart, and referred to weakly."""


def plain() -> ReadableStream[Chunk]:
    """Chunks that come when they are read."""
    return ReadableStream.from_(Chunk() for _ in range(LAST))


def mapped() -> ReadableStream[Chunk]:
    """Chunks that come when they are awaited."""
    return plain().pipe_through(TransformStream({"transform": lambda chunk, controller: controller.enqueue(chunk)}))


def doubled() -> ReadableStream[Chunk]:
    """Chunks that come when they are awaited, and when they are read, in turns."""

    def transform(chunk: Chunk, controller: Any) -> None:
        controller.enqueue(chunk)
        controller.enqueue(Chunk())

    return plain().pipe_through(TransformStream({"transform": transform}))


def filled() -> ReadableStream[Chunk]:
    """Chunks that are there already."""

    def start(controller: Any) -> None:
        for _ in range(LAST):
            controller.enqueue(Chunk())

    return ReadableStream({"start": start})


def with_reader(stream: ReadableStream[Chunk]) -> Read:
    """Return what reads."""
    return stream.get_reader().read


def with_iterator(stream: ReadableStream[Chunk]) -> Read:
    """Return what reads."""
    return stream.values().__anext__


async def keep_all(read: Read) -> None:
    """Keep every promise: each is one of its own, and stays what it was."""
    kept: list[Any] = []
    results: list[Any] = []
    for _ in range(LAST - 1):
        kept.append(read())
        results.append(await kept[-1])
    assert len({id(each) for each in kept}) == len({id(each) for each in results}) == LAST - 1
    assert [await each for each in kept] == results == [each.result() for each in kept]


async def keep_some(read: Read) -> None:
    """Keep every third promise, by a reference or by its ``__await__()``."""
    kept: list[Any] = []
    for number in range(LAST - 1):
        if number % 3 == 0:
            kept.append(read())
            kept.append(await kept[-1])
        elif number % 3 == 1:
            promise = read()
            assert await promise is await promise
            del promise
        else:
            await read()
    assert [await each for each in kept[::2]] == kept[1::2]


async def look_weakly(read: Read) -> None:
    """Refer to every second promise weakly: such a reference never leads to the next one."""
    for number in range(LAST // 2):
        held = [read()]
        look = None if compiled or number % 2 else weakref.ref(held[0])
        await held.pop()
        held.append(read())
        assert look is None or look() is not held[0]
        await held.pop()


async def see_result(read: Read) -> None:
    """Ask each promise for its result before it is awaited: that is what the await gives."""
    for _ in range(LAST - 1):
        promise = read()
        seen = promise.result() if promise.done() else None
        result = await promise
        assert seen is None or result is seen


async def drop_chunks(read: Read) -> None:
    """Drop every chunk: of those between the first and the last ones nothing is left."""
    looks: list[weakref.ref[Chunk]] = []
    for _ in range(LAST - 1):
        result = await read()
        looks.append(weakref.ref(getattr(result, "value", result)))
    assert not any(each() for each in looks[LAST // 2 : -16])


async def drop_at_once(read: Read) -> None:
    """Drop every chunk of many that are there already: nothing is left of it."""
    looks: list[Any] = []
    for _ in range(LAST // 2):
        result = await read()
        looks.append(weakref.ref(getattr(result, "value", result)))
        del result
        looks.append(looks.pop()())
    assert not any(looks[LAST // 4 :])


def name(promise: object) -> int:
    """Tell a promise from others without a reference to it; 0 if there is none."""
    return 0 if promise is None else id(promise)


@each_of(
    mode=(ON, EMITTED, OFF),
    source=(plain, mapped, doubled, filled),
    end=(with_reader, with_iterator),
    program=(keep_all, keep_some, look_weakly, see_result, drop_chunks),
)
def test_nobody_can_tell_that_a_promise_is_used_again(
    mode: str,
    source: Callable[[], ReadableStream[Chunk]],
    end: Callable[[ReadableStream[Chunk]], Read],
    program: Callable[[Read], Coroutine[Any, Any, None]],
) -> None:
    async def main() -> None:
        await program(end(source()))

    with fast_paths(mode):
        asyncio.run(main())


@each_of(mode=(ON, EMITTED, OFF), end=(with_reader, with_iterator))
def test_a_chunk_does_not_live_longer(mode: str, end: Callable[[ReadableStream[Chunk]], Read]) -> None:
    async def main() -> None:
        await drop_at_once(end(filled()))

    with fast_paths(mode):
        asyncio.run(main())


@each_of(source=(plain, mapped, filled))
def test_the_promise_of_an_iteration_is_used_again(source: Callable[[], ReadableStream[Chunk]]) -> None:
    async def main() -> None:
        chunks = source().values()
        for _ in range(LAST - 1):
            await chunks.__anext__()
            found.append(name(chunks._iteration.spare))
        await chunks.aclose()
        assert source is filled or periods() > LAST // 2
        assert chunks._iteration.spare is None

    found: list[int] = []
    with fast_paths(ON):
        asyncio.run(main())
    assert len(set(found[LAST // 2 :])) == 1
    assert (found[-1] != 0) == (ALONE > 0)


@each_of(source=(plain, mapped))
def test_the_promise_of_a_reader_is_used_again(source: Callable[[], ReadableStream[Chunk]]) -> None:
    async def main() -> None:
        reader = source().get_reader()
        for _ in range(LAST - 1):
            await reader.read()
            taken = reader._jobs.run
            found.append(0 if taken is None else name(taken.spare))
        reader.release_lock()
        assert reader._jobs.run is None and (taken is None or taken.spare is None)

    found: list[int] = []
    with fast_paths(ON):
        asyncio.run(main())
    assert len(set(found[LAST // 2 :])) == 1
    assert (found[-1] != 0) == (ALONE > 0)


async def test_a_promise_that_was_handled_is_not_used_again() -> None:
    """Nobody looks at the rejection of the read that comes next: that is reported, as that of any other read."""
    reports: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(str(context["exception"])))

    def start(controller: Any) -> None:
        controllers.append(controller)
        for number in range(4):
            controller.enqueue(number)

    controllers: list[Any] = []
    reader = ReadableStream({"start": start}).get_reader()
    await asyncio.sleep(0)

    async def read_and_handle() -> Any:
        promise = reader.read()
        promise.then()
        await asyncio.sleep(0)
        return promise

    for number in range(4):
        assert (await (await read_and_handle())).value == number
    reader.read()
    controllers[0].error(ValueError("nobody looks"))
    gc.collect()
    await until(lambda: bool(reports))
    assert reports == ["nobody looks"]
