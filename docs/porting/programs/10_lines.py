"""Text to lines."""

import asyncio

from webstreams import ReadableStream


async def main():
    async for line in ReadableStream.from_(["spam\neg", "gs\nham"]).lines(newline="\n"):
        print(line)


asyncio.run(main())
