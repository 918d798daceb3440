"""An error goes everywhere."""

import asyncio

from webstreams import ReadableStream, TransformStream, WritableStream


def fail(chunk, controller):
    raise ValueError(f"cannot use {chunk}")


async def main():
    source = ReadableStream({
        "pull": lambda controller: controller.enqueue("eggs"),
        "cancel": lambda reason: print("cancel:", reason),
    })
    sink = WritableStream({"abort": lambda reason: print("abort:", reason)})
    try:
        await source.pipe_through(TransformStream({"transform": fail})).pipe_to(sink)
    except ValueError as error:
        print("caught:", error)


asyncio.run(main())
