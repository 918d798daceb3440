"""What each operator does, one by one; and that operators in a chain behave as if each read the stream before it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any
from weakref import WeakSet

import pytest

from tests.faults.helpers import Heartbeat, RecordingSource, failure, quiet, reason, soon, stream_of, turns
from tests.grids import each_of, each_row
from webstreams import SKIP, AbortError, Promise, ReadableStream, StreamError, TransformStream, WritableStream
from webstreams.observe import Pipeline, observe

from .table import BOOM, Numbers, fail, same, same_soon, settle, yes

# The single operators.


async def test_map_leaves_out_what_is_skipped() -> None:
    stream = ReadableStream.from_(range(6)).map(lambda number: number if number % 2 else SKIP)
    assert await stream.list() == [1, 3, 5]
    assert repr(SKIP) == "SKIP"


async def test_map_of_any_awaitable() -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(future.set_result, "later")
    results: list[Any] = [future, asyncio.sleep(0, "task"), "now"]
    assert await soon(ReadableStream.from_(range(3)).map(lambda number: results[number]).list()) == [
        "later",
        "task",
        "now",
    ]


async def test_what_an_iterable_gives_is_awaited() -> None:
    async def item(number: int) -> int:
        return number

    assert await ReadableStream.from_([item(1), 2, asyncio.sleep(0, 3)]).map(same).list() == [1, 2, 3]
    inner: list[Any] = [item(1), 2]
    assert await ReadableStream.from_([0]).flat_map(lambda _: inner).list() == [1, 2]
    assert await failure(ReadableStream.from_([fail_later()]).map(same).list()) is BOOM
    assert await failure(ReadableStream.from_([0]).flat_map(lambda _: [fail_later()]).list()) is BOOM


async def fail_later() -> None:
    raise BOOM


async def test_filter_passes_what_is_true() -> None:
    async def is_even(number: int) -> object:
        return [] if number % 2 else [number]

    assert await ReadableStream.from_([0, 1, "", "a", None]).filter(same).list() == [1, "a"]
    assert await ReadableStream.from_(range(4)).filter(is_even).list() == [0, 2]


@each_of(count=[1, 3])
async def test_take_cancels_when_the_last_is_given(count: int) -> None:
    source = Numbers(100)
    stream = source.stream()
    reader = stream.take(count).get_reader()
    for number in range(count):
        assert source.cancellations == []
        assert (await soon(reader.read())).value == number
    assert source.cancellations == [None]
    assert source.pulls == count
    await soon(reader.closed)
    assert not stream.locked


async def test_take_nothing_cancels_at_once() -> None:
    source = Numbers(100)
    stream = source.stream()
    result = stream.take(0)
    assert source.cancellations == [None]
    assert source.pulls == 0
    assert await soon(result.list()) == []
    assert not stream.locked
    assert await soon(Numbers(3).stream().take(0).map(same).batched(2).list()) == []


async def test_the_end_of_take_waits_for_the_cancellation() -> None:
    release = asyncio.Event()
    source = Numbers(100)

    async def cancel(_: object) -> None:
        await release.wait()

    source.on_cancel = cancel
    reader = source.stream().take(1).get_reader()
    assert (await soon(reader.read())).value == 0
    read = reader.read()
    await turns(10)
    assert not read.done()
    release.set()
    assert (await soon(read)).done


async def test_a_cancellation_that_fails_errors_what_is_taken() -> None:
    source = Numbers(100)
    source.on_cancel = fail
    reader = source.stream().take(1).map(same).get_reader()
    assert (await soon(reader.read())).value == 0
    assert await failure(reader.read()) is BOOM


async def test_take_in_the_middle_gives_all_that_comes_of_its_chunks() -> None:
    source = Numbers(100)
    stream = source.stream().take(2).flat_map(lambda number: [number] * 3).batched(4)
    assert await soon(stream.list()) == [[0, 0, 0, 1], [1, 1]]
    assert source.cancellations == [None]
    assert source.pulls == 2
    assert await soon(ReadableStream.from_(range(9)).flat_map(lambda _: [1, 2]).take(3).list()) == [1, 2, 1]


async def test_take_stops_an_iterable_in_the_middle() -> None:
    closed: list[str] = []

    def inner(_: object) -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            closed.append("inner")

    source = Numbers(100)
    assert await soon(source.stream().flat_map(inner).take(2).list()) == [0, 1]
    assert closed == ["inner"]
    assert source.cancellations == [None]


async def test_drop() -> None:
    assert await ReadableStream.from_(range(5)).drop(2).list() == [2, 3, 4]
    assert await ReadableStream.from_(range(5)).drop(7).list() == []
    chunk = asyncio.Event()
    assert await Numbers(3).stream().map(lambda _: chunk).drop(2).list() == [chunk]


async def test_flat_map_of_everything() -> None:
    async def numbers(count: int) -> AsyncIterator[int]:
        for number in range(count):
            yield number

    async def later(number: int) -> Any:
        await asyncio.sleep(0)
        return numbers(number)

    functions: list[Callable[[int], Any]] = [range, numbers, lambda count: ReadableStream.from_(range(count)), later]
    for function in functions:
        assert await soon(Numbers(4).stream().flat_map(function).list()) == [0, 0, 1, 0, 1, 2]
    nested = Numbers(3).stream().flat_map(range).flat_map(lambda number: [number, -number]).map(same_soon)
    assert await soon(nested.list()) == [0, 0, 0, 0, 1, -1]


class Bare:
    """An iterator that is not iterable itself."""

    def __init__(self) -> None:
        self.left = 2

    def __next__(self) -> int:
        if not self.left:
            raise StopIteration
        self.left -= 1
        return self.left


class BareIterable:
    def __iter__(self) -> Any:
        return Bare()


async def test_iterators_that_are_not_iterable() -> None:
    assert await ReadableStream.from_(BareIterable()).map(same).list() == [1, 0]
    assert await ReadableStream.from_([0]).flat_map(lambda _: BareIterable()).list() == [1, 0]


@each_of(result=["text", b"bytes", 7, None])
async def test_flat_map_refuses_what_is_no_iterable(result: Any) -> None:
    source = Numbers()
    error = await failure(source.stream().flat_map(lambda _: result).list())
    assert isinstance(error, TypeError)
    assert "the function of flat_map() must return an iterable" in str(error)
    assert source.cancellations == [error]


async def test_cancelling_reaches_the_stream_in_the_middle() -> None:
    outer, inner, reason = Numbers(9), Numbers(9), object()
    reader = outer.stream().flat_map(lambda _: inner.stream()).get_reader()
    assert (await soon(reader.read())).value == 0
    await soon(reader.cancel(reason))
    assert (inner.cancellations, outer.cancellations) == ([reason], [reason])


async def test_an_error_in_the_middle_cancels_the_outer_stream() -> None:
    outer, inner = Numbers(9), Numbers(1, "error")
    reader = outer.stream().flat_map(lambda _: inner.stream()).get_reader()
    assert (await soon(reader.read())).value == 0
    assert await failure(reader.read()) is BOOM
    assert (inner.cancellations, outer.cancellations) == ([], [BOOM])


async def test_batches() -> None:
    stream = ReadableStream.from_
    assert await stream(range(5)).batched(2).list() == [[0, 1], [2, 3], [4]]
    assert await stream([]).batched(2).list() == []
    assert await stream(["ab", "c", "def", "g"]).batched(size=3).list() == [["ab", "c"], ["def"], ["g"]]
    assert await stream(["ab", "c", "d"]).batched(2, size=9).list() == [["ab", "c"], ["d"]]
    assert await stream([1, 2, 3]).batched(size=3, size_of=lambda number: number).list() == [[1, 2], [3]]
    assert await stream(range(5)).batched(2).batched(2).list() == [[[0, 1], [2, 3]], [[4]]]
    assert await stream(range(3)).batched(2).map(same_soon).list() == [[0, 1], [2]]


async def test_a_begun_batch_is_dropped_by_an_error() -> None:
    assert await failure(Numbers(1, "error").stream().batched(2).list()) is BOOM


@each_of(size=[-1, float("nan"), "much"])
async def test_a_size_that_is_none(size: Any) -> None:
    source = Numbers()
    error = await failure(source.stream().batched(size=3, size_of=lambda _: size).list())
    assert isinstance(error, ValueError)
    assert source.cancellations == [error]


# Bad arguments.


async def coroutine_function(chunk: Any) -> Any:
    return chunk


METHODS = ["map", "filter", "flat_map", "tap"]
REFUSED: list[tuple[Callable[[Any], Any], type[Exception], str]] = [
    *(
        (lambda s, m=method: getattr(s, m)(7), TypeError, rf"{method}\(\) needs a function, not int")
        for method in METHODS
    ),
    *(
        (
            lambda s, m=method: getattr(s, m)(coroutine_function(1)),
            TypeError,
            r"the coroutine function itself, coroutine_f",
        )
        for method in METHODS
    ),
    (lambda s: s.take(-1), ValueError, "count must be at least 0, is -1"),
    (lambda s: s.take(1.5), TypeError, "count must be an integer, not float"),
    (lambda s: s.drop(-1), ValueError, "count must be at least 0, is -1"),
    (lambda s: s.drop("2"), TypeError, "count must be an integer, not str"),
    (lambda s: s.batched(), TypeError, "needs a limit"),
    (lambda s: s.batched(0), ValueError, "count must be at least 1, is 0"),
    (lambda s: s.batched(size=0), ValueError, "size must be greater than 0"),
    (lambda s: s.batched(size="x"), TypeError, "size must be a number"),
    (lambda s: s.batched(size=3, size_of=3), TypeError, r"size_of\(\) needs a function"),
    (lambda s: s.batched(3, size_of=len), TypeError, "size_of needs a size"),
]


@each_row(("use", "kind", "words"), REFUSED)
async def test_a_bad_argument_is_refused_at_the_call(
    use: Callable[[Any], Any], kind: type[Exception], words: str
) -> None:
    stream = Numbers().stream()
    with pytest.raises(kind, match=words):
        use(stream)
    assert not stream.locked
    assert await stream.list() == [0, 1, 2, 3]


async def test_a_locked_stream_is_refused() -> None:
    stream = Numbers().stream()
    stream.get_reader()
    with pytest.raises(TypeError, match="locked"):
        stream.map(same)


# Chains: what shows of the streams between.


@each_of(fused=[True, False])
async def test_the_streams_between_are_locked_and_end_with_the_rest(fused: bool) -> None:
    source = Numbers(2)
    between = source.stream().map(same)
    if not fused:
        between = between.pipe_through(TransformStream())
    result = between.filter(yes)
    assert between.locked
    assert await reason(between.cancel()) is not None
    assert await soon(result.list()) == [0, 1]
    assert not between.locked
    await soon(between.get_reader().closed)


async def test_the_streams_before_a_failing_function_are_cancelled_and_those_behind_it_errored() -> None:
    source = Numbers()
    before = source.stream().map(same)
    failing = before.map(fail)
    behind = failing.map(same)
    assert await failure(behind.list()) is BOOM
    assert not (before.locked or failing.locked or behind.locked)
    await soon(before.get_reader().closed)
    assert await failure(failing.get_reader().closed) is BOOM
    assert await failure(behind.get_reader().closed) is BOOM


async def test_the_streams_before_take_are_cancelled_when_it_has_enough() -> None:
    before = Numbers().stream().map(same)
    taken = before.take(1)
    reader = taken.map(same).get_reader()
    assert (await soon(reader.read())).value == 0
    await soon(before.get_reader().closed)
    await soon(reader.closed)
    await soon(taken.get_reader().closed)


async def test_an_operator_whose_result_was_read_is_not_joined() -> None:
    first = Numbers(4).stream().map(same)
    with first.get_reader() as reader:
        assert (await soon(reader.read())).value == 0
    assert await soon(first.map(same).list()) == [1, 2, 3]


async def test_a_chunk_of_a_cancelled_read_is_not_lost() -> None:
    source = RecordingSource()
    reader = stream_of(source, 0).map(same).filter(yes).get_reader()
    task = asyncio.ensure_future(_read(reader))
    await turns(5)
    task.cancel()
    await asyncio.wait([task])
    source.controller.enqueue("first")
    source.controller.enqueue("second")
    assert [(await soon(reader.read())).value for _ in range(2)] == ["first", "second"]


async def _read(reader: Any) -> Any:
    return await reader.read()


# Cancelling inside, reentrance.


async def test_a_function_may_cancel_its_own_result() -> None:
    source = Numbers(100)
    cancelled: list[Any] = []

    def stop(number: int) -> bool:
        if number == 3:
            cancelled.append(reader.cancel("enough"))
        return False

    for stream in (source.stream(), ReadableStream.from_(range(100))):
        reader = stream.filter(stop).get_reader()
        assert (await soon(reader.read())).done
        await soon(cancelled.pop())
    assert source.pulls == 4
    assert source.cancellations == ["enough"]


async def test_a_call_under_way_is_cancelled_and_waited_for() -> None:
    events: list[str] = []

    async def slow(_: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            events.append("the call has ended")

    source = Numbers()
    reader = source.stream().map(slow).get_reader()
    read = reader.read()
    await turns(5)
    await soon(reader.cancel("reason"))
    events.append("cancel() has ended")
    assert events == ["the call has ended", "cancel() has ended"]
    assert source.cancellations == ["reason"]
    assert (await soon(read)).done
    await settle()


@each_of(error=[StopIteration(1), StopAsyncIteration(), GeneratorExit(), asyncio.CancelledError()])
async def test_exceptions_that_steer_python(error: BaseException) -> None:
    def raise_it(_: object) -> None:
        raise error

    for stream in (Numbers().stream(), ReadableStream.from_(range(4))):
        raised = await failure(stream.map(raise_it).list())
        assert isinstance(raised, StreamError)
        assert raised.reason is error


async def test_functions_are_called_one_after_the_other() -> None:
    running = 0

    async def alone(number: int) -> int:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        running -= 1
        return number

    reader = Numbers(20).stream().map(alone).get_reader()
    reads = [reader.read() for _ in range(20)]
    assert [(await soon(read)).value for read in reads] == list(range(20))


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")


async def test_coroutines_run_in_a_copy_of_the_context_in_which_the_operator_was_made() -> None:
    async def look(_: object) -> str:
        value = variable.get()
        variable.set("changed")
        return value

    variable.set("made")
    stream = Numbers(3).stream().map(look).map(same)
    variable.set("read")
    assert await stream.list() == ["made"] * 3
    assert variable.get() == "read"


async def test_errors_of_an_input_that_is_no_exception() -> None:
    class Failing(Numbers):
        def pull(self, controller: Any) -> None:
            controller.error("a reason")

    assert await reason(Failing().stream().map(same).filter(yes).list()) == "a reason"


# Pipes, pairs, other streams.


@each_of(high_water_mark=[0, 1, 5])
async def test_a_pipe_takes_what_operators_give(high_water_mark: float) -> None:
    written: list[Any] = []
    for stream in (Numbers(300).stream(high_water_mark), ReadableStream.from_(range(300))):
        sink = WritableStream({"write": lambda chunk, _: written.append(chunk)})
        await soon(stream.map(lambda number: number + 1).filter(lambda number: number % 3).batched(2).pipe_to(sink))
        assert written == await ReadableStream.from_([n + 1 for n in range(300) if (n + 1) % 3]).batched(2).list()
        written.clear()


async def test_an_error_in_a_long_pipe_reaches_both_ends() -> None:
    closed: list[int] = []

    def numbers() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.append(1)

    def fails_late(number: int) -> int:
        if number == 500:
            raise BOOM
        return number

    aborted: list[object] = []
    sink = WritableStream({"write": lambda chunk, _: None, "abort": aborted.append})
    assert await failure(ReadableStream.from_(numbers()).map(fails_late).pipe_to(sink)) is BOOM
    await turns(5)
    assert (aborted, closed) == ([BOOM], [1])


async def test_byte_streams() -> None:
    class Bytes:
        type = "bytes"

        def pull(self, controller: Any) -> None:
            controller.enqueue(b"ab")
            controller.close()

    stream: ReadableStream[Any] = ReadableStream(Bytes())
    assert await stream.map(len).list() == [2]


# Fairness and memory.


@each_of(kind=["iterator", "source", "coroutine"])
async def test_a_filter_that_passes_nothing_lets_the_loop_run(kind: str) -> None:
    heart = Heartbeat()

    def endless() -> Iterator[int]:
        while heart.goes_on():
            yield 0

    def pull(controller: Any) -> None:
        if heart.goes_on():
            controller.enqueue(0)
        else:
            controller.close()

    async def no(_: object) -> bool:
        return False

    stream = ReadableStream.from_(endless()) if kind != "source" else ReadableStream({"pull": pull})
    beating = asyncio.ensure_future(heart.beat())
    heart.tick()
    assert await soon(stream.filter(no if kind == "coroutine" else bool).list()) == []
    beating.cancel()
    assert heart.beats >= 5
    assert heart.ticks >= 5


async def test_a_dropped_chain_is_collected() -> None:
    import weakref

    stream = Numbers().stream().map(same).filter(yes)
    reference = weakref.ref(stream)
    with quiet(0):
        del stream
        await turns(3)
        gc.collect()
        assert reference() is None


async def test_a_generator_below_a_chain_has_a_task_and_a_context_for_each_item() -> None:
    """A task is used again only if the generator cannot tell: it has neither kept it nor left a trace on it."""
    tasks: list[Any] = []
    seen: list[object] = []
    inside: set[Any] = set()
    value = contextvars.ContextVar("value", default=0)

    async def numbers() -> AsyncIterator[int]:
        for number in range(12):
            task = asyncio.current_task()
            assert task is not None
            seen.append((value.get(), task.get_name() == "touched"))
            if number % 4 == 1:
                tasks.append(task)
            if number % 4 == 2:
                value.set(1)
            if number % 4 == 3:
                task.set_name("touched")
            yield number

    def note(number: int) -> int:
        inside.add(asyncio.current_task())
        return number

    chain = ReadableStream.from_(numbers()).map(note).filter(bool).batched(4)
    assert await chain.list() == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11]]
    assert len(set(tasks)) == 3
    assert not inside & set(tasks)
    assert seen == [(0, False)] * 12


@each_of(method=["map", "filter", "tap", "for_each"])
async def test_the_one_call_under_way_ends_before_an_error_of_the_source_is_told(method: str) -> None:
    """What was read is finished, as a write of a pipe is. Only several calls at a time are cancelled."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    ended: list[str] = []
    came: list[str] = []

    async def work(chunk: str) -> str:
        begun.set()
        await go_on.wait()
        ended.append(chunk)
        return chunk

    async def read_all() -> None:
        result = getattr(stream_of(source, 0), method)(work)
        if method == "for_each":
            await result
        async for chunk in result:
            came.append(chunk)

    source = RecordingSource()
    reading = asyncio.create_task(read_all())
    await turns(2)
    source.controller.enqueue("a chunk")
    await soon(begun.wait())
    source.controller.error(BOOM)
    await turns(10)
    assert not reading.done()
    go_on.set()
    assert await failure(reading) is BOOM
    assert ended == ["a chunk"]
    assert came == ([] if method == "for_each" else ["a chunk"])


def even(number: int) -> bool:
    return number % 2 == 0


ACTIONS = ["nothing", "nothing", "nothing", "sleep", "promise", "keep", "mark", "touch", "context", "look"]


@each_of(seed=range(12))
async def test_items_of_a_generator_leave_nothing_to_each_other(seed: int) -> None:
    choose = random.Random(seed)
    actions = choose.choices(ACTIONS, k=24)
    value = contextvars.ContextVar("value", default=0)
    consumer = asyncio.current_task()
    kept: list[Any] = []
    marked: WeakSet[Any] = WeakSet()

    async def numbers() -> AsyncIterator[int]:
        for number, action in enumerate(actions):
            task = asyncio.current_task()
            assert task is not None and task is not consumer
            assert (value.get(), task.get_name() == "touched", task in marked) == (0, False, False)
            assert not any(task is each for each in kept)
            if action == "sleep":
                await asyncio.sleep(0)
            elif action == "promise":
                await Promise.resolve()
            elif action == "keep":
                kept.append(task)
            elif action == "mark":
                marked.add(task)
            elif action == "touch":
                task.set_name("touched")
            elif action == "context":
                value.set(1)
            yield number

    def look(number: int) -> int:
        if actions[number] == "look":
            kept.extend(asyncio.all_tasks())
        assert value.get() == 0
        return number

    chain = ReadableStream.from_(numbers()).map(look).filter(even).batched(choose.randint(1, 3))
    assert [each for batch in await soon(chain.list()) for each in batch] == list(range(0, len(actions), 2))
    kept.clear()


async def test_a_generator_that_was_closed_between_two_items() -> None:
    async def numbers() -> AsyncGenerator[int, None]:
        for number in range(9):
            yield number

    generator = numbers()

    def close(number: int) -> int:
        if number == 4:
            with pytest.raises(StopIteration):
                generator.aclose().send(None)
        return number

    taken: list[int] = []
    with pytest.raises(AbortError, match="somebody else has closed the generator"):
        async for number in ReadableStream.from_(generator).map(close):
            taken.append(number)
    assert taken == [0, 1, 2, 3, 4]


async def test_a_function_is_replaced_in_the_middle_of_a_chain() -> None:
    """Who begins to observe inside of a function counts from there on."""
    seen: list[int] = []
    pipelines: list[Pipeline] = []

    def begin(number: int) -> int:
        if number == 3:
            pipelines.append(observe(stream))
        return number

    stream = ReadableStream.from_(range(8)).map(begin).filter(even)
    async for number in stream:
        seen.append(number)
    assert seen == [0, 2, 4, 6]
    assert [each.chunks_out for each in pipelines[0].stages][:2] == [4, 5]
