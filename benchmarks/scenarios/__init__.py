"""What is measured, done with this library; `javascript/` has a twin of each file."""

from __future__ import annotations

from ..catalogue import Scenario
from . import bytes as byte_streams
from . import creating, piping, reading, writing

SCENARIOS: dict[str, Scenario] = {
    **reading.SCENARIOS,
    **writing.SCENARIOS,
    **piping.SCENARIOS,
    **byte_streams.SCENARIOS,
    **creating.SCENARIOS,
}
