"""The traceback of a stored error has the user's frames only, and keeps no promise of the library alive."""

from __future__ import annotations

import asyncio
import gc
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.helpers import turns
from tests.grids import each_of, each_row
from webstreams import (
    Promise,
    ReadableStream,
    TransformStream,
    WritableStream,
    from_blocking_iterable,
    from_bytes,
    read_file,
)

Reported = list[dict[str, Any]]


def fail(*_: Any) -> None:
    deeper()


def deeper() -> None:
    raise OSError("oops")


async def fail_at_once(*_: Any) -> None:
    deeper()


async def fail_late(*_: Any) -> None:
    await asyncio.sleep(0)
    deeper()


async def fail_below_the_library(*_: Any) -> None:
    await Promise.resolve(None).then(fail)


CALLBACKS: list[tuple[Callable[..., Any], list[str]]] = [
    (fail, ["fail", "deeper"]),
    (fail_at_once, ["fail_at_once", "deeper"]),
    (fail_late, ["fail_late", "deeper"]),
    (fail_below_the_library, ["fail", "deeper"]),
]
EVERY_CALLBACK = each_row(("callback", "frames"), CALLBACKS)
EVERY_MEMBER = each_of(member=["write", "close", "abort", "pull", "cancel", "transform"])
# Whether the stream has started by the time of the call, which then runs the callback itself.
STARTED = each_of(started=[False, True])


async def begin(member: str, callback: Callable[..., Any], started: bool) -> tuple[Any, Callable[[], Promise[Any]]]:
    """Return what the user keeps, and the call that will fail."""
    owner: Any
    if member == "transform":
        transform = TransformStream[Any, Any]({"transform": callback})
        transform.readable.get_reader().read()._mark_handled()
        owner = transform.writable.get_writer()
    elif member in ("pull", "cancel"):
        source: Any = {member: callback}
        owner = ReadableStream[Any](source, {"high_water_mark": 0}).get_reader()
    else:
        sink: Any = {member: callback}
        owner = WritableStream[Any](sink).get_writer()
    if started:
        await turns()
    calls = {"pull": "read", "transform": "write"}
    method = getattr(owner, calls.get(member, member))
    return owner, method if member in ("close", "pull") else lambda: method("chunk")


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@EVERY_CALLBACK
@EVERY_MEMBER
@STARTED
async def test_a_rejection_is_reported_as_soon_as_nobody_has_its_promise(
    member: str,
    callback: Callable[..., Any],
    frames: list[str],
    started: bool,
    reported: Reported,
    uncollected: None,
) -> None:
    """The stream lives on, with its error; no garbage collection is needed."""
    owner, call = await begin(member, callback, started)
    call()
    await turns(20)
    assert [str(each["exception"]) for each in reported] == ["oops"]
    assert owner is not None


@EVERY_CALLBACK
@EVERY_MEMBER
@STARTED
async def test_the_traceback_has_the_frames_of_the_user(
    member: str, callback: Callable[..., Any], frames: list[str], started: bool
) -> None:
    _, call = await begin(member, callback, started)
    promise = call()
    await turns(20)
    error = promise.exception()
    assert error is not None
    assert [each.name for each in traceback.extract_tb(error.__traceback__)] == frames


async def test_whoever_awaits_sees_where_the_callback_failed_and_where_it_was_awaited() -> None:
    writer = WritableStream[Any]({"write": fail}).get_writer()
    with pytest.raises(OSError) as caught:
        await writer.write("chunk")
    names = [each.name for each in traceback.extract_tb(caught.value.__traceback__)]
    assert names[0] == "test_whoever_awaits_sees_where_the_callback_failed_and_where_it_was_awaited"
    assert names[-2:] == ["fail", "deeper"]


async def test_the_variables_of_the_user_stay_for_a_debugger() -> None:
    def write(chunk: Any, controller: Any) -> None:
        mine = chunk
        raise OSError(mine)

    writer = WritableStream[Any]({"write": write}).get_writer()
    await turns()
    promise = writer.write("chunk")
    await turns()
    error = promise.exception()
    assert error is not None and error.__traceback__ is not None
    assert error.__traceback__.tb_frame.f_locals["mine"] == "chunk"


def fail_in_a_thread() -> Iterator[int]:
    yield 0
    fail()


ELSEWHERE: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "a file": (lambda: read_file("/no/such/file"), []),
    "an iterable in a thread": (
        lambda: from_blocking_iterable(fail_in_a_thread()),
        ["fail_in_a_thread", "fail", "deeper"],
    ),
    "no bytes": (lambda: from_bytes([5]), []),  # type: ignore[list-item]
}


@each_of(name=ELSEWHERE)
async def test_what_arises_in_threads_and_in_the_library_keeps_no_frames_of_the_library(name: str) -> None:
    make, frames = ELSEWHERE[name]
    reader = make().get_reader()
    reads = [reader.read() for _ in range(2)]
    await asyncio.wait(reads)
    error: Any = reads[1].exception()
    reads[0].exception()
    assert [each.name for each in traceback.extract_tb(error.__traceback__)] == frames
