"""`write_file`: what a file keeps when it is replaced, what cannot be replaced, and writing in place."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from webstreams import ReadableStream
from webstreams.ends._files import metadata
from webstreams.ends.files import read_file, write_file

from ..waiting import until

pytestmark = pytest.mark.usefixtures("no_file_left")

ACCESS_LIST = "system.posix_acl_access"
DEFAULT_LIST = "system.posix_acl_default"
NOBODY = 0xFFFFFFFF
BOOM = ValueError("boom")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "name"
    file.write_bytes(b"old content\n")
    return file


async def write(path: Path | str, *chunks: bytes, **options: Any) -> None:
    await ReadableStream.from_(chunks).pipe_to(write_file(path, **options))


def access_list(*, user: int, group: int, mask: int, other: int = 0) -> bytes:
    """An access control list, as the system has it: the owner may read and write; user 12345; the group; the mask."""
    entries = [(1, 6, NOBODY), (2, user, 12345), (4, group, NOBODY), (16, mask, NOBODY), (32, other, NOBODY)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


# Replacing.


async def test_an_access_control_list_stays(path: Path) -> None:
    """Issue 11, 14 (`f04`): without it, its mask would be what the group may do."""
    os.setxattr(path, ACCESS_LIST, access_list(user=6, group=0, mask=6))
    await write(path, b"new")
    assert os.getxattr(path, ACCESS_LIST) == access_list(user=6, group=0, mask=6)
    assert path.read_bytes() == b"new" and stat.S_IMODE(path.stat().st_mode) == 0o660


async def test_other_attributes_stay(path: Path) -> None:
    os.setxattr(path, "user.tag", b"1")
    os.setxattr(path, "user.empty", b"")
    await write(path, b"new")
    assert {name: os.getxattr(path, name) for name in os.listxattr(path)} == {"user.tag": b"1", "user.empty": b""}


async def test_what_is_taken_away_while_a_file_is_written(path: Path) -> None:
    """It is looked at twice: who closes a file to others meanwhile finds it closed afterwards."""
    path.chmod(0o666)
    os.setxattr(path, ACCESS_LIST, access_list(user=6, group=6, mask=6, other=6))
    async with write_file(path).get_writer() as writer:
        await writer.write(bytes(1_000_000))
        os.removexattr(path, ACCESS_LIST)
        path.chmod(0o600)
    assert path.stat().st_size == 1_000_000 and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listxattr(path) == []


async def test_what_got_the_name_while_a_file_is_written(path: Path) -> None:
    path.unlink()
    async with write_file(path).get_writer() as writer:
        await writer.write(bytes(1_000_000))
        path.touch(0o600)
    assert path.stat().st_size == 1_000_000 and stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_nobody_else_may_open_the_new_file_before_it_has_the_list(path: Path) -> None:
    os.setxattr(path, ACCESS_LIST, access_list(user=6, group=0, mask=6))
    writer = write_file(path).get_writer()
    await writer.write(b"new")
    for each in path.parent.iterdir():
        assert os.getxattr(each, ACCESS_LIST) == access_list(user=6, group=0, mask=6)
    await writer.close()


async def test_a_list_that_cannot_be_set_gives_the_group_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.setxattr(path, ACCESS_LIST, access_list(user=6, group=0, mask=6))
    monkeypatch.setattr(os, "setxattr", refuse)
    await write(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and os.listxattr(path) == []


async def test_the_default_list_of_the_directory_is_for_new_files(path: Path) -> None:
    """One that replaces another does not get what that did not have."""
    path.chmod(0o640)
    os.setxattr(path.parent, DEFAULT_LIST, access_list(user=6, group=6, mask=6))
    await write(path, b"new")
    assert os.listxattr(path) == [] and stat.S_IMODE(path.stat().st_mode) == 0o640
    await write(path.with_name("other"), b"new")
    assert os.listxattr(path.with_name("other")) == [ACCESS_LIST]


async def test_a_file_system_without_attributes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "listxattr", refuse)
    await write(path, b"new")
    assert path.read_bytes() == b"new"


async def test_a_system_without_attributes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "listxattr")
    path.chmod(0o640)
    await write(path, b"new")
    assert path.read_bytes() == b"new" and stat.S_IMODE(path.stat().st_mode) == 0o640


def refuse(*_: object) -> None:
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


class Owners:
    """A system on which we may not give files away, and, with `our_group`, not to another group either."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, our_group: bool) -> None:
        self.our_group = our_group
        self.changes: list[tuple[int, int]] = []
        monkeypatch.setattr(os, "fchown", self.change)

    def change(self, descriptor: int, user: int, group: int) -> None:
        if user != -1 or self.our_group:
            refuse()
        self.changes.append((user, group))


@pytest.mark.parametrize(
    ("before", "group_stays", "group_goes"),
    [
        (0o4660, 0o660, 0o600),
        (0o644, 0o644, 0o644),
        (0o664, 0o664, 0o644),
        (0o604, 0o604, 0o600),
        (0o2755, 0o755, 0o755),
    ],
)
async def test_a_file_of_somebody_else(
    path: Path, monkeypatch: pytest.MonkeyPatch, before: int, group_stays: int, group_goes: int
) -> None:
    """Where the owner or the group cannot stay, others get no access that they did not have."""
    path.chmod(before)
    stranger = stranger_of(path)
    with path.with_name("new").open("wb") as file:
        owners = Owners(monkeypatch, our_group=False)
        metadata.take_over(file.fileno(), str(path), stranger, os.fstat(file.fileno()))
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == group_stays
        assert owners.changes == [(-1, stranger.st_gid)]
        owners.our_group = True
        metadata.take_over(file.fileno(), str(path), stranger, os.fstat(file.fileno()))
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == group_goes


def stranger_of(path: Path) -> os.stat_result:
    """What `stat` would say if the file were somebody else's."""
    values = list(path.stat())
    values[stat.ST_UID] += 1
    values[stat.ST_GID] += 1
    return os.stat_result(values)


@pytest.mark.parametrize("mode", ["replace", "create", "append", "in_place"])
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("new/", IsADirectoryError),
        ("new/.", FileNotFoundError),
        ("new/..", FileNotFoundError),
        ("name/", NotADirectoryError),
    ],
)
async def test_the_name_of_a_directory(path: Path, mode: Any, name: str, error: type[OSError]) -> None:
    with pytest.raises(error) as caught:
        await write(f"{path.parent}/{name}", b"x", mode=mode)
    assert caught.value.filename == f"{path.parent}/{name}"
    assert os.listdir(path.parent) == ["name"]


async def test_other_hard_links_keep_the_old_file(path: Path) -> None:
    os.link(path, path.with_name("other"))
    await write(path, b"new")
    assert path.with_name("other").read_bytes() == b"old content\n"


# What cannot be replaced.


async def test_a_file_of_proc_cannot_be_replaced_but_written() -> None:
    name = "/proc/self/oom_score_adj"
    value = Path(name).read_bytes()
    with pytest.raises(OSError, match='mode="in_place" writes into the file itself') as caught:
        await write(name, value)
    assert caught.value.filename == name
    await write(name, value, mode="in_place")
    assert await read_file(name).bytes() == value


MOUNTED = """
import asyncio, sys
from webstreams import ReadableStream, write_file

async def main():
    for mode in "replace", "in_place":
        try:
            await ReadableStream.from_([b"new"]).pipe_to(write_file(sys.argv[1], mode=mode))
        except OSError as error:
            print(error)

asyncio.run(main())
"""
MOUNT = 'mount --bind "$0" "$0" && exec "$@"'


def can_mount() -> bool:
    with_one = subprocess.run(["unshare", "-rm", "mount", "--bind", "/", "/"], capture_output=True, check=False)
    return with_one.returncode == 0


async def refuse_to_replace(path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Do what `MOUNTED` does, where mounting is not allowed, with a system that answers as for a mounted file."""

    def replace(*_: object) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(OSError) as caught:
        await write(path, b"new")
    await write(path, b"new", mode="in_place")
    return f"{caught.value}\n".encode()


async def test_a_file_that_is_mounted_by_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if can_mount():
        command = ["unshare", "-rm", "sh", "-c", MOUNT, str(path), sys.executable, "-c", MOUNTED, str(path)]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert done.stderr == b""
        said = done.stdout
    else:
        said = await refuse_to_replace(path, monkeypatch)
    assert said.count(b"\n") == 1
    assert b'another file cannot take its place: mode="in_place" writes into the file itself' in said
    assert str(path).encode() in said
    assert path.read_bytes() == b"new" and os.listdir(path.parent) == ["name"]


# In place.


async def test_a_file_that_is_written_in_place_keeps_what_it_has(path: Path) -> None:
    os.link(path, path.with_name("other"))
    os.setxattr(path, "user.tag", b"1")
    os.setxattr(path, ACCESS_LIST, access_list(user=6, group=0, mask=6))
    before = path.stat()
    await write(path, b"n", b"ew", mode="in_place", fsync=True)
    after = path.stat()
    assert (before.st_ino, before.st_mode, before.st_nlink) == (after.st_ino, after.st_mode, after.st_nlink)
    assert path.with_name("other").read_bytes() == b"new"
    assert sorted(os.listxattr(path)) == [ACCESS_LIST, "user.tag"]


async def test_a_link_is_followed_and_a_file_made(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to("name")
    await write(link, b"new", mode="in_place")
    assert link.is_symlink() and path.read_bytes() == b"new"
    await write(path.with_name("none"), b"new", mode="in_place")
    assert path.with_name("none").read_bytes() == b"new"


@pytest.mark.parametrize("new", [b"", b"new", b"new content that is longer than the old one\n"])
async def test_the_size_is_that_of_the_new_content(path: Path, new: bytes) -> None:
    await write(path, *([new] if new else []), mode="in_place")
    assert path.read_bytes() == new


async def test_each_chunk_is_there_when_it_is_written(path: Path) -> None:
    writer = write_file(path, mode="in_place").get_writer()
    await writer.ready
    assert path.read_bytes() == b"old content\n"
    await writer.write(b"one ")
    assert path.read_bytes() == b"one "
    await writer.write(b"two")
    assert path.read_bytes() == b"one two"
    await writer.close()


async def test_what_an_abort_leaves(path: Path) -> None:
    """The beginning of the new content; before the first chunk, the old one."""
    writer = write_file(path, mode="in_place").get_writer()
    await writer.abort(BOOM)
    assert path.read_bytes() == b"old content\n"
    writer = write_file(path, mode="in_place").get_writer()
    await writer.write(b"new")
    await writer.abort(BOOM)
    assert path.read_bytes() == b"new" and os.listdir(path.parent) == ["name"]


async def test_a_source_that_cannot_begin_leaves_the_old_content(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await read_file(path.with_name("missing")).pipe_to(write_file(path, mode="in_place"))
    assert path.read_bytes() == b"old content\n"


KILLED = """
import asyncio, os, sys
from webstreams import write_file

async def main():
    writer = write_file(sys.argv[1], mode=sys.argv[2]).get_writer()
    await writer.write(b"new")
    print("written", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_what_a_crash_leaves(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED, path, "in_place"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.kill()
    assert path.read_bytes() == b"new"


async def test_a_full_disk_in_place(path: Path) -> None:
    link = path.with_name("full")
    link.symlink_to("/dev/full")
    with pytest.raises(OSError) as caught:
        await write(link, b"x", mode="in_place")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(link))


async def test_a_fifo_and_a_directory_in_place(path: Path) -> None:
    fifo = path.with_name("fifo")
    os.mkfifo(fifo)
    reading = asyncio.ensure_future(read_file(fifo).bytes())
    await write(fifo, b"through", mode="in_place")
    assert await reading == b"through"
    with pytest.raises(IsADirectoryError):
        await write(path.parent, b"x", mode="in_place")


async def test_a_file_in_shared_memory(path: Path) -> None:
    """Another file system: what is there of attributes stays, and both modes work."""
    other = Path("/dev/shm") / f"webstreams-{os.getpid()}"
    try:
        for mode in ("create", "replace", "in_place", "append"):
            await write(other, b"new", mode=mode)
        assert other.read_bytes() == b"newnew"
        assert not [name for name in os.listdir("/dev/shm") if name.startswith(f".{other.name}")]
    finally:
        other.unlink(missing_ok=True)
    await until(lambda: not other.exists())
