"""The programs of the guide that need a broker do what the guide says, with a real one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.brokers.places import Place
from tests.brokers.places.kafka import KafkaPlace
from tests.brokers.real.test_each_broker import read
from tests.pages.blocks import blocks_of

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "brokers.md"

pytestmark = pytest.mark.timeout(120)


def program(of: str, place: Place, **instead: str) -> dict[str, Any]:
    """Return the names of the one program with this text, which talks to the place in place of localhost."""
    (code,) = [block.code for block in blocks_of(GUIDE) if block.kind == "python" and of in block.code]
    for old, new in instead.items():
        assert f'"{old}"' in code
        code = code.replace(f'"{old}"', f'"{new}"')
    names: dict[str, Any] = {}
    exec(compile(code, GUIDE, "exec"), names)
    return names


@pytest.mark.brokers("rabbitmq")
async def test_what_is_paid_is_saved(place: Place) -> None:
    await place.make()
    async with place.connect() as channels:
        async with place.publish(channels).get_writer() as writer:
            for number in range(4):
                await writer.write(json.dumps({"number": number, "paid": number % 2 == 0}).encode())
        names = program("aio_pika.connect", place, **{"amqp://localhost": place.url, "orders": place.name})
        saved = []

        async def save(order: dict[str, Any], controller: Any) -> None:
            saved.append(order["number"])
            if len(saved) == 2:
                running.cancel()

        names["save"] = save
        running = asyncio.ensure_future(names["run"]())
        with pytest.raises(asyncio.CancelledError):
            await running
    assert saved == [0, 2]


@pytest.mark.brokers("kafka")
async def test_numbers_are_published(place: Place) -> None:
    assert isinstance(place, KafkaPlace)
    await place.make()
    names = program("AIOKafkaProducer", place, localhost=place.url, numbers=place.name)
    await names["publish"](range(5))
    async with place.connect() as clients:
        reader = place.consume(clients, 5).get_reader()
        deliveries = [await read(reader) for _ in range(5)]
        assert sorted(delivery.value for delivery in deliveries) == [b"%d" % number for number in range(5)]
        for delivery in deliveries:
            await delivery.ack()
        await reader.cancel()
