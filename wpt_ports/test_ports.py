"""Runs every port on the standard loop and on uvloop, each time in an event loop of its own.

Those of a file are one test for pytest. Builds that share their tests share the loops of a port, too.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.grids import Told, each_of
from tests.loops import loops_for, on_loops

from .catalogue import all_ports, stale_entries, status, unlisted_ports
from .harness import Port, run_port
from .resources.realms import end_process


@pytest.fixture(scope="module", autouse=True)
def realms() -> Iterator[None]:
    """The process that streams are transferred to ends with the ports."""
    yield
    end_process()


PORTS: dict[str, list[Told]] = {}
for upstream, ported in all_ports():
    PORTS.setdefault(upstream, []).append(Told(ported, ported.title))


@pytest.mark.parametrize("file", PORTS)
def test_ports(file: str) -> None:
    gc.collect()
    gc.freeze()  # each port looks for what it has dropped: not through all that was there before
    each_of(port=PORTS[file])(run)()


def run(port: Port) -> None:
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
