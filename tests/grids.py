"""Tests of many small cases that are one test: for each one of its own, pytest takes longer than most of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any


def each_of(**values: Iterable[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Have a test run with every combination of these arguments, one after the other; an error tells its own.

    An asynchronous test has the same event loop for all of them: each leaves nothing behind that the next one meets.
    """

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        cases = [dict(zip(values, case, strict=True)) for case in product(*map(tuple, values.values()))]
        assert cases, f"{test.__name__} has no case"

        @functools.wraps(test)
        def run(**fixtures: Any) -> None:
            for case in cases:
                with _told(case):
                    test(**case, **fixtures)

        @functools.wraps(test)
        async def run_in_loop(**fixtures: Any) -> None:
            for case in cases:
                with _told(case):
                    await test(**case, **fixtures)

        made: Any = run_in_loop if inspect.iscoroutinefunction(test) else run
        signature = inspect.signature(test)
        fixtures = [each for each in signature.parameters.values() if each.name not in values]
        made.__signature__ = signature.replace(parameters=fixtures)
        return made  # type: ignore[no-any-return]

    return decorate


@contextmanager
def _told(case: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        error.add_note(f"with {', '.join(f'{name}={value!r}' for name, value in case.items())}")
        raise
