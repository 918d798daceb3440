"""Compress and decompress."""

import asyncio

from webstreams import CompressionStream, DecompressionStream, ReadableStream, TextEncoderStream, from_bytes


async def main():
    text = "tea " * 1000
    packed = (
        ReadableStream.from_([text])
        .pipe_through(TextEncoderStream())
        .pipe_through(CompressionStream("gzip"))
    )
    data = await packed.bytes()
    print(str(len(data) < 100).lower())
    unpacked = from_bytes(data).pipe_through(DecompressionStream("gzip"))
    print(str(await unpacked.text() == text).lower())


asyncio.run(main())
