"""What a side exit has to put into the streams, with the chunks of now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Any, NamedTuple

from .graph import Answer
from .pipeline import Reservoir, Stage
from .snapshot import Reference, Several, Tagged


class Owed(NamedTuple):
    """A read that the job under way answers, with its chunk."""

    answer: Answer
    request: Any
    chunk: Any


class Resolved:
    """The elements of a deque or a list, with the chunks of now."""

    __slots__ = ("_after", "_before", "_pops")

    def __init__(self, actual: Callable[[Any], Any], taken: Several, reservoir: int) -> None:
        elements = taken.elements
        many = [
            index
            for index, each in enumerate(elements)
            if type(each) is Reference and each.age < 0 and each.giver == reservoir
        ]
        # Behind the chunks in front of those that are many, and how many of those were taken out before.
        self._pops = -1
        self._after: list[Any] = []
        if many:
            self._pops = -1 - elements[many[0]].age
            self._after = [actual(each) for each in elements[many[-1] + 1 :]]
            elements = elements[: many[0]]
        self._before = [actual(each) for each in elements]

    def put_into(self, held: Any) -> None:
        """Put them into the deque or the list, which holds those that are many."""
        if self._pops < 0:
            held.clear()
            held.extend(self._before)
            return
        for _ in range(self._pops):
            held.popleft()
        held.extendleft(reversed(self._before))
        held.extend(self._after)


def common_context(stages: Sequence[Stage]) -> Context | None:
    """Return the context in which one coroutine can await all callbacks (`driver`), if there is one."""
    calling = [stage for stage in stages if not stage.is_identity]
    context = calling[0].context if calling else None
    alike = all(stage.by_coroutine and stage.context == context for stage in calling)
    return context if alike else None


def marks_for(reservoir: Reservoir) -> list[Tagged]:
    """Return what stands for the chunks in a queue of many."""
    return [Tagged(reservoir, number) for number in range(reservoir.limit)]
