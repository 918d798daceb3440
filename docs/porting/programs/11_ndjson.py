"""Records in JSON, one to a line, and a sum."""

import asyncio
import json

from webstreams import ReadableStream


async def main():
    records = ReadableStream.from_(['{"price": 2}\n{"pr', 'ice": 40}\n']).lines().map(json.loads)
    print(await records.reduce(lambda total, record: total + record["price"], 0))


asyncio.run(main())
