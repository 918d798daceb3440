"""Runs every port, each in an event loop of its own, on the standard loop and on uvloop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator

import pytest

from .catalogue import all_ports, stale_entries, status, unlisted_ports
from .harness import Port, run_port
from .resources.realms import end_process


@pytest.fixture(scope="module", autouse=True)
def realms() -> Iterator[None]:
    """The process that streams are transferred to ends with the ports."""
    yield
    end_process()


LoopFactory = Callable[[], asyncio.AbstractEventLoop]
LOOPS: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
if sys.platform != "win32":
    import uvloop

    LOOPS["uvloop"] = uvloop.new_event_loop


PORTS = [pytest.param(port, id=f"{file}: {port.title}") for file, port in all_ports()]


@pytest.mark.parametrize("loop_name", LOOPS)
@pytest.mark.parametrize("port", PORTS)
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
