"""Small files and pipes beside what Python has: calls in threads by hand, `shutil` in threads, asyncio's streams.

``python -m benchmarks.small_files`` does each in turns, in one run, and prints the best wall and processor time of each
way and how the library compares; `--rounds` says how often. A file is replaced by hand in two ways: with the guarantee
that `write_file` gives (a new file beside it, removed after a failure, with the owner, permissions and attributes of
the old one), and as it is done first. `shutil` has no such guarantee: over an old file it writes into that, which costs
the system less than making another and removing the old one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from time import perf_counter, process_time

from webstreams import ReadableStream, read_file, write_file

CONTENT = os.urandom(2048)
COPY = os.urandom(100_000)
UMASK = 0o022
READS, WRITES, COPIES, READERS = 300, 300, 200, 2000
PIPED = 200_000_000

PASS_WITH_STREAMS = """
import asyncio
from webstreams import standard_input, standard_output

async def main():
    await standard_input().pipe_to(standard_output())

asyncio.run(main())
"""
PASS_WITH_ASYNCIO = """
import asyncio, sys

async def main():
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout.buffer)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    writer.close()

asyncio.run(main())
"""

Way = Callable[[Path], Awaitable[object]]


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read()


def _write_bare(path: Path) -> None:
    """Replace a file as it is done first: its permissions, owner and attributes are lost, a failure leaves the rest."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.write(CONTENT)
    temporary.replace(path)


def _write(path: Path, original: Path | None = None) -> None:
    """Replace a file with what `write_file` guarantees, but for the remains of processes that were killed: by what we
    write in all rows, or by a copy of another file."""
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    old = target.stat() if target.exists() else None
    descriptor, temporary = tempfile.mkstemp(dir=target.parent)
    try:
        with open(descriptor, "wb") as file:
            if old is None:
                os.fchmod(descriptor, 0o666 & ~UMASK)
            else:
                _take_over(target, old, descriptor)
            if original is None:
                file.write(CONTENT)
            else:
                shutil.copyfile(original, temporary)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _take_over(path: Path, old: os.stat_result, descriptor: int) -> None:
    os.fchown(descriptor, old.st_uid, old.st_gid)
    for name in os.listxattr(path):
        os.setxattr(descriptor, name, os.getxattr(path, name))
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _remove(folder: Path, pattern: str) -> None:
    for path in folder.glob(pattern):
        path.unlink()


async def read_by_hand(folder: Path) -> None:
    """Read a small file in a thread, many times."""
    for _ in range(READS):
        await asyncio.to_thread(_read, folder / "small")


async def read_with_streams(folder: Path) -> None:
    """Read a small file, many times."""
    for _ in range(READS):
        await read_file(folder / "small").bytes()


async def write_by_hand(folder: Path) -> None:
    """Replace a small file in a thread with the same guarantee, many times."""
    for _ in range(WRITES):
        await asyncio.to_thread(_write, folder / "written")


async def write_bare(folder: Path) -> None:
    """Replace a small file in a thread without a guarantee, many times."""
    for _ in range(WRITES):
        await asyncio.to_thread(_write_bare, folder / "written")


async def write_with_streams(folder: Path) -> None:
    """Replace a small file, many times."""
    for _ in range(WRITES):
        await ReadableStream.from_([CONTENT]).pipe_to(write_file(folder / "written"))


async def write_with_writer(folder: Path) -> None:
    """Replace a small file by a writer, many times."""
    for _ in range(WRITES):
        async with write_file(folder / "written").get_writer() as writer:
            writer.write(CONTENT)


async def write_new_by_hand(folder: Path) -> None:
    """Write small files that are new in a thread with the same guarantee."""
    for number in range(WRITES):
        await asyncio.to_thread(_write, folder / f"new{number}")
    await asyncio.to_thread(_remove, folder, "new*")


async def write_new_with_streams(folder: Path) -> None:
    """Write small files that are new."""
    for number in range(WRITES):
        await ReadableStream.from_([CONTENT]).pipe_to(write_file(folder / f"new{number}"))
    await asyncio.to_thread(_remove, folder, "new*")


async def copy_with_shutil(folder: Path) -> None:
    """Copy many files at once in threads."""
    names = [folder / f"by_hand{number}" for number in range(COPIES)]
    await asyncio.gather(*(asyncio.to_thread(shutil.copyfile, folder / "large", name) for name in names))


async def copy_by_hand(folder: Path) -> None:
    """Copy many files at once in threads with the same guarantee."""
    names = [folder / f"by_hand{number}" for number in range(COPIES)]
    await asyncio.gather(*(asyncio.to_thread(_write, name, folder / "large") for name in names))


async def copy_with_streams(folder: Path) -> None:
    """Copy many files at once."""
    names = [folder / f"copy{number}" for number in range(COPIES)]
    await asyncio.gather(*(read_file(folder / "large").pipe_to(write_file(name)) for name in names))


async def copy_in_place_with_streams(folder: Path) -> None:
    """Copy many files at once into files that are there."""
    names = [folder / f"copy{number}" for number in range(COPIES)]
    await asyncio.gather(*(read_file(folder / "large").pipe_to(write_file(name, mode="in_place")) for name in names))


async def copy_anew_with_shutil(folder: Path) -> None:
    """Copy many files at once in threads, under names that are new, and remove them."""
    await copy_with_shutil(folder)
    await asyncio.to_thread(_remove, folder, "by_hand*")


async def copy_anew_with_streams(folder: Path) -> None:
    """Copy many files at once under names that are new, and remove them."""
    await copy_with_streams(folder)
    await asyncio.to_thread(_remove, folder, "copy*")


async def readers_in_threads(folder: Path) -> None:
    """Read a small file many times at once in threads."""
    await asyncio.gather(*(asyncio.to_thread(_read, folder / "small") for _ in range(READERS)))


async def readers_of_streams(folder: Path) -> None:
    """Read a small file many times at once."""
    await asyncio.gather(*(read_file(folder / "small").bytes() for _ in range(READERS)))


def _pass_through(program: str, folder: Path) -> None:
    # With the compiled modules that users have, also where ours may not be kept: from the second round on.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
    command = [sys.executable, "-c", program]
    source = subprocess.Popen(["head", "-c", str(PIPED), "/dev/zero"], stdout=subprocess.PIPE)
    passing = subprocess.Popen(command, stdin=source.stdout, stdout=subprocess.PIPE, env=environment)
    sink = subprocess.Popen(["cat"], stdin=passing.stdout, stdout=subprocess.DEVNULL)
    for process in (source, passing, sink):
        if process.stdout is not None:
            process.stdout.close()
    for process in (source, passing, sink):
        if process.wait():
            raise RuntimeError(f"{process.args!r} has failed")


async def pass_with_asyncio(folder: Path) -> None:
    """Pass a pipe on to another with asyncio's streams."""
    _pass_through(PASS_WITH_ASYNCIO, folder)


async def pass_with_streams(folder: Path) -> None:
    """Pass a pipe on to another."""
    _pass_through(PASS_WITH_STREAMS, folder)


ROWS: dict[str, tuple[Way, Way, int]] = {
    "read 2 KB": (read_by_hand, read_with_streams, READS),
    "replace 2 KB, the same guarantee": (write_by_hand, write_with_streams, WRITES),
    "replace 2 KB, bare write": (write_bare, write_with_streams, WRITES),
    "replace 2 KB by a writer": (write_by_hand, write_with_writer, WRITES),
    "write 2 KB under a new name": (write_new_by_hand, write_new_with_streams, WRITES),
    "200 copies of 100 KB, new names": (copy_anew_with_shutil, copy_anew_with_streams, COPIES),
    "200 copies of 100 KB over old ones": (copy_with_shutil, copy_with_streams, COPIES),
    "the same, into the old ones": (copy_with_shutil, copy_in_place_with_streams, COPIES),
    "the same, with the same guarantee": (copy_by_hand, copy_with_streams, COPIES),
    "2,000 readers of 2 KB at once": (readers_in_threads, readers_of_streams, READERS),
    "standard input to output, 200 MB": (pass_with_asyncio, pass_with_streams, 1),
}


def _processor_time() -> float:
    children = getrusage(RUSAGE_CHILDREN)
    return process_time() + children.ru_utime + children.ru_stime


def measure(way: Way, folder: Path) -> tuple[float, float]:
    """Return the seconds and the processor seconds that a way takes."""
    wall, processor = perf_counter(), _processor_time()
    asyncio.run(_run(way, folder))
    return perf_counter() - wall, _processor_time() - processor


async def _run(way: Way, folder: Path) -> None:
    await way(folder)


def compare(rounds: int, rows: dict[str, tuple[Way, Way, int]]) -> dict[str, list[tuple[float, float]]]:
    """Return, for each row, the best seconds and processor seconds of both ways, for one of its operations."""
    results: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "small").write_bytes(CONTENT)
        (folder / "large").write_bytes(COPY)
        for row, (by_hand, ours, count) in rows.items():
            measured = [[measure(way, folder) for way in (by_hand, ours)] for _ in range(rounds)]
            results[row] = [
                (min(wall for wall, _ in each) / count, min(processor for _, processor in each) / count)
                for each in zip(*measured, strict=True)
            ]
    return results


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    print(f"{'':36}{'by hand, us':>20}{'streams, us':>20}{'ratio':>14}")
    for row, (by_hand, ours) in compare(parser.parse_args().rounds, ROWS).items():
        columns = "".join(f"{wall * 1e6:>12.0f} ({processor * 1e6:.0f})" for wall, processor in (by_hand, ours))
        print(f"{row:36}{columns}   {by_hand[0] / ours[0]:.2f} ({by_hand[1] / ours[1]:.2f})")
    print("wall time (processor time); the ratio is by hand to streams: more than 1 is faster")


if __name__ == "__main__":
    main()
