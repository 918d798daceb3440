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

from .shares import part_of_build

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


# What is on top of a loop, and is the same on each: where builds share what they run, each of them runs a test of that
# on one of the loops, and the next one on another. The rest is about what loops do: how they end, sockets, processes.
ALIKE = (
    "tests.fastpath.",
    "tests.faults.",
    "tests.flow.",
    "tests.observe.test_bottleneck",
    "tests.observe.test_topology",
    "tests.operations.",
    "tests.operators.",
    "tests.test_codec_formats",
    "tests.test_compression",
    "tests.test_consumers",
    "tests.test_encoding",
    "tests.test_fast_paths",
    "tests.test_shaping",
    "wpt_ports.",
)
NOT_ALIKE = ("tests.faults.test_end_of_the_loop", "tests.faults.test_interrupts", "tests.faults.test_other_loops")


def loops_for(module: str, test: str) -> dict[str, Factory]:
    """Return the loops that a test runs on in this build; with eager tasks, which few builds have, always."""
    part, parts = part_of_build()
    if parts == 1 or not module.startswith(ALIKE) or module.startswith(NOT_ALIKE):
        return LOOP_FACTORIES
    chosen = NOT_EAGER[(_number_of(test) + part) % len(NOT_EAGER)]
    return {name: factory for name, factory in LOOP_FACTORIES.items() if name in (chosen, "eager")}


def _number_of(test: str) -> int:
    return crc32(test.encode())


def on_every_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make an asynchronous test a plain one, which runs on a new loop of each kind; an error tells its loop."""
    return on_loops(LOOP_FACTORIES, test)


def on_loops(factories: dict[str, Factory], test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make an asynchronous test a plain one, which runs on these loops.

    So it is one test for pytest, which takes longer for each than most of them take themselves.
    """

    @functools.wraps(test)
    def run(**arguments: Any) -> None:
        for name, factory in factories.items():
            try:
                with asyncio.Runner(loop_factory=factory) as runner:
                    runner.run(test(**arguments))
            except BaseException as error:
                error.add_note(f"on the loop {name!r}")
                raise

    return run


def on_one_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make an asynchronous test a plain one for what no loop can change: which data come of which, and in which pieces.

    It runs on one of the loops, always the same for a test, so that each loop has some of them.
    """
    name = list(LOOP_FACTORIES)[_number_of(test.__qualname__) % len(LOOP_FACTORIES)]
    return on_loops({name: LOOP_FACTORIES[name]}, test)
