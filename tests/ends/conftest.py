"""Fixtures that check what is left behind: of files, and of the ways to connect."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from webstreams.ends._blocking.threads import in_thread

from .descriptors import open_descriptors
from .sockets import Network
from .web import nothing_left

PLAIN = ["tcp", "unix"]


@pytest.fixture(params=[*PLAIN, "tls"])
async def network(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Network]:
    async with nothing_left():
        yield Network(request.param, tmp_path)


@pytest.fixture(params=PLAIN)
async def plain(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Network]:
    async with nothing_left():
        yield Network(request.param, tmp_path)


@pytest.fixture
async def tcp(tmp_path: Path) -> AsyncIterator[Network]:
    async with nothing_left():
        yield Network("tcp", tmp_path)


@pytest.fixture
async def tls(tmp_path: Path) -> AsyncIterator[Network]:
    async with nothing_left():
        yield Network("tls", tmp_path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a file that is not there yet."""
    return tmp_path / "name"


@pytest.fixture
async def no_file_left() -> AsyncIterator[None]:
    """Check that a test leaves no descriptor open, and no task."""
    await in_thread(int)  # what the loop needs for threads
    before = open_descriptors()
    yield
    gc.collect()
    assert open_descriptors() == before
    assert asyncio.all_tasks() == {asyncio.current_task()}
