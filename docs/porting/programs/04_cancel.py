"""The reason of a cancel reaches the source."""

import asyncio

from webstreams import ReadableStream


async def main():
    stream = ReadableStream({
        "pull": lambda controller: controller.enqueue("chunk"),
        "cancel": lambda reason: print("cancelled:", reason),
    })
    reader = stream.get_reader()
    print((await reader.read()).value)
    await reader.cancel("that is enough")
    print(str((await reader.read()).done).lower())


asyncio.run(main())
