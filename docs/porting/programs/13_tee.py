"""Two readers of one stream."""

import asyncio
import json

from webstreams import ReadableStream


async def main():
    one, other = ReadableStream.from_(["a", "b"]).tee()
    both = await asyncio.gather(one.list(), other.list())
    print(json.dumps(both, separators=(",", ":")))


asyncio.run(main())
