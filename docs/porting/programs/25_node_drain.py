"""Node: a Writable that says when there is room, and how it ends."""

import asyncio

from webstreams import CountQueuingStrategy, WritableStream, finished


async def write(chunk, controller):
    print("written", chunk)
    await asyncio.sleep(0)


async def main():
    sink = WritableStream({"write": write}, CountQueuingStrategy(high_water_mark=2))
    end = finished(sink)
    async with sink.get_writer() as writer:
        for chunk in [1, 2, 3, 4]:
            await writer.ready
            writer.write(chunk)
    await end
    print("finished")


asyncio.run(main())
