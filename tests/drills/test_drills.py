"""Whatever ends a pipe, it ends soon, publishes nothing and leaves nothing behind: every source, sink and transform of
the tables, stalled, running and before it has begun."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests import children
from tests.grids import each_of
from tests.loops import LOOP_FACTORIES, NOT_EAGER
from tests.waiting import LIMIT, until
from webstreams._engine import jobs

from . import core_rows, end_rows, http_rows, socket_rows, worker_rows
from .drill import SHORT_TURN, Counter, begin, nothing_left, reach_state, wait_until
from .program import ERRORS
from .rows import ROWS, Drill, State

# A program imports the tables of its row, and no more than that: it takes long to end with all that clients and servers
# of HTTP are made of, or TLS.
GROUPS = [[core_rows, end_rows, worker_rows], [socket_rows], [http_rows]]
TABLES = {table.__name__: [each.__name__ for each in group] for group in GROUPS for table in group}

LOOPS = each_of(loop=NOT_EAGER)


def each_row_and_state(test: Callable[..., None]) -> Callable[..., None]:
    """Have a test run with every row, and for each of them with its states: those are one test for pytest."""

    @functools.wraps(test)
    def run(name: str, **fixtures: Any) -> None:
        each_of(state=ROWS[name].states)(test)(name=name, **fixtures)

    signature = inspect.signature(test)
    fixtures = [each for each in signature.parameters.values() if each.name != "state"]
    made: Any = pytest.mark.parametrize("name", ROWS, ids=lambda name: name.replace(" ", "_"))(run)
    made.__signature__ = signature.replace(parameters=fixtures)
    return made  # type: ignore[no-any-return]


@pytest.fixture(scope="module", autouse=True)
def _short_collections() -> None:
    """Collect what the drills have made, not what was there before: each drill collects several times."""
    for factory in LOOP_FACTORIES.values():
        factory().close()  # what the first loop of a process keeps is no drill's
    gc.collect()
    gc.freeze()  # for good, as after every few tests: nothing looks at all objects of the run again


@pytest.fixture(scope="module", autouse=True)
def _short_turns() -> Iterator[None]:
    """Most drills end in a turn after the one in which the pipe runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "TURN_BUDGET", SHORT_TURN)
        yield


def run(name: str, state: State, folder: Path, loop: str, end: Callable[[Any], Awaitable[None]]) -> list[str]:
    """Begin a pipe, bring it into a state, and end it; give what was reported.

    What the pipe came from is cancelled, once."""
    row, drill = ROWS[name], Drill(state, folder / state / loop)
    reports: list[str] = []
    counters: list[Counter] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context["message"]))
        pipe, counter = await begin(row, drill)
        counters.append(counter)
        await reach_state(drill, counter)
        async with asyncio.timeout(LIMIT):
            await end(pipe)

    with nothing_left(row, drill), asyncio.Runner(loop_factory=LOOP_FACTORIES[loop]) as runner:
        runner.run(main())
    assert row.kind == "source" or counters[0].cancelled == 1
    if row.has_generators:
        reports = [each for each in reports if "closing of asynchronous generator" not in each]
    return reports


async def no_other_task() -> None:
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})


@each_row_and_state
@LOOPS
def test_the_loop_ends(name: str, state: State, loop: str, tmp_path: Path) -> None:
    async def leave(pipe: Any) -> None:
        pass

    reports = run(name, state, tmp_path, loop, leave)
    assert [each for each in reports if "pipe_to() from" in each and "cut off by the end of the event loop" in each]
    assert len(reports) == 1


@each_row_and_state
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
    assert tasks.pop().cancelled()  # nothing refers to it: the collector, which has frozen the list, would keep it


@each_row_and_state
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


@each_row_and_state
@LOOPS
def test_the_time_is_up(name: str, state: State, loop: str, tmp_path: Path) -> None:
    async def wait(pipe: Any) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await pipe
        await no_other_task()

    assert run(name, state, tmp_path, loop, wait) == []


@each_row_and_state
def test_the_scope_is_cancelled(name: str, state: State, tmp_path: Path) -> None:
    async def wait(pipe: Any) -> None:
        with anyio.move_on_after(0.001):
            await pipe
        await no_other_task()

    assert run(name, state, tmp_path, "asyncio", wait) == []


class Programs:
    """Where the programs come from that are interrupted, with the rows of some tables."""

    def __init__(self, tables: list[str]) -> None:
        command = [sys.executable, "-m", "tests.drills.program", *tables]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        children.staying.add(self._process.pid)
        self._child = 0

    def begin(self, *words: str) -> int:
        """Start a program; return its process when its pipe is in its state."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words).encode() + b"\n")
        self._child = self._number("ready")
        return self._child

    def wait(self) -> int:
        """Wait until the program has ended; return its exit code."""
        code = self._number("ended")
        self._child = 0
        return code

    def _number(self, word: str) -> int:
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], LIMIT)
        assert readable, f"a program was not {word} within {LIMIT} seconds"
        said, number = os.read(self._process.stdout.fileno(), 100).split()
        assert said.decode() == word
        return int(number)

    def close(self) -> None:
        """End everything."""
        if self._child:
            os.killpg(self._child, signal.SIGKILL)
        self._process.kill()
        self._process.communicate()
        children.staying.discard(self._process.pid)


@pytest.fixture(scope="module")
def programs() -> Iterator[dict[str, Programs]]:
    """Have those that are used, if there are any, by the first of their tables."""
    found: dict[str, Programs] = {}
    yield found
    for each in found.values():
        each.close()


@each_row_and_state
def test_the_user_presses_ctrl_c(name: str, state: State, tmp_path: Path, programs: dict[str, Programs]) -> None:
    """A real SIGINT to a real process, whose main task awaits the pipe."""
    tables = TABLES[ROWS[name].table]
    folder = tmp_path / state
    folder.mkdir()
    used = programs.pop(tables[0], None) or Programs(tables)
    try:
        child = used.begin(name, state, str(folder))
        os.kill(child, signal.SIGINT)
        assert used.wait() == -signal.SIGINT
    except BaseException:
        used.close()
        raise
    programs[tables[0]] = used
    said = (folder / ERRORS).read_text()
    assert said.endswith("KeyboardInterrupt\n")
    assert "published: False\n" in said
    assert "webstreams:" not in said
    assert os.listdir(folder / "out") == []
    wait_until(lambda: not group_exists(child))


def group_exists(group: int) -> bool:
    """Whether a process of the session is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
