"""Every asynchronous test runs on the standard loop, on uvloop, and (Python 3.12 and later) with eager tasks."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any
from zlib import crc32

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
            _run_on(name, factory, test(**arguments))

    return run


def on_one_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make an asynchronous test a plain one for what no loop can change: which data come of which, and in which pieces.

    It runs on one of the loops, always the same for a test, so that each loop has some of them.
    """
    loops = list(LOOP_FACTORIES.items())
    name, factory = loops[crc32(test.__qualname__.encode()) % len(loops)]

    @functools.wraps(test)
    def run(**arguments: Any) -> None:
        _run_on(name, factory, test(**arguments))

    return run


def _run_on(name: str, factory: Factory, main: Coroutine[Any, Any, None]) -> None:
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main)
    except BaseException as error:
        error.add_note(f"on the loop {name!r}")
        raise
