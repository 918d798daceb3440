"""examples/orders.py: killed at any moment and started again, no order is lost, and none is twice in the table."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from examples.orders import count, parse
from tests.brokers.places import Place
from tests.brokers.places.rabbitmq import RabbitChannels
from tests.brokers.servers import free_port

ORDERS = 1020
POISON = 3


async def fill(place: Place, channels: RabbitChannels) -> None:
    """Publish orders, and some messages that are none."""
    async with place.publish(channels).get_writer() as writer:
        for number in range(ORDERS):
            await writer.ready
            order = {"number": number, "customer": f"customer {number % 7}", "total": 100 * number}
            writer.write(json.dumps(order).encode())._mark_handled()
            if number % (ORDERS // POISON) == 10:
                writer.write(b"not an order")._mark_handled()


async def start(place: Place, path: Path, errors: int = asyncio.subprocess.DEVNULL) -> asyncio.subprocess.Process:
    command = ("-m", "examples.orders", place.url, place.name, str(path))
    return await asyncio.create_subprocess_exec(sys.executable, *command, stderr=errors)


async def ended(process: asyncio.subprocess.Process) -> None:
    """Have the program end in good order."""
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        assert await process.wait() == 0


async def counted(path: Path, process: asyncio.subprocess.Process, wanted: int) -> None:
    """Wait until so many orders are in the table."""
    async with asyncio.timeout(120):
        while True:
            assert process.returncode is None
            if path.exists():
                try:
                    if count(path) >= wanted:
                        return
                except sqlite3.OperationalError:
                    pass  # the table is not there yet, or is locked
            await asyncio.sleep(0.05)


async def taken_by(place: Place, channels: RabbitChannels, consumers: int) -> None:
    """Wait until the queue has so many consumers, and nothing is there that no consumer has got."""
    async with asyncio.timeout(120):
        while True:
            queue = (await channels.consuming.declare_queue(place.name, passive=True)).declaration_result
            if queue.consumer_count == consumers and not (consumers and queue.message_count):
                return
            await asyncio.sleep(0.02)


@pytest.mark.brokers("rabbitmq")
@pytest.mark.timeout(600)
async def test_no_order_is_lost_and_none_is_twice(place: Place, tmp_path: Path) -> None:
    await place.make()
    path = tmp_path / "orders.sqlite"
    generator = random.Random(3)
    async with place.connect() as channels:
        await fill(place, channels)
        for mark in (100, 600):
            process = await start(place, path)
            await counted(path, process, mark)
            await asyncio.sleep(generator.random() * 0.1)
            process.send_signal(signal.SIGKILL)
            await process.wait()
            await taken_by(place, channels, 0)  # what it had and did not acknowledge is in the queue again
        process = await start(place, path)
        await counted(path, process, ORDERS)  # also the last batch, which is not full
        await taken_by(place, channels, 1)  # also when the program before has written all and not said so
        await ended(process)
        assert await place.waiting() == (0, 0)
        dead = await channels.consuming.declare_queue(place.name + "-dead", passive=True)
        assert dead.declaration_result.message_count == POISON
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("select number, total from orders order by number").fetchall()
    assert rows == [(number, number * 119) for number in range(ORDERS)]


@pytest.mark.brokers("rabbitmq")
async def test_it_stops_when_there_is_no_broker(place: Place, tmp_path: Path) -> None:
    place.url = f"amqp://127.0.0.1:{free_port()}/"
    process = await start(place, tmp_path / "orders.sqlite", asyncio.subprocess.PIPE)
    assert process.stderr is not None
    async with asyncio.timeout(120):
        while b"is opened again" not in (line := await process.stderr.readline()):
            assert line
    await ended(process)


def test_what_is_no_order_is_refused() -> None:
    assert parse(b'{"number": 1, "customer": "a", "total": 5}') == {"number": 1, "customer": "a", "total": 5}
    for body in (b"", b"[]", b"{}", b'{"number": "one"}', b"\xff"):
        with pytest.raises(ValueError):
            parse(body)
