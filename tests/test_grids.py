"""A test that has several cases runs all of them, in the order of its arguments, and tells which one fails."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path

import pytest

from .grids import each_of


def test_every_combination_is_run(tmp_path: Path) -> None:
    seen: list[object] = []

    @each_of(first=range(2), second="ab")
    def cases(first: int, second: str, tmp_path: Path) -> None:
        seen.append((first, second, tmp_path))

    assert list(inspect.signature(cases).parameters) == ["tmp_path"]
    cases(tmp_path=tmp_path)
    assert seen == [(0, "a", tmp_path), (0, "b", tmp_path), (1, "a", tmp_path), (1, "b", tmp_path)]


def test_an_error_tells_its_case() -> None:
    @each_of(number=(1, 2, 3))
    async def cases(number: int) -> None:
        await asyncio.sleep(0)
        assert number < 2

    assert inspect.iscoroutinefunction(cases)
    with pytest.raises(AssertionError) as caught:
        asyncio.run(cases())
    assert caught.value.__notes__ == ["with number=2"]


def test_a_test_without_cases_is_an_error() -> None:
    with pytest.raises(AssertionError, match="has no case"):
        each_of(number=[])(print)
