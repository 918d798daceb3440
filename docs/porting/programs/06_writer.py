"""A writer that waits for room."""

import asyncio

from webstreams import CountQueuingStrategy, WritableStream


async def write(chunk, controller):
    print("written", chunk)


async def main():
    stream = WritableStream({"write": write}, CountQueuingStrategy(high_water_mark=2))
    async with stream.get_writer() as writer:
        for chunk in ["a", "b", "c"]:
            await writer.ready
            writer.write(chunk)
    print("closed")


asyncio.run(main())
