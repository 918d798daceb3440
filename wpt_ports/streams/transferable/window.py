"""Port of streams/transferable/window.html."""

from __future__ import annotations

from typing import Any

from webstreams import ReadableStream
from webstreams.workers import message_channel, receive, transfer
from wpt_ports.harness import Test, promise_test
from wpt_ports.resources.realms import everywhere


def create_original() -> ReadableStream[str]:
    """``createOriginalReadableStream``."""
    return ReadableStream.from_(["a"])


async def look_at(port: Any) -> Any:
    """``testMessage``: receive it, and read it to its end."""
    received = await receive(port)
    reader = received.get_reader()
    first, second = await reader.read(), await reader.read()
    return type(received).__name__, first.value, first.done, second.done


EXPECTED = ("ReadableStream", "a", False, True)


@promise_test("window.postMessage should be able to transfer a ReadableStream")
async def transfers(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            orig = create_original()
            transfer(orig, realm.port)
            assert orig.locked, "the original stream should be locked"
            assert await realm.run(look_at) == EXPECTED


@promise_test("port.postMessage should be able to transfer a ReadableStream")
async def transfers_and_closes_the_port(t: Test) -> None:
    here, there = message_channel()
    orig = create_original()
    with there:
        transfer(orig, here)
        here.close()
        assert orig.locked, "the original stream should be locked"
        assert await look_at(there) == EXPECTED


async def echo(port: Any) -> None:
    """What the frame does: send it back."""
    transfer(await receive(port), port)


@promise_test("transfer to and from an iframe should work")
async def there_and_back(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            transfer(create_original(), realm.port)
            await realm.run(echo)
            assert await look_at(realm.port) == EXPECTED
