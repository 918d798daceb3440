"""Node: pipeline with generators as stages."""

import asyncio

from webstreams import pipeline


async def numbered(words):
    number = 0
    async for word in words:
        number += 1
        yield f"{number}: {word}"


async def main():
    await pipeline(["spam", "eggs"], numbered, sink=print)
    print("done")


asyncio.run(main())
