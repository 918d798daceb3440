"""Port of dom/abort/AbortSignal.any.js."""

from __future__ import annotations

from webstreams import AbortSignal
from wpt_ports.harness import Test, delay, promise_test, test


@test("the AbortSignal.abort() static returns an already aborted signal")
def already_aborted(t: Test) -> None:
    signal = AbortSignal.abort()
    assert isinstance(signal, AbortSignal), "returned object is an AbortSignal"
    assert signal.aborted, "returned signal is already aborted"


@promise_test("signal returned by AbortSignal.abort() should not fire abort event")
async def no_event_when_already_aborted(t: Test) -> None:
    signal = AbortSignal.abort()
    signal.add_event_listener("abort", t.unreached("abort event listener called"))
    signal.onabort = t.unreached("abort event handler called")
    await delay(2000)
