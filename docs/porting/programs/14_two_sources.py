"""Two sources, one after the other, into one sink."""

import asyncio

from webstreams import ReadableStream, WritableStream


async def main():
    sink = WritableStream({
        "write": lambda chunk, controller: print(chunk),
        "close": lambda: print("close"),
    })
    await ReadableStream.from_(["head"]).pipe_to(sink, prevent_close=True)
    await ReadableStream.from_(["body"]).pipe_to(sink)


asyncio.run(main())
