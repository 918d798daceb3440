"""Port of streams/transform-streams/properties.any.js."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from webstreams import Promise, TransformStream
from wpt_ports.harness import Test, promise_test

Trigger = Callable[[TransformStream[Any, Any]], Any]

# The number of arguments of each transformer method, and what makes the stream call it.
METHODS: dict[str, tuple[int, Trigger]] = {
    "start": (1, lambda ts: Promise.resolve(None)),
    "transform": (2, lambda ts: ts.writable.get_writer().write()),
    "flush": (1, lambda ts: ts.writable.get_writer().close()),
}


def register(method: str, length: int, trigger: Trigger) -> None:
    """Register the two ports for one transformer method."""

    @promise_test(f"transformer method {method} should be called with the right number of arguments")
    async def argument_count(t: Test) -> None:
        counts: list[int] = []

        def record(*args: object) -> None:
            counts.append(len(args))

        transformer: Any = {method: record}
        ts = TransformStream[Any, Any](transformer, None, {"high_water_mark": inf})
        await Promise.resolve(trigger(ts))
        assert counts == [length], f"{method} gets {length} arguments"

    @promise_test(f"transformer method {method} should be called even when it's located on the prototype chain")
    async def inherited_method(t: Test) -> None:
        called: list[bool] = []
        base = type("Base", (), {method: lambda *args: called.append(True)})
        transformer = type("Transformer", (base,), {})()
        ts = TransformStream[Any, Any](transformer, None, {"high_water_mark": inf})
        await Promise.resolve(trigger(ts))
        assert called, f"{method} is called"


for method_name, (arguments, call_trigger) in METHODS.items():
    register(method_name, arguments, call_trigger)
