"""A pipeline that is shown on the terminal: what the tests of the view run in a pseudo-terminal."""

from __future__ import annotations

import asyncio
import sys

from webstreams import ReadableStream, TransformStream, to_callable
from webstreams.observe import label, observe
from webstreams.observe.terminal import show

STAGES = 12


async def main() -> None:
    """Show a pipeline of some stages, the last of which is slow."""

    async def store(chunk: bytes) -> None:
        await asyncio.sleep(0.02)

    stream = ReadableStream.from_([b"spam" * 100] * 30)
    for number in range(STAGES):
        stage: TransformStream[bytes, bytes] = TransformStream()
        label(stage, f"stage {number} Größe 大きさ")
        stream = stream.pipe_through(stage)
    piping = stream.pipe_to(to_callable(store))
    pipeline = observe(piping, name="import")
    await asyncio.gather(piping, show(pipeline, file=sys.stdout, interval=0.1, total=30 * 400))


if __name__ == "__main__":
    asyncio.run(main())
