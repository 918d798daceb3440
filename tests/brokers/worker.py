"""A consumer to be killed: writes every number that it gets to a file, at once, and acknowledges it after that."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from tests.brokers.places import make_place
from webstreams import WritableStream
from webstreams.brokers import acknowledging


async def main(broker: str, url: str, name: str, file: str, limit: int) -> None:
    """Consume for ever."""
    place = make_place(broker, url, name)
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(value: Any, controller: object) -> None:
        os.write(descriptor, place.body(value) + b"\n")

    async with place.connect_consumer() as connection:
        sink: WritableStream[Any] = WritableStream({"write": write})
        await place.consume(connection, limit).pipe_to(acknowledging(sink))


if __name__ == "__main__":
    broker, url, name, file, limit = sys.argv[1:]
    asyncio.run(main(broker, url, name, file, int(limit)))
