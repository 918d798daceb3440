"""A transform, with what comes at its end."""

import asyncio

from webstreams import ReadableStream, TransformStream


class Upper:
    count = 0

    def transform(self, word, controller):
        self.count += 1
        controller.enqueue(word.upper())

    def flush(self, controller):
        controller.enqueue(f"{self.count} words")


async def main():
    words = ReadableStream.from_(["slow", "and", "steady"])
    async for word in words.pipe_through(TransformStream(Upper())):
        print(word)


asyncio.run(main())
