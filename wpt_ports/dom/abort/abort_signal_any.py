"""Port of dom/abort/abort-signal-any.any.js and of the templates in resources/abort-signal-any-tests.js."""

from __future__ import annotations

from typing import Any

from webstreams import AbortController, AbortError, AbortSignal, Promise
from wpt_ports.harness import Test, assert_array_equals, promise_test, same, test


def make_controllers(count: int) -> list[AbortController]:
    return [AbortController() for _ in range(count)]


@test("AbortSignal.any() works with an empty array of signals")
def no_signals(t: Test) -> None:
    signal = AbortSignal.any([])
    assert not signal.aborted


@test("AbortSignal.any() follows a single signal (using AbortController)")
def one_signal(t: Test) -> None:
    controller = AbortController()
    signal = controller.signal
    follower: Any = AbortSignal.any([signal])
    assert not follower.aborted
    assert hasattr(follower, "reason"), "follower has reason property"
    assert follower.reason is None, "follower.reason is initially None"
    assert signal is not follower, "any() returns a new signal"

    events: list[Any] = []
    follower.onabort = events.append

    controller.abort("reason string")
    assert signal.aborted
    assert follower.aborted
    assert len(events) == 1
    assert events[0].target is follower, "the event target is the signal returned by any()"
    assert same(follower.reason, "reason string"), "any() propagates the abort reason"


@test("AbortSignal.any() follows multiple signals (using AbortController)")
def many_signals(t: Test) -> None:
    for index in range(3):
        controllers = make_controllers(3)
        combined = AbortSignal.any([controller.signal for controller in controllers])
        events: list[Any] = []
        combined.onabort = events.append

        controllers[index].abort()
        assert len(events) == 1
        assert events[0].target is combined, "the event target is the signal returned by any()"
        assert combined.aborted
        assert isinstance(combined.reason, AbortError), "combined.reason is an AbortError"


@test("AbortSignal.any() returns an aborted signal if passed an aborted signal (using AbortController)")
def aborted_signals(t: Test) -> None:
    controllers = make_controllers(3)
    controllers[1].abort("reason 1")
    controllers[2].abort("reason 2")

    signal = AbortSignal.any([controller.signal for controller in controllers])
    assert signal.aborted
    assert same(signal.reason, "reason 1"), "the signal should be aborted with the first reason"


@test("AbortSignal.any() can be passed the same signal more than once (using AbortController)")
def same_signal_twice(t: Test) -> None:
    controller = AbortController()
    signal: Any = AbortSignal.any([controller.signal, controller.signal])
    assert not signal.aborted
    controller.abort("reason")
    assert signal.aborted
    assert same(signal.reason, "reason")


@test("AbortSignal.any() uses the first instance of a duplicate signal (using AbortController)")
def first_of_duplicates(t: Test) -> None:
    controller1 = AbortController()
    controller1.abort("reason 1")
    controller2 = AbortController()
    controller2.abort("reason 2")

    signal = AbortSignal.any([controller1.signal, controller2.signal, controller1.signal])
    assert signal.aborted
    assert same(signal.reason, "reason 1")


@test("AbortSignal.any() signals are composable (using AbortController)")
def composable(t: Test) -> None:
    for index in range(3):
        controllers = make_controllers(3)
        combined1 = AbortSignal.any([controllers[0].signal, controllers[1].signal])
        combined2 = AbortSignal.any([combined1, controllers[2].signal])
        events: list[Any] = []
        combined2.onabort = events.append

        controllers[index].abort()
        assert len(events) == 1
        assert combined2.aborted
        assert isinstance(combined2.reason, AbortError), "combined2.reason is an AbortError"


@promise_test("AbortSignal.any() works with signals returned by AbortSignal.timeout() (using AbortController)")
async def follows_a_timeout(t: Test) -> None:
    controller = AbortController()
    combined = AbortSignal.any([controller.signal, AbortSignal.timeout(0.005)])
    fired, fire, _ = Promise.with_resolvers()
    combined.onabort = fire
    await fired
    assert combined.aborted
    assert isinstance(combined.reason, TimeoutError), "combined.reason is a TimeoutError"


@test("AbortSignal.any() works with intermediate signals (using AbortController)")
def intermediate_signals(t: Test) -> None:
    controller = AbortController()
    combined: Any = AbortSignal.any([controller.signal])
    for _ in range(3):
        combined = AbortSignal.any([combined])
    events: list[Any] = []
    combined.onabort = events.append

    assert not events
    assert not combined.aborted

    controller.abort("the reason")
    assert len(events) == 1
    assert combined.aborted
    assert same(combined.reason, "the reason")


@test("Abort events for AbortSignal.any() signals fire in the right order (using AbortController)")
def order_of_events(t: Test) -> None:
    controller = AbortController()
    # Every composite follows the signal of the controller, never another composite: their order is that of creation.
    signals = [controller.signal]
    signals.append(AbortSignal.any([controller.signal]))
    signals.append(AbortSignal.any([controller.signal]))
    signals.append(AbortSignal.any([signals[0]]))
    signals.append(AbortSignal.any([signals[1]]))

    events: list[Any] = []
    for signal in signals:
        signal.add_event_listener("abort", events.append)
    controller.abort()
    assert_array_equals([event.target for event in events], signals)


@test("Dependent signals for AbortSignal.any() are marked aborted before abort events fire (using AbortController)")
def marked_before_events(t: Test) -> None:
    controller = AbortController()
    signal1 = AbortSignal.any([controller.signal])
    signal2 = AbortSignal.any([signal1])
    events: list[Any] = []

    def on_abort(event: Any) -> None:
        signal3 = AbortSignal.any([signal2])
        assert controller.signal.aborted
        assert signal1.aborted
        assert signal2.aborted
        assert signal3.aborted
        events.append(event)

    controller.signal.add_event_listener("abort", t.step(on_abort))
    controller.abort()
    assert len(events) == 1, "event fired"


@test("Dependent signals for AbortSignal.any() are aborted correctly for reentrant aborts (using AbortController)")
def reentrant_aborts(t: Test) -> None:
    controller1, controller2 = make_controllers(2)
    signal = AbortSignal.any([controller1.signal, controller2.signal])
    events: list[Any] = []

    controller1.signal.add_event_listener("abort", lambda _: controller2.abort("reason 2"))
    signal.add_event_listener("abort", events.append)

    controller1.abort("reason 1")
    assert len(events) == 1
    assert signal.aborted
    assert same(signal.reason, "reason 1")


@test(
    "Dependent signals for AbortSignal.any() should use the same DOMException instance"
    " from the already aborted source signal (using AbortController)"
)
def same_reason_of_aborted_source(t: Test) -> None:
    source = AbortSignal.abort()
    dependent = AbortSignal.any([source])
    assert isinstance(source.reason, AbortError)
    assert source.reason is dependent.reason


@test(
    "Dependent signals for AbortSignal.any() should use the same DOMException instance"
    " from the source signal being aborted later (using AbortController)"
)
def same_reason_of_source_aborted_later(t: Test) -> None:
    controller = AbortController()
    source = controller.signal
    dependent = AbortSignal.any([source])
    controller.abort()
    assert isinstance(source.reason, AbortError)
    assert source.reason is dependent.reason
