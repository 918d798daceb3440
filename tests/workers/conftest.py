"""Fixtures for tests of workers: ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.ends.descriptors import open_sockets
from tests.waiting import until
from webstreams.workers import Port, message_channel


@pytest.fixture
async def channel() -> AsyncIterator[tuple[Port, Port]]:
    """Two ports; no descriptor is left after the test."""
    before = open_sockets()
    here, there = message_channel()
    yield here, there
    here.close()
    there.close()
    if not type(asyncio.get_running_loop()).__module__.startswith("uvloop"):  # which makes new ones for itself
        await until(lambda: open_sockets() <= before)
