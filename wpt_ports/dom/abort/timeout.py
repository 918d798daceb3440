"""Port of dom/abort/timeout.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import AbortSignal, Promise
from wpt_ports.harness import Test, promise_test, test


@test("AbortSignal.timeout() returns a non-aborted signal")
def not_aborted_at_first(t: Test) -> None:
    signal = AbortSignal.timeout(0)
    assert isinstance(signal, AbortSignal), "returned object is an AbortSignal"
    assert not signal.aborted, "returned signal is not already aborted"


@promise_test("Signal returned by AbortSignal.timeout() times out")
async def times_out(t: Test) -> None:
    signal = AbortSignal.timeout(0.005)
    fired, fire, _ = Promise.with_resolvers()
    signal.onabort = fire
    await fired
    assert signal.aborted, "signal is aborted"
    assert isinstance(signal.reason, TimeoutError), "signal.reason is a TimeoutError"


@promise_test("AbortSignal timeouts fire in order")
async def timeouts_fire_in_order(t: Test) -> None:
    result: list[str] = []

    def append_to_result(value: str) -> Any:
        return lambda event: result.append(value)

    for value in ("1", "2", "3"):
        # As upstream, nothing but its timer refers to the signal.
        AbortSignal.timeout(0.005).onabort = append_to_result(value)

    signal = AbortSignal.timeout(0.005)
    fired, fire, _ = Promise.with_resolvers()
    signal.onabort = lambda event: fire("".join(result))
    assert await fired == "123", "timeout order should be 123"
