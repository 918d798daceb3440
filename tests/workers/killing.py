"""Kill a worker again and again, at random moments, and see that both sides settle soon and nothing is left.

``python -m tests.workers.killing --kills 1000`` runs it in full: a stage whose chunks go and come, and a readable and a
writable stream that were transferred into the same process.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import select
import signal
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Thread
from typing import Any

from tests.children import children
from tests.ends.descriptors import open_descriptors, open_sockets
from webstreams import ReadableStream, WritableStream
from webstreams.workers import Port, WorkerDied, message_channel, receive, transfer, worker

LIMIT = 30  # seconds


def work(port: Port, chunks: Iterable[Any]) -> Iterator[Any]:
    """Give the chunks back; a thread reads and writes the streams that come over the port."""
    Thread(target=lambda: asyncio.run(copy(port)), daemon=True).start()
    yield from chunks


async def copy(port: Port) -> None:
    """Copy one transferred stream into the other."""
    source: ReadableStream[Any] = await receive(port)
    sink: WritableStream[Any] = await receive(port)
    await source.pipe_to(sink)


@dataclass
class Outcome:
    """What was found."""

    kills: int = 0
    # How long each took to settle, and how long of that the system took to end the process (seconds).
    times: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


async def kill_once(delay: float, outcome: Outcome) -> None:
    """Start everything, kill the process after a delay (seconds), and wait until all four ends have settled."""
    here, there = message_channel()
    others = children()
    async with worker(partial(work, there), window=4) as stage:
        (pid,) = children() - others
        ends = [
            ReadableStream(numbers()).pipe_to(stage.writable),
            stage.readable.pipe_to(WritableStream()),
        ]
        gone: list[asyncio.Future[Any]] = [asyncio.get_running_loop().create_future() for _ in range(2)]
        source: Any = {**numbers(), "cancel": gone[0].set_result}
        transfer(ReadableStream(source), here)
        transfer(WritableStream({"abort": gone[1].set_result}), here)
        await asyncio.sleep(delay)
        with watched_end(pid) as ended:
            os.kill(pid, signal.SIGKILL)
            begin = time.monotonic()
            async with asyncio.timeout(LIMIT):
                found = await asyncio.gather(*ends, *gone, return_exceptions=True)
            outcome.times.append(time.monotonic() - begin)
        outcome.ends.append(max(0.0, ended.result() - begin))
        outcome.kills += 1
        outcome.wrong += [repr(each) for each in found if not isinstance(each, WorkerDied)]
    here.close()


@contextmanager
def watched_end(pid: int) -> Iterator[Future[float]]:
    """Find out in a thread when the system has ended a process: then nobody can have heard of it before."""
    descriptor = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    with ThreadPoolExecutor(1) as executor:
        try:
            yield executor.submit(when_ended, descriptor)
        finally:
            executor.shutdown()
            if descriptor is not None:
                os.close(descriptor)


def when_ended(descriptor: int | None) -> float:
    """Wait for the end of a process; the time, or now if the system cannot tell."""
    if descriptor is not None:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(LIMIT * 1000)
    return time.monotonic()


def numbers() -> Any:
    """A source that always has more."""
    return {"pull": lambda controller: controller.enqueue(b"x" * 1000)}


async def run(kills: int, longest: float, seed: int) -> Outcome:
    """Kill so many workers, each at a random moment until `longest` (seconds)."""
    generator = random.Random(seed)
    outcome = Outcome()
    await kill_once(0.1, outcome)  # what is made once is there then
    gc.collect()
    before = open_descriptors(), children()
    sockets = len(open_sockets())
    for _ in range(kills - 1):
        await kill_once(generator.random() * longest, outcome)
    gc.collect()
    if (open_descriptors(), children()) != before:
        outcome.wrong.append(f"left: {open_descriptors()} {children()}, before: {before}")
    if len(open_sockets()) > sockets:
        outcome.wrong.append(f"{len(open_sockets())} sockets are open, {sockets} were before")
    return outcome


def main() -> int:
    """Print what was found; the exit status is 1 if something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.workers.killing", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--longest", type=float, default=0.6, help="the latest moment, in seconds after the start")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    outcome = asyncio.run(run(arguments.kills, arguments.longest, arguments.seed))
    times = sorted(outcome.times)
    own = sorted(max(0.0, each - end) for each, end in zip(outcome.times, outcome.ends, strict=True))
    half, most = times[len(times) // 2], times[int(len(times) * 0.99)]
    late = sum(each > 1 for each in own)
    load = os.getloadavg()[0]
    print(
        f"{outcome.kills} kills; half of them had settled within {half * 1000:.0f} ms, 99 % within {most * 1000:.0f} ms"
    )
    print(f"the slowest took {times[-1] * 1000:.0f} ms (the machine's load: {load:.1f})")
    print(
        f"ending a process took the system up to {max(outcome.ends) * 1000:.0f} ms; after that, both sides settled "
        f"within {own[int(len(own) * 0.99)] * 1000:.0f} ms in 99 %, {own[-1] * 1000:.0f} ms at most"
    )
    for line in outcome.wrong[:20]:
        print(f"wrong: {line}")
    return 1 if outcome.wrong or late else 0


if __name__ == "__main__":
    raise SystemExit(main())
