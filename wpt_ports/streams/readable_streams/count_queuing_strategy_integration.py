"""Port of streams/readable-streams/count-queuing-strategy-integration.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import CountQueuingStrategy, ReadableStream
from wpt_ports.harness import Test, promise_test, test
from wpt_ports.resources.rs_utils import assert_result, readable_with_controller


def reader_and_controller(high_water_mark: int) -> tuple[Any, Any]:
    stream, controller = readable_with_controller({}, CountQueuingStrategy(high_water_mark=high_water_mark))
    return stream.get_reader(), controller


def enqueue_each(controller: Any, chunks: str, first_desired_size: int) -> None:
    """Enqueue each chunk; desired_size falls by one each time, from `first_desired_size` after the first."""
    for index, chunk in enumerate(chunks):
        controller.enqueue(chunk)
        assert controller.desired_size == first_desired_size - index, f"after enqueueing {chunk}"


async def read_each(reader: Any, chunks: str) -> None:
    """Read each chunk, one after the other."""
    for chunk in chunks:
        assert_result(await reader.read(), chunk)


@test("Can construct a readable stream with a valid CountQueuingStrategy")
def construct(t: Test) -> None:
    ReadableStream[Any]({}, CountQueuingStrategy(high_water_mark=4))


@promise_test("Correctly governs a ReadableStreamController's desiredSize property (HWM = 0)")
async def high_water_mark_0(t: Test) -> None:
    reader, controller = reader_and_controller(0)
    assert controller.desired_size == 0
    enqueue_each(controller, "abcd", -1)

    await read_each(reader, "abc")
    assert controller.desired_size == -1
    enqueue_each(controller, "e", -2)

    await read_each(reader, "de")
    assert controller.desired_size == 0
    enqueue_each(controller, "fg", -1)


@promise_test("Correctly governs a ReadableStreamController's desiredSize property (HWM = 1)")
async def high_water_mark_1(t: Test) -> None:
    reader, controller = reader_and_controller(1)
    assert controller.desired_size == 1
    enqueue_each(controller, "abcd", 0)

    await read_each(reader, "abc")
    assert controller.desired_size == 0
    enqueue_each(controller, "e", -1)

    await read_each(reader, "de")
    assert controller.desired_size == 1
    enqueue_each(controller, "fg", 0)


@promise_test("Correctly governs a ReadableStreamController's desiredSize property (HWM = 4)")
async def high_water_mark_4(t: Test) -> None:
    reader, controller = reader_and_controller(4)
    assert controller.desired_size == 4
    enqueue_each(controller, "abcdef", 3)

    await read_each(reader, "ab")
    assert controller.desired_size == 0
    enqueue_each(controller, "g", -1)

    await read_each(reader, "cdef")
    assert controller.desired_size == 3
    enqueue_each(controller, "hijk", 2)
