"""Bytes to text; a character is cut in two."""

import asyncio

from webstreams import ReadableStream


async def main():
    print(await ReadableStream.from_([b"caf\xc3", b"\xa9!"]).text())


asyncio.run(main())
