"""Messages per second through a pipeline beside the client's own loop with the same guarantees, for each broker.

    python -m benchmarks.brokers [--messages 5000] [redis nats kafka rabbitmq]

Both sides consume the same messages from a server of their own, on loopback, hand each to the same function and
acknowledge it after that. The same guarantees are:

- No more messages are unsettled (Kafka: not committed) than the limit says, which is the same on both sides.
- Nothing is acknowledged before the sink has it. What is not acknowledged when the program is killed comes again.
- What streams do beyond that is in their time, too: they keep leases, claim what a dead consumer left, and
  watch the connection. The loops over RabbitMQ, NATS and Redis do none of that.
- RabbitMQ, NATS: the loop is what the client's documentation shows, with an acknowledgement for each message.
- Redis: the loop acknowledges what it has read together, with one command; so do streams.
- Kafka: a record is done with on its own, in any order, and the longest finished prefix of each partition is committed;
  the consumer is polled while the sink works, or it would be expelled from its group. So the loop has a task that
  polls, a queue, and an account of each partition. "pages" is a loop with less: it handles one page after the other in
  its order and commits the end of it; one slow record stops everything, polling too.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from tests.brokers.places import GROUP, Place, make_place
from tests.brokers.servers import SERVERS
from webstreams import WritableStream
from webstreams.brokers import acknowledging

LIMIT: Final = {"rabbitmq": 64, "redis": 64, "nats": 64, "kafka": 500}

Sink = Callable[[Any], object]


class Work:
    """What both sides do with each message: count it."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.done = asyncio.Event()

    def handle(self, value: Any, controller: object = None) -> None:
        """Handle a message; what a writable stream calls, too."""
        self.left -= 1
        if not self.left:
            self.done.set()


async def rabbit_loop(place: Place, channels: Any, count: int, sink: Sink) -> None:
    """aio-pika: the iterator of a queue."""
    await channels.consuming.set_qos(prefetch_count=LIMIT["rabbitmq"])
    queue = await channels.consuming.get_queue(place.name)
    async with queue.iterator() as messages:
        async for message in messages:
            sink(message.body)
            await message.ack()
            count -= 1
            if not count:
                return


async def redis_loop(place: Place, client: Any, count: int, sink: Sink) -> None:
    """redis-py: read some, acknowledge them together."""
    while count:
        answer = await client.xreadgroup(GROUP, "loop", {place.name: ">"}, count=LIMIT["redis"], block=1000)
        entries = answer[0][1]
        for _, fields in entries:
            sink(fields)
        await client.xack(place.name, GROUP, *[entry for entry, _ in entries])
        count -= len(entries)


async def nats_loop(place: Place, js: Any, count: int, sink: Sink) -> None:
    """nats-py: fetch some, acknowledge each."""
    subscription = await js.pull_subscribe_bind(GROUP, place.name)
    while count:
        messages = await subscription.fetch(min(count, LIMIT["nats"]), timeout=5)
        for message in messages:
            sink(message.data)
            await message.ack()
        count -= len(messages)


class Account:
    """What of one partition is done, for the loop over Kafka: records in their order, and those done out of it."""

    def __init__(self) -> None:
        self.delivered: deque[int] = deque()
        self.done: set[int] = set()
        self.position = 0

    def finish(self, offset: int) -> int:
        """Return how many more records the finished prefix has."""
        self.done.add(offset)
        count = 0
        while self.delivered and self.delivered[0] in self.done:
            first = self.delivered.popleft()
            self.done.remove(first)
            self.position = first + 1
            count += 1
        return count


class KafkaLoop:
    """aiokafka: a task polls, no more than may be open; records are done with one by one; prefixes are committed."""

    def __init__(self, consumer: Any) -> None:
        self.consumer = consumer
        self.records: asyncio.Queue[Any] = asyncio.Queue()
        self.accounts: dict[Any, Account] = defaultdict(Account)
        self.room = LIMIT["kafka"]
        self.finished = 0
        self.has_room = asyncio.Event()

    async def poll(self) -> None:
        """Fetch what there is room for, for ever."""
        while True:
            if self.room <= 0:
                self.has_room.clear()
                await self.has_room.wait()
            pages = await self.consumer.getmany(timeout_ms=200, max_records=self.room)
            for partition, records in pages.items():
                self.room -= len(records)
                account = self.accounts[partition]
                for record in records:
                    account.delivered.append(record.offset)
                    self.records.put_nowait((partition, record))

    async def commit(self) -> None:
        """Commit what is finished, which makes room."""
        finished, self.finished = self.finished, 0
        await self.consumer.commit(
            {each: account.position for each, account in self.accounts.items() if account.position}
        )
        self.room += finished
        self.has_room.set()

    async def run(self, count: int, sink: Sink) -> None:
        """Handle so many records."""
        polling = asyncio.ensure_future(self.poll())
        for _ in range(count):
            partition, record = await self.records.get()
            sink(record.value)
            self.finished += self.accounts[partition].finish(record.offset)
            if self.finished >= LIMIT["kafka"] // 2:
                await self.commit()
        await self.commit()
        polling.cancel()
        await asyncio.wait([polling])


async def kafka_loop(place: Place, clients: Any, count: int, sink: Sink) -> None:
    """See `KafkaLoop`."""
    await KafkaLoop(clients.consumer).run(count, sink)


async def kafka_pages(place: Place, clients: Any, count: int, sink: Sink) -> None:
    """aiokafka: handle a page, commit its end."""
    while count:
        pages = await clients.consumer.getmany(timeout_ms=1000, max_records=LIMIT["kafka"])
        for records in pages.values():
            for record in records:
                sink(record.value)
            count -= len(records)
        if pages:
            await clients.consumer.commit()


LOOPS: Final[dict[str, Callable[[Any, Any, int, Sink], Awaitable[None]]]] = {
    "rabbitmq": rabbit_loop,
    "redis": redis_loop,
    "nats": nats_loop,
    "kafka": kafka_loop,
    "pages": kafka_pages,
}


async def loop(name: str, place: Place, connection: Any, work: Work) -> None:
    """Handle all messages by hand."""
    await LOOPS[name](place, connection, work.left, work.handle)


async def pipeline(place: Place, connection: Any, work: Work) -> None:
    """The same with streams."""
    stream = place.consume(connection, LIMIT[place.broker])
    pipe = stream.pipe_to(acknowledging(WritableStream({"write": work.handle})))
    await work.done.wait()
    await stream.drain()
    await pipe


async def measure(broker: str, messages: int, loops: int) -> list[tuple[float, float]]:
    """Return the rates of the loop and of the pipeline, by processor time and by the clock; the two take turns.

    Of each, the best of all turns: what else the machine does makes a turn slower, and none faster.
    """
    sides: list[Callable[[Place, Any, Work], Awaitable[None]]] = [partial(loop, broker), pipeline]
    broker = "kafka" if broker == "pages" else broker
    server = SERVERS[broker]()
    best = [(0.0, 0.0), (0.0, 0.0)]
    try:
        await asyncio.to_thread(server.start)
        for _ in range(loops):
            for index, side in enumerate(sides):
                place = make_place(broker, server.url)
                await place.make()
                await place.fill(messages)
                async with place.connect() as connection:
                    work = Work(messages)
                    processor, clock = time.process_time(), time.perf_counter()
                    await side(place, connection, work)
                    rates = messages / (time.process_time() - processor), messages / (time.perf_counter() - clock)
                best[index] = max(best[index][0], rates[0]), max(best[index][1], rates[1])
        return best
    finally:
        await asyncio.to_thread(server.end)


async def main(brokers: list[str], messages: int, loops: int) -> None:
    """Print a table."""
    print("| broker | loop, messages/s of processor time | streams | ratio | loop, messages/s | streams | ratio |")
    print("|---|---|---|---|---|---|---|")
    for broker in brokers:
        (loop_cpu, loop_clock), (cpu, clock) = await measure(broker, messages, loops)
        print(
            f"| {broker} | {loop_cpu:,.0f} | {cpu:,.0f} | {cpu / loop_cpu:.2f} "
            f"| {loop_clock:,.0f} | {clock:,.0f} | {clock / loop_clock:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("brokers", nargs="*", default=sorted(LOOPS))
    parser.add_argument("--messages", type=int, default=5_000)
    parser.add_argument("--loops", type=int, default=10)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.brokers, arguments.messages, arguments.loops))
