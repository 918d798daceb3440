"""Child processes that have children of their own."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from webstreams import Process, open_process

from ..waiting import until
from . import processes

nothing_is_left = pytest.fixture(autouse=True)(processes.nothing_is_left)

# Groups.

FAMILY = "sleep 1000 & echo $!; echo $$; wait"


async def family(**options: Any) -> tuple[Process, int]:
    """A child that has started another; and the process id of that."""
    process = await open_process("sh", "-c", options.pop("program", FAMILY), group=True, **options)
    reader = process.readable.get_reader()
    line = b""
    while line.count(b"\n") < 2:
        line += (await reader.read()).value or b""
    reader.release_lock()
    grandchild, child = map(int, line.split())
    assert child == process.pid and os.getpgid(grandchild) == process.pid != os.getpgid(0)
    return process, grandchild


def has_ended(pid: int) -> bool:
    """Whether a process that is not ours has ended; whoever has adopted it may not have reaped it."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("end", ["kill", "terminate", "send_signal"])
async def test_a_signal_reaches_the_whole_group(end: str) -> None:
    process, grandchild = await family()
    getattr(process, end)(*([signal.SIGUSR1] if end == "send_signal" else []))
    await process.wait()
    await until(lambda: has_ended(grandchild))
    await process.readable.cancel()


async def test_what_is_left_of_a_group_ends_with_its_leader() -> None:
    """It holds the pipe open: without the group, the output would not end for a thousand seconds."""
    process, grandchild = await family(program="sleep 1000 & echo $!; echo $$")
    async with process:
        assert await process.readable.bytes() == b""
        assert process.returncode == 0
    await until(lambda: has_ended(grandchild))


async def test_a_block_that_raises_ends_the_group() -> None:
    process, grandchild = await family()
    with pytest.raises(ValueError, match="stop"):
        async with process:
            raise ValueError("stop")
    await until(lambda: has_ended(grandchild))


async def test_aborting_the_input_ends_the_group() -> None:
    process, grandchild = await family()
    await process.writable.abort("stop")
    await process.wait()
    await until(lambda: has_ended(grandchild))


async def test_a_signal_after_the_end_reaches_nobody() -> None:
    process, _ = await family(program="sleep 1000 & echo $!; echo $$")
    await process.readable.cancel()
    await process.wait()
    process.kill()
    process.terminate()


async def test_a_system_without_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "killpg")
    with pytest.raises(ValueError, match="group=True needs process groups"):
        await open_process("true", group=True)


async def test_a_system_that_only_reaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "waitid")
    process, grandchild = await family(program="sleep 1000 & echo $!; echo $$")
    async with process:
        assert await process.readable.bytes() == b""
    await until(lambda: has_ended(grandchild))


async def test_waiting_can_be_cancelled() -> None:
    async with await open_process("cat") as process:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(process.wait(), 0.01)
        assert process.returncode is None
        assert "running" in repr(process)
    assert "returncode=0" in repr(process)


async def test_without_a_block() -> None:
    process = await open_process("echo", "tea")
    assert await process.readable.text() == "tea\n"
    assert await process.wait() == 0
