"""How full a queue is."""

import asyncio

from webstreams import CountQueuingStrategy, WritableStream


async def main():
    stream = WritableStream(
        {"write": lambda chunk, controller: None},
        CountQueuingStrategy(high_water_mark=3),
    )
    writer = stream.get_writer()
    for chunk in ["a", "b", "c", "d"]:
        print(writer.desired_size)
        writer.write(chunk)
    print(writer.desired_size)
    await writer.close()


asyncio.run(main())
