"""Port of streams/writable-streams/count-queuing-strategy.any.js."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webstreams import CountQueuingStrategy, Promise, WritableStream
from wpt_ports.harness import Test, promise_test, test


class FinishingSink:
    """A sink whose writes each wait until `done` is called for the chunk."""

    def __init__(self) -> None:
        self._dones: dict[str, Callable[[None], object]] = {}

    def write(self, chunk: str, controller: object) -> Promise[None]:
        """Keep what finishes the write."""
        promise, self._dones[chunk], _ = Promise[None].with_resolvers()
        return promise

    def done(self, chunk: str) -> None:
        """Finish the write of `chunk`."""
        self._dones[chunk](None)


@test("Can construct a writable stream with a valid CountQueuingStrategy")
def construct_with_count_strategy(t: Test) -> None:
    WritableStream[Any]({}, CountQueuingStrategy(high_water_mark=4))


@promise_test("Correctly governs the value of a WritableStream's state property (HWM = 0)")
async def desired_size_with_high_water_mark_0(t: Test) -> None:
    sink = FinishingSink()
    ws = WritableStream[Any](sink, CountQueuingStrategy(high_water_mark=0))
    writer = ws.get_writer()

    await Promise.resolve(None)
    assert writer.desired_size == 0, "at first"
    write_a = writer.write("a")
    assert writer.desired_size == -1, "after the 1st write()"
    write_b = writer.write("b")
    assert writer.desired_size == -2, "after the 2nd write()"

    sink.done("a")
    await write_a
    assert writer.desired_size == -1, "after the end of the 1st write"

    sink.done("b")
    await write_b
    assert writer.desired_size == 0, "after the end of the 2nd write"
    write_c = writer.write("c")
    assert writer.desired_size == -1, "after the 3rd write()"

    sink.done("c")
    await write_c
    assert writer.desired_size == 0, "after the end of the 3rd write"


@promise_test("Correctly governs the value of a WritableStream's state property (HWM = 4)")
async def desired_size_with_high_water_mark_4(t: Test) -> None:
    sink = FinishingSink()
    ws = WritableStream[Any](sink, CountQueuingStrategy(high_water_mark=4))
    writer = ws.get_writer()

    await Promise.resolve(None)
    assert writer.desired_size == 4, "at first"
    promises = {}
    for number, chunk in enumerate("abcdefg", start=1):
        promises[chunk] = writer.write(chunk)
        assert writer.desired_size == 4 - number, f"after write() number {number}"

    for chunk, expected in [("a", -2), ("b", -1), ("c", 0)]:
        sink.done(chunk)
        await promises[chunk]
        assert writer.desired_size == expected, f"after the end of the write of {chunk!r}"

    writer.write("h")
    assert writer.desired_size == -1, "after the 8th write()"

    sink.done("d")
    await promises["d"]
    assert writer.desired_size == 0, "after the end of the 4th write"
    writer.write("i")
    assert writer.desired_size == -1, "after the 9th write()"
