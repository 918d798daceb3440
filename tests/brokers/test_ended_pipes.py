"""A cancelled task does not wait for a sink behind another one that does not get on. Issue 11, 7."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.faults.helpers import soon
from tests.waiting import until
from webstreams import (
    Promise,
    ReadableStream,
    StreamError,
    TransformStream,
    WritableStream,
    as_byte_stream,
    as_object_stream,
    as_stream_writer,
    to_byte_stream,
    to_object_stream,
    to_stream_writer,
)
from webstreams.brokers import Delivery, acknowledging, on_value, redis
from webstreams.brokers._publishing import Publisher, PublishingWork
from webstreams.observe import observe


class Broker:
    """Is told nothing good."""

    def require_open(self) -> None:
        """It is open."""

    async def settle(self, outcome: str) -> None:
        assert outcome != "ack"


class Stuck:
    """A sink, and a transformer, that does not get on."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def write(self, chunk: object, controller: object) -> None:
        self.log.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            self.log.append("cancelled")

    async def transform(self, chunk: object, controller: object) -> None:
        await self.write(chunk, controller)


def deliveries() -> ReadableStream[Any]:
    return ReadableStream({"pull": lambda controller: controller.enqueue(Delivery(b"value", Broker()))})


def endless() -> ReadableStream[bytes]:
    return ReadableStream({"pull": lambda controller: controller.enqueue(bytes(100_000))})


async def write_deliveries(stuck: Stuck) -> None:
    async with acknowledging(WritableStream(stuck)).get_writer() as writer:
        while True:
            await writer.write(Delivery(b"value", Broker()))


def observed(stuck: Stuck) -> Promise[None]:
    stream = acknowledging(WritableStream(stuck))
    observe(stream)
    return deliveries().pipe_to(stream)


def nested(stuck: Stuck) -> Promise[None]:
    around = deliveries().map(lambda delivery: Delivery(delivery, Broker()))
    return around.pipe_to(acknowledging(acknowledging(WritableStream(stuck))))


ENDS: dict[str, Callable[[Stuck], Awaitable[Any]]] = {
    "acknowledging": lambda stuck: deliveries().pipe_to(acknowledging(WritableStream(stuck))),
    "acknowledging, going on": lambda stuck: deliveries().pipe_to(
        acknowledging(WritableStream(stuck), on_failure="requeue")),
    "acknowledging, observed": observed,
    "acknowledging twice": nested,
    "acknowledging, by a writer": write_deliveries,
    "acknowledging, a transform": lambda stuck: deliveries().pipe_to(
        acknowledging(TransformStream(stuck, None, {"high_water_mark": 1}).writable)),
    "on_value": lambda stuck: deliveries()
        .pipe_through(on_value(TransformStream(stuck))).pipe_to(acknowledging(WritableStream())),
    "to_byte_stream": lambda stuck: endless().pipe_to(to_byte_stream(as_byte_stream(None, WritableStream(stuck)))),
    "to_object_stream": lambda stuck: endless().pipe_to(
        to_object_stream(as_object_stream(None, WritableStream(stuck)))),
    "to_stream_writer": lambda stuck: endless().pipe_to(to_stream_writer(as_stream_writer(WritableStream(stuck)))),
}  # fmt: skip


class Unconfirmed(PublishingWork):
    """Messages to a broker that confirms none."""

    def __init__(self, stuck: Stuck) -> None:
        super().__init__("the broker", 10)
        self._stuck = stuck

    async def publish(self, message: object) -> None:
        await self._stuck.write(message, None)


async def test_a_broker_that_confirms_nothing() -> None:
    stuck = Stuck()
    publisher: Publisher[bytes] = Publisher(Unconfirmed(stuck), 3)

    async def wait() -> None:
        async with asyncio.timeout(0.01):
            await endless().pipe_to(publisher)

    with pytest.raises(TimeoutError):
        await soon(wait())
    assert stuck.log == ["begun"] * 3 + ["cancelled"] * 3
    assert len(publisher.unconfirmed) == 3


async def test_a_writer_hears_why_its_message_was_not_confirmed() -> None:
    writes: list[Promise[None]] = []

    async def write() -> None:
        async with Publisher(Unconfirmed(Stuck()), 3).get_writer() as writer:
            writes.append(writer.write(b"message"))
            await asyncio.Event().wait()

    task = asyncio.create_task(write())
    await asyncio.sleep(0.01)
    task.cancel("enough")
    await asyncio.wait({task})
    with pytest.raises(StreamError) as caught:
        await writes[0]
    assert isinstance(caught.value.reason, asyncio.CancelledError)


async def test_redis_that_does_not_answer() -> None:
    """No task of ours waits for it any more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client: Any = Redis(port=listener.getsockname()[1])

        async def wait() -> None:
            async with asyncio.timeout(0.1):
                await endless().pipe_to(redis.publish(client, "key", in_flight=3))

        with pytest.raises(TimeoutError):
            await soon(wait())
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})
        await client.aclose()


@pytest.mark.parametrize("make", ENDS.values(), ids=ENDS)
async def test_a_sink_behind_another_one(make: Callable[[Stuck], Awaitable[Any]]) -> None:
    stuck = Stuck()

    async def wait() -> None:
        await make(stuck)

    task = asyncio.create_task(wait())
    await until(lambda: stuck.log == ["begun"])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await soon(task)
    await until(lambda: stuck.log == ["begun", "cancelled"])
