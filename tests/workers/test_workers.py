"""Stages in processes and threads: order, credits, every kind of end, and what is left behind."""

from __future__ import annotations

import asyncio
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import product
from typing import Any

import pytest

from tests.children import children
from tests.ends.descriptors import open_descriptors
from tests.waiting import LIMIT, until
from webstreams import DataError, ReadableStream, StreamError
from webstreams.ends._blocking import threads
from webstreams.workers import RemoteError, WorkerDied, _hosts, worker, workers
from webstreams.workers._errors import pack, unpack
from webstreams.workers._frames import BYTES, CANCEL, CHUNK, HEAD, PULL, decode, encode
from webstreams.workers._reading import FrameReader
from webstreams.workers._work import ThreadLink, Work

from . import functions, killing

KINDS = ("process", "thread")
# For what does not depend on how the process begins.
FORKED = pytest.mark.usefixtures("from_nursery")


def through(stage: Any, items: Any) -> Any:
    return ReadableStream.from_(items).pipe_through(stage)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
async def test_state_stays_in_the_worker(kind: Any) -> None:
    async with worker(functions.totals, kind=kind) as stage:
        assert await through(stage, range(1, 101)).list() == [n * (n + 1) // 2 for n in range(1, 101)] + [-5050]


@FORKED
async def test_it_is_another_process_and_it_is_gone_after_the_block() -> None:
    before = open_descriptors()
    async with worker(functions.pid) as stage:
        (pid,) = await through(stage, [1]).list()
    assert pid != os.getpid()
    assert not is_running(pid)
    assert open_descriptors() == before


@FORKED
async def test_waiting_for_its_end_takes_no_place_of_other_calls() -> None:
    async with worker(functions.same) as stage:
        writer, reader = stage.writable.get_writer(), stage.readable.get_reader()
        await writer.write(1)
        assert (await reader.read()).value == 1
        await until(lambda: not threads._pool._running)
        await writer.close()


@FORKED
@pytest.mark.parametrize("chunk", [b"", b"abc" * 100_000, bytearray(b"x" * 70_000), memoryview(b"view"), {"a": [1]}])
async def test_chunks_arrive_as_they_are(chunk: Any) -> None:
    async with worker(functions.same, window=1) as stage:
        found = await through(stage, [chunk, chunk]).list()
    assert found == [chunk, chunk]
    assert type(found[0]) is type(chunk)


@FORKED
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ordered", [True, False])
async def test_several_workers(kind: Any, ordered: bool) -> None:
    async with workers(functions.double, count=2, kind=kind, ordered=ordered, window=2) as stage:
        found = await through(stage, range(50)).list()
    assert (found if ordered else sorted(found)) == [2 * number for number in range(50)]


@pytest.mark.parametrize("window", [1, 3])
async def test_credits_are_never_exceeded(window: int) -> None:
    seen: list[int] = []
    taken: list[int] = []

    def count(chunks: Iterable[int]) -> Iterator[int]:
        for chunk in chunks:
            seen.append(chunk)
            yield chunk

    async with worker(count, kind="thread", window=window) as stage:
        async for chunk in through(stage, range(100)):
            taken.append(chunk)
            # The window, and the one that is being made.
            assert len(seen) - len(taken) <= window + 1
    assert taken == list(range(100))


@FORKED
@pytest.mark.parametrize("kind", KINDS)
async def test_an_error_of_the_function_arrives_as_itself(kind: Any) -> None:
    async with worker(functions.fail, kind=kind) as stage:
        reader = through(stage, [1, 2]).get_reader()
        assert (await reader.read()).value == 1
        with pytest.raises(KeyError, match="from the worker") as caught:
            await reader.read()
    assert caught.value.__notes__[-1] == "in the stage fail, in its function"
    if kind == "process":
        assert "in fail" in caught.value.__notes__[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [asyncio.CancelledError("stop"), GeneratorExit("stop"), BaseException("stop")])
async def test_an_error_that_may_not_travel_as_it_is_arrives_as_a_reason(error: BaseException, kind: Any) -> None:
    async with worker(partial(functions.fail_with, error), kind=kind) as stage:
        reader = through(stage, [1, 2]).get_reader()
        assert (await reader.read()).value == 1
        with pytest.raises(StreamError, match="stop") as caught:
            await reader.read()
    assert type(caught.value.reason) is type(error)
    assert caught.value.__cause__ is caught.value.reason


@FORKED
async def test_an_error_that_cannot_be_pickled_is_a_remote_error() -> None:
    async with worker(functions.fail_locally) as stage:
        with pytest.raises(RemoteError, match="Local"):
            await through(stage, [1]).list()


@FORKED
async def test_a_chunk_that_cannot_be_pickled_is_one_error_on_both_sides() -> None:
    async with worker(functions.same) as stage:
        writer = stage.writable.get_writer()
        with pytest.raises((pickle.PicklingError, AttributeError, TypeError)) as caught:
            await writer.write(lambda: None)
        with pytest.raises(type(caught.value)):
            await stage.readable.list()
    async with worker(functions.cannot_cross) as stage:
        with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
            await through(stage, [1]).list()


@FORKED
async def test_the_error_of_a_chunk_that_cannot_be_pickled_names_the_worker() -> None:
    async with worker(functions.same) as stage:
        with pytest.raises((pickle.PicklingError, AttributeError, TypeError)) as caught:
            await through(stage, [lambda: None]).list()
    assert caught.value.__notes__ == ["in the stage same, in its input: a chunk could not be sent to the worker"]


@FORKED
@pytest.mark.parametrize("kind", KINDS)
async def test_abort_waits_until_the_worker_has_ended(kind: Any) -> None:
    """Also where a write waits for room, which is rejected; everybody gets the reason itself."""
    before = children()
    async with worker(functions.same, kind=kind, window=1) as stage:
        writer, reader = stage.writable.get_writer(), stage.readable.get_reader()
        await writer.write(0)
        waiting = writer.write(1)
        assert not waiting.done()
        reason = ValueError("aborted")
        await writer.abort(reason)
        assert children() == before
        assert stage._pool is not None and all(channel.gone.done() for channel in stage._pool.channels)
        for promise in (waiting, writer.closed, reader.read()):
            with pytest.raises(ValueError, match="aborted") as caught:
                await promise
            assert caught.value is reason
    assert reason.__notes__ == ["in the stage same, in its write()"]


@FORKED
async def test_a_worker_that_exits_has_died() -> None:
    async with worker(functions.leave) as stage:
        with pytest.raises(WorkerDied, match="exit status 3") as caught:
            await through(stage, [1]).list()
    assert caught.value.exitcode == 3
    assert repr(caught.value) == "WorkerDied(3)"
    assert caught.value.__notes__ == ["in the stage leave, in its function"]


@FORKED
@pytest.mark.parametrize("kind", KINDS)
async def test_a_function_that_ignores_its_input_ends_both_sides(kind: Any) -> None:
    async with worker(functions.ignore, kind=kind) as stage:
        writer = stage.writable.get_writer()
        assert await stage.readable.list() == ["ignored"]
        with pytest.raises(TypeError, match="before its input has ended"):
            await writer.closed


@FORKED
async def test_what_hangs_is_killed() -> None:
    async with worker(functions.hang, grace=0.05) as stage:
        (pid,) = [chunk async for chunk in stage.readable.take(1)]
    assert not is_running(pid)


@pytest.mark.parametrize("boot", ["import time; time.sleep(1000)", "import os; os._exit(7)"])
async def test_a_process_that_starts_slowly_or_never_leaves_nothing(boot: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(_hosts, "BOOT", f"{boot}; {_hosts.BOOT}")
    before = open_descriptors(), children()
    async with worker(functions.same, grace=0):
        pass
    assert (open_descriptors(), children()) == before


@pytest.mark.parametrize("kind", KINDS)
async def test_where_no_thread_can_be_started_nothing_is_left(kind: Any, monkeypatch: Any) -> None:
    def refuse(*arguments: Any) -> Any:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_hosts, "in_thread", refuse)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    before = open_descriptors(), children()
    with pytest.raises(RuntimeError, match="can't start new thread"):
        await worker(functions.same, kind=kind).__aenter__()
    assert (open_descriptors(), children()) == before


@FORKED
async def test_breaking_after_one_chunk_and_cancelling_the_task_leave_nothing() -> None:
    found: list[int] = []
    before = open_descriptors()
    async with worker(functions.pid) as stage:
        async for pid in through(stage, iter(int, 1)):
            found.append(pid)
            break
    assert not is_running(found.pop())

    async def consume() -> None:
        async with worker(functions.pid) as stage:
            async for each in through(stage, iter(int, 1)):
                found.append(each)

    task = asyncio.create_task(consume())
    await until(lambda: found)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not is_running(found[0])
    assert open_descriptors() == before


@FORKED
@pytest.mark.parametrize("kind", KINDS)
async def test_errors_of_the_source_and_of_the_sink(kind: Any) -> None:
    async def source() -> Any:
        yield 1
        raise ValueError("source")

    async with worker(functions.same, kind=kind) as stage:
        with pytest.raises(ValueError, match="source"):
            await through(stage, source()).list()
    async with worker(functions.same, kind=kind) as stage:
        piped = ReadableStream.from_([1, 2]).pipe_to(stage.writable)
        await stage.readable.cancel(ValueError("sink"))
        with pytest.raises(ValueError, match="sink"):
            await piped


async def test_a_child_that_is_killed_at_any_moment_is_told_on_all_sides() -> None:
    """``python -m tests.workers.killing`` does it a thousand times."""
    outcome = await killing.run(6, 0.4, 1)
    assert outcome.wrong == []
    assert outcome.kills == 6


@pytest.mark.parametrize("size", [1, 5_000_000])
async def test_a_child_that_ends_before_it_is_told_what_to_do(size: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    async with worker(partial(functions.same_with, b"x" * size)) as stage:
        with pytest.raises(WorkerDied, match="exit status 1"):
            await through(stage, [1]).list()


@FORKED
async def test_the_exit_status_of_a_killed_child() -> None:
    async with worker(functions.pid) as stage:
        writer, reader = stage.writable.get_writer(), stage.readable.get_reader()
        await writer.write(1)
        os.kill((await reader.read()).value, signal.SIGKILL)  # type: ignore[arg-type]
        with pytest.raises(WorkerDied, match="signal 9") as caught:
            await reader.read()
        assert caught.value.exitcode == -9
        with pytest.raises(WorkerDied):
            await writer.closed


INTERRUPTED = """
import asyncio, signal
from tests.workers import functions
from webstreams import ReadableStream
from webstreams.workers import workers

async def main():
    async with workers(functions.pid, count=2) as stage:
        async for pid in ReadableStream.from_(iter(int, 1)).pipe_through(stage):
            print(pid, flush=True)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asyncio.run(main())
"""


def test_ctrl_c_in_a_terminal_leaves_no_child() -> None:
    """A real SIGINT to a real process group, as the terminal sends it."""
    program = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        assert program.stdout is not None
        pids = {int(program.stdout.readline()) for _ in range(200)}
        os.killpg(program.pid, signal.SIGINT)
        _, errors = program.communicate(timeout=LIMIT)
    finally:
        program.kill()
    assert program.returncode == -signal.SIGINT
    assert errors.decode().endswith("KeyboardInterrupt\n")
    assert b"webstreams:" not in errors
    assert len(pids) == 2
    assert not any(map(is_running, pids))


@pytest.mark.parametrize("kind", KINDS)
def test_the_end_of_a_loop_ends_a_stage_that_nobody_has_left(kind: Any) -> None:
    """Not even its block, and the program still has the stage."""
    before = children()

    async def main() -> Any:
        stage = worker(functions.same, kind=kind)
        await stage.__aenter__()
        return stage

    stage = asyncio.run(main())
    assert children() == before
    assert "errored" in repr(stage)


# Arguments.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "fork"}, "kind must be"),
        ({"window": 0}, "window must be"),
        ({"window": 2**32}, "window must be from 1 to 65536"),
        ({"grace": -1}, "grace must be"),
    ],
)
def test_wrong_values(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        worker(functions.same, **arguments)


def test_wrong_functions() -> None:
    async def coroutine(chunks: Any) -> None:
        """Nothing."""

    with pytest.raises(TypeError, match=r'at the top of a module.*kind="thread"'):
        worker(lambda chunks: chunks)

    class CoroutineObject:
        async def __call__(self, chunks: Any) -> None:
            """Nothing."""

    class GeneratorObject:
        async def __call__(self, chunks: Any) -> Any:
            yield

    asynchronous: list[Any] = [coroutine, partial(coroutine), CoroutineObject(), GeneratorObject()]
    for function in asynchronous:
        with pytest.raises(TypeError, match="plain generator function"):
            worker(function, kind="thread")
    with pytest.raises(TypeError, match="function must be callable"):
        worker(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="count"):
        workers(functions.same, count=0)


async def test_a_function_that_returns_nothing() -> None:
    async with worker(functions.returns_none, kind="thread") as stage:  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="must be a generator or return an iterable, not NoneType"):
            await through(stage, [1]).list()


async def test_a_stage_that_was_not_started_says_so() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        _ = worker(functions.same).readable


def test_a_function_that_goes_on_after_it_was_told_to_end_does_not_grow() -> None:
    """Its `except` catches why it is to end, and it asks again and again: the traceback of that stays as it was."""
    link = ThreadLink(lambda kind, value: None)
    link.messages.put([(PULL, 1), (CANCEL, KeyError("enough"))])
    work = Work(link, 1)
    frames = []
    for _ in range(100):
        for ask in (lambda: next(work), lambda: work.put(1)):
            with pytest.raises(KeyError, match="enough") as caught:
                ask()
            frames.append(len(list(traceback.walk_tb(caught.value.__traceback__))))
    assert max(frames) == max(frames[:2])


# Frames.


def frames_of(data: bytes, piece: int) -> list[Any]:
    """Send bytes piece by piece; return the messages that a reader makes of what has come each time."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reader = FrameReader(theirs)
        found: list[Any] = []
        for begin in range(0, len(data), piece):
            ours.sendall(data[begin : begin + piece])
            with suppress(BlockingIOError):
                while True:
                    found += map(decode, reader.receive(wait=False))
        assert not reader.is_in_a_frame
        return found


def awaited_frames_of(data: bytes) -> list[Any]:
    """Send bytes in a thread; return the messages of a reader that waits for them."""
    ours, theirs = socket.socketpair()
    with ours, theirs, ThreadPoolExecutor(1) as executor:
        sent = executor.submit(ours.sendall, data)
        reader = FrameReader(theirs)
        found: list[Any] = []
        while len(found) < len(VALUES):
            found += map(decode, reader.receive(wait=True))
        sent.result()
        ours.close()
        with pytest.raises(EOFError, match="gone"):
            reader.receive(wait=True)
        return found


VALUES = [
    b"",
    b"x" * 100,
    "text",
    bytearray(b"small"),
    [pickle.PickleBuffer(b"y" * 50), 1],
    b"large" * 30_000,
    b"small",
    bytearray(b"l" * 20_000),
    [pickle.PickleBuffer(bytes(100_000)), pickle.PickleBuffer(b""), "z" * 70_000],
    "\N{SNOWMAN}" * 30_000,
    {"after": 1},
]


def bytes_of(value: Any) -> bytes:
    return b"".join(bytes(part) for part in encode(CHUNK, value))


def comparable(value: Any) -> Any:
    """What a value arrives as, with its type; buffers by what is in them."""
    parts = value if isinstance(value, list) else [value]
    return [(type(value), each if isinstance(each, int | str | dict) else bytes(each)) for each in parts]


@pytest.mark.parametrize("piece", [1, 7])
def test_small_frames_are_put_together_from_small_pieces(piece: int) -> None:
    values = VALUES[:5]
    found = frames_of(b"".join(map(bytes_of, values)), piece)
    assert [comparable(value) for _, value in found] == list(map(comparable, values))


@pytest.mark.parametrize("piece", [1000, 20_000, 100_000])
def test_frames_are_put_together_from_any_pieces(piece: int) -> None:
    found = frames_of(b"".join(map(bytes_of, VALUES)), piece)
    assert [comparable(value) for _, value in found] == list(map(comparable, VALUES))


def test_frames_that_are_waited_for() -> None:
    found = awaited_frames_of(b"".join(map(bytes_of, VALUES)))
    assert [comparable(value) for _, value in found] == list(map(comparable, VALUES))


def test_every_order_of_small_and_large_frames() -> None:
    """The one before decides how much is received with the head of the next."""
    values = [VALUES[index] for pair in product((1, 4, 5, 7, 8), repeat=2) for index in pair]
    data = b"".join(map(bytes_of, values))
    for piece in (50_000, 100_000):
        assert [comparable(value) for _, value in frames_of(data, piece)] == list(map(comparable, values))


@pytest.mark.parametrize("value", [b"x" * 100, b"x" * 100_000])
def test_a_frame_that_is_cut_is_seen(value: Any) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(bytes_of(value)[:50])
        ours.close()
        reader = FrameReader(theirs)
        assert reader.receive(wait=False) == []
        assert reader.is_in_a_frame
        with pytest.raises(EOFError, match="in the middle"):
            reader.receive(wait=True)


@pytest.mark.parametrize("head", [(99, 0, 0), (CHUNK, 0, 2**31), (BYTES, 5, 1), (CHUNK, 2**31, 1)])
def test_hostile_frames_are_an_error(head: tuple[int, int, int]) -> None:
    with pytest.raises(DataError):
        frames_of(HEAD.pack(*head) + b"more", 1 << 20)


@pytest.mark.parametrize("words", [b"", b"abc", b"{}", b"12", b"[1, 2, 3]", b"[" * 200_000, b"\xff"])
def test_a_reason_that_is_none_is_an_error(words: bytes) -> None:
    for data in (None, b"no pickle"):
        with pytest.raises(DataError, match="words cannot be read"):
            unpack(words, data)


def test_reasons_cross_whatever_they_are() -> None:
    assert unpack(*pack("text")) == "text"
    assert isinstance(unpack(*pack(lambda: None)), RemoteError)
