"""What is under way between a broker and its stages is in the statistics."""

from __future__ import annotations

from typing import Any

from tests.brokers.memory import memory_stream
from tests.waiting import until
from webstreams import Promise, WritableStream
from webstreams.brokers import acknowledging
from webstreams.observe import observe


async def test_deliveries_that_nobody_has_settled_are_in_flight() -> None:
    stream, broker = memory_stream(limit=8, count=20)
    released, release, _ = Promise.with_resolvers()
    values: list[int] = []

    def write(value: int, controller: Any) -> Promise[Any]:
        values.append(value)
        return released

    piping = stream.pipe_to(acknowledging(WritableStream({"write": write})))
    pipeline = observe(piping)
    await until(lambda: bool(values))
    await until(lambda: pipeline.stages[0].in_flight == 8)
    assert pipeline.stages[0].kind == "source"
    assert "8 in flight" in pipeline.tree()
    release(None)
    await until(lambda: len(broker.acknowledged) >= 20)
    await until(lambda: pipeline.stages[0].in_flight == 0)
    await stream.drain()
    await piping
