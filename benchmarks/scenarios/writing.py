"""Writing with a writer's loop."""

from __future__ import annotations

from webstreams import WritableStream

from ..catalogue import Scenario
from .parts import Sink


async def write_ready(chunks: int) -> int:
    """Wait until the stream wants a chunk before each write."""
    sink = Sink()
    writer = WritableStream(sink).get_writer()
    for number in range(chunks):
        await writer.ready
        writer.write(number)
    await writer.close()
    return sink.arrived


async def write_await(chunks: int) -> int:
    """Wait for the end of each write."""
    sink = Sink()
    writer = WritableStream(sink).get_writer()
    for number in range(chunks):
        await writer.write(number)
    await writer.close()
    return sink.arrived


SCENARIOS: dict[str, Scenario] = {
    "write-ready": write_ready,
    "write-await": write_await,
}
