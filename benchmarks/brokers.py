"""Messages per second through a pipeline beside the client's own loop with the same guarantees, for each broker.

    python -m benchmarks.brokers [--messages 20000] [redis nats kafka rabbitmq]

Both sides consume the same messages from a server of their own, on loopback, hand each to a sink and acknowledge it
after that. The client's loop is what its documentation shows, with the acknowledgements as the guarantee wants them.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from tests.brokers.places import GROUP, Place, make_place
from tests.brokers.servers import SERVERS
from webstreams import WritableStream
from webstreams.brokers import acknowledging

LIMIT: Final = {"rabbitmq": 64, "redis": 64, "nats": 64, "kafka": 500}

Sink = Callable[[Any], object]


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


async def kafka_loop(place: Place, clients: Any, count: int, sink: Sink) -> None:
    """aiokafka: get some, commit them."""
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
}


async def pipeline(place: Place, connection: Any, count: int, sink: Sink) -> None:
    """The same with streams."""
    seen = 0
    done = asyncio.Event()

    def write(value: Any, controller: object) -> None:
        nonlocal seen
        sink(value)
        seen += 1
        if seen == count:
            done.set()

    stream = place.consume(connection, LIMIT[place.broker])
    pipe = stream.pipe_to(acknowledging(WritableStream({"write": write})))
    await done.wait()
    await stream.drain()
    await pipe


async def measure(broker: str, messages: int, loops: int) -> list[tuple[float, float]]:
    """Return the rates of the loop and of the pipeline, by processor time and by the clock; the two take turns."""
    server = SERVERS[broker]().start()
    sides: list[Callable[[Any, Any, int, Sink], Awaitable[None]]] = [LOOPS[broker], pipeline]
    best = [(0.0, 0.0), (0.0, 0.0)]
    try:
        for _ in range(loops):
            for index, side in enumerate(sides):
                place = make_place(broker, server.url)
                await place.make()
                await place.fill(messages)
                async with place.connect() as connection:
                    processor, clock = time.process_time(), time.perf_counter()
                    await side(place, connection, messages, bool)
                    rates = messages / (time.process_time() - processor), messages / (time.perf_counter() - clock)
                best[index] = max(best[index], rates)
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
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--loops", type=int, default=2)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.brokers, arguments.messages, arguments.loops))
