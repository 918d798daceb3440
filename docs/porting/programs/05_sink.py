"""A sink: start, write, close."""

import asyncio

from webstreams import ReadableStream, WritableStream


async def main():
    sink = WritableStream({
        "start": lambda controller: print("start"),
        "write": lambda chunk, controller: print("write", chunk),
        "close": lambda: print("close"),
    })
    await ReadableStream.from_(["a", "b"]).pipe_to(sink)


asyncio.run(main())
