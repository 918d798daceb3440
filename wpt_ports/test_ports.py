"""Runs every port, as one test, on the standard loop and on uvloop: each time in an event loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.grids import each_of
from tests.loops import LOOP_FACTORIES

from .catalogue import all_ports, stale_entries, status, unlisted_ports
from .harness import Port, run_port
from .resources.realms import end_process


@pytest.fixture(scope="module", autouse=True)
def realms() -> Iterator[None]:
    """The process that streams are transferred to ends with the ports."""
    yield
    end_process()


# Not with eager tasks: where upstream's async functions start and go on is not what a port asks Python for.
LOOPS = {name: factory for name, factory in LOOP_FACTORIES.items() if name != "eager"}
PORTS = [pytest.param(port, id=f"{file}: {port.title}") for file, port in all_ports()]


@pytest.mark.parametrize("port", PORTS)
@each_of(loop_name=LOOPS)
def test_port(port: Port, loop_name: str) -> None:
    with asyncio.Runner(loop_factory=LOOPS[loop_name]) as runner:
        runner.run(run_port(port))


def test_no_title_is_missing() -> None:
    missing = [
        f"{file}: {title}" for file, titles in status().items() for title, state in titles.items() if state is None
    ]
    assert missing == []


def test_no_entry_of_the_list_is_stale() -> None:
    assert stale_entries() == []


def test_every_port_has_a_title_of_upstream() -> None:
    assert unlisted_ports() == []
