"""Port of streams/transferable/worker.html."""

from __future__ import annotations

from typing import Any

from webstreams.workers import transfer
from wpt_ports.harness import Test, promise_test
from wpt_ports.resources.realms import everywhere
from wpt_ports.streams.transferable.window import EXPECTED, create_original, look_at


@promise_test("worker.postMessage should be able to transfer a ReadableStream")
async def to_a_worker(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            orig = create_original()
            transfer(orig, realm.port)
            assert orig.locked, "the original stream should be locked"
            assert await realm.run(look_at) == EXPECTED


async def send(port: Any) -> None:
    """What the worker does."""
    transfer(create_original(), port)


@promise_test("postMessage in a worker should be able to transfer a ReadableStream")
async def from_a_worker(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            await realm.run(send)
            assert await look_at(realm.port) == EXPECTED
