"""Node: everything at once."""

import asyncio

from webstreams import ReadableStream


async def main():
    print(await ReadableStream.from_([b"slow ", b"and steady"]).text())
    print((await ReadableStream.from_([b'{"spam":', b" 42}"]).json())["spam"])
    print(len(await ReadableStream.from_([b"ab", b"c"]).bytes()))
    print(*await ReadableStream.from_([1, 2, 3, 4]).drop(1).take(2).list(), sep=",")


asyncio.run(main())
