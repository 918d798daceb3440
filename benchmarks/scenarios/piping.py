"""Piping from a source to a sink: directly, and through transforms."""

from __future__ import annotations

import asyncio
from functools import partial

from webstreams import ReadableStream, TransformStream, WritableStream

from ..catalogue import Scenario
from .parts import CoroutineMapping, CoroutineSink, CoroutineSource, Mapping, Sink, Source


async def pipe(high_water_mark: int, chunks: int) -> int:
    """Pipe with plain callbacks and queues of that length."""
    sink = Sink()
    readable = ReadableStream(Source(chunks), {"high_water_mark": high_water_mark})
    await readable.pipe_to(WritableStream(sink, {"high_water_mark": high_water_mark}))
    return sink.arrived


async def pipe_coroutines(chunks: int) -> int:
    """Pipe with coroutines at both ends."""
    sink = CoroutineSink()
    await ReadableStream(CoroutineSource(chunks)).pipe_to(WritableStream(sink))
    return sink.arrived


async def through_identity(chunks: int) -> int:
    """Pipe through a transform that changes nothing."""
    sink = Sink()
    identity: TransformStream[int, int] = TransformStream()
    await ReadableStream(Source(chunks)).pipe_through(identity).pipe_to(WritableStream(sink))
    return sink.arrived


async def through_coroutine(chunks: int) -> int:
    """Pipe through a transform whose callback is a coroutine."""
    sink = Sink()
    transform = TransformStream(CoroutineMapping())
    await ReadableStream(Source(chunks)).pipe_through(transform).pipe_to(WritableStream(sink))
    return sink.arrived


async def through_mappings(stages: int, chunks: int) -> int:
    """Pipe through so many transforms with plain callbacks."""
    sink = Sink()
    readable = ReadableStream(Source(chunks))
    for _ in range(stages):
        readable = readable.pipe_through(TransformStream(Mapping()))
    await readable.pipe_to(WritableStream(sink))
    return sink.arrived


async def tee(chunks: int) -> int:
    """Split a stream, and pipe both branches."""
    sinks = Sink(), Sink()
    branches = ReadableStream(Source(chunks)).tee()
    await asyncio.gather(*(branch.pipe_to(WritableStream(sink)) for branch, sink in zip(branches, sinks, strict=True)))
    return min(sink.arrived for sink in sinks)


SCENARIOS: dict[str, Scenario] = {
    "pipe-1": partial(pipe, 1),
    "pipe-16": partial(pipe, 16),
    "pipe-coroutines": pipe_coroutines,
    "through-identity": through_identity,
    "through-mapping": partial(through_mappings, 1),
    "through-coroutine": through_coroutine,
    "four-mappings": partial(through_mappings, 4),
    "tee": tee,
}
