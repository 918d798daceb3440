"""A source that is asked."""

import asyncio

from webstreams import ReadableStream


class Countdown:
    next = 3

    def pull(self, controller):
        controller.enqueue(self.next)
        self.next -= 1
        if self.next == 0:
            controller.close()


async def main():
    async for number in ReadableStream(Countdown()):
        print(number)


asyncio.run(main())
