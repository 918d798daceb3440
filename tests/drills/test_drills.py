"""Whatever ends a pipe, it ends soon, publishes nothing and leaves nothing behind: every source, sink and transform of
the tables, stalled, running and before it has begun."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.conftest import LOOP_FACTORIES
from tests.waiting import LIMIT, until

from .drill import begin, cases, nothing_left, reach_state, wait_until
from .rows import ROWS, Drill, State

CASES = pytest.mark.parametrize(("name", "state"), cases(), ids=lambda each: each.replace(" ", "_"))
LOOPS = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


def run(name: str, state: State, folder: Path, loop: str, end: Callable[[Any], Awaitable[None]]) -> list[str]:
    """Begin a pipe, bring it into a state, and end it; give what was reported."""
    row, drill = ROWS[name], Drill(state, folder)
    reports: list[str] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context["message"]))
        pipe, counter = await begin(row, drill)
        await reach_state(drill, counter)
        async with asyncio.timeout(LIMIT):
            await end(pipe)

    LOOP_FACTORIES[loop]().close()  # what the first loop of a process keeps
    with nothing_left(row, drill), asyncio.Runner(loop_factory=LOOP_FACTORIES[loop]) as runner:
        runner.run(main())
    return reports


async def no_other_task() -> None:
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})


@CASES
@LOOPS
def test_the_loop_ends(name: str, state: State, loop: str, tmp_path: Path) -> None:
    async def leave(pipe: Any) -> None:
        pass

    reports = run(name, state, tmp_path, loop, leave)
    assert [each for each in reports if "pipe_to() from" in each and "cut off by the end of the event loop" in each]
    assert len(reports) == 1


@CASES
@LOOPS
def test_the_loop_ends_while_another_task_awaits_the_pipe(name: str, state: State, loop: str, tmp_path: Path) -> None:
    tasks: list[Any] = []

    async def wait(pipe: Any) -> None:
        await pipe

    async def leave(pipe: Any) -> None:
        tasks.append(asyncio.create_task(wait(pipe)))
        await asyncio.sleep(0)

    reports = run(name, state, tmp_path, loop, leave)
    assert [each for each in reports if "pipe_to() from" in each and "cut off by the end of the event loop" in each]
    assert len(reports) == 1
    assert tasks[0].cancelled()


@CASES
@LOOPS
def test_the_task_is_cancelled(name: str, state: State, loop: str, tmp_path: Path) -> None:
    async def wait(pipe: Any) -> None:
        await pipe

    async def cancel(pipe: Any) -> None:
        task = asyncio.create_task(wait(pipe))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        await no_other_task()

    assert run(name, state, tmp_path, loop, cancel) == []


@CASES
@LOOPS
def test_the_time_is_up(name: str, state: State, loop: str, tmp_path: Path) -> None:
    async def wait(pipe: Any) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await pipe
        await no_other_task()

    assert run(name, state, tmp_path, loop, wait) == []


@CASES
def test_the_scope_is_cancelled(name: str, state: State, tmp_path: Path) -> None:
    async def wait(pipe: Any) -> None:
        with anyio.move_on_after(0.001):
            await pipe
        await no_other_task()

    assert run(name, state, tmp_path, "asyncio", wait) == []


@CASES
def test_the_user_presses_ctrl_c(name: str, state: State, tmp_path: Path) -> None:
    """A real SIGINT to a real process, whose main task awaits the pipe."""
    command = [sys.executable, "-m", "tests.drills.program", name, state, str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as child:
        assert child.stderr is not None
        try:
            assert child.stderr.readline() == "ready\n"
            child.send_signal(signal.SIGINT)
            _, said = child.communicate(timeout=LIMIT)
        finally:
            child.kill()
    assert child.returncode == -signal.SIGINT
    assert said.endswith("KeyboardInterrupt\n")
    assert "published: False\n" in said
    assert "webstreams:" not in said
    assert os.listdir(tmp_path / "out") == []
    wait_until(lambda: not group_exists(child.pid))


def group_exists(group: int) -> bool:
    """Whether a process of the session is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
