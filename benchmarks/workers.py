"""Workers: what credits gain, how fast large chunks go, how four workers scale, and how much memory 1 GiB takes.

    python -m benchmarks.workers [--megabytes N] [--chunks N] [--only PART]

- credits: chunks of 1 KiB to a process (and a thread) and back, per second, with a window of 1 and of 16, the best of
  several rounds, which take turns;
- bytes: MB per second into a process at 64 KiB and 1 MiB, beside `multiprocessing.Queue`, `Executor.map` and a bare
  pair of sockets;
- processors: a stage that costs processor time, in four workers and in this process;
- memory: N megabytes (1,074 by default) through a stage that compresses in a process: whether the SHA-256 is the same
  after decompressing, and how much the peak memory of parent and child is above that at the start.

The exit status is 1 if a window of 16 is not five times as fast as one of 1, four workers are not 1.7 times as fast as
none (on two processors that have nothing else to do), a file differs, or a process takes more than 30 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import multiprocessing
import os
import random
import resource
import socket
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Literal

from webstreams import ReadableStream
from webstreams.workers import worker, workers

Kind = Literal["process", "thread"]

KIB = 1024
MIB = 1024 * KIB
MEGABYTE = 1_000_000
LEAST_GAIN = 5.0
KINDS: tuple[Kind, ...] = ("process", "thread")
ROUNDS = 12
LEAST_SPEEDUP = 1.7
MOST_MEMORY = 30 * MEGABYTE


# What runs in the processes.


def same(chunks: Iterable[Any]) -> Iterator[Any]:
    """Give the chunks back."""
    yield from chunks


def count(chunks: Iterable[bytes]) -> Iterator[int]:
    """Tell when the first chunk is there, and how many bytes there were."""
    total = 0
    for chunk in chunks:
        if not total:
            yield 0
        total += len(chunk)
    yield total


def work(number: int) -> int:
    """Take processor time."""
    total = number
    for each in range(300_000):
        total = (total * 31 + each) % 1_000_003
    return total


def work_on(chunks: Iterable[int]) -> Iterator[int]:
    """Do it for every chunk."""
    return map(work, chunks)


def compress(chunks: Iterable[bytes]) -> Iterator[Any]:
    """Compress; at the end, give how much the peak memory has grown (bytes)."""
    compressor = zlib.compressobj(1)
    before = None
    for chunk in chunks:
        before = peak() if before is None else before
        yield compressor.compress(chunk)
    yield compressor.flush()
    yield peak() - (before or 0)


def peak() -> int:
    """Return the peak memory of this process (bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def drain_queue(chunks: Any, totals: Any) -> None:
    """Take everything out of a queue."""
    total = 0
    totals.put(0)
    while (chunk := chunks.get()) is not None:
        total += len(chunk)
    totals.put(total)


def drain_socket(connection: socket.socket) -> None:
    """Receive everything, and say so."""
    buffer = bytearray(MIB)
    connection.send(b"!")
    while connection.recv_into(buffer):
        pass
    connection.send(b"!")
    connection.close()


# The parts.


def repeated(chunk: bytes, times: int) -> ReadableStream[bytes]:
    """A stream of one chunk again and again."""
    return ReadableStream.from_(chunk for _ in range(times))


async def chunks_per_second(kind: Kind, window: int, chunks: int) -> float:
    """Send chunks of 1 KiB to a worker and back."""
    async with worker(same, kind=kind, window=window) as stage:
        reader = repeated(bytes(KIB), chunks + 1).pipe_through(stage).get_reader()
        await reader.read()
        begin = time.perf_counter()
        while not (await reader.read()).done:
            pass
        return chunks / (time.perf_counter() - begin)


async def through_a_worker(size: int, total: int) -> float:
    """Send bytes into a process; return the seconds."""
    async with worker(count) as stage:
        reader = repeated(bytes(size), total // size).pipe_through(stage).get_reader()
        await reader.read()
        begin = time.perf_counter()
        assert (await reader.read()).value == total // size * size
        return time.perf_counter() - begin


def through_a_queue(size: int, total: int) -> float:
    """The same with the queue of multiprocessing."""
    context = multiprocessing.get_context("spawn")
    chunks, totals = context.Queue(16), context.Queue()
    process = context.Process(target=drain_queue, args=(chunks, totals))
    process.start()
    totals.get()
    begin = time.perf_counter()
    for _ in range(total // size):
        chunks.put(bytes(size))
    chunks.put(None)
    totals.get()
    seconds = time.perf_counter() - begin
    process.join()
    return seconds


def through_an_executor(size: int, total: int) -> float:
    """The same with ``Executor.map``, which takes all chunks at once."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        executor.submit(len, b"").result()
        begin = time.perf_counter()
        assert sum(executor.map(len, (bytes(size) for _ in range(total // size)))) == total // size * size
        return time.perf_counter() - begin


def through_sockets(size: int, total: int) -> float:
    """The same with a bare pair of sockets."""
    ours, theirs = socket.socketpair()
    process = multiprocessing.get_context("spawn").Process(target=drain_socket, args=(theirs,))
    process.start()
    theirs.close()
    ours.recv(1)
    chunk = bytes(size)
    begin = time.perf_counter()
    for _ in range(total // size):
        ours.sendall(chunk)
    ours.shutdown(socket.SHUT_WR)
    ours.recv(1)
    seconds = time.perf_counter() - begin
    ours.close()
    process.join()
    return seconds


async def four_workers(chunks: int) -> float:
    """Work in four processes; return the seconds."""
    async with workers(work_on, count=4) as stage:
        writer, reader = stage.writable.get_writer(), stage.readable.get_reader()
        for _ in range(8):  # all of them have started
            writer.write(1).add_done_callback(lambda promise: promise.exception())
        for _ in range(8):
            await reader.read()
        writer.release_lock()
        reader.release_lock()
        begin = time.perf_counter()
        await ReadableStream.from_(range(chunks)).pipe_through(stage).list()
        return time.perf_counter() - begin


def no_workers(chunks: int) -> float:
    """Work here; return the seconds."""
    begin = time.perf_counter()
    for number in range(chunks):
        work(number)
    return time.perf_counter() - begin


async def compressed(total: int) -> tuple[bool, int, int, float]:
    """Compress in a process: whether it is the same, the growth of the memory here and there, and the seconds."""
    block = random.Random(1).randbytes(MIB // 4) * 3 + bytes(MIB // 4)
    sent, received = hashlib.sha256(), hashlib.sha256()
    decompressor = zlib.decompressobj()
    before = child = 0
    begin = time.perf_counter()

    def chunks() -> Iterator[bytes]:
        for index in range(total // MIB):
            chunk = index.to_bytes(8, "big") + block[8:]
            sent.update(chunk)
            yield chunk

    async with worker(compress) as stage:
        async for chunk in ReadableStream.from_(chunks()).pipe_through(stage):
            if isinstance(chunk, int):
                child = chunk
                continue
            before = before or peak()
            received.update(decompressor.decompress(chunk))
    received.update(decompressor.flush())
    return sent.digest() == received.digest(), peak() - before, child, time.perf_counter() - begin


# The report.


def measure_credits(arguments: argparse.Namespace) -> bool:
    """Print what a window gains."""
    return min([gain_of(kind, arguments.chunks) for kind in KINDS]) >= LEAST_GAIN


def gain_of(kind: Kind, chunks: int) -> float:
    """Print how many times as fast a window of 16 is, and return that."""
    rates = {1: 0.0, 16: 0.0}
    for _ in range(ROUNDS):
        for window, best in rates.items():
            rates[window] = max(best, asyncio.run(chunks_per_second(kind, window, chunks // ROUNDS)))
    gain = rates[16] / rates[1]
    print(
        f"1 KiB to a {kind} and back: {rates[1]:,.0f} chunks/s with a window of 1, {rates[16]:,.0f} with 16: "
        f"{gain:.1f} times"
    )
    return gain


def measure_bytes(arguments: argparse.Namespace) -> bool:
    """Print how fast large chunks go."""
    ways: dict[str, Callable[[int, int], float]] = {
        "worker": lambda size, total: asyncio.run(through_a_worker(size, total)),
        "multiprocessing.Queue": through_a_queue,
        "Executor.map": through_an_executor,
        "bare sockets": through_sockets,
    }
    for size in (64 * KIB, MIB):
        for name, way in ways.items():
            seconds = way(size, 256 * MIB)
            print(f"{size // KIB:5} KiB chunks, {name:22} {256 * MIB / seconds / MEGABYTE:8,.0f} MB/s")
    return True


def measure_processors(arguments: argparse.Namespace) -> bool:
    """Print how four workers scale."""
    alone = no_workers(60)
    together = asyncio.run(four_workers(60))
    print(f"work for the processor: {alone:.2f} s here, {together:.2f} s in four workers: {alone / together:.2f} times")
    return alone / together >= LEAST_SPEEDUP


def measure_memory(arguments: argparse.Namespace) -> bool:
    """Print what a large file takes."""
    total = arguments.megabytes * MEGABYTE // MIB * MIB
    same_hash, parent, child, seconds = asyncio.run(compressed(total))
    print(
        f"{total / MEGABYTE:,.0f} MB compressed in a process: SHA-256 {'the same' if same_hash else 'differs'}, "
        f"parent +{parent / MEGABYTE:.1f} MB, child +{child / MEGABYTE:.1f} MB, {seconds:.0f} s"
    )
    return same_hash and max(parent, child) <= MOST_MEMORY


PARTS: dict[str, Callable[[argparse.Namespace], bool]] = {
    "credits": measure_credits,
    "bytes": measure_bytes,
    "processors": measure_processors,
    "memory": measure_memory,
}


def main() -> int:
    """Measure everything, or one part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__.partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=1074, help="the size of the large file (1 GiB by default)")
    parser.add_argument("--chunks", type=int, default=18_000, help="how many chunks of 1 KiB")
    parser.add_argument("--only", choices=PARTS, help="measure this part alone")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    good = [PARTS[name](arguments) for name in PARTS if arguments.only in (None, name)]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
