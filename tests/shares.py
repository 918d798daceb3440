"""Random programs that the builds of one run of continuous integration share: each runs its part, and all run all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import seed, settings
from hypothesis.internal.conjecture import junkdrawer, providers

T = TypeVar("T")
Test = TypeVar("Test", bound=Callable[..., Any])

# Hypothesis would be called at each garbage collection from its first test on, for deadlines, which ours do not have.
# It would read the sources of everything that is imported for constants, too: what it draws depends on its seed alone.
junkdrawer._gc_initialized = True
providers._get_local_constants = lambda: providers._local_constants

# "1/2" for the first part of two; without it, all is run.
SHARE = "WEBSTREAMS_TEST_SHARE"


def share_of(seeds: Sequence[T], share: str | None = None) -> Sequence[T]:
    """Return those of the seeds, or of anything else that is drawn, that are for this build."""
    part, parts = part_of_build(share)
    return seeds[part - 1 :: parts]


def drawn(count: int) -> Callable[[Test], Test]:
    """Have Hypothesis draw so many examples for a test, the same ones each time; each build draws its part of them."""
    part, parts = part_of_build()
    drawing = settings(max_examples=-(-count // parts), deadline=None, database=None)
    return lambda test: seed(part)(drawing(test))


def part_of_build(share: str | None = None) -> tuple[int, int]:
    """Return the number of the part that this build runs, and how many there are."""
    share = os.environ.get(SHARE, "1/1") if share is None else share
    part, parts = map(int, share.split("/"))
    assert 1 <= part <= parts, f"{SHARE}={share} has to be the number of a part and how many there are"
    return part, parts
