"""Files through gzip, a socket and gunzip: the library beside the same chain written by hand with threads.

    python -m benchmarks.chain [--megabytes N] [--levels 1 6] [--repeat N] [--folder FOLDER] [--profile]

One file is read, compressed, sent through a TCP socket on the loopback interface, decompressed and written to another
file, all in one process: once with `read_file`, `CompressionStream`, `connect_tcp`, `serve_tcp`, `DecompressionStream`
and `write_file`, once with two threads, `gzip` and `shutil.copyfileobj`. Each run is a process of its own, in turns.
Printed are the throughput of both, by the size of the file, their ratio, how much the peak memory of the process was
above its start, and the SHA-256 of both files. The exit status is 1 if a file differs, the library is slower than 0.8
of the threads, or needs more than 30 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gzip
import hashlib
import json
import pstats
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any

from webstreams.compression import CompressionStream, DecompressionStream
from webstreams.ends.files import read_file, write_file
from webstreams.ends.sockets import Connection, connect_tcp, serve_tcp

MEGABYTE = 1_000_000
BLOCK = 8 * MEGABYTE
LEAST_RATIO = 0.8
MOST_MEMORY = 30 * MEGABYTE


# The file.


def make_file(path: Path, size: int) -> None:
    """Write text that gzip makes about three times shorter, and that does not repeat within its window."""
    chance = random.Random(5)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["".join(chance.choices(letters, range(26, 0, -1), k=chance.randint(2, 11))) for _ in range(20_000)]
    block = bytearray()
    while len(block) < BLOCK:
        block += " ".join(chance.choices(words, k=5_000)).encode() + b"\n"
    with path.open("wb") as file:
        while size > 0:
            start = chance.randrange(BLOCK // 2)
            size -= file.write(block[start : start + min(size, BLOCK // 2)])


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def memory(name: str) -> int:
    """Return the memory of this process in bytes: "VmRSS" now, "VmHWM" at its peak."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


# The library.


class Receiver:
    """What the server does with its one connection."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done = asyncio.Event()

    async def receive(self, connection: Connection) -> None:
        """Write what comes, decompressed."""
        received = connection.readable.pipe_through(DecompressionStream("gzip"))
        await received.pipe_to(write_file(self.path))
        self.done.set()


async def with_the_library(source: Path, target: Path, level: int) -> None:
    """The chain, with ends of this library."""
    receiver = Receiver(target)
    async with serve_tcp(receiver.receive, "127.0.0.1", 0) as server:
        async with await connect_tcp(*server.sockets[0].getsockname()) as connection:
            compressed = read_file(source).pipe_through(CompressionStream("gzip", level=level))
            await compressed.pipe_to(connection.writable)
            await receiver.done.wait()


# By hand.


def send(source: Path, address: Any, level: int) -> None:
    """The thread that compresses."""
    with socket.create_connection(address) as sock, sock.makefile("wb") as stream, source.open("rb") as file:
        with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=level) as compressed:
            shutil.copyfileobj(file, compressed)


def receive(target: Path, listener: socket.socket) -> None:
    """The thread that decompresses."""
    sock, _ = listener.accept()
    with sock, sock.makefile("rb") as stream, target.open("wb") as file:
        with gzip.GzipFile(fileobj=stream, mode="rb") as compressed:
            shutil.copyfileobj(compressed, file)


def by_hand(source: Path, target: Path, level: int) -> None:
    """The chain, with threads."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = [
            Thread(target=send, args=(source, listener.getsockname(), level)),
            Thread(target=receive, args=(target, listener)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


# Runs.


def run_here(name: str, source: Path, target: Path, level: int) -> dict[str, float]:
    """Run one chain in this process."""
    start = memory("VmRSS")
    began, worked = time.perf_counter(), time.process_time()
    if name == "library":
        asyncio.run(with_the_library(source, target, level))
    else:
        by_hand(source, target, level)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "worked": time.process_time() - worked, "memory": memory("VmHWM") - start}


def run_in_process(name: str, source: Path, target: Path, level: int) -> dict[str, float]:
    """Run one chain in a new process."""
    arguments = ["--run", name, "--source", str(source), "--target", str(target), "--levels", str(level)]
    command = [sys.executable, "-m", "benchmarks.chain", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout)
    return result


def compare(source: Path, level: int, repeat: int, expected: str) -> bool:
    """Run both in turns; print what came out, and give whether all is well."""
    size = source.stat().st_size
    runs: dict[str, list[dict[str, float]]] = {"library": [], "threads": []}
    is_well = True
    for _ in range(repeat):
        for name, results in runs.items():
            target = source.with_name(f"{name}.out")
            results.append(run_in_process(name, source, target, level))
            found = digest(target)
            target.unlink()
            is_well &= found == expected
            rate, grown = size / results[-1]["seconds"] / MEGABYTE, results[-1]["memory"] / MEGABYTE
            print(f"level {level}  {name}  {rate:6.1f} MB/s  processor {results[-1]['worked']:6.1f} s", end="  ")
            print(f"memory +{grown:4.1f} MB  sha256 {found}", flush=True)
    speed = {name: size / median(each["seconds"] for each in results) for name, results in runs.items()}
    ratio = speed["library"] / speed["threads"]
    grown = max(each["memory"] for each in runs["library"])
    print(f"level {level}  the library has {ratio:.2f} of the throughput of the threads", flush=True)
    return is_well and ratio >= LEAST_RATIO and grown <= MOST_MEMORY


def show_profile(source: Path, level: int) -> None:
    """Show where the thread of the event loop spends its time."""
    profile = cProfile.Profile()
    target = source.with_name("profile.out")
    profile.runcall(asyncio.run, with_the_library(source, target, level))
    pstats.Stats(profile).sort_stats("tottime").print_stats(45)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chain", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=2048, metavar="N", help="the size of the file (%(default)s)")
    parser.add_argument("--levels", type=int, nargs="+", default=[1, 6], help="of gzip, for both (%(default)s)")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="runs of each (%(default)s)")
    parser.add_argument("--folder", type=Path, help="where to put the files (a temporary folder)")
    parser.add_argument("--profile", action="store_true", help="profile the library instead")
    parser.add_argument("--run", choices=["library", "threads"], help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--target", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; give the exit status."""
    options = parse_arguments(arguments)
    if options.run is not None:
        print(json.dumps(run_here(options.run, options.source, options.target, options.levels[0])))
        return 0
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        source = Path(folder, "source")
        make_file(source, options.megabytes * MEGABYTE)
        if options.profile:
            show_profile(source, options.levels[0])
            return 0
        expected = digest(source)
        print(f"{options.megabytes} MB, Python {sys.version.split()[0]}, sha256 {expected}", flush=True)
        results = [compare(source, level, options.repeat, expected) for level in options.levels]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
