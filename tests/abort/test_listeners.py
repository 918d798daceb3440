"""Listeners of a signal, `onabort`, and listeners that raise."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.support import (
    listener_count,
)
from tests.grids import each_of
from webstreams import (
    AbortController,
    AbortSignal,
    Event,
)

from .listening import (
    Listener,
    listen,
)

# Listeners.


def test_listeners_run_inside_abort_and_get_an_event() -> None:
    controller = AbortController()
    events: list[Event] = []
    states: list[tuple[bool, Any]] = []

    def listener(event: Event) -> None:
        events.append(event)
        states.append((event.target.aborted, event.target.reason))

    controller.signal.add_event_listener("abort", listener)
    assert events == []
    controller.abort("why")
    assert states == [(True, "why")]
    assert [type(event) for event in events] == [Event]
    assert events[0].type == "abort"
    assert events[0].target is controller.signal
    assert events[0].current_target is controller.signal
    assert events[0].is_trusted is True
    assert "abort" in repr(events[0])


def test_listeners_run_in_the_order_in_which_they_were_added() -> None:
    controller = AbortController()
    log: list[str] = []
    listeners = {name: Listener(log, name) for name in "abcde"}
    for name in "cabed":
        controller.signal.add_event_listener("abort", listeners[name])
    controller.abort()
    assert log == list("cabed")


def test_adding_a_listener_again_does_nothing() -> None:
    controller = AbortController()
    log: list[str] = []
    first, second = Listener(log, "first"), Listener(log, "second")
    for listener in (first, second, first):
        controller.signal.add_event_listener("abort", listener)
    controller.signal.add_event_listener("abort", first, once=True)
    controller.abort()
    assert log == ["first", "second"]


def test_bound_methods_are_the_same_listener_when_they_are_equal() -> None:
    class Owner:
        calls = 0

        def stop(self, event: Event) -> None:
            self.calls += 1

    controller, other_controller = AbortController(), AbortController()
    owner, other_owner = Owner(), Owner()
    for signal in (controller.signal, other_controller.signal):
        signal.add_event_listener("abort", owner.stop)
        signal.add_event_listener("abort", owner.stop)
        signal.add_event_listener("abort", other_owner.stop)
    other_controller.signal.remove_event_listener("abort", owner.stop)
    controller.abort()
    other_controller.abort()
    assert (owner.calls, other_owner.calls) == (1, 2)


def test_a_listener_that_is_added_after_the_abort_is_not_called() -> None:
    log: list[str] = []
    signal = AbortSignal.abort()
    listen(log, late=signal)
    signal.onabort = Listener(log, "onabort")
    assert log == []


def test_removed_listeners_are_not_called() -> None:
    controller = AbortController()
    log: list[str] = []
    kept, removed = Listener(log, "kept"), Listener(log, "removed")
    for listener in (removed, kept):
        controller.signal.add_event_listener("abort", listener)
    controller.signal.remove_event_listener("abort", removed)
    controller.signal.remove_event_listener("abort", removed)
    controller.signal.remove_event_listener("abort", Listener(log, "never added"))
    controller.signal.remove_event_listener("abort", None)
    controller.abort()
    assert log == ["kept"]


def test_a_listener_that_was_removed_and_added_again_comes_last() -> None:
    controller = AbortController()
    log: list[str] = []
    first, second = Listener(log, "first"), Listener(log, "second")
    for listener in (first, second):
        controller.signal.add_event_listener("abort", listener)
    controller.signal.remove_event_listener("abort", first)
    controller.signal.add_event_listener("abort", first)
    controller.abort()
    assert log == ["second", "first"]


def test_listeners_for_other_events_are_never_called() -> None:
    controller = AbortController()
    log: list[str] = []
    listener = Listener(log, "listener")
    controller.signal.add_event_listener("close", listener)
    controller.signal.add_event_listener("abort", listener)
    controller.signal.remove_event_listener("close", listener)
    controller.signal.add_event_listener("timeout", listener)
    controller.abort()
    assert log == ["listener"]


def test_a_listener_with_once_is_removed_before_it_is_called() -> None:
    controller = AbortController()
    counts: list[int] = []
    controller.signal.add_event_listener("abort", lambda _: counts.append(listener_count(controller.signal)), once=True)
    controller.signal.add_event_listener("abort", lambda _: counts.append(listener_count(controller.signal)))
    assert listener_count(controller.signal) == 2
    controller.abort()
    assert counts == [1, 1]


def test_a_listener_with_once_that_adds_itself_again_is_called_once() -> None:
    controller = AbortController()
    calls: list[Event] = []

    def listener(event: Event) -> None:
        calls.append(event)
        controller.signal.add_event_listener("abort", listener, once=True)

    controller.signal.add_event_listener("abort", listener, once=True)
    controller.abort()
    assert len(calls) == 1


def test_removing_during_the_dispatch() -> None:
    controller = AbortController()
    log: list[str] = []
    before, after = Listener(log, "before"), Listener(log, "after")

    def remover(event: Event) -> None:
        log.append("remover")
        for listener in (before, remover, after):
            controller.signal.remove_event_listener("abort", listener)

    for listener in (before, remover, after, Listener(log, "last")):
        controller.signal.add_event_listener("abort", listener)
    controller.abort()
    assert log == ["before", "remover", "last"]


def test_adding_during_the_dispatch() -> None:
    controller = AbortController()
    log: list[str] = []
    late, moved = Listener(log, "late"), Listener(log, "moved")

    def adder(event: Event) -> None:
        log.append("adder")
        controller.signal.add_event_listener("abort", late)
        controller.signal.remove_event_listener("abort", moved)
        controller.signal.add_event_listener("abort", moved)

    controller.signal.add_event_listener("abort", adder)
    controller.signal.add_event_listener("abort", moved)
    controller.abort()
    assert log == ["adder"]


def test_abort_inside_a_listener_does_nothing() -> None:
    controller = AbortController()
    log: list[str] = []

    def again(event: Event) -> None:
        log.append("again")
        controller.abort("second")

    controller.signal.add_event_listener("abort", again)
    listen(log, signal=controller.signal)
    controller.abort("first")
    assert log == ["again", "signal"]
    assert controller.signal.reason == "first"


def test_what_cannot_be_a_listener() -> None:
    async def coroutine_function(event: Event) -> None:
        raise AssertionError("never called")

    signal = AbortController().signal
    bad: Any
    for bad in (3, "text", object()):
        with pytest.raises(TypeError, match="callable"):
            signal.add_event_listener("abort", bad)
    with pytest.raises(TypeError, match="plain function"):
        signal.add_event_listener("abort", coroutine_function)
    signal.add_event_listener("abort", None)
    assert listener_count(signal) == 0


# onabort


def test_onabort_is_none_at_first_and_gives_back_what_was_set() -> None:
    signal = AbortController().signal
    assert signal.onabort is None
    listener = Listener([], "listener")
    signal.onabort = listener
    assert signal.onabort is listener
    signal.onabort = None
    assert signal.onabort is None
    assert listener_count(signal) == 0


@each_of(bad=[3, "text", {}])
def test_onabort_becomes_none_for_what_is_not_callable(bad: Any) -> None:
    controller = AbortController()
    log: list[str] = []
    controller.signal.onabort = Listener(log, "onabort")
    controller.signal.onabort = bad
    assert controller.signal.onabort is None
    controller.abort()
    assert log == []


def test_onabort_has_its_place_among_the_listeners() -> None:
    controller = AbortController()
    log: list[str] = []
    listen(log, first=controller.signal)
    controller.signal.onabort = Listener(log, "onabort")
    listen(log, last=controller.signal)
    controller.abort()
    assert log == ["first", "onabort", "last"]


def test_onabort_keeps_its_place_when_it_is_replaced() -> None:
    controller = AbortController()
    log: list[str] = []
    controller.signal.onabort = Listener(log, "old")
    listen(log, last=controller.signal)
    controller.signal.onabort = Listener(log, "new")
    controller.abort()
    assert log == ["new", "last"]


def test_onabort_loses_its_place_when_it_is_none_in_between() -> None:
    controller = AbortController()
    log: list[str] = []
    controller.signal.onabort = Listener(log, "old")
    listen(log, first=controller.signal)
    controller.signal.onabort = None
    controller.signal.onabort = Listener(log, "new")
    controller.abort()
    assert log == ["first", "new"]


def test_onabort_is_no_listener_that_can_be_added_or_removed() -> None:
    controller = AbortController()
    log: list[str] = []
    listener = Listener(log, "both")
    controller.signal.onabort = listener
    controller.signal.add_event_listener("abort", listener)
    controller.signal.remove_event_listener("abort", listener)
    controller.signal.remove_event_listener("abort", listener)
    assert controller.signal.onabort is listener
    controller.abort()
    assert log == ["both"]


def test_onabort_is_changed_during_the_dispatch() -> None:
    log: list[str] = []
    for new in (None, Listener(log, "new")):
        controller = AbortController()

        def change(event: Event, new: Any = new) -> None:
            event.target.onabort = new

        controller.signal.add_event_listener("abort", change)
        controller.signal.onabort = Listener(log, "old")
        controller.abort()
    assert log == ["new"]


# Listeners that raise.


async def test_exceptions_of_listeners_are_reported_and_the_others_run(reported: list[dict[str, Any]]) -> None:
    controller = AbortController()
    log: list[str] = []
    errors = [ValueError("first"), StopIteration("second")]

    def failing(error: Exception) -> Callable[[Event], None]:
        def listener(event: Event) -> None:
            raise error

        return listener

    dependent = AbortSignal.any([controller.signal])
    controller.signal.add_event_listener("abort", failing(errors[0]))
    controller.signal.onabort = failing(errors[1])
    listen(log, signal=controller.signal, dependent=dependent)
    controller.abort("why")
    assert log == ["signal", "dependent"]
    assert [context["exception"] for context in reported] == errors
    assert all("listener" in context["message"] for context in reported)
    assert controller.signal.reason == "why"


@pytest.mark.parametrize("kind", [asyncio.CancelledError, GeneratorExit])
async def test_a_listener_cannot_cancel_who_aborts(kind: type[BaseException], reported: list[dict[str, Any]]) -> None:
    controller = AbortController()
    log: list[str] = []

    def listener(event: Event) -> None:
        raise kind

    controller.signal.add_event_listener("abort", listener)
    listen(log, signal=controller.signal, dependent=AbortSignal.any([controller.signal]))
    controller.abort()
    assert log == ["signal", "dependent"]
    assert len(reported) == 1


@each_of(kind=[KeyboardInterrupt, SystemExit])
def test_an_interrupt_goes_through(kind: type[BaseException]) -> None:
    controller = AbortController()

    def listener(event: Event) -> None:
        raise kind

    controller.signal.add_event_listener("abort", listener)
    with pytest.raises(kind):
        controller.abort()
    assert controller.signal.aborted


def test_an_interrupt_lets_the_dependent_signals_run_first() -> None:
    controller = AbortController()
    log: list[str] = []

    def listener(event: Event) -> None:
        raise KeyboardInterrupt

    controller.signal.add_event_listener("abort", listener)
    dependent = AbortSignal.any([controller.signal])
    listen(log, dependent=dependent)
    with pytest.raises(KeyboardInterrupt):
        controller.abort()
    assert log == ["dependent"]


def test_exceptions_of_listeners_without_a_loop_go_to_the_excepthook(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, traceback: seen.append(error))
    controller = AbortController()
    error = ValueError("from the listener")

    def listener(event: Event) -> None:
        raise error

    controller.signal.add_event_listener("abort", listener)
    controller.abort()
    assert seen == [error]
