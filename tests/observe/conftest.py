"""What the tests of observing share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from webstreams.observe._timing import CLOCK

from .support import Clock


@pytest.fixture
def clock() -> Iterator[Clock]:
    """The clock of all observers, which only the test moves."""
    before, mine = CLOCK.read, Clock()
    CLOCK.read = mine.read
    yield mine
    CLOCK.read = before
