"""How long signals live, and pipes that have one."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from tests.faults.helpers import turns
from tests.faults.support import RecordingSink, RecordingSource, listener_count, quiet, rejection, stream_of, value
from webstreams import (
    AbortController,
    AbortSignal,
    Event,
    Promise,
    ReadableStream,
    WritableStream,
)

from .listening import (
    LONG,
    Listener,
    aborted,
    is_alive,
)

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


async def test_the_timer_of_a_signal_that_nobody_has_is_given_up() -> None:
    """A signal for each request, most of which are over long before: no timer waits on."""
    context = ContextVar[object]("context")
    seen: list[weakref.ref[Any]] = []

    class Value:
        """What a timer holds, with its context."""

    def request() -> None:
        value = Value()
        seen.append(weakref.ref(value))
        context.set(value)
        AbortSignal.any([AbortSignal.timeout(LONG), AbortController().signal])

    for _ in range(300):
        copy_context().run(request)
    gc.collect()
    await turns(3)
    gc.collect()
    assert [each for each in seen if each() is not None] == []


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
