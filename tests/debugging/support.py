"""Streams that are fed by hand, for the tests of what helps to find a mistake."""

from __future__ import annotations

import asyncio
from typing import Any

from webstreams import (
    Promise,
    ReadableStream,
    WritableStream,
)


class Source:
    """A source that is fed by hand."""

    controller: Any = None

    def start(self, controller: Any) -> None:
        self.controller = controller


class ByteSource(Source):
    type = "bytes"


def readable(chunks: int = 0, mark: float = 16, source: Source | None = None) -> ReadableStream[Any]:
    """A stream with so many chunks in its queue."""
    source = source or Source()
    stream: ReadableStream[Any] = ReadableStream(source, {"high_water_mark": mark})
    for number in range(chunks):
        source.controller.enqueue(number)
    return stream


def writable(mark: float = 1, **sink: Any) -> WritableStream[Any]:
    underlying_sink: Any = sink
    stream: WritableStream[Any] = WritableStream(underlying_sink, {"high_water_mark": mark})
    return stream


def never(*_: Any) -> Promise[Any]:
    """A callback that is never done."""
    return Promise.with_resolvers()[0]


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Boom(Exception):
    pass
