"""AbortSignal.any() and AbortSignal.timeout()."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from tests.faults.helpers import turns
from tests.faults.support import listener_count
from tests.grids import each_of
from webstreams import (
    AbortController,
    AbortError,
    AbortSignal,
    Event,
)

from .listening import (
    LONG,
    Listener,
    aborted,
    listen,
)

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


async def test_exceptions_of_the_listeners_of_a_timeout_are_reported(reported: list[dict[str, Any]]) -> None:
    signal = AbortSignal.timeout(0)
    error = ValueError("from the listener")

    def listener(event: Event) -> None:
        raise error

    signal.add_event_listener("abort", listener)
    await aborted(signal)
    assert [context["exception"] for context in reported] == [error]


def test_a_loop_that_is_closed_before_the_timeout() -> None:
    async def main() -> AbortSignal:
        signal = AbortSignal.timeout(LONG)
        signal.onabort = Listener([], "listener")
        return signal

    signal = asyncio.run(main())
    gc.collect()
    assert not signal.aborted
