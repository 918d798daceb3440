"""Port of streams/readable-streams/floating-point-total-queue-size.any.js."""

from __future__ import annotations

from typing import Any

from wpt_ports.harness import Test, promise_test
from wpt_ports.resources.rs_utils import readable_with_controller

# Chunks are ints where JavaScript has integers; the sums are those of doubles, as the Standard's numbers are.
MAX_SAFE_INTEGER = 2**53 - 1
MAX_SAFE_FLOAT = float(MAX_SAFE_INTEGER)


def reader_and_controller() -> tuple[Any, Any]:
    stream, controller = readable_with_controller({}, {"size": lambda chunk: chunk, "high_water_mark": 0})
    return stream.get_reader(), controller


@promise_test("Floating point arithmetic must manifest near NUMBER.MAX_SAFE_INTEGER (total ends up positive)")
async def near_max_safe_integer(t: Test) -> None:
    reader, controller = reader_and_controller()

    controller.enqueue(2)
    assert controller.desired_size == 0 - 2
    controller.enqueue(MAX_SAFE_INTEGER)
    assert controller.desired_size == 0 - MAX_SAFE_FLOAT - 2, "after adding a second chunk"

    await reader.read()
    assert controller.desired_size == 0 - MAX_SAFE_FLOAT - 2 + 2, "after subtracting a chunk"
    await reader.read()
    assert controller.desired_size == 0, "a negative total is clamped to 0"


@promise_test("Floating point arithmetic must manifest near 0 (total ends up positive, but clamped)")
async def near_zero_clamped(t: Test) -> None:
    reader, controller = reader_and_controller()

    controller.enqueue(1e-16)
    assert controller.desired_size == 0 - 1e-16
    controller.enqueue(1)
    assert controller.desired_size == 0 - 1e-16 - 1, "after adding a second chunk"

    await reader.read()
    assert controller.desired_size == 0 - 1e-16 - 1 + 1e-16, "after subtracting a chunk"
    await reader.read()
    assert controller.desired_size == 0, "a negative total is clamped to 0"


@promise_test("Floating point arithmetic must manifest near 0 (total ends up positive, and not clamped)")
async def near_zero_not_clamped(t: Test) -> None:
    reader, controller = reader_and_controller()

    controller.enqueue(1e-16)
    assert controller.desired_size == 0 - 1e-16
    controller.enqueue(1)
    assert controller.desired_size == 0 - 1e-16 - 1, "after adding a second chunk"
    controller.enqueue(2e-16)
    assert controller.desired_size == 0 - 1e-16 - 1 - 2e-16, "after adding a third chunk"

    await reader.read()
    assert controller.desired_size == 0 - 1e-16 - 1 - 2e-16 + 1e-16, "after subtracting a chunk"
    await reader.read()
    assert controller.desired_size == 0 - 1e-16 - 1 - 2e-16 + 1e-16 + 1, "after subtracting a second chunk"
    await reader.read()
    assert controller.desired_size == 0 - 1e-16 - 1 - 2e-16 + 1e-16 + 1 + 2e-16, "after subtracting a third chunk"


@promise_test("Floating point arithmetic must manifest near 0 (total ends up zero)")
async def near_zero_ends_at_zero(t: Test) -> None:
    reader, controller = reader_and_controller()

    controller.enqueue(2e-16)
    assert controller.desired_size == 0 - 2e-16
    controller.enqueue(1)
    assert controller.desired_size == 0 - 2e-16 - 1, "after adding a second chunk"

    await reader.read()
    assert controller.desired_size == 0 - 2e-16 - 1 + 2e-16, "after subtracting a chunk"
    await reader.read()
    assert controller.desired_size == 0, "after subtracting a second chunk"
