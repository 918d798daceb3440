"""Kill a consumer again and again while it works, and see that nothing is lost and little comes twice.

``python -m tests.brokers.killing redis --messages 100000 --kills 50`` runs it in full, with a server of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.brokers.places import BROKERS, Place, make_place
from tests.brokers.servers import SERVERS

LIMIT: Final = 32


@dataclass
class Outcome:
    """What was found at the end."""

    kills: int
    missing: int
    duplicates: int
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether nothing is lost, and no more came twice than was under way at the kills."""
        return self.missing == 0 and self.duplicates <= self.kills * LIMIT


async def kill_consumers(place: Place, messages: int, kills: int, file: Path, generator: random.Random) -> Outcome:
    """Consume `messages` with a process that is killed `kills` times, each time after a part of the work."""
    begin = time.monotonic()
    marks = sorted(generator.randrange(1, messages) for _ in range(kills))
    file.touch()
    for mark in [*marks, None]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.brokers.worker", place.broker, place.url, place.name, str(file), str(LIMIT)
        )
        try:
            await _wait(place, process, file, messages, mark)
            await asyncio.sleep(generator.random() * 0.01)
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            await process.wait()
    counts = Counter(int(line) for line in _lines(file))
    missing = messages - len(counts)
    return Outcome(kills, missing, sum(counts.values()) - len(counts), time.monotonic() - begin)


async def _wait(place: Place, process: asyncio.subprocess.Process, file: Path, messages: int, mark: int | None) -> None:
    """Wait until so many lines are written, or all that there are and the broker has heard of it."""
    async with asyncio.timeout(600):
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"the consumer has ended by itself: {process.returncode}")
            lines = _lines(file)
            if mark is not None and len(lines) >= mark:
                return
            if len(lines) >= messages and len(set(lines)) == messages and await place.waiting() == (0, 0):
                return
            await asyncio.sleep(0.02)


def _lines(file: Path) -> list[bytes]:
    text = file.read_bytes()
    return text[: text.rfind(b"\n") + 1].splitlines()


async def main(broker: str, messages: int, kills: int, seed: int) -> Outcome:
    """Start a server, fill it, and run."""
    server = SERVERS[broker]().start()
    try:
        place = make_place(broker, server.url)
        place.hasten()
        await place.make()
        await place.fill(messages)
        with tempfile.TemporaryDirectory() as folder:
            return await kill_consumers(place, messages, kills, Path(folder) / "numbers", random.Random(seed))
    finally:
        await asyncio.to_thread(server.end)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("broker", choices=sorted(BROKERS))
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    arguments = parser.parse_args()
    outcome = asyncio.run(main(arguments.broker, arguments.messages, arguments.kills, arguments.seed))
    print(f"{arguments.broker}, seed {arguments.seed}: {outcome}")
    sys.exit(not outcome.is_good)
