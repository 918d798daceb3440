"""Streams that are set up by the operations of the Standard, for the tests of `webstreams.operations`."""

from __future__ import annotations

import asyncio
from typing import Any

from webstreams import (
    ReadableStream,
)

Reported = list[dict[str, Any]]
BOOM = RuntimeError("boom")


async def jobs_done() -> None:
    """Wait until every pending job has run."""
    for _ in range(3):
        await asyncio.sleep(0)


def record_reports() -> Reported:
    """Give the list of what reaches the event loop's exception handler from now on."""
    contexts: Reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: contexts.append(context))
    return contexts


async def items(stream: ReadableStream[Any]) -> list[Any]:
    return [chunk async for chunk in stream]


def raise_boom(*_: Any) -> Any:
    raise BOOM


async def raise_boom_later(*_: Any) -> Any:
    raise BOOM


FORBIDDEN: Any = raise_boom


class Steps:
    """A read request that records which of its steps was called."""

    def __init__(self) -> None:
        self.outcome: list[Any] = []

    def chunk_steps(self, chunk: Any) -> None:
        self.outcome += ["chunk", chunk]

    def close_steps(self) -> None:
        self.outcome.append("close")

    def error_steps(self, error: Any) -> None:
        self.outcome += ["error", error]
