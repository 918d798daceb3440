"""Port of dom/abort/event.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import AbortController, AbortError, AbortSignal
from wpt_ports.harness import Test, assert_throws_exactly, test


def assert_no_reason_yet(signal: AbortSignal) -> None:
    assert hasattr(signal, "reason"), "signal has reason property"
    assert signal.reason is None, "signal.reason is initially None"


def assert_abort_error(reason: object) -> None:
    assert isinstance(reason, AbortError), "signal.reason is an AbortError"


@test("AbortController abort() should fire event synchronously")
def fires_synchronously(t: Test) -> None:
    controller = AbortController()
    signal: Any = controller.signal
    state = "begin"

    def on_abort(event: Any) -> None:
        nonlocal state
        assert state == "begin"
        state = "aborted"

    assert not signal.aborted
    assert_no_reason_yet(signal)

    signal.add_event_listener("abort", t.step(on_abort))
    controller.abort()

    assert str(state) == "aborted"
    assert signal.aborted
    assert_abort_error(signal.reason)

    controller.abort()


@test("controller.signal should always return the same object")
def same_signal(t: Test) -> None:
    controller = AbortController()
    signal = controller.signal
    assert controller.signal is signal, "controller.signal should not have changed"
    controller.abort()
    assert controller.signal is signal, "controller.signal should still not have changed"


@test("controller.abort() should do nothing the second time it is called")
def second_abort_does_nothing(t: Test) -> None:
    controller = AbortController()
    signal = controller.signal
    events: list[Any] = []
    signal.onabort = events.append
    controller.abort()
    assert signal.aborted
    assert len(events) == 1, "event handler should have been called once"
    controller.abort()
    assert signal.aborted
    assert len(events) == 1, "event handler should not have been called again"


@test("event handler should not be called if added after controller.abort()")
def handler_added_too_late(t: Test) -> None:
    controller = AbortController()
    controller.abort()
    controller.signal.onabort = t.unreached("event handler should not be called")


@test("the abort event should have the right properties")
def event_properties(t: Test) -> None:
    controller = AbortController()
    signal = controller.signal
    events: list[Any] = []

    def on_abort(event: Any) -> None:
        events.append(event)
        assert event.type == "abort", "event type should be abort"
        assert event.target is signal, "event target should be signal"
        assert not getattr(event, "bubbles", False), "event should not bubble"
        assert event.is_trusted, "event should be trusted"

    signal.onabort = t.step(on_abort)
    controller.abort()
    assert len(events) == 1


@test("AbortController abort(reason) should set signal.reason")
def abort_with_reason(t: Test) -> None:
    controller = AbortController()
    signal = controller.signal
    assert_no_reason_yet(signal)

    reason = Exception("hello")
    controller.abort(reason)
    assert signal.aborted, "signal.aborted"
    assert signal.reason is reason, "signal.reason"


@test('aborting AbortController without reason creates an "AbortError" DOMException')
def abort_without_reason(t: Test) -> None:
    controller = AbortController()
    signal = controller.signal
    assert_no_reason_yet(signal)

    controller.abort()
    assert signal.aborted, "signal.aborted"
    assert_abort_error(signal.reason)


@test('AbortController abort(undefined) creates an "AbortError" DOMException')
def abort_with_none(t: Test) -> None:
    controller = AbortController()
    signal = controller.signal
    assert_no_reason_yet(signal)

    controller.abort(None)
    assert signal.aborted, "signal.aborted"
    assert_abort_error(signal.reason)


@test("static aborting signal should have right properties")
def static_abort(t: Test) -> None:
    signal = AbortSignal.abort()
    assert signal.aborted, "signal.aborted"
    assert_abort_error(signal.reason)


@test("static aborting signal with reason should set signal.reason")
def static_abort_with_reason(t: Test) -> None:
    reason = Exception("hello")
    signal = AbortSignal.abort(reason)
    assert signal.aborted, "signal.aborted"
    assert signal.reason is reason, "signal.reason"


@test("throwIfAborted() should throw abort.reason if signal aborted")
def throw_if_aborted_raises_the_reason(t: Test) -> None:
    reason = Exception("boom")
    signal = AbortSignal.abort(reason)
    assert signal.aborted
    assert_throws_exactly(reason, signal.throw_if_aborted)
    assert str(reason) == "boom", "the reason should not be changed by throw_if_aborted()"


@test("throwIfAborted() should throw primitive abort.reason if signal aborted")
def throw_if_aborted_raises_a_primitive_reason(t: Test) -> None:
    signal = AbortSignal.abort("hello")
    assert signal.aborted
    assert_throws_exactly("hello", signal.throw_if_aborted)


@test("throwIfAborted() should not throw if signal not aborted")
def throw_if_aborted_does_not_raise(t: Test) -> None:
    controller = AbortController()
    assert not controller.signal.aborted
    controller.signal.throw_if_aborted()


@test("AbortSignal.reason returns the same DOMException")
def same_reason_of_static_abort(t: Test) -> None:
    signal = AbortSignal.abort()
    reason = signal.reason
    assert_abort_error(reason)
    assert signal.reason is reason, "signal.reason returns the same AbortError"


@test("AbortController.signal.reason returns the same DOMException")
def same_reason_of_controller(t: Test) -> None:
    controller = AbortController()
    controller.abort()
    reason = controller.signal.reason
    assert_abort_error(reason)
    assert controller.signal.reason is reason, "signal.reason returns the same AbortError"
