"""A consumer that is killed while it works: nothing is lost. The full run is ``python -m tests.brokers.killing``."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.brokers.killing import kill_consumers
from tests.brokers.places import Place
from tests.brokers.servers import Server


@pytest.mark.timeout(300)
async def test_nothing_is_lost_by_killing_the_consumer(place: Place, server: Server, tmp_path: Path) -> None:
    place.hasten()
    await place.make()
    await place.fill(1000)
    outcome = await kill_consumers(place, server, 1000, 2, tmp_path / "numbers", random.Random(4))
    assert outcome.is_good, outcome
