"""A length, then so many bytes."""

import asyncio

from webstreams import from_bytes


async def main():
    stream = from_bytes([b"\x00\x00", b"\x00\x05he", b"llo"])
    with stream.get_reader(mode="byob") as reader:
        header = (await reader.read(bytearray(4), min=4)).value
        length = int.from_bytes(header, "big")
        body = (await reader.read(bytearray(length), min=length)).value
        print(length, str(body, "utf-8"))


asyncio.run(main())
