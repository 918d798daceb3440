"""Kill a consumer again and again while it works, and see that nothing is lost and little comes twice.

All the while the broker is asked how much is unsettled. Kafka does not know: there it is what was written and is not
committed.

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
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.brokers.places import BROKERS, Place, make_place
from tests.brokers.servers import SERVERS, RabbitMQ, Server

LIMIT: Final = 32
# How often the broker is asked (seconds): rabbitmqctl starts an Erlang of its own for that.
ASKED_EVERY: Final = {"rabbitmq": 3.0}


@dataclass
class Outcome:
    """What was found at the end."""

    kills: int
    missing: int
    duplicates: int
    seconds: float
    # How often the broker was asked, the most that was unsettled, and the most above what is allowed (none: below 0).
    asked: int
    most_unsettled: int
    beyond: int

    @property
    def is_good(self) -> bool:
        """Whether nothing is lost, no more came twice than was under way at the kills, and no limit was passed."""
        return self.missing == 0 and self.duplicates <= self.kills * LIMIT and self.beyond <= 0


@dataclass
class Asking:
    """Asks the broker how much is unsettled, as long as the consumers work."""

    place: Place
    server: Server
    file: Path
    # When consumers were killed.
    killed: list[float] = field(default_factory=list)
    asked: int = 0
    most: int = 0
    beyond: int = -LIMIT
    # Set when nobody wants to know any more. To cancel the task is not enough: a client in the midst of an answer may
    # swallow that.
    is_over: asyncio.Event = field(default_factory=asyncio.Event)

    async def go_on(self) -> None:
        """Ask until it is over."""
        while not self.is_over.is_set():
            begin = time.monotonic()
            unsettled = await self._unsettled()
            allowed = self.place.allowed(LIMIT, [begin - each for each in self.killed])
            self.asked += 1
            self.most = max(self.most, unsettled)
            self.beyond = max(self.beyond, unsettled - allowed)
            with suppress(TimeoutError):
                async with asyncio.timeout(ASKED_EVERY.get(self.place.broker, 0.2)):
                    await self.is_over.wait()

    async def _unsettled(self) -> int:
        if isinstance(self.server, RabbitMQ):
            return (await asyncio.to_thread(self.server.unsettled, self.place.name))[0]
        if self.place.broker == "kafka":
            written = len(set(_lines(self.file)))
            return written - (self.place.filled - (await self.place.waiting())[1])
        return (await self.place.waiting())[0]


async def kill_consumers(
    place: Place, server: Server, messages: int, kills: int, file: Path, generator: random.Random
) -> Outcome:
    """Consume `messages` with a process that is killed `kills` times, each time after a part of the work."""
    begin = time.monotonic()
    marks = sorted(generator.randrange(1, messages) for _ in range(kills))
    file.touch()
    asking = Asking(place, server, file)
    asks = asyncio.ensure_future(asking.go_on())
    try:
        for mark in [*marks, None]:
            await _run_until(place, mark, messages, file, generator)
            asking.killed.append(time.monotonic())
            if asks.done():
                break
    finally:
        asking.is_over.set()
        await asyncio.wait([asks])
    asks.result()
    counts = Counter(int(line) for line in _lines(file))
    missing = messages - len(counts)
    duplicates = sum(counts.values()) - len(counts)
    seconds = time.monotonic() - begin
    return Outcome(kills, missing, duplicates, seconds, asking.asked, asking.most, asking.beyond)


async def _run_until(place: Place, mark: int | None, messages: int, file: Path, generator: random.Random) -> None:
    """Start a consumer, and kill it when so many lines are written, or all that there are."""
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
            file = Path(folder) / "numbers"
            return await kill_consumers(place, server, messages, kills, file, random.Random(seed))
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
