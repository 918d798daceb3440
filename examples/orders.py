"""Orders from a queue into a database: each once, whenever the program is killed.

A RabbitMQ queue has orders, one JSON object a message. This program takes them, parses and prices them, several at a
time, and writes them in batches to a table of SQLite. An order is acknowledged when its batch has been committed. Kill
the program at any moment and start it again: what was not acknowledged comes again, and the order's number, which is
the primary key, keeps it from being in the table twice. What cannot be parsed goes to the queue's dead letters.

    python -m examples.orders amqp://localhost orders orders.sqlite

On a terminal, it shows every second what each stage does with its time. Ctrl-C or SIGTERM ends it in good order: what
is under way is finished first.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import TypedDict

import aio_pika

from webstreams import SKIP, ReadableStream, WritableStream
from webstreams.brokers import Deliveries, Delivery, acknowledging, rabbitmq, resilient
from webstreams.observe import Pipeline, observe
from webstreams.types import Skip

# So many orders are priced at a time. A batch is written when it is full, or so many seconds after its first order.
CALLS = 8
BATCH = 50
BATCH_TIME = 1.0
# What the pipeline holds at a time: a batch that is written, one that is collected, and the orders that are priced.
PREFETCH = 2 * BATCH + 4 * CALLS

TABLE = "create table if not exists orders (number integer primary key, customer text not null, total integer not null)"
# An order that comes again is the same order.
INSERT = "insert into orders values (:number, :customer, :total) on conflict (number) do nothing"


class Order(TypedDict):
    """What is in a message, and what becomes of it: the total is in cents."""

    number: int
    customer: str
    total: int


def parse(body: bytes) -> Order:
    """Make an order of the body of a message. Raises `ValueError` if it does not describe an order."""
    try:
        fields = json.loads(body)
        return Order(number=int(fields["number"]), customer=str(fields["customer"]), total=int(fields["total"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"a message is no order: {body!r}") from error


async def price(order: Order) -> Order:
    """Ask another service, which takes a moment."""
    await asyncio.sleep(0.001)
    return Order(number=order["number"], customer=order["customer"], total=order["total"] * 119 // 100)


async def work(delivery: Delivery[bytes]) -> Delivery[Order] | Skip:
    """Do what is to be done for one message; refuse one that is no order."""
    try:
        order = parse(delivery.value)
    except ValueError as error:
        print(error, file=sys.stderr)
        await delivery.nack(requeue=False)
        return SKIP
    (done,) = delivery.derive(await price(order))
    return done


class Table:
    """The underlying sink: a batch is a transaction."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: sqlite3.Connection

    def start(self, controller: object) -> None:
        """Open the database."""
        self._database = sqlite3.connect(self._path, check_same_thread=False)
        self._database.execute(TABLE)

    async def write(self, orders: list[Order], controller: object) -> None:
        """Insert a batch and commit; in a thread, for the disk is slow."""
        await asyncio.to_thread(self._insert, orders)

    def _insert(self, orders: list[Order]) -> None:
        with self._database:
            self._database.executemany(INSERT, orders)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def abort(self, reason: object) -> None:
        """Close the database."""
        self._database.close()


@asynccontextmanager
async def connect(url: str, queue: str) -> AsyncIterator[Deliveries[bytes]]:
    """Open a connection and consume."""
    async with await aio_pika.connect(url) as connection:
        yield rabbitmq.consume(await connection.channel(), queue, prefetch=PREFETCH)


async def run(url: str, queue: str, path: Path) -> None:
    """Write orders until the program is told to stop."""
    orders = resilient(partial(connect, url, queue))
    loop = asyncio.get_running_loop()
    draining: list[asyncio.Task[None]] = []
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, lambda: draining.append(loop.create_task(orders.drain())))
    done: ReadableStream[Delivery[Order]] = orders.map(work, concurrency=CALLS)
    batches = done.batched(BATCH, seconds=BATCH_TIME).map(Delivery[Order].join)
    pipe = batches.pipe_to(acknowledging(WritableStream(Table(path))))
    if sys.stderr.isatty():
        await show(observe(pipe, name="orders"))
    await pipe
    await asyncio.gather(*draining)


async def show(pipeline: Pipeline) -> None:
    """Show what each stage does with its time, and which one is the bottleneck, until the pipeline has ended."""
    async for _ in pipeline.watch(1.0):
        print(pipeline.tree(), file=sys.stderr, flush=True)


def count(path: Path) -> int:
    """Count the orders that are in the table."""
    with closing(sqlite3.connect(path)) as database:
        number: int = database.execute("select count(*) from orders").fetchone()[0]
        return number


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
