"""The parts of what builds share are all of it, and each is in one part only."""

from __future__ import annotations

import pytest

from .shares import SHARE, share_of

SEEDS = range(7)


def test_the_parts_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sorted([*share_of(SEEDS, "1/2"), *share_of(SEEDS, "2/2")]) == list(SEEDS)
    monkeypatch.setenv(SHARE, "2/3")
    assert list(share_of(SEEDS)) == [1, 4]
    monkeypatch.delenv(SHARE)
    assert share_of(SEEDS) == SEEDS


@pytest.mark.parametrize("share", ["0/2", "3/2"])
def test_a_part_that_is_none(share: str) -> None:
    with pytest.raises(AssertionError, match="number of a part"):
        share_of(SEEDS, share)
