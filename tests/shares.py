"""Random programs that the builds of one run of continuous integration share: each runs its part, and all run all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

# "1/2" for the first part of two; without it, all is run.
SHARE = "WEBSTREAMS_TEST_SHARE"


def share_of(seeds: Sequence[T], share: str | None = None) -> Sequence[T]:
    """Return those of the seeds, or of anything else that is drawn, that are for this build."""
    share = os.environ.get(SHARE, "1/1") if share is None else share
    part, parts = map(int, share.split("/"))
    assert 1 <= part <= parts, f"{SHARE}={share} has to be the number of a part and how many there are"
    return seeds[part - 1 :: parts]
