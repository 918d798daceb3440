"""Every asyncio test runs on the standard loop, on uvloop, and (Python 3.12 and later) with eager tasks; a test that
leaves a child process behind fails itself, not the one after it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .children import end_children, running_children


def _eager_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
    return loop


LOOP_FACTORIES: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
if sys.platform != "win32":
    import uvloop

    LOOP_FACTORIES["uvloop"] = uvloop.new_event_loop
if sys.version_info >= (3, 12):
    LOOP_FACTORIES["eager"] = _eager_loop


def pytest_asyncio_loop_factories(config: Any, item: Any) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return LOOP_FACTORIES


@pytest.fixture
async def reported() -> list[dict[str, Any]]:
    """What reaches the event loop's exception handler during the test."""
    contexts: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: contexts.append(context))
    return contexts


@pytest.fixture(autouse=True)
def _leaves_no_child() -> Iterator[None]:
    before = running_children()
    yield
    left = end_children(before)
    if left:
        pytest.fail(f"the test has left child processes behind, which were killed: {left}")
