"""Every limit and every time that the streams of brokers take is checked at the call, and named."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest
from aio_pika import Channel, Connection, Exchange
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from nats.aio.client import Client
from redis.asyncio import Redis
from yarl import URL

from webstreams import ReadableStream
from webstreams.brokers import kafka, nats, rabbitmq, redis

from ..grids import each_of

NO_NUMBERS = [True, "x", b"1", [1], {}, 1j, object()]
NO_STRINGS = [5, True, math.nan, [1], {}, 1j, object(), print, int]
NO_TIMES = [-1, -0.1, math.nan, -math.inf, 10**400]
# What is refused besides, by the name of the parameter.
OUT_OF_RANGE: dict[str, list[Any]] = {
    "timeout": NO_TIMES,
    "commit_interval": NO_TIMES,
    "revoke_timeout": NO_TIMES,
    # Redis counts milliseconds back from now: none of them would be everybody's, and infinity is no number of them.
    "claim_idle": [*NO_TIMES, 0, 0.0004, 1e10, math.inf],
    "in_flight": [0, -1, 10**30],
    "prefetch": [0, -1, 10**30],
    "max_length": [-1, 10**30],
}


@asynccontextmanager
async def calls() -> AsyncIterator[dict[str, partial[Any]]]:
    """What makes a stream of each kind; the clients are connected to nothing."""
    consumer = AIOKafkaConsumer("orders", group_id="all", enable_auto_commit=False)
    producer = AIOKafkaProducer()
    channel: Any = Channel(Connection(URL("amqp://localhost")))
    jetstream = Client().jetstream()
    client = Redis()
    try:
        yield {
            "kafka.consume": partial(kafka.consume, consumer),
            "kafka.produce": partial(kafka.produce, producer, "orders"),
            "nats.consume": partial(nats.consume, jetstream, "orders", "all"),
            "nats.publish": partial(nats.publish, jetstream, "orders"),
            "rabbitmq.consume": partial(rabbitmq.consume, channel, "orders"),
            "rabbitmq.publish": partial(rabbitmq.publish, Exchange(channel, "orders"), routing_key="orders"),
            "redis.consume": partial(redis.consume, client, "orders", "all", "all-1"),
            "redis.publish": partial(redis.publish, client, "orders"),
        }
    finally:
        await consumer.stop()
        await producer.stop()


def numbers_of(call: Callable[..., Any]) -> dict[str, object]:
    """The parameters that are numbers, or None, with their defaults."""
    parameters = inspect.signature(call).parameters.values()
    return {each.name: each.default for each in parameters if str(each.annotation).split(" |")[0] in {"int", "float"}}


async def test_every_number_is_checked() -> None:
    async with calls() as made:
        checked = {name for call in made.values() for name in numbers_of(call)}
    assert checked == OUT_OF_RANGE.keys()


@each_of(parameter=list(OUT_OF_RANGE))
async def test_a_bad_number_is_refused_by_name(parameter: str) -> None:
    unclear = []
    async with calls() as made:
        for name, call in made.items():
            if parameter not in numbers_of(call):
                continue
            none = [] if numbers_of(call)[parameter] is None else [None]
            for error, values in ((TypeError, [*NO_NUMBERS, *none]), (ValueError, OUT_OF_RANGE[parameter])):
                for value in values:
                    refused = refusal(call, {parameter: value})
                    if type(refused) is not error or not str(refused).startswith(f"{parameter} must be "):
                        unclear.append(f"{name}({parameter}={value!r}): {refused!r}")
    assert unclear == []


# The parameters that are names: a str, and where the client takes it, bytes.
NAMES = {
    "kafka.produce": {"topic"}, "nats.consume": {"stream", "durable"}, "nats.publish": {"subject"},
    "rabbitmq.consume": {"queue"}, "rabbitmq.publish": {"routing_key"},
    "redis.consume": {"key", "group", "consumer"}, "redis.publish": {"key"},
}  # fmt: skip


async def test_a_bad_name_is_refused_by_name() -> None:
    unclear = []
    async with calls() as made:
        for name, parameters in NAMES.items():
            call = made[name]
            bound = inspect.signature(call.func).bind(*call.args, **call.keywords)
            for parameter in parameters:
                for value in (None, *NO_STRINGS):
                    refused = refusal(partial(call.func, **{**bound.arguments, parameter: value}), {})
                    if type(refused) is not TypeError or f"{parameter} must be " not in str(refused):
                        unclear.append(f"{name}({parameter}={value!r}): {refused!r}")
    assert unclear == []


@each_of(topic=["", " ", "two words", "naïve", "a/b", "a\n", ".", "..", "x" * 250])
async def test_a_topic_that_kafka_refuses_is_refused_at_the_call(topic: str) -> None:
    async with calls() as made:
        call = made["kafka.produce"]
        producer = inspect.signature(call.func).bind(*call.args, **call.keywords).arguments["producer"]
        with pytest.raises(ValueError, match=r"^topic must be 1 to 249 letters, digits, dots"):
            call.func(producer, topic)
        for accepted in ("orders", "Orders.v2_retry-1", "...", "x" * 249):
            await call.func(producer, accepted).abort()


PUBLISHERS = ("kafka.produce", "nats.publish", "rabbitmq.publish", "redis.publish")


@each_of(message=[5, True, None, 1.5, "text", "", [], [1, 2], {1}, object(), range(3), np.array([None])])
async def test_what_is_no_message_is_not_made_one(message: Any) -> None:
    """``bytes(5)`` are five zeros, and ``bytes([])`` none."""
    async with calls() as made:
        for name in PUBLISHERS:
            writer = made[name]().get_writer()
            with pytest.raises(TypeError, match="the message must be a bytes-like object"):
                await asyncio.wait_for(writer.write(message), 5)


async def test_what_the_client_asserts_is_an_error_of_the_value() -> None:
    async with calls() as made:
        writer = made["kafka.produce"]().get_writer()
        with pytest.raises(ValueError, match="the record cannot be sent"):
            await asyncio.wait_for(writer.write({}), 5)


async def test_dead_letters_go_to_a_writable_stream() -> None:
    async with calls() as made:
        for call in (made["kafka.consume"], made["redis.consume"]):
            for value in (ReadableStream(), *NO_STRINGS, "x", b"x"):
                refused = refusal(call, {"dead_letter": value})
                assert type(refused) is TypeError
                assert str(refused).startswith("dead_letter must be a WritableStream, not ")


def refusal(call: Callable[..., Any], given: dict[str, Any]) -> Exception | None:
    try:
        call(**given)
    except Exception as error:
        return error
    return None
