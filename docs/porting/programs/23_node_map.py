"""Node: several calls at a time, results in order."""

import asyncio

from webstreams import ReadableStream

running = most = 0


async def square(number):
    global running, most
    running += 1
    most = max(most, running)
    await asyncio.sleep(0.001)
    running -= 1
    return number * number


async def main():
    squares = await ReadableStream.from_([1, 2, 3, 4, 5]).map(square, concurrency=2).list()
    print(*squares, sep=",")
    print(most)


asyncio.run(main())
