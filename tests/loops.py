"""Every asynchronous test runs on the standard loop, on uvloop, and (Python 3.12 and later) with eager tasks."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

# The names of the loops that tests run on, with commas between them; without it, on all that there are.
CHOSEN = "WEBSTREAMS_TEST_LOOPS"

Factory = Callable[[], asyncio.AbstractEventLoop]


def _eager_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
    return loop


def _factories() -> dict[str, Factory]:
    found: dict[str, Factory] = {"asyncio": asyncio.new_event_loop}
    if sys.platform != "win32":
        import uvloop

        found["uvloop"] = uvloop.new_event_loop
    if sys.version_info >= (3, 12):
        found["eager"] = _eager_loop
    chosen = os.environ.get(CHOSEN)
    return {name: found[name] for name in chosen.split(",") if name in found} if chosen else found


LOOP_FACTORIES = _factories()
# For what does not depend on how a task begins.
NOT_EAGER = [name for name in LOOP_FACTORIES if name != "eager"]
# For tests that make their loops, one test for each.
EVERY_LOOP = pytest.mark.parametrize("make_loop", LOOP_FACTORIES.values(), ids=LOOP_FACTORIES)


def on_every_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make an asynchronous test a plain one, which runs on a new loop of each kind; an error tells its loop.

    So it is one test for pytest, which takes longer for each than most of them take themselves.
    """

    @functools.wraps(test)
    def run(**arguments: Any) -> None:
        for name, factory in LOOP_FACTORIES.items():
            try:
                with asyncio.Runner(loop_factory=factory) as runner:
                    runner.run(test(**arguments))
            except BaseException as error:
                error.add_note(f"on the loop {name!r}")
                raise

    return run
