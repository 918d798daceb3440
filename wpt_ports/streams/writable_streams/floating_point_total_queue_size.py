"""Port of streams/writable-streams/floating-point-total-queue-size.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import Promise, WritableStream, WritableStreamDefaultWriter
from wpt_ports.harness import Test, promise_test

MAX_SAFE_INTEGER = 2**53 - 1


def writer_of_sizes() -> WritableStreamDefaultWriter[Any]:
    """A writer of a stream in which a chunk is its own size."""
    return WritableStream[Any]({}, {"size": lambda chunk: chunk, "high_water_mark": 0}).get_writer()


@promise_test("Floating point arithmetic must manifest near NUMBER.MAX_SAFE_INTEGER (total ends up positive)")
async def near_max_safe_integer(t: Test) -> None:
    writer = writer_of_sizes()
    writes = [writer.write(2), writer.write(MAX_SAFE_INTEGER)]
    assert writer.desired_size == 0.0 - 2.0 - MAX_SAFE_INTEGER, "after two write() calls, in doubles"
    await Promise.all(writes)
    assert writer.desired_size == 0, "a negative total becomes 0"


@promise_test("Floating point arithmetic must manifest near 0 (total ends up positive, but clamped)")
async def near_zero_clamped(t: Test) -> None:
    writer = writer_of_sizes()
    writes = [writer.write(1e-16), writer.write(1)]
    assert writer.desired_size == 0 - 1e-16 - 1, "after two write() calls, in doubles"
    await Promise.all(writes)
    assert writer.desired_size == 0, "a negative total becomes 0"


@promise_test("Floating point arithmetic must manifest near 0 (total ends up positive, and not clamped)")
async def near_zero_not_clamped(t: Test) -> None:
    writer = writer_of_sizes()
    writes = [writer.write(1e-16), writer.write(1), writer.write(2e-16)]
    assert writer.desired_size == 0 - 1e-16 - 1 - 2e-16, "after three write() calls, in doubles"
    await Promise.all(writes)
    assert writer.desired_size == 0 - 1e-16 - 1 - 2e-16 + 1e-16 + 1 + 2e-16, "after the three writes, in doubles"


@promise_test("Floating point arithmetic must manifest near 0 (total ends up zero)")
async def near_zero_ends_zero(t: Test) -> None:
    writer = writer_of_sizes()
    writes = [writer.write(2e-16), writer.write(1)]
    assert writer.desired_size == 0 - 2e-16 - 1, "after two write() calls, in doubles"
    await Promise.all(writes)
    assert writer.desired_size == 0 - 2e-16 - 1 + 2e-16 + 1, "after the two writes, in doubles"
