"""Ways to connect, as fixtures that check what is left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

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
