"""AbortController, and the reason of a signal: the DOM Standard's rules, in Python."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.faults.support import (
    traceback_names,
)
from tests.grids import each_of
from webstreams import (
    AbortController,
    AbortError,
    AbortSignal,
    StreamError,
)

from .listening import (
    listen,
)

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
