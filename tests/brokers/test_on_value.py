"""on_value(): transforms of values, with the deliveries settled for what they make of each."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.brokers.memory import MemoryBroker, logged, memory_stream
from tests.waiting import until
from webstreams import SKIP, ReadableStream, TransformStream, WritableStream, compose, generator_transform
from webstreams.brokers import Deliveries, Delivery, Outcome, acknowledging, on_value


def repeated(value: int, controller: Any) -> None:
    """Give a number as often as its last digit says: nothing for 0, 10 and so on."""
    for _ in range(value % 10):
        controller.enqueue(value)


async def run(stream: ReadableStream[Delivery[Any]], source: Deliveries[int], broker: MemoryBroker) -> list[Any]:
    """Run a pipeline over 40 messages; give the log of writes and settlements."""
    log: list[Any] = []

    def settling(key: int, outcome: Outcome) -> None:
        log.append((outcome, key))

    broker.settling = settling

    async def write(value: Any, controller: object) -> None:
        await asyncio.sleep(0)
        log.append(("written", value))

    pipe = stream.pipe_to(acknowledging(WritableStream({"write": write})))
    await until(lambda: len(broker.acknowledged) >= 40)
    await source.drain()
    await pipe
    assert sorted(broker.acknowledged)[:40] == list(range(40))
    assert broker.most_open <= broker.ledger.limit
    return log


def check_order(log: list[Any], belongs: Any) -> None:
    """Nothing is acknowledged before everything that was made of it is written."""
    for number in range(40):
        writes = [index for index, (what, value) in enumerate(log) if what == "written" and belongs(number, value)]
        assert log.index(("ack", number)) > max(writes, default=-1)


async def test_what_a_transform_makes_is_acknowledged_when_all_of_it_is_written() -> None:
    source, broker = memory_stream(limit=8, count=40)
    log = await run(source.pipe_through(on_value(TransformStream({"transform": repeated}))), source, broker)
    written = [value for what, value in log if what == "written"]
    assert written == [number for number in range(40) for _ in range(number % 10)]
    check_order(log, lambda number, value: number == value)


async def test_an_asynchronous_transform() -> None:
    async def transform(value: int, controller: Any) -> None:
        await asyncio.sleep(0)
        repeated(value, controller)

    source, broker = memory_stream(limit=8, count=40)
    pair = on_value(TransformStream({"transform": transform}, None, {"high_water_mark": 3}))
    log = await run(source.pipe_through(pair), source, broker)
    check_order(log, lambda number, value: number == value)


async def test_a_generator_transform() -> None:
    async def odd(values: AsyncIterator[int]) -> AsyncIterator[int]:
        async for value in values:
            if value % 2:
                yield value
                yield -value

    source, broker = memory_stream(limit=8, count=40)
    log = await run(source.pipe_through(on_value(generator_transform(odd))), source, broker)
    assert [value for what, value in log if what == "written"] == [
        each for number in range(1, 40, 2) for each in (number, -number)
    ]
    check_order(log, lambda number, value: number == abs(value))


async def test_several_transforms_each_on_its_own() -> None:
    def double(value: int, controller: Any) -> None:
        controller.enqueue(value)
        controller.enqueue(value)

    source, broker = memory_stream(limit=8, count=40)
    pair = compose(on_value(TransformStream({"transform": repeated})), on_value(TransformStream({"transform": double})))
    log = await run(source.pipe_through(pair), source, broker)
    assert len([1 for what, _ in log if what == "written"]) == 4 * 45 * 2
    check_order(log, lambda number, value: number == value)


async def test_functions_with_several_calls_at_a_time() -> None:
    async def parse(value: int) -> Any:
        for _ in range(value % 5):
            await asyncio.sleep(0)
        return SKIP if value % 4 == 0 else value

    source, broker = memory_stream(limit=20, count=40)
    log = await run(source.map(on_value(parse)), source, broker)
    written = [value for what, value in log if what == "written"]
    assert sorted(written) == [number for number in range(40) if number % 4]
    check_order(log, lambda number, value: number == value)


async def test_batches_are_joined() -> None:
    source, broker = memory_stream(limit=20, count=42)
    log = await run(source.batched(7).map(Delivery.join), source, broker)
    written = [value for what, value in log if what == "written"]
    assert written == [list(range(start, start + 7)) for start in range(0, 42, 7)]
    check_order(log, lambda number, value: number in value)


async def test_deliveries_in_flat_map() -> None:
    def split(delivery: Delivery[int]) -> list[Delivery[int]]:
        return delivery.derive(*[delivery.value] * (delivery.value % 3))

    source, broker = memory_stream(limit=8, count=40)
    log = await run(source.flat_map(split), source, broker)
    check_order(log, lambda number, value: number == value)


async def test_what_is_refused_is_given_back() -> None:
    source, broker = memory_stream(limit=8, count=10)
    reader = source.pipe_through(on_value(TransformStream({"transform": repeated}))).get_reader()
    part = (await reader.read()).value  # 1
    assert part is not None
    await part.nack(requeue=False)
    await until(lambda: bool(broker.rejected))
    assert (broker.rejected, broker.acknowledged) == ([1], [0])
    await reader.cancel()
    await until(lambda: len(broker.waiting) >= 8)


async def test_a_failing_transform_errors_both_sides_and_all_goes_back() -> None:
    error = ValueError("no")

    def fail(value: int, controller: object) -> None:
        raise error

    source, broker = memory_stream(limit=4, count=4)
    with pytest.raises(ValueError) as caught:
        async for _ in source.pipe_through(on_value(TransformStream({"transform": fail}))):
            pass
    assert caught.value is error
    await until(lambda: len(broker.waiting) >= 4)
    assert broker.acknowledged == []


async def test_cancelling_reaches_the_source() -> None:
    source, broker = memory_stream(limit=4, count=40)
    async for delivery in source.pipe_through(on_value(TransformStream())):
        await delivery.ack()
        break
    await until(lambda: len(broker.waiting) >= 39)
    assert broker.acknowledged == [0]


async def test_aborting_reaches_the_transform() -> None:
    cancelled: list[object] = []
    pair = on_value(TransformStream({"transform": repeated, "cancel": cancelled.append}))
    writer = pair.writable.get_writer()
    delivery, outcomes = logged(1)
    writer.write(delivery)._mark_handled()
    await writer.abort("a reason")
    assert cancelled == ["a reason"]
    assert outcomes == []


async def test_a_terminated_transform_ends_the_stream() -> None:
    def first(value: int, controller: Any) -> None:
        controller.enqueue(value)
        controller.terminate()

    source, broker = memory_stream(limit=4, count=40)
    values = []
    async for delivery in source.pipe_through(on_value(TransformStream({"transform": first}))):
        values.append(delivery.value)
        await delivery.ack()
    assert values == [0]
    await until(lambda: len(broker.waiting) >= 39)


async def test_a_transform_that_collects_is_told_at_its_end() -> None:
    collected: list[int] = []

    def flush(controller: Any) -> None:
        controller.enqueue(collected)

    pair = on_value(TransformStream({"transform": lambda value, controller: collected.append(value), "flush": flush}))
    delivery, _ = logged(1)
    stream: ReadableStream[Delivery[int]] = ReadableStream.from_([delivery])
    with pytest.raises(RuntimeError, match=r"belongs to no delivery.*Delivery\.join"):
        async for _ in stream.pipe_through(pair):
            pass


async def test_mistakes_are_told() -> None:
    with pytest.raises(TypeError, match="a pair with readable and writable, or a function"):
        on_value(1)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="to each of the pairs"):
        on_value(compose(TransformStream(), TransformStream()))
    writer = on_value(TransformStream()).writable.get_writer()
    with pytest.raises(TypeError, match="takes deliveries, not int"):
        await writer.write(1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes deliveries, not int"):
        await ReadableStream.from_([1]).map(on_value(repr)).list()  # type: ignore[arg-type]

    def generate(value: int) -> Iterator[int]:
        yield value

    with pytest.raises(TypeError, match="not a generator function"):
        on_value(generate)


class Pair:
    """Any pair."""

    def __init__(self, readable: Any, writable: Any) -> None:
        self.readable = readable
        self.writable = writable


async def test_a_pair_that_cannot_be_used_is_not_locked() -> None:
    locked, free = TransformStream[Any, Any](), TransformStream[Any, Any]()
    locked.readable.get_reader()
    locked.writable.get_writer()
    for pair in (Pair(free.readable, locked.writable), Pair(locked.readable, free.writable)):
        with pytest.raises(TypeError, match="locked"):
            on_value(pair)
    for pair in (Pair(free.readable, 5), Pair(5, free.writable)):
        with pytest.raises(TypeError, match="a pair of a ReadableStream and a WritableStream"):
            on_value(pair)
    assert not free.readable.locked
    assert not free.writable.locked


async def test_the_failure_of_a_transform_is_told_once() -> None:
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    def fail(value: int, controller: Any) -> None:
        raise KeyError(value)

    def fail_at_the_end(controller: Any) -> None:
        raise KeyError("the end")

    async def acknowledged(delivery: Delivery[int]) -> None:
        await delivery.ack()

    for failing in (TransformStream[Any, Any]({"transform": fail}), TransformStream({"flush": fail_at_the_end})):
        deliveries: ReadableStream[Delivery[int]] = ReadableStream.from_([logged(1)[0]])
        pair = on_value(failing)
        with pytest.raises(KeyError) as caught:
            await deliveries.pipe_through(pair).for_each(acknowledged)
        del caught, pair
        gc.collect()
        await asyncio.sleep(0.01)
    assert reported == []


async def test_an_error_of_a_function_says_which_one_it_was() -> None:
    def parse(value: str) -> int:
        return int(value)

    with pytest.raises(ValueError, match="invalid literal") as caught:
        await ReadableStream.from_([logged("x")[0]]).map(on_value(parse)).list()
    assert any("parse" in note for note in caught.value.__notes__)
