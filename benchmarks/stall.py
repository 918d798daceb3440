"""A consumer that stops reading for a while stops the producer: how much is taken from the source meanwhile.

    python -m benchmarks.stall [--seconds N]

A file of random bytes goes through gzip, a TCP socket and gunzip to a consumer, and over HTTP from uvicorn to httpx.
The consumer reads some megabytes, reads nothing for so many seconds, and then reads on to the end. Each chain is a
process of its own, once with the socket buffers that the system chooses and once with small ones; all run at the same
time. Printed is how many bytes were read from the file while the consumer stood still, how many of them the sockets of
the system held, and how far the file was ahead of the consumer in the end. The exit status is 1 if, without what the
sockets hold, 1 MB or more was taken, or if a byte is lost.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from examples.http_exchange import FileApplication, Server
from webstreams import ReadableStream, from_response
from webstreams.compression import CompressionStream, DecompressionStream
from webstreams.ends.files import read_file
from webstreams.ends.sockets import Connection, connect_tcp, serve_tcp

MEGABYTE = 1_000_000
SIZE = 40 * MEGABYTE
# What the consumer reads before it stands still.
FIRST = 8 * MEGABYTE
LIMIT = MEGABYTE
SMALL_BUFFER = 64 * 1024
SMALL = [(socket.SOL_SOCKET, option, SMALL_BUFFER) for option in (socket.SO_SNDBUF, socket.SO_RCVBUF)]
CHAINS = ("sockets", "http")


def taken() -> int:
    """Return how many bytes this process has read from files; what it receives from sockets does not count."""
    found = re.search(r"^rchar: (\d+)$", Path("/proc/self/io").read_text(encoding="ascii"), re.MULTILINE)
    assert found is not None
    return int(found[1])


def held_by_the_system(port: int) -> int:
    """Return how many bytes wait in the sockets of the connections of a port: sent or received, and not yet taken."""
    held = 0
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, local, remote, state, queues = line.split()[:5]
        if f"{port:04X}" in (local.partition(":")[2], remote.partition(":")[2]) and state == "01":
            held += sum(int(queue, 16) for queue in queues.split(":"))
    return held


def set_options(sock: Any, options: Sequence[tuple[int, int, int]]) -> None:
    """Set options of a socket."""
    for option in options:
        sock.setsockopt(*option)


# The chains.


class Sender:
    """What the server of the socket does with its one connection."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def send(self, connection: Connection) -> None:
        """Send the file, compressed."""
        await read_file(self.path).pipe_through(CompressionStream("gzip", level=1)).pipe_to(connection.writable)


@asynccontextmanager
async def through_sockets(path: Path, options: Any) -> AsyncIterator[tuple[ReadableStream[bytes], int]]:
    """File, gzip, socket, gunzip."""
    async with serve_tcp(Sender(path).send, "127.0.0.1", 0) as server:
        set_options(server.sockets[0], options)
        address = server.sockets[0].getsockname()
        async with await connect_tcp(*address) as connection:
            set_options(connection.get_extra_info("socket"), options)
            yield connection.readable.pipe_through(DecompressionStream("gzip")), address[1]


@asynccontextmanager
async def over_http(path: Path, options: Any) -> AsyncIterator[tuple[ReadableStream[bytes], int]]:
    """uvicorn, httpx."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        set_options(listener, options)
        port = listener.getsockname()[1]
        server = Server(uvicorn.Config(FileApplication(path), lifespan="off", log_config=None, access_log=False))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        client = httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(socket_options=options))
        try:
            async with client, client.stream("GET", f"http://127.0.0.1:{port}/") as response:
                yield from_response(response), port
        finally:
            server.should_exit = True
            await serving


# The consumer.


async def stand_still(chain: str, path: Path, is_small: bool, seconds: float) -> dict[str, int]:
    """Read some bytes, then nothing for a while, then the rest."""
    opener = {"sockets": through_sockets, "http": over_http}[chain]
    digest, count = hashlib.sha256(), 0
    async with opener(path, SMALL if is_small else []) as (stream, port):
        reader = stream.get_reader()
        while count < FIRST:
            count += len(value := (await reader.read()).value or b"")
            digest.update(value)
        stopped, held = taken(), held_by_the_system(port)
        await asyncio.sleep(seconds)
        going_on, result = taken(), {"held": held_by_the_system(port) - held}
        while not (last := await reader.read()).done:
            digest.update(last.value)
        result["taken"], result["ahead"] = going_on - stopped, SIZE - count - (taken() - going_on)
    result["lost"] = int(digest.hexdigest() != hashlib.sha256(path.read_bytes()).hexdigest())
    return result


# Runs.


def begin(chain: str, path: Path, is_small: bool, seconds: float) -> subprocess.Popen[str]:
    """Start a chain in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.stall", "--run", chain, "--path", str(path), "--seconds", str(seconds)]
    return subprocess.Popen([*command, *["--small"] * is_small], stdout=subprocess.PIPE, text=True)


def finish(chain: str, is_small: bool, process: subprocess.Popen[str]) -> bool:
    """Wait for a chain, print what came out, and give whether that is well."""
    output, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"the chain {chain} has failed")
    result: dict[str, int] = json.loads(output)
    print(
        f"{chain:8} {'64 KiB' if is_small else 'as they are':>14} {result['taken']:>16,} {result['held']:>18,}"
        f" {result['ahead']:>16,}   {'BYTES LOST' if result['lost'] else 'all bytes came'}",
        flush=True,
    )
    return not result["lost"] and result["taken"] - max(0, result["held"]) < LIMIT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stall", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, metavar="N", help="how long to stand still (%(default)s)")
    parser.add_argument("--run", choices=CHAINS, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--small", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.run is not None:
        print(json.dumps(asyncio.run(stand_still(options.run, options.path, options.small, options.seconds))))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "source")
        path.write_bytes(random.Random(5).randbytes(SIZE))
        print(f"a consumer that reads nothing for {options.seconds:g} seconds, Python {sys.version.split()[0]}")
        print("chain    socket buffers  taken from file  held by the system   ahead at the end")
        kinds = [(chain, is_small) for chain in CHAINS for is_small in (False, True)]
        runs = [begin(chain, path, is_small, options.seconds) for chain, is_small in kinds]
        results = [finish(*kind, run) for kind, run in zip(kinds, runs, strict=True)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
