"""`write_file`: what killed processes left is removed by the next writer of the same file, and nothing else.

Issue 11, 1."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from webstreams import ReadableStream
from webstreams.ends._files.temporary import TemporaryFile
from webstreams.ends.files import write_file

from .half_written import fork_server, half_writer
from .writing import names

pytestmark = pytest.mark.usefixtures("no_file_left")


@pytest.fixture(scope="module", autouse=True)
def _server() -> Iterator[None]:
    with fork_server():
        yield


def remains(path: Path) -> list[str]:
    return [name for name in names(path) if name.endswith(".webstreams.tmp")]


async def write(path: Path, content: bytes, mode: Any = "replace") -> None:
    await ReadableStream.from_([content]).pipe_to(write_file(path, mode=mode))


@pytest.mark.parametrize("mode", ["replace", "create"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_what_a_killed_process_left(path: Path, mode: str, number: signal.Signals) -> None:
    with half_writer(path, mode) as child:
        child.kill(number)
    assert len(remains(path)) == len(names(path)) == 1
    await write(path, b"whole", mode)
    assert path.read_bytes() == b"whole" and names(path) == ["name"]


async def test_it_is_removed_when_the_writer_begins(path: Path) -> None:
    path.write_bytes(b"old")
    with half_writer(path) as child:
        child.kill()
    (left,) = remains(path)
    os.link(path.parent / left, path.with_name("dead"))
    writer = write_file(path).get_writer()
    await writer.write(b"half")
    assert [path.with_name("dead").samefile(path.parent / name) for name in remains(path)] == [False]
    await writer.abort()
    assert path.read_bytes() == b"old" and names(path) == ["dead", "name"]


async def test_what_a_living_process_writes_stays(path: Path) -> None:
    with half_writer(path) as living, half_writer(path) as dead, half_writer(path) as also_dead:
        before = remains(path)
        dead.kill()
        also_dead.kill()
        assert remains(path) == before and len(before) == 3
        await write(path, b"whole")
        assert path.read_bytes() == b"whole" and remains(path) == before[:1]
        living.write_the_rest()
    assert path.read_bytes() == b"half and half" and names(path) == ["name"]


async def test_what_is_of_another_file_stays(path: Path) -> None:
    for other in ("other", "name2", "n"):
        with half_writer(path.with_name(other)) as child:
            child.kill()
    before = remains(path)
    await write(path, b"whole")
    assert remains(path) == before and len(before) == 3


@pytest.mark.parametrize("name", ["n" * 255, "\N{TURTLE}" * 63])
async def test_the_longest_names(path: Path, name: str) -> None:
    await write(path.with_name(name), b"whole")
    assert names(path) == [name]


FOREIGN: dict[str, Callable[[Path], None]] = {
    "a directory": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to itself": lambda path: path.symlink_to(path.name),
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
async def test_what_is_no_file_stays(path: Path, make: Callable[[Path], None]) -> None:
    with half_writer(path) as child:
        child.kill()
    (left,) = remains(path)
    (path.parent / left).unlink()
    make(path.parent / left)
    before = names(path)
    await write(path, b"whole")
    assert path.read_bytes() == b"whole"
    assert names(path) == sorted([*before, "name"])


async def test_a_file_system_without_locks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows there who writes what: nothing is removed, and everything is written."""
    with half_writer(path) as child:
        child.kill()
    before = remains(path)
    monkeypatch.setattr(fcntl, "flock", refuse_to_lock)
    await write(path, b"whole")
    assert path.read_bytes() == b"whole" and remains(path) == before


def refuse_to_lock(*_: object) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_no_writer_takes_the_file_of_another(path: Path) -> None:
    """Many begin and end at the same time, and each takes what it finds without a lock for left."""

    def work(number: int) -> None:
        for turn in range(100):
            file = TemporaryFile(str(path), 0o600)
            assert os.path.samestat(os.fstat(file.fileno()), os.stat(file.path))
            if turn % 2:
                os.rename(file.path, path.with_name(f"{number}.{turn}"))
                assert os.path.samestat(os.fstat(file.fileno()), os.stat(path.with_name(f"{number}.{turn}")))
                file.keep()
            else:
                file.remove()
            file.close()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(work, range(4))) == [None] * 4
    assert remains(path) == [] and len(names(path)) == 200
