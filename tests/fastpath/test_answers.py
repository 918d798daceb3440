"""The await of a read asks the source itself where that is all that is due (`PullingController._answers_at_once`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from webstreams import Promise, ReadableStream, queue_microtask
from webstreams._engine.jobs import current_jobs

from ..waiting import each_look_ends_a_turn


async def known_to_be_called_by_the_loop(another_task: Callable[[], object] = int) -> None:
    """Have the library know of the task that it may run jobs: where tasks may be eager, when it is seen again.

    Another task is ready now, and before the turn in which the loop runs jobs.
    """
    for ready in (int, another_task):
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(ready)
        queue_microtask(int)
        await Promise.resolve(None)
    assert current_jobs()._top is asyncio.current_task()


@pytest.mark.parametrize("is_late", [False, True])
async def test_other_tasks_have_their_turn_before_the_source_is_asked(is_late: bool) -> None:
    log: list[str] = []

    def pull(controller: Any) -> None:
        log.append("pull")
        controller.enqueue("chunk")

    reader = ReadableStream({"pull": pull}, {"high_water_mark": 0}).get_reader()
    await known_to_be_called_by_the_loop(lambda: log.append("another task"))
    first = reader.read()  # it is answered, and what the source returned is due
    second = reader.read()
    with each_look_ends_a_turn():
        if is_late:
            current_jobs().countdown = 0  # the clock is looked at
        assert (await second).value == "chunk"
    assert log == (["pull", "another task", "pull"] if is_late else ["pull", "pull"])
    assert (await first).value == "chunk"


async def test_the_source_of_a_closed_stream_is_not_asked_for_what_a_read_waits_for() -> None:
    """A read into memory waits until the source has given back the memory, although it has nothing more."""
    controllers: list[Any] = []

    def pull(controller: Any) -> None:
        controllers.append(controller)
        controller.byob_request.respond(1)

    reader = ReadableStream({"type": "bytes", "pull": pull}).get_reader(mode="byob")
    await known_to_be_called_by_the_loop()
    first = reader.read(bytearray(4))  # it is answered, and what the source returned is due
    second = reader.read(bytearray(4))  # asks for the next pull
    controllers[0].close()
    asyncio.get_running_loop().call_soon(lambda: controllers[0].byob_request.respond(0))
    assert (await second).done
    assert not (await first).done
    assert len(controllers) == 1
