"""Every asynchronous test runs on each of its event loops; one that leaves a child process behind fails itself, not the
one after it."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from .children import end_children, running_children
from .loops import loops_for, on_loops
from .nursery import ForkedPopen, Nursery

# The fixtures of all tests, which are the same on each loop.
COMMON_FIXTURES = frozenset({"_leaves_no_child", "_nursery", "event_loop_policy", "from_nursery", "request"})


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have an asynchronous test without fixtures of its own run on each of its loops, one after the other."""
    test: Any = metafunc.function
    if metafunc.cls is None and inspect.iscoroutinefunction(test) and not fixtures_of(metafunc):
        metafunc.definition.obj = on_loops(loops_for(metafunc.module.__name__, metafunc.definition.name), test)
        setattr(metafunc.module, metafunc.definition.name, metafunc.definition.obj)


def fixtures_of(metafunc: pytest.Metafunc) -> set[str]:
    """The fixtures that a test has on its own: not its parameters."""
    names = set(metafunc.fixturenames) - COMMON_FIXTURES
    for mark in metafunc.definition.iter_markers("parametrize"):
        given = mark.args[0] if mark.args else mark.kwargs["argnames"]
        if not mark.kwargs.get("indirect"):
            names.difference_update(each.strip() for each in (given.split(",") if isinstance(given, str) else given))
    return names


def pytest_asyncio_loop_factories(config: Any, item: Any) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Have the others, and their fixtures, run once for each of their loops."""
    return loops_for(item.module.__name__, item.name)


@pytest.fixture
async def reported() -> list[dict[str, Any]]:
    """What reaches the event loop's exception handler during the test."""
    contexts: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: contexts.append(context))
    return contexts


_folders = count(1)


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Return a new folder for the test, as pytest does: that also links it, and takes several times as long."""
    name = request.node.originalname[:30]
    folder = tmp_path_factory.getbasetemp() / f"{name}{next(_folders)}"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture(autouse=True)
def _leaves_no_child() -> Iterator[None]:
    before = running_children()
    yield
    left = end_children(before)
    if left:
        pytest.fail(f"the test has left child processes behind, which were killed: {left}")


@pytest.fixture(scope="session")
def _nursery() -> Iterator[Nursery | None]:
    if sys.platform != "linux":
        yield None
        return
    nursery = Nursery()
    yield nursery
    nursery.end()


@pytest.fixture
def from_nursery(_nursery: Nursery | None) -> Iterator[None]:
    """Have the Python programs that a test starts forked from a process that has imported the library.

    For tests of what these programs do; how they begin is what the others are for, which start from nothing.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ForkedPopen, "nursery", _nursery)
        patch.setattr(subprocess, "Popen", ForkedPopen)
        yield
