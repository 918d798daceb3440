"""What sharing a stream costs: many subscriptions of one stream beside as many streams that are read alone.

    python -m benchmarks.sharing [--chunks N] [--rounds N]

For 1, 8, 32 and 128 readers, each a loop of ``read()`` in a task of its own: the processor time for each chunk of each
reader, when all read one shared stream, when each reads a stream of its own, and how many times more the first is. The
least of several rounds counts. The exit status is 1 if 32 subscriptions cost more than twice as much.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from typing import Any

from webstreams import ReadableStream, share

READERS = (1, 8, 32, 128)
LIMIT = 2.0


class Source:
    """Gives numbers."""

    def __init__(self, count: int) -> None:
        self._left = count

    def pull(self, controller: Any) -> None:
        """Return the next number, or the end."""
        if self._left:
            controller.enqueue(self._left)
            self._left -= 1
        else:
            controller.close()


async def read(stream: ReadableStream[int]) -> None:
    """Read to the end."""
    with stream.get_reader() as reader:
        while not (await reader.read()).done:
            pass


async def seconds(readers: int, chunks: int, *, shared: bool) -> float:
    """Return the processor time that all readers take."""
    if shared:
        hub = share(ReadableStream[int](Source(chunks)))
        streams: list[ReadableStream[int]] = [hub.subscribe() for _ in range(readers)]
    else:
        streams = [ReadableStream(Source(chunks)) for _ in range(readers)]
    began = time.process_time()
    await asyncio.gather(*map(read, streams))
    return time.process_time() - began


def least(readers: int, chunks: int, rounds: int, *, shared: bool) -> float:
    """Return the microseconds for each chunk of each reader, the least of several rounds."""
    times = [asyncio.run(seconds(readers, chunks, shared=shared)) for _ in range(rounds)]
    return 1e6 * min(times) / (chunks * readers)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chunks", type=int, default=64_000, help="chunks for all readers together")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("readers  shared (µs)  alone (µs)  ratio")
    ratios = {}
    for readers in READERS:
        shared, alone = (
            least(readers, options.chunks // readers, options.rounds, shared=is_shared) for is_shared in (True, False)
        )
        ratios[readers] = shared / alone
        print(f"{readers:7}  {shared:11.2f}  {alone:10.2f}  {ratios[readers]:5.2f}")
    return int(ratios[32] > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
