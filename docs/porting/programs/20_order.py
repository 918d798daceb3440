"""The order of reactions, which is the Standard's."""

import asyncio

from webstreams import ReadableStream, queue_microtask


async def main():
    def start(controller):
        controller.enqueue("chunk")
        controller.close()

    reader = ReadableStream({"start": start}).get_reader()
    reader.closed.then(lambda _: print("closed"))
    reader.read().then(lambda _: print("first read"))
    reader.read().then(lambda _: print("second read"))
    queue_microtask(print, "microtask")
    await reader.closed


asyncio.run(main())
