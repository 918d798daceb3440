"""Read a stream by hand."""

import asyncio

from webstreams import ReadableStream


async def main():
    stream = ReadableStream.from_(["slow", "and", "steady"])
    reader = stream.get_reader()
    while True:
        value, done = await reader.read()
        if done:
            break
        print(value)


asyncio.run(main())
