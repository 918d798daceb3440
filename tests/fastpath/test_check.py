"""``WEBSTREAMS_FAST_PATHS=check``: every period is repeated on the plain path, and a difference is reported."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from webstreams import AbortController, WritableStream
from webstreams._engine.jobs import current_jobs
from webstreams._fastpath import check, policy, snapshot
from webstreams._fastpath.check import CheckedRun
from webstreams._streams.readable.pulling import PullingController
from webstreams._streams.readable.tee import Tee
from webstreams.operations import is_disturbed

from ..waiting import each_look_ends_a_turn
from .pipelines import mapping, numbers
from .programs import CHECK, fast_paths, periods

LAST = 400
LATE = 200


@pytest.fixture(autouse=True)
def _checking() -> Iterator[None]:
    with fast_paths(CHECK):
        yield


def watch_faults() -> list[dict[str, Any]]:
    """What is reported to the event loop's exception handler from now on."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    return faults


def run_under_way() -> CheckedRun:
    found = current_jobs().policy
    assert isinstance(found, policy.TracePolicy)
    assert isinstance(found._run, CheckedRun)
    return found._run


async def test_a_pipeline_without_a_fault_is_not_reported() -> None:
    faults = watch_faults()
    written: list[int] = []

    async def transform(chunk: int, controller: Any) -> None:
        controller.enqueue(chunk)

    def write(chunk: int, controller: Any) -> None:
        written.append(chunk)
        if chunk == LATE:
            assert not controller.signal.aborted

    await numbers(LAST).pipe_through(mapping(transform)).pipe_to(WritableStream({"write": write}))
    assert written == list(range(LAST))
    assert faults == []
    assert periods() > LAST // 2


def take_signal_without_a_guard(controller: Any) -> None:
    """What `WritableStreamDefaultController.signal` does, if it does not leave the run first."""
    controller._abort_controller = AbortController()


async def test_a_guard_that_is_missing_is_reported() -> None:
    faults = watch_faults()
    written: list[int] = []

    def write(chunk: int, controller: Any) -> None:
        written.append(chunk)
        if chunk == LATE:
            take_signal_without_a_guard(controller)

    await numbers(LAST).pipe_to(WritableStream({"write": write}))
    assert written == list(range(LAST))
    (fault,) = faults
    assert fault["message"] == "webstreams: the fast path differs from the plain path"
    assert isinstance(fault["exception"], RuntimeError)
    text = str(fault["exception"])
    assert "WritableStreamDefaultController._abort_controller" in text
    assert "test_a_guard_that_is_missing_is_reported.<locals>.write" in text
    assert "please report it with this text" in text
    assert f"Python {sys.version.split()[0]}" in text
    assert periods() <= LATE, "the fast path was given up"


async def test_a_trace_that_is_wrong_is_reported() -> None:
    faults = watch_faults()

    def write(chunk: int, controller: Any) -> None:
        if chunk == LATE:
            for segment in run_under_way()._segments:
                segment.steps.reverse()

    await numbers(LAST).pipe_to(WritableStream({"write": write}))
    assert len(faults) == 1
    assert "is called instead of" in str(faults[0]["exception"])


async def test_a_wrong_desired_size_is_reported() -> None:
    faults = watch_faults()

    def write(chunk: int, controller: Any) -> None:
        if chunk == LATE:
            for segment in run_under_way()._segments:
                for step in segment.steps:
                    step.before = 77

    await numbers(LAST).pipe_to(WritableStream({"write": write}))
    assert len(faults) == 1
    assert "desired_size is" in str(faults[0]["exception"])
    assert "not (77" in str(faults[0]["exception"])


async def test_a_period_of_other_jobs_is_reported() -> None:
    faults = watch_faults()

    def write(chunk: int, controller: Any) -> None:
        if chunk == LATE:
            for segment in run_under_way()._segments:
                segment.job_count -= 1

    await numbers(LAST).pipe_to(WritableStream({"write": write}))
    assert len(faults) == 1
    assert "the period has 6 jobs, not 5" in str(faults[0]["exception"])


async def test_the_first_read_of_a_stream_disturbs_it_in_a_run_too() -> None:
    """It was not disturbed by a read that began a run: here one between two turns of a pipe."""
    with each_look_ends_a_turn():
        faults = watch_faults()
        pass_on = mapping(lambda chunk, controller: controller.enqueue(chunk), 1, 10 * LAST)
        stream = numbers(10 * LAST).pipe_through(pass_on)
        for _ in range(20):
            await asyncio.sleep(0)
        reader = stream.get_reader()
        jobs = current_jobs()
        assert jobs.jobs, "the pipe goes on in the next turn"
        assert not stream._disturbed
        jobs.reads_left = 1  # as after many reads of another stream
        read = reader.read()
        assert isinstance(jobs.run, CheckedRun)
        assert is_disturbed(stream)
        assert await read == (0, False)
        assert faults == []


@pytest.mark.parametrize(("part", "name"), [(Tee, "reading"), (PullingController, "_pulling")])
async def test_a_slot_that_is_not_constant_is_reported(part: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if it holds at the end of a period what it held at its begin."""
    monkeypatch.setattr(part, "_constant", (*part._constant, name))
    forget_declarations()
    faults = watch_faults()
    try:
        branches = numbers(LAST).tee()
        sinks = [WritableStream({"write": lambda chunk, controller: None}) for _ in branches]
        await asyncio.gather(*(branch.pipe_to(sink) for branch, sink in zip(branches, sinks, strict=True)))
    finally:
        forget_declarations()
    (fault,) = faults
    assert f".{name} changes in a period, and is declared to be constant" in str(fault["exception"])


def forget_declarations() -> None:
    """Have them read anew."""
    snapshot._PLANS.clear()
    check._CONSTANT_SLOTS.clear()


PROGRAM = """
import asyncio
from webstreams import ReadableStream, WritableStream
from webstreams._engine.jobs import current_jobs
from webstreams._fastpath.check import CheckedRun

async def main():
    seen = set()
    def write(chunk, controller):
        seen.add(type(current_jobs().run))
    await ReadableStream.from_(range(800)).pipe_to(WritableStream({"write": write}))
    print(CheckedRun in seen)

asyncio.run(main())
"""


@pytest.mark.parametrize(("value", "checks"), [("check", "True"), ("1", "False"), ("0", "False")])
def test_the_switch_is_in_the_environment(value: str, checks: str) -> None:
    environment = {**os.environ, "WEBSTREAMS_FAST_PATHS": value}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout.strip(), done.stderr) == (checks, "")
