"""Anything can be a reason; where it has to be raised, it is wrapped."""

import asyncio

from webstreams import ReadableStream, StreamError


async def main():
    stream = ReadableStream({"start": lambda controller: controller.error(404)})
    try:
        await stream.get_reader().read()
    except StreamError as error:
        print(error.reason + 1)


asyncio.run(main())
