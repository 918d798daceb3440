"""Port of streams/readable-streams/constructor.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import ReadableStream
from wpt_ports.harness import Test, assert_throws_exactly, test

error1 = Exception("error1")
error2 = Exception("error2")


class ThrowingSource:
    @property
    def start(self) -> Any:
        raise error1


class ThrowingStrategy:
    high_water_mark = 0

    @property
    def size(self) -> Any:
        raise error2


@test("underlyingSource argument should be converted after queuingStrategy argument")
def strategy_is_converted_first(t: Test) -> None:
    source: Any = ThrowingSource()
    strategy: Any = ThrowingStrategy()
    assert_throws_exactly(error2, lambda: ReadableStream(source, strategy))
