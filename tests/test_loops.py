"""An asynchronous test without fixtures is one test for all event loops; the others are one for each."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .loops import LOOP_FACTORIES, NOT_EAGER, loops_for, on_every_loop, on_one_loop
from .shares import SHARE

seen: list[type[asyncio.AbstractEventLoop]] = []


def loop_of_this_test() -> type[asyncio.AbstractEventLoop]:
    return type(asyncio.get_running_loop())


def test_a_test_is_run_on_a_new_loop_of_each_kind() -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    @on_every_loop
    async def test(number: int) -> None:
        assert number == 7
        loops.append(asyncio.get_running_loop())

    test(number=7)
    assert len(set(map(id, loops))) == len(LOOP_FACTORIES)
    assert all(loop.is_closed() for loop in loops)


def test_an_error_tells_its_loop() -> None:
    @on_every_loop
    async def test() -> None:
        raise ValueError

    with pytest.raises(ValueError) as caught:
        test()
    assert caught.value.__notes__ == [f"on the loop {next(iter(LOOP_FACTORIES))!r}"]


def test_what_no_loop_can_change_is_run_on_one() -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    @on_one_loop
    async def test(number: int) -> None:
        loops.append(asyncio.get_running_loop())
        assert number == 7

    test(number=7)
    with pytest.raises(AssertionError) as caught:
        test(number=8)
    assert type(loops[0]) is type(loops[1])
    assert all(loop.is_closed() for loop in loops)
    assert caught.value.__notes__[-1].startswith("on the loop ")


@pytest.mark.parametrize("parts", [2, 3])
def test_builds_that_share_tests_run_them_on_all_loops_together(parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    for part in range(1, parts + 1):
        monkeypatch.setenv(SHARE, f"{part}/{parts}")
        assert loops_for("tests.ends.test_files", "test") == LOOP_FACTORIES
        assert loops_for("tests.faults.test_other_loops", "test") == LOOP_FACTORIES
        taken.append([name for name in loops_for("tests.faults.test_reasons", "test") if name != "eager"])
    assert all(len(each) == 1 for each in taken)
    assert {name for each in taken for name in each} == set(NOT_EAGER)
    monkeypatch.delenv(SHARE)
    assert loops_for("tests.faults.test_reasons", "test") == LOOP_FACTORIES


@pytest.mark.parametrize("number", [1, 2])
async def test_without_fixtures(number: int) -> None:
    seen.append(loop_of_this_test())


def test_each_was_run_on_each_loop(request: Any) -> None:
    names = [item.name for item in request.session.items if item.function.__name__ == "test_without_fixtures"]
    if len(names) == 2:  # the whole file was chosen
        assert len(seen) == 2 * len(LOOP_FACTORIES)
        assert names == ["test_without_fixtures[1]", "test_without_fixtures[2]"]


async def test_with_a_fixture(reported: list[Any], request: pytest.FixtureRequest) -> None:
    assert any(name in request.node.name for name in LOOP_FACTORIES)
    assert reported == []
