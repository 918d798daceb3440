"""A source of bytes that fills the reader's memory."""

import asyncio
import io

from webstreams import ReadableStream


class Source:
    type = "bytes"
    auto_allocate_chunk_size = 4

    def __init__(self):
        self.file = io.BytesIO(b"slow and steady")

    def pull(self, controller):
        count = self.file.readinto(controller.byob_request.view)
        if count == 0:
            controller.close()
        controller.byob_request.respond(count)


async def main():
    memory = bytearray(8)
    with ReadableStream(Source()).get_reader(mode="byob") as reader:
        while True:
            value, done = await reader.read(memory)
            if done:
                break
            print(str(value, "utf-8"))


asyncio.run(main())
