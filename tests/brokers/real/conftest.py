"""Fixtures that give a real broker: one that runs already, or one that is started for the session and ended with it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.brokers.places import BROKERS, Place, make_place
from tests.brokers.servers import RUNNING, SERVERS, WITHOUT, Server
from tests.children import staying

MISSING = (
    "{name}: no server runs ({variable} is not set) and none is installed here. The environment "
    f"{WITHOUT}={{name}} leaves its tests out."
)


# The clients tell of every attempt to connect to a server that is away.
for client in ("aiokafka", "aiormq", "aio_pika", "nats"):
    logging.getLogger(client).setLevel(logging.CRITICAL)


def left_out() -> set[str]:
    """The brokers that this run does without, because the environment says so."""
    return set(os.environ.get(WITHOUT, "").split(","))


def pytest_asyncio_loop_factories(config: Any, item: Any) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """One loop: what is tested here is the broker's part; the parts without one run on all loops."""
    return {"asyncio": asyncio.new_event_loop}


class Running(Server):
    """A server that was there before, and stays."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.port = int(url.rpartition(":")[2].rstrip("/"))

    @property
    def url(self) -> str:
        return self._url


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, Server]]:
    """The servers that were started so far."""
    started: dict[str, Server] = {}
    yield started
    for server in started.values():
        if not isinstance(server, Running):
            server.end()


def stay(server: Server) -> None:
    """A server of the session is no child that a test has left behind; `servers` ends it."""
    staying.update(process.pid for process in server.processes)


def server_of(name: str, servers: dict[str, Server]) -> Server:
    """Give the server of the session, started when it is needed first."""
    if name not in servers:
        url = os.environ.get(RUNNING[name])
        if url is not None:
            servers[name] = Running(url)
        elif SERVERS[name].is_installed():
            servers[name] = SERVERS[name]().start()
            stay(servers[name])
        else:
            pytest.fail(MISSING.format(name=name, variable=RUNNING[name]))
    return servers[name]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with a `place` runs with each broker, unless a mark names those that it is for."""
    if "place" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("brokers")
        names = [each for each in (marker.args if marker else BROKERS) if each not in left_out()]
        metafunc.parametrize("place", names, indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest, servers: dict[str, Server]) -> Place:
    """A place with a name of its own at the broker; nothing is there yet."""
    name: str = request.param
    return make_place(name, server_of(name, servers).url)


@pytest.fixture
def server(place: Place, servers: dict[str, Server]) -> Server:
    """The server of the `place`."""
    return servers[place.broker]


@pytest.fixture
def stoppable(place: Place, server: Server) -> Iterator[Server]:
    """A server that a test may stop and start: that of the session, unless it was there before."""
    if isinstance(server, Running):
        own = SERVERS[place.broker]().start()
        place.url = own.url
        yield own
        own.end()
    else:
        yield server
        if not server.processes:
            server.start()
        stay(server)
