"""A generator as a source; leaving the loop closes it."""

import asyncio
from itertools import count

from webstreams import ReadableStream


async def numbers():
    try:
        for number in count(1):
            yield number
    finally:
        print("closed")


async def main():
    async with ReadableStream.from_(numbers()).values() as chunks:
        async for number in chunks:
            print(number)
            if number == 3:
                break


asyncio.run(main())
