"""Workers in interpreters of this process, where Python has them."""

from __future__ import annotations

import asyncio
import sys
import threading
from functools import partial
from typing import Any

import pytest

import webstreams
from tests.ends.descriptors import open_sockets
from tests.grids import each_of
from tests.waiting import until
from webstreams import ReadableStream
from webstreams.workers import WorkerDied, _hosts, message_channel, transfer, worker, workers

from . import functions

if sys.version_info < (3, 14):

    def test_python_has_none() -> None:
        with pytest.raises(RuntimeError, match=r'kind="interpreter" needs Python 3.14, and this is 3'):
            worker(functions.same, kind="interpreter")

elif webstreams.compiled:

    def test_compiled_modules_cannot_be_loaded_by_several_interpreters() -> None:
        with pytest.raises(RuntimeError, match="compiled"):
            worker(functions.same, kind="interpreter")

else:

    async def test_state_and_chunks_of_every_kind() -> None:
        chunks = [b"x", bytearray(b"y"), memoryview(b"z"), "text", {"a": [1]}, b"x" * 1_000_000]
        async with workers(functions.same, kind="interpreter", count=2) as stage:
            found = await ReadableStream.from_(chunks).pipe_through(stage).list()
        assert found == chunks
        assert list(map(type, found)) == list(map(type, chunks))

    async def test_errors_and_what_ends_early() -> None:
        async with worker(functions.fail, kind="interpreter") as stage:
            with pytest.raises(KeyError, match="from the worker") as caught:
                await ReadableStream.from_([1, 2]).pipe_through(stage).list()
        assert "in fail" in "".join(caught.value.__notes__)
        async with worker(functions.same, kind="interpreter") as stage:
            async for chunk in ReadableStream.from_(iter(int, 1)).pipe_through(stage):
                assert chunk == 0
                break

    async def test_a_port_goes_into_an_interpreter() -> None:
        here, there = message_channel()
        function: Any = partial(functions.use_port, functions.list_of, there)
        async with worker(function, kind="interpreter") as stage:
            transfer(ReadableStream.from_(["a", b"b"]), here)
            assert await stage.readable.list() == [[("str", "a"), ("bytes", b"b")]]
        here.close()

    async def test_what_starts_slowly_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
        """No interpreter, thread or descriptor, although the grace time is over before it has begun."""
        monkeypatch.setattr(_hosts, "BOOT", f"import time; time.sleep(0.2); {_hosts.BOOT}")
        is_asyncio = type(asyncio.get_running_loop()).__module__.startswith("asyncio")
        before = left()
        for way in ("cancel", "task"):
            here, there = message_channel()
            function: Any = partial(functions.use_port, functions.list_of, there)
            stage = worker(function, kind="interpreter", grace=0)
            if way == "task":
                task = asyncio.create_task(leave_at_once(stage))
                await asyncio.sleep(0.05)
                task.cancel()
                await asyncio.wait([task])
            else:
                await leave_at_once(stage, cancels=True)
            here.close()
            interpreters, _, sockets = left()
            assert interpreters == before[0]
            assert sockets <= before[2] or not is_asyncio  # uvloop makes new ones for itself
            await until(lambda: left()[1] == before[1])  # it has told of its end, and has nothing more to do

    async def leave_at_once(stage: Any, cancels: bool = False) -> None:
        async with stage:
            if cancels:
                await stage.readable.cancel()

    def left() -> tuple[list[Any], int, set[str]]:
        threads = sum(each.name == "webstreams-worker" for each in threading.enumerate())
        return _hosts.interpreters().list_all(), threads, open_sockets()

    @each_of(status=[3, "text"])
    async def test_the_exit_status(status: Any) -> None:
        async with worker(partial(functions.leave_with, status), kind="interpreter") as stage:
            with pytest.raises(WorkerDied) as caught:
                await ReadableStream.from_([1]).pipe_through(stage).list()
        assert caught.value.exitcode == (1 if status == "text" else status)

    async def test_the_end_of_the_task() -> None:
        seen: list[Any] = []

        async def main() -> None:
            async with worker(functions.same, kind="interpreter") as stage:
                async for chunk in ReadableStream.from_(iter(int, 1)).pipe_through(stage):
                    seen.append(chunk)

        task = asyncio.create_task(main())
        await until(lambda: seen)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
