"""Runs every port, as one test, on the standard loop and on uvloop, each time in an event loop of its own.

Builds that share their tests share the loops of a port, too.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.loops import loops_for, on_loops

from .catalogue import all_ports, stale_entries, status, unlisted_ports
from .harness import Port, run_port
from .resources.realms import end_process


@pytest.fixture(scope="module", autouse=True)
def realms() -> Iterator[None]:
    """The process that streams are transferred to ends with the ports."""
    yield
    end_process()


PORTS = [pytest.param(port, id=f"{file}: {port.title}") for file, port in all_ports()]


@pytest.mark.parametrize("port", PORTS)
def test_port(port: Port) -> None:
    # Not with eager tasks: where upstream's async functions start and go on is not what a port asks Python for.
    loops = {name: make for name, make in loops_for(__name__, port.title).items() if name != "eager"}
    on_loops(loops, run_port)(port=port)


def test_no_title_is_missing() -> None:
    missing = [
        f"{file}: {title}" for file, titles in status().items() for title, state in titles.items() if state is None
    ]
    assert missing == []


def test_no_entry_of_the_list_is_stale() -> None:
    assert stale_entries() == []


def test_every_port_has_a_title_of_upstream() -> None:
    assert unlisted_ports() == []
