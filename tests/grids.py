"""Tests of many small cases that are one test: for each one of its own, pytest takes longer than most of them."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from typing import Any, NamedTuple

import pytest

Test = Callable[..., Any]
# Arguments, and how an error tells them.
Case = tuple[dict[str, Any], str]


def each_of(**values: Iterable[Any]) -> Callable[[Test], Test]:
    """Have a test run with every combination of these arguments, one after the other; all errors tell their own.

    What is decorated twice runs with every combination of both.

    An asynchronous test has the same event loop for all of them: each leaves nothing behind that the next one meets.
    What fixtures have collected, lists and log records, is forgotten before each.
    """
    columns = [[_case_of(name, value) for value in each] for name, each in values.items()]
    return functools.partial(_with_cases, cases=[_joined(case) for case in product(*columns)])


def each_row(names: tuple[str, ...], rows: Iterable[Iterable[Any]]) -> Callable[[Test], Test]:
    """Have a test run with each row of these arguments, as `each_of` does."""
    cases = [[_case_of(name, value) for name, value in zip(names, row, strict=True)] for row in rows]
    return functools.partial(_with_cases, cases=[_joined(case) for case in cases])


def by_key(values: Mapping[str, Any]) -> list[Told]:
    """The values of a mapping, which errors tell by their keys."""
    return [Told(value, key) for key, value in values.items()]


class Told(NamedTuple):
    """A value, and what an error tells of it."""

    value: Any
    text: str


def _case_of(name: str, value: Any) -> Case:
    told = value if isinstance(value, Told) else Told(value, repr(value))
    return {name: told.value}, f"{name}={told.text}"


def _joined(cases: Iterable[Case]) -> Case:
    arguments: dict[str, Any] = {}
    texts = []
    for own, text in cases:
        arguments |= own
        texts.append(text)
    return arguments, ", ".join(texts)


def _with_cases(given: Test, cases: list[Case]) -> Test:
    """Make one test that runs all cases."""
    assert cases, f"{given.__name__} has no case"
    test, inner = getattr(given, "_test_and_cases", (given, [({}, "")]))
    twice = cases[0][0].keys() & inner[0][0].keys()
    assert not twice, f"{given.__name__} is given {twice} twice"
    cases = [_joined(case) for case in product(cases, inner)] if inner[0][0] else cases

    @functools.wraps(given)
    def run(**fixtures: Any) -> None:
        with _Errors(len(cases)) as errors:
            for arguments, text in cases:
                with errors.kept(text):
                    _forget(fixtures)
                    test(**arguments, **fixtures)

    @functools.wraps(given)
    async def run_in_loop(**fixtures: Any) -> None:
        with _Errors(len(cases)) as errors:
            for arguments, text in cases:
                with errors.kept(text):
                    _forget(fixtures)
                    await test(**arguments, **fixtures)

    made: Any = run_in_loop if inspect.iscoroutinefunction(test) else run
    signature = inspect.signature(test)
    fixtures = [each for each in signature.parameters.values() if each.name not in cases[0][0]]
    made.__signature__ = signature.replace(parameters=fixtures)
    made._test_and_cases = test, cases
    return made  # type: ignore[no-any-return]


def _forget(fixtures: dict[str, Any]) -> None:
    for each in fixtures.values():
        if isinstance(each, list | pytest.LogCaptureFixture):
            each.clear()


class _Errors:
    """Keeps the errors of a test's cases, and raises them when all cases were run."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._errors: list[Exception] = []

    @contextmanager
    def kept(self, case: str) -> Iterator[None]:
        """Add to an error which case it is of; keep it, unless it ends the run."""
        try:
            yield
        except asyncio.CancelledError:  # the time of the test is up: the error that says so is raised elsewhere
            print(f"cancelled with {case}", file=sys.stderr)
            raise
        except BaseException as error:
            error.add_note(f"with {case}")
            if not isinstance(error, Exception):
                raise
            self._errors.append(error)

    def __enter__(self) -> _Errors:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None or not self._errors:
            return
        if len(self._errors) == 1:
            raise self._errors[0]
        raise ExceptionGroup(f"{len(self._errors)} of {self._count} cases failed", self._errors)
