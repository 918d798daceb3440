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
        seen.append(number)
        assert number != 2

    seen: list[int] = []
    assert inspect.iscoroutinefunction(cases)
    with pytest.raises(AssertionError) as caught:
        asyncio.run(cases())
    assert caught.value.__notes__ == ["with number=2"]
    assert seen == [1, 2, 3]


def test_several_errors_tell_theirs() -> None:
    @each_of(number=(1, 2, 3), letter="ab")
    def cases(number: int, letter: str) -> None:
        assert number < 2 or letter == "b"

    with pytest.raises(ExceptionGroup, match="2 of 6 cases failed") as caught:
        cases()
    notes = [each.__notes__ for each in caught.value.exceptions]
    assert notes == [["with number=2, letter='a'"], ["with number=3, letter='a'"]]


def test_a_case_that_hangs_ends_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.grids.LIMIT", 0.001)

    @each_of(hangs=(False, True))
    async def cases(hangs: bool) -> None:
        if hangs:
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError) as caught:
        asyncio.run(cases())
    assert caught.value.__notes__ == ["with hangs=True"]


def test_what_ends_the_run_ends_it_at_once() -> None:
    @each_of(number=(1, 2, 3))
    def cases(number: int) -> None:
        seen.append(number)
        raise SystemExit

    seen: list[int] = []
    with pytest.raises(SystemExit):
        cases()
    assert seen == [1]


def test_a_test_without_cases_is_an_error() -> None:
    with pytest.raises(AssertionError, match="has no case"):
        each_of(number=[])(print)
