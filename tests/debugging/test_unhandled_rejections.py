"""An unhandled rejection is reported once, by its stream and its call."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.helpers import turns
from tests.grids import each_of
from webstreams import (
    Promise,
    ReadableStream,
)
from webstreams import operations as ops

from .support import Boom, ByteSource, never, readable, writable


def fail(*_: Any) -> None:
    raise Boom


def errored_readable() -> ReadableStream[Any]:
    stream: ReadableStream[Any] = ReadableStream({"start": lambda controller: controller.error(Boom())})
    return stream


def fail_to_read() -> str:
    errored_readable().get_reader().read()
    return "read() from <ReadableStream errored with Boom(), queue 0/1, desired_size None>"


def fail_to_read_released() -> str:
    reader = readable().get_reader()
    reader.release_lock()
    reader.read()
    return "read() of <ReadableStreamDefaultReader released>"


def fail_to_read_byob() -> str:
    readable(source=ByteSource()).get_reader(mode="byob").read(b"not writable")
    return "read() of <ReadableStream readable, queue 0/16 bytes, desired_size 16>"


def fail_to_read_all() -> str:
    ops.read_all_bytes_as_promise(errored_readable().get_reader())
    return "read_all_bytes_as_promise() of <ReadableStream errored with Boom(), queue 0/1, desired_size None>"


def fail_to_cancel() -> str:
    ReadableStream({"cancel": fail}).cancel()
    return "cancel() of <ReadableStream closed, queue 0/1, desired_size 0>"


def fail_to_cancel_errored() -> str:
    errored_readable().get_reader().cancel()
    return "cancel() of <ReadableStream errored with Boom(), queue 0/1, desired_size None>"


def fail_to_cancel_locked() -> str:
    stream = readable()
    stream.get_reader()
    stream.cancel()
    return "cancel() of <ReadableStream readable, queue 0/16, desired_size 16>"


def fail_to_cancel_released() -> str:
    reader = readable().get_reader()
    reader.release_lock()
    reader.cancel()
    return "cancel() of <ReadableStreamDefaultReader released>"


def fail_to_iterate() -> str:
    errored_readable().values().__anext__()
    return "__anext__() of an iteration over <ReadableStream errored with Boom(), queue 0/1, desired_size None>"


def fail_to_leave() -> str:
    stream: ReadableStream[Any] = ReadableStream({"cancel": fail})
    stream.values().aclose()
    return "aclose() of an iteration over <ReadableStream closed, queue 0/1, desired_size 0>"


def fail_to_abandon() -> str:
    stream: ReadableStream[Any] = ReadableStream({"cancel": fail})
    stream.values()
    return "cancel() of <ReadableStream closed, queue 0/1, desired_size 0>"


def fail_to_write() -> str:
    writable(write=fail).get_writer().write("chunk")
    return "write() to <WritableStream errored with Boom(), queue 0/1, desired_size None>"


def fail_to_write_released() -> str:
    writer = writable().get_writer()
    writer.release_lock()
    writer.write("chunk")
    return "write() to <WritableStreamDefaultWriter released>"


def fail_to_close() -> str:
    writable(close=fail).close()
    return "close() of <WritableStream errored with Boom(), queue 0/1, desired_size None>"


def fail_to_close_locked() -> str:
    stream = writable()
    stream.get_writer()
    stream.close()
    return "close() of <WritableStream writable, queue 0/1, desired_size 1>"


def fail_to_close_twice() -> str:
    stream = writable(close=never)
    writer = stream.get_writer()
    writer.close()
    writer.close()
    return "close() of <WritableStream writable, queue 0/1, desired_size 1, closing>"


def fail_to_close_released() -> str:
    writer = writable().get_writer()
    writer.release_lock()
    writer.close()
    return "close() of <WritableStreamDefaultWriter released>"


def fail_to_abort() -> str:
    writable(abort=fail).abort("why")
    return "abort() of <WritableStream errored with 'why', queue 0/1, desired_size None>"


def fail_to_abort_locked() -> str:
    stream = writable()
    stream.get_writer()
    stream.abort()
    return "abort() of <WritableStream writable, queue 0/1, desired_size 1>"


def fail_to_pipe() -> str:
    errored_readable().pipe_to(writable())
    return (
        "pipe_to() from <ReadableStream errored with Boom(), queue 0/1, desired_size None> into <WritableStream "
        "errored with Boom(), queue 0/1, desired_size None>"
    )


def fail_to_begin_a_pipe() -> str:
    stream = readable()
    stream.get_reader()
    stream.pipe_to(writable())
    return "pipe_to() from <ReadableStream readable, queue 0/16, desired_size 16>"


def fail_plainly() -> str:
    Promise.reject(Boom())
    return "a promise"


FAILURES = [each for name, each in sorted(globals().items()) if name.startswith("fail_")]


@each_of(make=FAILURES)
async def test_an_unhandled_rejection_is_reported_once_by_stream_and_call(
    make: Callable[[], str], reported: list[dict[str, Any]]
) -> None:
    call = make()
    await turns(10)
    gc.collect()
    await turns()
    assert [context["message"] for context in reported] == [f"webstreams: {call} was rejected and nobody looked at it"]
    assert isinstance(reported[0]["exception"], (Boom, TypeError))


async def test_a_rejection_that_somebody_looks_at_is_not_described(
    monkeypatch: pytest.MonkeyPatch, reported: list[dict[str, Any]]
) -> None:
    described: list[object] = []
    monkeypatch.setattr("webstreams._engine.settling.show_words", described.append)
    reader = errored_readable().get_reader()
    reads = [reader.read() for _ in range(3)]
    assert [type(read.exception()) for read in reads] == [Boom] * 3
    reads.clear()
    gc.collect()
    assert described == reported == []
