"""A test that has several cases runs all of them, in the order of its arguments, and tells which one fails."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
from pathlib import Path

import pytest

from .grids import by_key, each_of, each_row


@pytest.fixture
def collected() -> list[int]:
    return []


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


def test_rows_and_what_is_decorated_twice() -> None:
    seen: list[object] = []

    @each_of(third=(5, 6))
    @each_row(("first", "second"), [(1, 2), (3, 4)])
    def cases(first: int, second: int, third: int) -> None:
        seen.append((first, second, third))

    assert list(inspect.signature(cases).parameters) == []
    cases()
    assert seen == [(1, 2, 5), (3, 4, 5), (1, 2, 6), (3, 4, 6)]


def test_values_of_a_mapping_are_told_by_their_keys() -> None:
    @each_of(make=by_key({"a list": list, "a set": set}), number=[1])
    def cases(make: type[object], number: int) -> None:
        assert make is list

    with pytest.raises(AssertionError) as caught:
        cases()
    assert caught.value.__notes__ == ["with make=a set, number=1"]


def test_several_errors_tell_theirs() -> None:
    @each_of(number=(1, 2, 3), letter="ab")
    def cases(number: int, letter: str) -> None:
        assert number < 2 or letter == "b"

    with pytest.raises(ExceptionGroup, match="2 of 6 cases failed") as caught:
        cases()
    notes = [each.__notes__ for each in caught.value.exceptions]
    assert notes == [["with number=2, letter='a'"], ["with number=3, letter='a'"]]


@each_of(number=range(3))
def test_what_fixtures_have_collected_is_forgotten_before_each_case(
    number: int, caplog: pytest.LogCaptureFixture, collected: list[int]
) -> None:
    assert (caplog.records, collected) == ([], [])
    logging.getLogger("of a case").warning("seen")
    collected.append(number)
    assert (len(caplog.records), collected) == (1, [number])


def test_a_case_that_is_cut_off_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    @each_of(hangs=(False, True))
    async def cases(hangs: bool) -> None:
        if hangs:
            await asyncio.Event().wait()

    async def interrupt() -> None:
        asyncio.get_running_loop().call_later(0, sys.exit)
        await cases()

    with pytest.raises(SystemExit):
        asyncio.run(interrupt())
    assert capsys.readouterr().err == "cancelled with hangs=True\n"


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


def test_arguments_that_are_given_twice_are_an_error() -> None:
    with pytest.raises(AssertionError, match="twice"):

        @each_of(number=[1])
        @each_row(("number", "letter"), [(1, "a")])
        def cases(number: int, letter: str) -> None:
            pass
