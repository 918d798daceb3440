"""Port of streams/writable-streams/properties.any.js."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webstreams import Promise, WritableStream, WritableStreamDefaultWriter
from wpt_ports.harness import Test, add_port

Writer = WritableStreamDefaultWriter[Any]
Trigger = Callable[[Writer], Promise[Any]]

# For each sink method: how many arguments it is called with, and what makes the stream call it.
SINK_METHODS: dict[str, tuple[int, Trigger]] = {
    "start": (1, lambda writer: Promise.resolve(None)),
    "write": (2, lambda writer: writer.write(None)),
    "close": (0, lambda writer: writer.close()),
    "abort": (1, lambda writer: writer.abort()),
}


def add_tests(method: str, count: int, trigger: Trigger) -> None:
    """Register the two tests of one sink method."""

    async def number_of_arguments(t: Test) -> None:
        counts: list[int] = []
        sink: Any = {method: lambda *arguments: counts.append(len(arguments))}
        ws = WritableStream[Any](sink)
        await trigger(ws.get_writer())
        assert counts == [count], f"the number of arguments of {method}()"

    async def inherited_method(t: Test) -> None:
        calls: list[str] = []
        base = type("Base", (), {method: lambda *_: calls.append(method)})
        sink: Any = type("Sink", (base,), {})()
        ws = WritableStream[Any](sink)
        await trigger(ws.get_writer())
        assert calls, f"{method}() is called"

    add_port(__name__, f"sink method {method} should be called with the right number of arguments", number_of_arguments)
    add_port(
        __name__,
        f"sink method {method} should be called even when it's located on the prototype chain",
        inherited_method,
    )


for name, (expected_count, trigger_function) in SINK_METHODS.items():
    add_tests(name, expected_count, trigger_function)
