"""Reads that are answered in the pull that they asked for: their await does what jobs would do, and nobody can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.grids import each_of
from webstreams import Promise, ReadableStream, queue_microtask
from webstreams._engine.jobs import swap_task

from ..waiting import another_task
from .filling import as_without_shortcuts, is_open
from .pipelines import await_outside_of_tasks, on_both_paths

COUNT = 30
Log = list[Any]
Answer = Callable[[Any, int, Log], Any]


def respond(controller: Any, number: int, log: Log) -> None:
    """Fill the view that waits."""
    view = controller.byob_request.view
    view[0] = number
    controller.byob_request.respond(view.nbytes)
    log.append(("released", not is_open(view), repr(controller.byob_request)))


def respond_in_parts(controller: Any, number: int, log: Log) -> None:
    for _ in range(3):
        if controller.byob_request is not None:
            controller.byob_request.respond(1)


def bring(controller: Any, number: int, log: Log) -> None:
    controller.enqueue(b"%03d" % number)


def bring_more(controller: Any, number: int, log: Log) -> None:
    controller.enqueue(b"%d is more than there is room for" % number)


def bring_memory(controller: Any, number: int, log: Log) -> None:
    """Memory that is used again at once."""
    memory = bytearray(b"mem")
    controller.enqueue(memory)
    memory[:] = b"new"


def answer_behind_a_microtask(controller: Any, number: int, log: Log) -> None:
    queue_microtask(log.append, ("before the chunk", number))
    respond(controller, number, log)
    queue_microtask(log.append, ("behind the chunk", number))


def answer_in_a_microtask(controller: Any, number: int, log: Log) -> None:
    queue_microtask(bring, controller, number, log)


def answer_in_another_turn(controller: Any, number: int, log: Log) -> None:
    asyncio.get_running_loop().call_soon(bring, controller, number, log)


def give_a_promise(controller: Any, number: int, log: Log) -> Any:
    respond(controller, number, log)
    return Promise.resolve(None).then(lambda _: log.append(("the promise", number)))


async def be_a_coroutine(controller: Any, number: int, log: Log) -> None:
    respond(controller, number, log)
    log.append(asyncio.current_task() is not None)


async def suspend(controller: Any, number: int, log: Log) -> None:
    await asyncio.sleep(0)
    respond(controller, number, log)


def fail(controller: Any, number: int, log: Log) -> None:
    respond(controller, number, log)
    if number == COUNT // 2:
        raise RuntimeError("no more")


def fail_before_the_answer(controller: Any, number: int, log: Log) -> None:
    if number == COUNT // 2:
        raise RuntimeError("no more")
    respond(controller, number, log)


def close_with_a_read(controller: Any, number: int, log: Log) -> None:
    """The read that waits is answered in another turn; nobody asks the source any more."""
    if number == COUNT // 2:
        request = controller.byob_request
        controller.close()
        asyncio.get_running_loop().call_soon(request.respond, 0)
        return
    respond(controller, number, log)


def answer_and_close(controller: Any, number: int, log: Log) -> None:
    respond(controller, number, log)
    if number == COUNT // 2:
        controller.close()


ANSWERS = [
    respond,
    respond_in_parts,
    bring,
    bring_more,
    bring_memory,
    answer_behind_a_microtask,
    answer_in_a_microtask,
    answer_in_another_turn,
    give_a_promise,
    be_a_coroutine,
    suspend,
    fail,
    fail_before_the_answer,
    close_with_a_read,
    answer_and_close,
]


def stream_of(answer: Answer, log: Log, mark: int = 0) -> ReadableStream[Any]:
    count = iter(range(COUNT))

    def pull(controller: Any) -> Any:
        number = next(count)
        log.append(("pull", number, controller.desired_size))
        queue_microtask(log.append, ("a job of the pull", number))
        result = answer(controller, number, log)
        log.append(repr(controller))
        return result

    source: Any = {"type": "bytes", "pull": pull, "cancel": log.append}
    return ReadableStream(source, {"high_water_mark": mark})


def assert_same(program: Callable[[], Coroutine[Any, Any, Log]]) -> None:
    plain, other = on_both_paths(program)
    assert plain == other


async def seen(read: Any) -> Any:
    """Await a read, with the shortcut or without it; return what it has brought."""
    as_without_shortcuts()
    try:
        value, done = await read
    except Exception as error:
        return repr(error)
    return (None if value is None else value.tobytes(), done)


@each_of(is_quiet=[True, False])
@each_of(mark=[0, 5])
@each_of(answer=ANSWERS)
def test_a_loop_of_reads(answer: Answer, mark: int, is_quiet: bool) -> None:
    """Other jobs between them, or none."""

    async def program() -> Log:
        log: Log = []
        reader = stream_of(answer, log, mark).get_reader(mode="byob")
        for number in range(COUNT - 2):
            read = reader.read(bytearray(3))
            if not is_quiet:
                queue_microtask(log.append, ("between", number))
            log.append(read.done())
            log.append(await asyncio.wait_for(seen(read), 5) if number % 7 == 6 else await seen(read))
        return log

    assert_same(program)


def test_a_read_that_waits_already() -> None:
    """The source was asked for it, and has nothing: it is not asked again."""

    async def program() -> Log:
        log: Log = []

        def later(controller: Any, number: int, log: Log) -> None:
            if number % 2:
                asyncio.get_running_loop().call_soon(respond, controller, number, log)
            else:
                respond(controller, number, log)

        reader = stream_of(later, log).get_reader(mode="byob")
        for _ in range(COUNT // 3):
            reads = [reader.read(bytearray(3)) for _ in range(3)]
            log.extend([await seen(each) for each in reads])
        return log

    assert_same(program)


def test_a_task_that_is_begun_on_the_stack_of_another() -> None:
    """Its await runs no jobs: they would overtake what is to go on below it."""

    async def program() -> Log:
        log: Log = []
        loop = asyncio.get_running_loop()
        loop.set_task_factory(lambda loop, coroutine, **options: asyncio.Task(coroutine, loop=loop, **options))
        begun = asyncio.ensure_future(asyncio.sleep(0))
        reader = stream_of(respond, log).get_reader(mode="byob")
        for _ in range(5):
            log.append(await seen(reader.read(bytearray(3))))
        previous = swap_task(loop, begun)
        try:
            await_outside_of_tasks([reader.read(bytearray(3))], log)
        finally:
            swap_task(loop, previous)
        assert log[-2:] == ["step", "has to wait"]
        return log

    assert_same(program)


async def test_other_tasks_have_their_turns() -> None:
    """However long the source answers at once."""

    def pull(controller: Any) -> None:
        controller.byob_request.respond(1)

    source: Any = {"type": "bytes", "pull": pull}
    reader = ReadableStream(source).get_reader(mode="byob")
    async with another_task() as beats:
        while beats.count < 5:
            await reader.read(bytearray(1))


def test_what_a_read_has_brought_is_not_the_memory_of_the_stream_any_more() -> None:
    """Its array can grow when the view is gone: nothing else keeps it."""

    async def program() -> Log:
        log: Log = []
        reader = stream_of(respond, log).get_reader(mode="byob")
        memory = bytearray(3)
        for _ in range(COUNT // 2):
            value, _ = await reader.read(memory)
            assert value is not None
            value.release()
            memory.append(0)
            del memory[3:]
        return log

    assert_same(program)


async def waiting(reader: Any, controllers: list[Any]) -> Any:
    """Let two tasks read into memory of two bytes each; return them when the source was asked."""
    tasks = [asyncio.ensure_future(seen(reader.read(bytearray(2)))) for _ in range(2)]
    while not controllers:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_bytes_of_a_read_that_was_cancelled_come_before_those_that_fill_the_next_view() -> None:
    controllers: list[Any] = []
    source: Any = {"type": "bytes", "pull": controllers.append}
    stream: ReadableStream[Any] = ReadableStream(source)
    first, second = await waiting(stream.get_reader(mode="byob"), controllers)
    controller = controllers[0]
    controller.enqueue(b"ab")
    request = controller.byob_request
    first.cancel()
    await asyncio.sleep(0)
    request.view[:] = b"cd"
    request.respond(2)
    assert await second == (b"ab", False)


async def test_a_view_of_a_reader_that_has_gone_is_for_the_next_one() -> None:
    controllers: list[Any] = []
    source: Any = {"type": "bytes", "pull": controllers.append}
    stream: ReadableStream[Any] = ReadableStream(source)
    filling = stream.get_reader(mode="byob")
    tasks = await waiting(filling, controllers)
    request = controllers[0].byob_request
    filling.release_lock()
    await asyncio.wait(tasks)
    request.view[:] = b"cd"
    request.respond(2)
    assert await stream.get_reader().read() == (b"cd", False)


async def test_nothing_is_written_to_a_view_of_a_closed_stream() -> None:
    controllers: list[Any] = []
    source: Any = {"type": "bytes", "pull": controllers.append}
    tasks = await waiting(ReadableStream(source).get_reader(mode="byob"), controllers)
    request = controllers[0].byob_request
    controllers[0].close()
    with pytest.raises(TypeError, match="must be 0 on a closed stream"):
        request.respond(1)
    request.respond(0)
    assert [await each for each in tasks] == [(b"", True), (b"", True)]


async def test_a_view_that_the_source_has_released_is_not_filled() -> None:
    controllers: list[Any] = []
    source: Any = {"type": "bytes", "pull": controllers.append}
    tasks = await waiting(ReadableStream(source).get_reader(mode="byob"), controllers)
    controllers[0].byob_request.view.release()
    with pytest.raises(TypeError, match="was released"):
        controllers[0].enqueue(b"ab")
    for each in tasks:
        each.cancel()


async def test_a_default_reader_gets_bytes_of_the_memory_that_was_made_for_it() -> None:
    log: Log = []
    source: Any = {
        "type": "bytes",
        "pull": lambda controller: respond(controller, 1, log),
        "auto_allocate_chunk_size": 2,
    }
    chunk, _ = await ReadableStream(source).get_reader().read()
    assert type(chunk) is bytes
    assert chunk == b"\x01\x00"
