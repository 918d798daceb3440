"""The threads that make blocking calls: how many, and who waits for whom."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from webstreams import Promise, ReadableStream, read_file, write_file
from webstreams.ends._blocking import threads
from webstreams.ends._blocking.openings import Openings
from webstreams.ends._blocking.threads import MOST_CALLS, about_to_wait, in_thread

from ..loops import EVERY_LOOP
from ..waiting import LIMIT, until
from .descriptors import open_descriptors


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, no call is taken for one that waits."""
    monkeypatch.setattr(threads, "PATIENCE", 1000)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.usefixtures("patient")
async def test_many_quick_calls_share_a_few_threads() -> None:
    used = set(await asyncio.gather(*(in_thread(threading.get_ident) for _ in range(500))))
    assert 0 < len(used) <= MOST_CALLS


@pytest.mark.usefixtures("patient")
async def test_a_call_that_says_that_it_waits_holds_up_nobody(gate: threading.Event) -> None:
    def wait() -> bool:
        about_to_wait()
        return gate.wait(30)

    waiting = [in_thread(wait) for _ in range(3 * MOST_CALLS)]
    async with asyncio.timeout(20):
        assert await in_thread(int) == 0
    gate.set()
    assert all(await asyncio.gather(*waiting))


async def test_calls_that_do_not_return_hold_up_nobody(gate: threading.Event) -> None:
    waiting = [in_thread(gate.wait, 30) for _ in range(3 * MOST_CALLS)]
    async with asyncio.timeout(20):
        assert await in_thread(int) == 0
    gate.set()
    assert all(await asyncio.gather(*waiting))


async def test_fifos_that_wait_hold_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "PATIENCE", 1000)
    readers = []
    for number in range(2 * MOST_CALLS):
        os.mkfifo(tmp_path / f"fifo{number}")
        readers.append(read_file(tmp_path / f"fifo{number}").get_reader())
    reads = [reader.read() for reader in readers]
    (tmp_path / "file").write_bytes(b"content")
    async with asyncio.timeout(20):
        assert await read_file(tmp_path / "file").bytes() == b"content"
    await asyncio.gather(*(reader.cancel() for reader in readers))
    assert all(read.done for read in await asyncio.gather(*reads))


@EVERY_LOOP
@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("begins", ["while the loop ends", "after the loop"])
def test_a_cancel_that_is_under_way_when_the_loop_ends_closes_the_file(
    begins: str, make_loop: Any, tmp_path: Path, gate: threading.Event
) -> None:
    """Nobody awaits it, and the call that it has to wait for is one that has not begun."""
    path = tmp_path / "file"
    path.write_bytes(b"content")

    async def leave() -> None:
        reader = read_file(path, follow=True, interval=0.001).get_reader()
        await reader.read()
        for _ in range(MOST_CALLS):
            in_thread(gate.wait, 30)
        reader.read()
        await asyncio.sleep(0)
        reader.cancel()
        if begins == "while the loop ends":
            threading.Timer(0.02, gate.set).start()

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(leave())
    assert (str(path) in open_descriptors().values()) == (begins == "after the loop")
    gate.set()
    end = time.monotonic() + LIMIT
    while str(path) in open_descriptors().values() and time.monotonic() < end:
        time.sleep(0.001)
    assert str(path) not in open_descriptors().values()


async def test_an_error_of_any_kind_comes_back() -> None:
    with pytest.raises(KeyError, match="missing"):
        await in_thread({}.__getitem__, "missing")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The calls that sources and sinks have had made in threads."""
    made: list[object] = []

    def count(*args: Any) -> None:
        made.append(args)
        threads.call_in_thread(*args)

    monkeypatch.setattr("webstreams.ends._blocking.thread_ends.call_in_thread", count)
    return made


@pytest.mark.parametrize("mode", ["replace", "create"])
async def test_a_small_file_takes_one_call_to_write(tmp_path: Path, calls: list[object], mode: Any) -> None:
    await ReadableStream.from_([b"x" * 2048]).pipe_to(write_file(tmp_path / "file", mode=mode))
    assert len(calls) == 1
    assert (tmp_path / "file").read_bytes() == b"x" * 2048


async def test_a_writer_that_has_closed_takes_one_call(tmp_path: Path, calls: list[object]) -> None:
    """Nobody waits for anything but the end; a failure shows there."""
    async with write_file(tmp_path / "file").get_writer() as writer:
        first, second = writer.write(b"spam "), writer.write(b"eggs")
    await asyncio.gather(first, second)
    assert len(calls) == 1
    assert (tmp_path / "file").read_bytes() == b"spam eggs"
    with pytest.raises(FileNotFoundError):
        async with write_file(tmp_path / "missing" / "file").get_writer() as writer:
            writer.write(b"spam")


async def test_a_small_file_takes_one_call_to_read(tmp_path: Path, calls: list[object]) -> None:
    (tmp_path / "file").write_bytes(b"x" * 2048)
    assert await read_file(tmp_path / "file").bytes() == b"x" * 2048
    assert len(calls) == 1


async def test_a_pipe_that_begins_with_its_file_needs_no_look_at_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what nobody has written to by then is looked at in the loop's next turn."""
    looks: list[object] = []
    look_soon = Openings._look_soon

    def look(openings: Openings) -> None:
        looks.append(openings)
        look_soon(openings)

    monkeypatch.setattr(Openings, "_look_soon", look)
    await ReadableStream.from_([b"x"]).pipe_to(write_file(tmp_path / "file"))
    assert looks == []
    await write_file(tmp_path / "alone").get_writer().close()
    assert len(looks) == 1
    assert sorted(os.listdir(tmp_path)) == ["alone", "file"]


async def test_a_copy_takes_two_calls(tmp_path: Path, calls: list[object]) -> None:
    (tmp_path / "file").write_bytes(bytes(100_000))
    await read_file(tmp_path / "file").pipe_to(write_file(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == bytes(100_000)
    assert len(calls) <= 3  # the sink is opened by itself when the thread that reads takes long


async def test_a_file_that_nobody_writes_to_is_opened(tmp_path: Path) -> None:
    async with asyncio.timeout(20):
        with pytest.raises(FileNotFoundError):
            await write_file(tmp_path / "missing" / "file").get_writer().closed


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("latest", [1000, 0])
async def test_a_file_that_nobody_writes_to_is_not_in_the_way_of_calls_that_wait(
    tmp_path: Path, calls: list[object], gate: threading.Event, monkeypatch: pytest.MonkeyPatch, latest: int
) -> None:
    """It is opened when there is no other call, or after so many seconds."""
    monkeypatch.setattr("webstreams.ends._blocking.openings.SOON", 0)
    monkeypatch.setattr("webstreams.ends._blocking.openings.LATEST", latest)
    waiting = [in_thread(gate.wait, 30) for _ in range(MOST_CALLS + 1)]
    writer = write_file(tmp_path / "file").get_writer()
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(calls) == (latest == 0)
    gate.set()
    await asyncio.gather(*waiting)
    await until(lambda: calls)
    await writer.close()
    assert os.listdir(tmp_path) == ["file"]


async def test_a_file_that_was_not_opened_yet_is_not_opened_to_be_aborted(tmp_path: Path, calls: list[object]) -> None:
    await write_file(tmp_path / "file").abort()
    await asyncio.sleep(0.01)
    assert calls == [] and os.listdir(tmp_path) == []


async def test_the_jobs_of_an_outcome_run_in_its_own_turn() -> None:
    seen: list[str] = []

    def settled(_: object) -> None:
        asyncio.get_running_loop().call_soon(seen.append, "next turn")
        Promise.resolve(None).then(lambda _: seen.append("job"))

    threads.call_in_thread(settled, settled, int)
    await until(lambda: len(seen) == 2)
    assert seen == ["job", "next turn"]


DECODE = """
import asyncio, resource, sys
from webstreams import TextDecoderStream, WritableStream, read_file

async def main():
    stream = read_file(sys.argv[1]).pipe_through(TextDecoderStream())
    await stream.pipe_to(WritableStream({"write": lambda chunk, _: None}))

asyncio.run(main())
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
asyncio.run(main())
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_decoding_a_file_does_not_give_its_memory_back_for_every_chunk(tmp_path: Path) -> None:
    """SPEED.md: 77,450 page faults for 100 MB; 20 MB had 8,800, and have some ten now."""
    path = tmp_path / "text"
    path.write_text("the price is 5 €, at the café\n" * 600_000)
    done = subprocess.run([sys.executable, "-c", DECODE, path], capture_output=True, timeout=60, check=True)
    assert int(done.stdout) < 2000
