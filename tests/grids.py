"""Tests of many small cases that are one test: for each one of its own, pytest takes longer than most of them."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

# What one asynchronous case may take: half of what pytest gives the test (seconds).
LIMIT = 60.0


def each_of(**values: Iterable[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Have a test run with every combination of these arguments, one after the other; all errors tell their own.

    An asynchronous test has the same event loop for all of them: each leaves nothing behind that the next one meets.
    """

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        cases = [dict(zip(values, case, strict=True)) for case in product(*map(tuple, values.values()))]
        assert cases, f"{test.__name__} has no case"

        @functools.wraps(test)
        def run(**fixtures: Any) -> None:
            with _Cases(len(cases)) as running:
                for case in cases:
                    with running.told(case):
                        test(**case, **fixtures)

        @functools.wraps(test)
        async def run_in_loop(**fixtures: Any) -> None:
            with _Cases(len(cases)) as running:
                for case in cases:
                    with running.told(case):
                        async with asyncio.timeout(LIMIT):
                            await test(**case, **fixtures)

        made: Any = run_in_loop if inspect.iscoroutinefunction(test) else run
        signature = inspect.signature(test)
        fixtures = [each for each in signature.parameters.values() if each.name not in values]
        made.__signature__ = signature.replace(parameters=fixtures)
        return made  # type: ignore[no-any-return]

    return decorate


class _Cases:
    """Collects the errors of a test's cases, and raises them when all cases were run."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._errors: list[Exception] = []

    @contextmanager
    def told(self, case: dict[str, Any]) -> Iterator[None]:
        """Add to an error which case it is of; keep it, unless it ends the run."""
        try:
            yield
        except BaseException as error:
            error.add_note(f"with {', '.join(f'{name}={value!r}' for name, value in case.items())}")
            if not isinstance(error, Exception):
                raise
            self._errors.append(error)

    def __enter__(self) -> _Cases:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None or not self._errors:
            return
        if len(self._errors) == 1:
            raise self._errors[0]
        raise ExceptionGroup(f"{len(self._errors)} of {self._count} cases failed", self._errors)
