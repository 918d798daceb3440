"""Draws what `desired_size` of a writer does over time, by running it: one producer awaits `ready`, one does not.

The sink takes 20 ms for a chunk, the producers can give one every 2 ms, and the mark is 4.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from matplotlib.figure import Figure

from webstreams import CountQueuingStrategy, WritableStream, WritableStreamDefaultWriter

CHUNKS, MARK = 20, 4
SECONDS_PER_WRITE, SECONDS_PER_CHUNK = 0.02, 0.002

Points = list[tuple[float, float]]


class Sink:
    """Takes its time, and notes what `desired_size` is when a chunk is done."""

    def __init__(self) -> None:
        self.points: Points = []
        self.writer: WritableStreamDefaultWriter[int] | None = None
        self._begin = asyncio.get_running_loop().time()

    def note(self) -> None:
        """Note the time and `desired_size`."""
        assert self.writer is not None
        self.points.append((asyncio.get_running_loop().time() - self._begin, self.writer.desired_size or 0))

    async def write(self, chunk: int, controller: object) -> None:
        """Take a chunk."""
        await asyncio.sleep(SECONDS_PER_WRITE)
        asyncio.get_running_loop().call_soon(self.note)


async def produce(patiently: bool) -> Points:
    """Write all chunks; return what `desired_size` was when."""
    sink = Sink()
    stream = WritableStream[int](sink, CountQueuingStrategy(high_water_mark=MARK))
    async with stream.get_writer() as sink.writer:
        sink.note()
        for number in range(CHUNKS):
            if patiently:
                await sink.writer.ready
            _ = sink.writer.write(number)
            sink.note()
            await asyncio.sleep(SECONDS_PER_CHUNK)
    return sink.points


async def measure() -> tuple[Points, Points]:
    """Return what the patient and the impatient producer see."""
    return await produce(True), await produce(False)


def draw(target: Path) -> None:
    """Run both and draw them."""
    patient, impatient = asyncio.run(measure())
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for points, color, label in (
        (patient, "#2f6fb0", "awaits ready before each write"),
        (impatient, "#c2452d", "does not"),
    ):
        times = [1000 * time for time, _ in points]
        axes.step(times, [size for _, size in points], where="post", color=color, label=label, linewidth=1.8)
    axes.axhline(0, color="#888888", linewidth=0.8)
    axes.set_xlabel("milliseconds")
    axes.set_ylabel("desired_size (chunks)")
    axes.set_title(
        f"{CHUNKS} chunks, mark {MARK}; the sink takes {1000 * SECONDS_PER_WRITE:.0f} ms for each", fontsize=10
    )
    axes.legend(frameon=False, loc="lower right")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(target, facecolor="white", metadata={"Date": None})
