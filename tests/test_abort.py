"""AbortController and AbortSignal: the DOM Standard's rules, in Python."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.grids import each_of
from webstreams import (
    AbortController,
    AbortError,
    AbortSignal,
    Event,
    Promise,
    ReadableStream,
    StreamError,
    WritableStream,
)

from .faults.support import (
    RecordingSink,
    RecordingSource,
    listener_count,
    quiet,
    rejection,
    stream_of,
    traceback_names,
    turns,
    value,
)

LONG = 3600.0


@pytest.fixture
async def reports() -> list[dict[str, Any]]:
    """What reaches the event loop's exception handler."""
    contexts: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: contexts.append(context))
    return contexts


class Listener:
    """A listener that records its events under a name in a common list."""

    def __init__(self, log: list[str], name: str) -> None:
        self.log = log
        self.name = name

    def __call__(self, event: Event) -> None:
        self.log.append(self.name)


def listen(log: list[str], **signals: AbortSignal) -> None:
    """Add a listener to each signal, which logs the signal's name."""
    for name, signal in signals.items():
        signal.add_event_listener("abort", Listener(log, name))


async def aborted(signal: AbortSignal) -> None:
    """Wait until a signal is aborted."""
    promise, resolve, _ = Promise.with_resolvers()
    signal.add_event_listener("abort", resolve)
    await asyncio.wait_for(promise, 10)


def is_alive(reference: weakref.ref[Any]) -> bool:
    """Whether an object is still there after a collection."""
    gc.collect()
    return reference() is not None


# The controller, and reasons.


def test_a_new_controller_has_a_signal_that_is_not_aborted() -> None:
    controller = AbortController()
    assert controller.signal is controller.signal
    assert isinstance(controller.signal, AbortSignal)
    assert controller.signal.aborted is False
    assert controller.signal.reason is None
    assert controller.signal.throw_if_aborted() is None  # type: ignore[func-returns-value]


def test_signals_cannot_be_constructed() -> None:
    with pytest.raises(TypeError, match="AbortSignal"):
        AbortSignal()


def test_the_attributes_are_read_only() -> None:
    controller = AbortController()
    for target, name in ((controller, "signal"), (controller.signal, "aborted"), (controller.signal, "reason")):
        with pytest.raises(AttributeError):
            setattr(target, name, None)


def test_abort_without_a_reason_gives_an_abort_error() -> None:
    controller = AbortController()
    controller.abort()
    reason = controller.signal.reason
    assert controller.signal.aborted is True
    assert type(reason) is AbortError
    assert str(reason)
    assert controller.signal.reason is reason


def test_none_as_the_reason_is_no_reason() -> None:
    controller = AbortController()
    controller.abort(None)
    assert type(controller.signal.reason) is AbortError
    assert type(AbortSignal.abort(None).reason) is AbortError


REASONS = [ValueError("why"), KeyboardInterrupt(), asyncio.CancelledError(), "text", "", 0, False, ["list"], object()]


@each_of(reason=REASONS)
def test_any_object_can_be_the_reason(reason: Any) -> None:
    controller = AbortController()
    controller.abort(reason)
    assert controller.signal.reason is reason
    assert AbortSignal.abort(reason).reason is reason
    assert AbortSignal.any([controller.signal]).reason is reason


def test_only_the_first_abort_counts() -> None:
    controller = AbortController()
    log: list[str] = []
    listen(log, signal=controller.signal)
    first = Exception("first")
    controller.abort(first)
    controller.abort(Exception("second"))
    assert controller.signal.reason is first
    assert log == ["signal"]


def test_abort_gives_a_signal_that_is_aborted_already() -> None:
    signal = AbortSignal.abort()
    assert signal.aborted
    assert type(signal.reason) is AbortError
    assert AbortSignal.abort().reason is not signal.reason
    assert AbortSignal.abort() is not signal


def test_repr_shows_the_state() -> None:
    controller = AbortController()
    assert "not aborted" in repr(controller.signal)
    controller.abort("why")
    assert "'why'" in repr(controller.signal)
    assert repr(controller.signal) in repr(controller)


# throw_if_aborted()


def test_throw_if_aborted_raises_an_exception_as_itself() -> None:
    reason = ValueError("why")
    with pytest.raises(ValueError, match="why") as caught:
        AbortSignal.abort(reason).throw_if_aborted()
    assert caught.value is reason


@each_of(reason=["text", 0, None, {"a": "mapping"}])
def test_throw_if_aborted_wraps_what_cannot_be_raised(reason: Any) -> None:
    if reason is None:
        with pytest.raises(AbortError):
            AbortSignal.abort(reason).throw_if_aborted()
        return
    with pytest.raises(StreamError) as caught:
        AbortSignal.abort(reason).throw_if_aborted()
    assert caught.value.reason is reason


@each_of(reason=[StopIteration(1), StopAsyncIteration(), GeneratorExit(), asyncio.CancelledError()])
def test_throw_if_aborted_wraps_what_would_steer_generators_and_tasks(reason: BaseException) -> None:
    with pytest.raises(StreamError) as caught:
        AbortSignal.abort(reason).throw_if_aborted()
    assert caught.value.reason is reason
    assert caught.value.__cause__ is reason


def test_raising_the_reason_many_times_does_not_grow_its_traceback() -> None:
    def original() -> None:
        raise ValueError("why")

    with pytest.raises(ValueError, match="why") as caught:
        original()
    signal = AbortSignal.abort(caught.value)
    lengths = set()
    for _ in range(100):
        with pytest.raises(ValueError, match="why"):
            signal.throw_if_aborted()
        lengths.add(len(traceback_names(caught.value)))
    assert len(lengths) == 1
    assert "original" in traceback_names(caught.value)


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


async def test_exceptions_of_listeners_are_reported_and_the_others_run(reports: list[dict[str, Any]]) -> None:
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
    assert [context["exception"] for context in reports] == errors
    assert all("listener" in context["message"] for context in reports)
    assert controller.signal.reason == "why"


@pytest.mark.parametrize("kind", [asyncio.CancelledError, GeneratorExit])
async def test_a_listener_cannot_cancel_who_aborts(kind: type[BaseException], reports: list[dict[str, Any]]) -> None:
    controller = AbortController()
    log: list[str] = []

    def listener(event: Event) -> None:
        raise kind

    controller.signal.add_event_listener("abort", listener)
    listen(log, signal=controller.signal, dependent=AbortSignal.any([controller.signal]))
    controller.abort()
    assert log == ["signal", "dependent"]
    assert len(reports) == 1


@each_of(kind=[KeyboardInterrupt, SystemExit])
def test_an_interrupt_goes_through(kind: type[BaseException]) -> None:
    controller = AbortController()

    def listener(event: Event) -> None:
        raise kind

    controller.signal.add_event_listener("abort", listener)
    with pytest.raises(kind):
        controller.abort()
    assert controller.signal.aborted


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


# AbortSignal.any()


def test_any_of_nothing_is_never_aborted() -> None:
    signal = AbortSignal.any([])
    assert not signal.aborted
    assert signal.reason is None


@each_of(index=range(3))
def test_any_follows_each_of_its_sources(index: int) -> None:
    controllers = [AbortController() for _ in range(3)]
    signal = AbortSignal.any(controller.signal for controller in controllers)
    log: list[str] = []
    listen(log, signal=signal)
    reason = Exception("why")
    controllers[index].abort(reason)
    assert signal.aborted
    assert signal.reason is reason
    for controller in controllers:
        controller.abort(Exception("later"))
    assert signal.reason is reason
    assert log == ["signal"]


def test_any_takes_the_default_reason_of_its_source() -> None:
    controller = AbortController()
    signal = AbortSignal.any([controller.signal])
    controller.abort()
    assert type(signal.reason) is AbortError
    assert signal.reason is controller.signal.reason


def test_any_of_aborted_signals_takes_the_reason_of_the_first() -> None:
    controller = AbortController()
    signal = AbortSignal.any([controller.signal, AbortSignal.abort("one"), AbortSignal.abort("two")])
    assert signal.aborted
    assert signal.reason == "one"
    controller.abort("three")
    assert signal.reason == "one"


def test_any_does_not_change_its_sources() -> None:
    first, second = AbortController(), AbortController()
    dependent = AbortSignal.any([first.signal, second.signal])
    assert dependent is not first.signal
    first.abort()
    assert not second.signal.aborted
    assert listener_count(first.signal) == listener_count(second.signal) == 0


def test_any_of_one_signal_twice() -> None:
    controller = AbortController()
    log: list[str] = []
    signal = AbortSignal.any([controller.signal, controller.signal])
    listen(log, signal=signal)
    controller.abort()
    assert log == ["signal"]


def test_any_of_dependent_signals() -> None:
    controllers = [AbortController() for _ in range(3)]
    inner = AbortSignal.any([controllers[0].signal, controllers[1].signal])
    outer = AbortSignal.any([inner, controllers[2].signal, controllers[0].signal])
    log: list[str] = []
    listen(log, outer=outer, inner=inner)
    controllers[2].abort("why")
    assert outer.aborted
    assert not inner.aborted
    controllers[1].abort("another")
    assert (outer.reason, inner.reason) == ("why", "another")
    assert log == ["outer", "inner"]


def test_any_of_an_aborted_dependent_signal() -> None:
    controller = AbortController()
    inner = AbortSignal.any([controller.signal])
    controller.abort("why")
    assert AbortSignal.any([inner]).reason == "why"


def test_a_long_chain_of_dependent_signals() -> None:
    controller = AbortController()
    signals = [controller.signal]
    for _ in range(1000):
        signals.append(AbortSignal.any([signals[-1]]))
    log: list[str] = []
    listen(log, last=signals[-1])
    controller.abort("why")
    assert log == ["last"]
    assert all(signal.reason == "why" for signal in signals)


def test_the_listeners_of_a_source_come_before_those_of_its_dependents() -> None:
    controller = AbortController()
    log: list[str] = []
    first = AbortSignal.any([controller.signal])
    second = AbortSignal.any([first])
    third = AbortSignal.any([controller.signal])
    listen(log, third=third, second=second, first=first, source=controller.signal)
    controller.abort()
    assert log == ["source", "first", "second", "third"]


def test_all_dependents_are_aborted_before_the_first_listener_runs() -> None:
    controller = AbortController()
    dependents = [AbortSignal.any([controller.signal]) for _ in range(3)]
    states: list[list[Any]] = []
    for signal in (controller.signal, *dependents):
        signal.add_event_listener("abort", lambda _: states.append([each.reason for each in dependents]))
    controller.abort("why")
    assert states == [["why"] * 3] * 4


def test_a_signal_that_is_made_inside_a_listener_is_aborted_already() -> None:
    controller = AbortController()
    made: list[AbortSignal] = []
    controller.signal.add_event_listener("abort", lambda _: made.append(AbortSignal.any([controller.signal])))
    controller.abort("why")
    assert [signal.reason for signal in made] == ["why"]


def test_the_other_source_is_aborted_inside_a_listener() -> None:
    first, second = AbortController(), AbortController()
    dependent = AbortSignal.any([first.signal, second.signal])
    log: list[str] = []
    first.signal.add_event_listener("abort", lambda _: second.abort("second"))
    listen(log, dependent=dependent, second=second.signal)
    first.abort("first")
    assert log == ["second", "dependent"]
    assert (first.signal.reason, second.signal.reason, dependent.reason) == ("first", "second", "first")


@each_of(bad=[None, 3, [None], ["signal"], [AbortController()]])
def test_what_any_cannot_take(bad: Any) -> None:
    with pytest.raises(TypeError):
        AbortSignal.any(bad)


# AbortSignal.timeout()


@each_of(seconds=[0, 0.0, 0.001])
async def test_timeout_aborts_with_a_timeout_error(seconds: float) -> None:
    signal = AbortSignal.timeout(seconds)
    assert not signal.aborted
    await aborted(signal)
    assert type(signal.reason) is TimeoutError
    assert str(signal.reason)
    with pytest.raises(TimeoutError) as caught:
        signal.throw_if_aborted()
    assert caught.value is signal.reason


async def test_timeouts_come_in_their_order() -> None:
    log: list[str] = []
    late, soon = AbortSignal.timeout(0.3), AbortSignal.timeout(0)
    listen(log, late=late, soon=soon)
    await aborted(late)
    assert log == ["soon", "late"]


@each_of(seconds=[LONG, 10**9, 1e300])
async def test_a_timeout_that_is_far_away(seconds: float) -> None:
    signal = AbortSignal.timeout(seconds)
    await turns()
    assert not signal.aborted


@each_of(bad=[-1, -0.001, float("inf"), float("nan"), "1", None, True, [1]])
async def test_what_timeout_cannot_take(bad: Any) -> None:
    with pytest.raises(TypeError, match="timeout"):
        AbortSignal.timeout(bad)


def test_timeout_needs_a_running_loop() -> None:
    with pytest.raises(RuntimeError, match="event loop"):
        AbortSignal.timeout(1)


async def test_any_with_a_timeout() -> None:
    controller = AbortController()
    timeout = AbortSignal.timeout(0)
    signal = AbortSignal.any([controller.signal, timeout])
    await aborted(signal)
    assert signal.reason is timeout.reason
    assert type(signal.reason) is TimeoutError
    assert not controller.signal.aborted


async def test_any_with_a_timeout_that_comes_too_late() -> None:
    controller = AbortController()
    timeout = AbortSignal.timeout(0)
    signal = AbortSignal.any([controller.signal, timeout])
    controller.abort("before")
    await aborted(timeout)
    assert signal.reason == "before"


async def test_exceptions_of_the_listeners_of_a_timeout_are_reported(reports: list[dict[str, Any]]) -> None:
    signal = AbortSignal.timeout(0)
    error = ValueError("from the listener")

    def listener(event: Event) -> None:
        raise error

    signal.add_event_listener("abort", listener)
    await aborted(signal)
    assert [context["exception"] for context in reports] == [error]


def test_a_loop_that_is_closed_before_the_timeout() -> None:
    async def main() -> AbortSignal:
        signal = AbortSignal.timeout(LONG)
        signal.onabort = Listener([], "listener")
        return signal

    signal = asyncio.run(main())
    gc.collect()
    assert not signal.aborted


# Lifetime.


@pytest.fixture
def collected() -> Iterator[None]:
    """Leave no garbage of other tests, so that nothing but the test decides what lives."""
    gc.collect()
    yield
    gc.collect()


def ref_to_dependent(
    *sources: AbortSignal, listener: Callable[[Event], object] | None = None
) -> weakref.ref[AbortSignal]:
    """Make a dependent signal, which nothing but the library holds, with or without a listener."""
    signal = AbortSignal.any(sources)
    signal.add_event_listener("abort", listener)
    return weakref.ref(signal)


def test_a_dependent_that_nobody_listens_to_is_collected(collected: None) -> None:
    controller = AbortController()
    assert not is_alive(ref_to_dependent(controller.signal))
    controller.abort()
    assert controller.signal.aborted


def test_a_dependent_that_somebody_listens_to_is_kept_until_it_is_aborted(collected: None) -> None:
    controller, other = AbortController(), AbortController()
    log: list[str] = []
    dependent = ref_to_dependent(controller.signal, other.signal, listener=Listener(log, "dependent"))
    assert is_alive(dependent)
    controller.abort()
    assert log == ["dependent"]
    assert not is_alive(dependent)


def test_a_dependent_of_a_dependent_is_kept_by_the_source(collected: None) -> None:
    controller = AbortController()
    log: list[str] = []
    inner = AbortSignal.any([controller.signal])
    outer = ref_to_dependent(inner, listener=Listener(log, "outer"))
    inner_reference = weakref.ref(inner)
    del inner
    assert not is_alive(inner_reference)
    assert is_alive(outer)
    controller.abort()
    assert log == ["outer"]
    assert not is_alive(outer)


def test_a_dependent_whose_listener_was_removed_is_collected(collected: None) -> None:
    controller = AbortController()
    signal = AbortSignal.any([controller.signal])
    dependent = weakref.ref(signal)
    listener = Listener([], "listener")
    signal.add_event_listener("abort", listener)
    signal.onabort = listener
    signal.remove_event_listener("abort", listener)
    del signal
    assert is_alive(dependent)
    kept = dependent()
    assert kept is not None
    kept.onabort = None
    del kept
    assert not is_alive(dependent)


def test_a_dependent_with_a_listener_is_collected_with_its_sources(collected: None) -> None:
    controller = AbortController()
    dependent = ref_to_dependent(controller.signal, listener=Listener([], "listener"))
    source = weakref.ref(controller.signal)
    assert is_alive(dependent)
    del controller
    assert not is_alive(source)
    assert not is_alive(dependent)


def test_a_dependent_is_aborted_when_only_its_controller_is_held(collected: None) -> None:
    controller = AbortController()
    held = AbortSignal.any([AbortSignal.any([controller.signal])])
    gc.collect()
    controller.abort("why")
    assert held.reason == "why"


def test_a_signal_remembers_no_dependents_that_are_gone(collected: None) -> None:
    controller = AbortController()
    for _ in range(1000):
        AbortSignal.any([controller.signal])
    assert len(controller.signal._dependent_signals) <= 1


def test_a_controller_is_not_held_by_its_signal(collected: None) -> None:
    controller = AbortController()
    reference = weakref.ref(controller)
    signal = controller.signal
    signal.onabort = Listener([], "listener")
    del controller
    assert not is_alive(reference)
    assert not signal.aborted


async def test_a_timeout_that_nobody_listens_to_is_collected(collected: None) -> None:
    signal = AbortSignal.timeout(LONG)
    reference = weakref.ref(signal)
    del signal
    assert not is_alive(reference)


async def test_a_timeout_that_somebody_listens_to_is_kept_until_it_is_over(collected: None) -> None:
    over, resolve, _ = Promise.with_resolvers()

    def timeout() -> weakref.ref[AbortSignal]:
        signal = AbortSignal.timeout(0)
        signal.add_event_listener("abort", lambda event: resolve(event.target.reason))
        return weakref.ref(signal)

    reference = timeout()
    assert is_alive(reference)
    assert type(await asyncio.wait_for(over, 10)) is TimeoutError
    await turns()
    assert not is_alive(reference)


async def test_a_timeout_whose_listener_was_removed_is_collected(collected: None) -> None:
    signal = AbortSignal.timeout(LONG)
    reference = weakref.ref(signal)
    listener = Listener([], "listener")
    signal.add_event_listener("abort", listener)
    signal.remove_event_listener("abort", listener)
    signal.onabort = listener
    signal.onabort = None
    del signal
    assert not is_alive(reference)


async def test_a_timeout_is_kept_by_a_dependent_that_somebody_listens_to(collected: None) -> None:
    over, resolve, _ = Promise.with_resolvers()
    controller = AbortController()
    timeout = AbortSignal.timeout(0)
    dependent = ref_to_dependent(controller.signal, timeout, listener=resolve)
    del timeout
    assert is_alive(dependent)
    event = await asyncio.wait_for(over, 10)
    assert type(event.target.reason) is TimeoutError


async def test_a_timeout_is_kept_by_a_dependent_that_somebody_holds(collected: None) -> None:
    signal = AbortSignal.any([AbortSignal.timeout(0)])
    gc.collect()
    after = AbortSignal.timeout(0.001)
    await aborted(after)
    assert type(signal.reason) is TimeoutError


async def test_a_timeout_is_collected_with_a_dependent_that_nobody_listens_to(collected: None) -> None:
    timeout = AbortSignal.timeout(LONG)
    source, dependent = weakref.ref(timeout), ref_to_dependent(timeout)
    del timeout
    assert not is_alive(dependent)
    assert not is_alive(source)


async def test_a_timeout_is_collected_when_the_last_listener_of_its_dependent_is_removed(collected: None) -> None:
    listener = Listener([], "listener")
    timeout = AbortSignal.timeout(LONG)
    source, dependent = weakref.ref(timeout), ref_to_dependent(timeout, listener=listener)
    del timeout
    assert is_alive(source)
    kept = dependent()
    assert kept is not None
    kept.remove_event_listener("abort", listener)
    del kept
    assert not is_alive(dependent)
    assert not is_alive(source)


async def test_a_timeout_is_collected_when_its_dependent_was_aborted_by_another_source(collected: None) -> None:
    log: list[str] = []
    controller = AbortController()
    timeout = AbortSignal.timeout(LONG)
    source = weakref.ref(timeout)
    dependent = ref_to_dependent(timeout, controller.signal, listener=Listener(log, "dependent"))
    del timeout
    assert is_alive(source)
    controller.abort()
    assert log == ["dependent"]
    assert not is_alive(dependent)
    assert not is_alive(source)


# Pipes.


async def test_a_pipe_leaves_no_listener_when_it_has_ended(collected: None) -> None:
    signal = AbortController().signal
    pipe = stream_of(range(3)).pipe_to(WritableStream[Any](), signal=signal)
    assert listener_count(signal) == 1
    await value(pipe)
    assert listener_count(signal) == 0


async def test_a_pipe_keeps_its_dependent_signal_until_it_has_ended(collected: None) -> None:
    controller = AbortController()
    source = RecordingSource()
    signal = AbortSignal.any([controller.signal])
    reference = weakref.ref(signal)
    pipe = ReadableStream[Any](source).pipe_to(WritableStream[Any](), signal=signal)
    del signal
    await turns()
    assert is_alive(reference)
    source.controller.close()
    await value(pipe)
    await turns()
    del pipe
    assert not is_alive(reference)


async def test_a_pipe_is_stopped_by_a_dependent_signal_that_nobody_else_holds(collected: None) -> None:
    controller = AbortController()
    source = RecordingSource()
    pipe = ReadableStream[Any](source).pipe_to(WritableStream[Any](), signal=AbortSignal.any([controller.signal]))
    await turns()
    gc.collect()
    reason = Exception("stop")
    controller.abort(reason)
    assert await rejection(pipe) is reason
    assert source.cancels == [reason]


async def test_a_pipe_is_stopped_by_a_timeout_that_nobody_else_holds(collected: None) -> None:
    source = RecordingSource()
    pipe = ReadableStream[Any](source).pipe_to(WritableStream[Any](), signal=AbortSignal.timeout(0.001))
    gc.collect()
    with pytest.raises(TimeoutError) as caught:
        await asyncio.wait_for(pipe, 10)
    assert source.cancels == [caught.value]


async def test_a_pipe_does_not_keep_a_timeout_after_it_has_ended(collected: None) -> None:
    signal = AbortSignal.timeout(LONG)
    reference = weakref.ref(signal)
    await value(stream_of([1]).pipe_to(WritableStream[Any](), signal=signal))
    del signal
    await turns()
    assert not is_alive(reference)


async def test_the_pipe_hears_of_the_abort_before_the_listeners(collected: None) -> None:
    """DOM runs a signal's abort algorithms first, then its listeners, in whatever order they were added."""
    log: list[Any] = []
    controller = AbortController()
    controller.signal.add_event_listener("abort", lambda _: log.append("listener"))
    sink = RecordingSink("write")
    readable = ReadableStream[Any](
        {"start": lambda source: source.enqueue("chunk"), "cancel": lambda reason: log.append("cancel")}
    )
    writable = WritableStream[Any](sink)
    pipe = quiet(readable.pipe_to(writable, signal=controller.signal))
    await turns()
    # The destination is erroring now, so that the pipe need not wait for the write: it acts in the step of the abort.
    sink.controller.error(Exception("sink failed"))
    controller.abort("stop")
    assert log == ["cancel", "listener"]
    sink.finish("write")
    await rejection(pipe)


async def test_a_signal_stops_many_pipes_in_the_order_in_which_they_were_made(collected: None) -> None:
    controller = AbortController()
    log: list[int] = []
    pipes = []
    for number in range(10):
        readable = ReadableStream[Any]({"cancel": lambda reason, number=number: log.append(number)})
        pipes.append(readable.pipe_to(WritableStream[Any](), signal=controller.signal))
    await turns()
    reason = Exception("stop")
    controller.abort(reason)
    assert [await rejection(pipe) for pipe in pipes] == [reason] * 10
    assert log == list(range(10))
    assert listener_count(controller.signal) == 0


@pytest.mark.parametrize("bad", [AbortController(), "signal", 3, True], ids=repr)
async def test_a_pipe_takes_no_other_object_for_a_signal(bad: Any, collected: None) -> None:
    readable, writable = ReadableStream[Any](), WritableStream[Any]()
    assert type(await rejection(readable.pipe_to(writable, signal=bad))) is TypeError
    assert (readable.locked, writable.locked) == (False, False)
