"""Stop a pipe from outside."""

import asyncio

from webstreams import AbortController, ReadableStream, StreamError, WritableStream


async def main():
    controller = AbortController()
    count = 0

    def pull(stream):
        nonlocal count
        count += 1
        stream.enqueue(count)
        if count == 3:
            controller.abort("three are enough")

    source = ReadableStream(
        {"pull": pull, "cancel": lambda reason: print("cancel:", reason)},
        {"high_water_mark": 0},
    )
    sink = WritableStream({"write": lambda chunk, controller: print(chunk)})
    try:
        await source.pipe_to(sink, signal=controller.signal)
    except StreamError as error:
        print("caught:", error.reason)


asyncio.run(main())
