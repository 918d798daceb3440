"""Port of streams/piping/flow-control.any.js."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webstreams import CountQueuingStrategy, Promise
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    flush_async_events,
    promise_rejects_exactly,
    promise_test,
    run,
)
from wpt_ports.resources.piping import FirstWriteHeld, enqueuing
from wpt_ports.resources.recording_streams import recording_readable_stream, recording_writable_stream
from wpt_ports.resources.rs_utils import readable_stream_to_array

error1 = Exception("error1")


@promise_test("Piping from a non-empty ReadableStream into a WritableStream that does not desire chunks")
async def never_desires_chunks(t: Test) -> None:
    rs = recording_readable_stream({"start": enqueuing("a", "b", close=True)})
    ws = recording_writable_stream(None, CountQueuingStrategy(high_water_mark=0))

    pipe_promise = rs.pipe_to(ws, prevent_cancel=True)
    await flush_async_events()
    ws.controller.error(error1)

    await promise_rejects_exactly(t, error1, pipe_promise, "pipe_to must reject with the same error")
    assert_array_equals(rs.events_without_pulls, [])
    assert_array_equals(ws.events, [])
    assert_array_equals(await readable_stream_to_array(rs), ["a", "b"], "nothing must have been read by the pipe")


@promise_test("Piping from a non-empty ReadableStream into a WritableStream that does not desire chunks, but then does")
async def desires_chunks_later(t: Test) -> None:
    rs = recording_readable_stream({"start": enqueuing("b", close=True)})
    held = FirstWriteHeld()
    ws = recording_writable_stream({"write": held.write})

    writer = ws.get_writer()
    first_write = writer.write("a")
    assert writer.desired_size == 0, "after writing desired_size must be 0"
    writer.release_lock()

    pipe_promise = rs.pipe_to(ws)
    await flush_async_events()
    held.finish()

    await Promise.all([first_write, pipe_promise])
    assert_array_equals(rs.events_without_pulls, [])
    assert_array_equals(ws.events, ["write", "a", "write", "b", "close"])


@promise_test(
    "Piping from an empty ReadableStream into a WritableStream that does not desire chunks, but then the readable "
    "stream becomes non-empty and the writable stream starts desiring chunks"
)
async def both_ends_become_ready(t: Test) -> None:
    rs = recording_readable_stream()
    held = FirstWriteHeld()
    ws = recording_writable_stream({"write": held.write})
    writer = ws.get_writer()
    writer.write("a")

    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a"])
    assert writer.desired_size == 0, "after writing desired_size must be 0"
    writer.release_lock()

    pipe_promise = rs.pipe_to(ws)
    rs.controller.enqueue("b")
    held.finish()
    rs.controller.close()

    await pipe_promise
    assert_array_equals(rs.events_without_pulls, [])
    assert_array_equals(ws.events, ["write", "a", "write", "b", "close"])


@promise_test(
    "Piping from a ReadableStream to a WritableStream that desires more chunks before finishing with previous ones"
)
async def desires_chunks_while_writing(t: Test) -> None:
    unread_chunks = ["b", "c", "d"]

    def pull(controller: Any) -> None:
        controller.enqueue(unread_chunks.pop(0))
        if not unread_chunks:
            controller.close()

    rs = recording_readable_stream({"pull": pull}, CountQueuingStrategy(high_water_mark=0))
    held = FirstWriteHeld()
    ws = recording_writable_stream({"write": held.write}, CountQueuingStrategy(high_water_mark=3))

    writer = ws.get_writer()
    first_write = writer.write("a")
    assert writer.desired_size == 2, "after writing desired_size must be 2"
    writer.release_lock()

    pipe_promise = rs.pipe_to(ws)
    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a"])
    assert len(unread_chunks) == 1, "chunks should continue to be enqueued until the high water mark is reached"

    held.finish()
    await Promise.all([first_write, pipe_promise])
    assert_array_equals(rs.events, ["pull", "pull", "pull"])
    assert_array_equals(ws.events, ["write", "a", "write", "b", "write", "c", "write", "d", "close"])


class StepTracker:
    """Numbered steps: each is reached shortly after the one before it, once somebody waits for it."""

    def __init__(self) -> None:
        self._waiters: dict[int, Promise[Any]] = {}
        self._wakers: dict[int, Callable[..., Any]] = {}

    def wait_then_advance(self, step: int) -> Promise[Any]:
        """A promise fulfilled when `step` is reached; the next step then follows after some timers."""
        if step not in self._waiters:
            self._waiters[step], self._wakers[step], _ = Promise.with_resolvers()
            run(self._advance(step))
        if step == 0:
            self._wakers[0](None)
        return self._waiters[step]

    async def _advance(self, step: int) -> None:
        await self._waiters[step]
        await flush_async_events()
        if step + 1 in self._wakers:
            self._wakers[step + 1](None)


class Scenario:
    """A source that produces at the odd steps up to 7, and a sink that is stuck in its first write until step 9."""

    def __init__(self) -> None:
        self.steps = StepTracker()
        self.desired_sizes: list[float | None] = []
        self.chunks_finished_writing: list[Any] = []
        self.writable_start_promise: Promise[Any] = Promise.resolve(None)
        self.write_called = False
        self.rs = recording_readable_stream({"start": self.start_readable})
        self.ws = recording_writable_stream({"start": lambda _: self.writable_start_promise, "write": self.write})

    def start_readable(self, controller: Any) -> None:
        for step, chunk in [(1, "a"), (3, "b"), (5, "c"), (7, "d")]:
            run(self.enqueue_at_step(step, chunk, controller))
        self.steps.wait_then_advance(11).then(lambda _: controller.close())

    async def enqueue_at_step(self, step: int, chunk: str, controller: Any) -> None:
        await self.steps.wait_then_advance(step)
        controller.enqueue(chunk)
        self.desired_sizes.append(controller.desired_size)

    def write(self, chunk: Any, controller: Any) -> Any:
        step = 12 if self.write_called else 9
        self.write_called = True
        return self.steps.wait_then_advance(step).then(lambda _: self.chunks_finished_writing.append(chunk))

    async def check_at_step(self, step: int, sizes: list[float], current_size: float) -> None:
        """Up to step 8: the first write has begun and none has finished."""
        await self.steps.wait_then_advance(step)
        assert_array_equals(self.chunks_finished_writing, [], f"at step {step} no chunk must have finished writing")
        assert_array_equals(self.ws.events, ["write", "a"], f"at step {step} one chunk must have been written")
        assert_array_equals(self.desired_sizes, sizes, f"at step {step} these were desired_size after each enqueue")
        assert self.rs.controller.desired_size == current_size, f"at step {step} the current desired_size"

    async def check_at_step_10(self) -> None:
        await self.steps.wait_then_advance(10)
        assert_array_equals(self.chunks_finished_writing, ["a"], "at step 10 one chunk must have finished writing")
        assert_array_equals(self.ws.events, ["write", "a", "write", "b"], "at step 10 two chunks must be written")
        assert self.rs.controller.desired_size == -1, "at step 10 the current desired_size must be -1"

    async def check_at_end(self, pipe_promise: Promise[Any]) -> None:
        await pipe_promise
        assert_array_equals(self.desired_sizes, [1, 0, -1, -2], "backpressure must have been exerted at the source")
        assert_array_equals(self.chunks_finished_writing, ["a", "b", "c", "d"], "all chunks finished writing")
        assert_array_equals(self.rs.events_without_pulls, [], "nothing unexpected should happen to the source")
        assert_array_equals(self.ws.events, ["write", "a", "write", "b", "write", "c", "write", "d", "close"])


@promise_test(
    "Piping to a WritableStream that does not consume the writes fast enough exerts backpressure on the ReadableStream"
)
async def slow_sink_exerts_backpressure(t: Test) -> None:
    scenario = Scenario()
    await scenario.writable_start_promise
    pipe_promise = scenario.rs.pipe_to(scenario.ws)
    scenario.steps.wait_then_advance(0)

    await Promise.all(
        [
            # The read that the pipe made at step 0 takes "a" as soon as it is enqueued.
            run(scenario.check_at_step(2, [1], 1)),
            # Nothing reads "b" before the first write is over, at step 9.
            run(scenario.check_at_step(4, [1, 0], 0)),
            run(scenario.check_at_step(6, [1, 0, -1], -1)),
            run(scenario.check_at_step(8, [1, 0, -1, -2], -2)),
            run(scenario.check_at_step_10()),
            run(scenario.check_at_end(pipe_promise)),
        ]
    )
