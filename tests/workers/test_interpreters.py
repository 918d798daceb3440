"""Workers in interpreters of this process, where Python has them."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import Any

import pytest

import webstreams
from tests.waiting import until
from webstreams import ReadableStream
from webstreams.workers import message_channel, transfer, worker, workers

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
