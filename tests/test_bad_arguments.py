"""Every parameter of every public function takes a bad value with one clear error at the call; nothing stays locked.

Each function is called with good arguments, of which one is replaced by each of the `VALUES`. Either the value is a
good one, too, or the call raises a `TypeError` or `ValueError` that names the parameter (or what the function needs).
"""

from __future__ import annotations

import asyncio
import inspect
import io
import logging
import math
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import webstreams
from tests.grids import each_of
from webstreams import (
    AbortSignal,
    CompressionStream,
    DecompressionStream,
    Promise,
    ReadableStream,
    ReadableStreamBYOBReader,
    ReadableStreamDefaultReader,
    TextDecoderStream,
    TransformStream,
    WritableStream,
    WritableStreamDefaultWriter,
    brokers,
    observe,
    threads,
    workers,
)
from webstreams.observe import opentelemetry, terminal, web

VALUES: dict[str, Any] = {
    "None": None, "True": True, "5": 5, "-1": -1, "0": 0, "1.5": 1.5, "nan": math.nan, "inf": math.inf, "-0.1": -0.1,
    "10**30": 10**30, "10**400": 10**400, "1e308": 1e308, "5e-324": 5e-324,
    "'x'": "x", "''": "", "b'x'": b"x", "[]": [], "[1]": [1], "{}": {}, "object()": object(),
    "int": int, "print": print, "(1, 2, 3)": (1, 2, 3), "{1}": {1}, "1j": 1j, "{'x': 1}": {"x": 1}, "'\\0'": "\0",
}  # fmt: skip

Good = Callable[[Path], dict[str, Any]]


async def receive() -> dict[str, Any]:
    return {"type": "http.disconnect"}


class Receiver:
    """What is called as a coroutine function."""

    async def __call__(self, *arguments: object) -> dict[str, Any]:
        return await receive()


async def send(message: object) -> None:
    """Take a message as a server does."""


async def generate(chunks: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for chunk in chunks:
        yield chunk


async def opened() -> ReadableStream[Any]:
    return readable()


def write_nothing(writer: object) -> None:
    """End at once."""


async def produce(writer: object) -> None:
    """End at once."""


def echo_chunks(chunks: Iterable[Any]) -> Iterator[Any]:
    """What a worker would run."""
    yield from chunks


def closed() -> WritableStream[Any]:
    stream: WritableStream[Any] = WritableStream()
    stream.close()
    return stream


def echo() -> Iterator[Any]:
    yield 1


def readable() -> ReadableStream[Any]:
    return ReadableStream.from_([])


def source_path(folder: Path) -> Path:
    (folder / "in").write_bytes(b"data")
    return folder / "in"


def scope() -> dict[str, Any]:
    return {"type": "http", "method": "GET"}


def stream_writer() -> asyncio.StreamWriter:
    return webstreams.as_stream_writer(WritableStream())


# What is called, with good arguments for all that has no default.
CALLS: dict[str, tuple[Callable[..., Any], Good]] = {
    "ReadableStream": (ReadableStream, lambda _: {}),
    "WritableStream": (WritableStream, lambda _: {}),
    "TransformStream": (TransformStream, lambda _: {}),
    "TextDecoderStream": (TextDecoderStream, lambda _: {}),
    "CompressionStream": (CompressionStream, lambda _: {"format": "gzip"}),
    "DecompressionStream": (DecompressionStream, lambda _: {"format": "gzip"}),
    "ReadableStreamDefaultReader": (ReadableStreamDefaultReader, lambda _: {"stream": readable()}),
    "ReadableStreamBYOBReader": (
        ReadableStreamBYOBReader, lambda _: {"stream": ReadableStream({"type": "bytes"})}),
    "WritableStreamDefaultWriter": (WritableStreamDefaultWriter, lambda _: {"stream": WritableStream()}),
    "AbortSignal.timeout": (AbortSignal.timeout, lambda _: {"seconds": 1}),
    "AbortSignal.any": (AbortSignal.any, lambda _: {"signals": []}),
    "AbortSignal.add_event_listener": (
        AbortSignal.abort().add_event_listener, lambda _: {"type": "abort", "listener": print}),
    "ReadableStream.from_": (ReadableStream.from_, lambda _: {"iterable": []}),
    "as_blocking_iterable": (webstreams.as_blocking_iterable, lambda _: {"readable": readable()}),
    "as_byte_stream": (webstreams.as_byte_stream, lambda _: {"readable": readable()}),
    "as_object_stream": (webstreams.as_object_stream, lambda _: {"readable": readable()}),
    "as_stream_reader": (webstreams.as_stream_reader, lambda _: {"readable": readable()}),
    "as_stream_writer": (webstreams.as_stream_writer, lambda _: {"writable": WritableStream()}),
    "asgi_request_body": (webstreams.asgi_request_body, lambda _: {"receive": receive}),
    "asgi_response": (webstreams.asgi_response, lambda _: {"send": send}),
    "channel": (webstreams.channel, lambda _: {}),
    "compose": (lambda **given: webstreams.compose(*given.values()), lambda _: {"pair": TransformStream()}),
    "concat": (lambda **given: webstreams.concat(*given.values()), lambda _: {"stream": readable()}),
    "finished": (webstreams.finished, lambda _: {"stream": closed()}),
    "from_bytes": (webstreams.from_bytes, lambda _: {"source": b""}),
    "from_producer": (webstreams.from_producer, lambda _: {"function": produce}),
    "merge": (lambda **given: webstreams.merge(*given.values()), lambda _: {"stream": readable()}),
    "pipeline": (
        webstreams.pipeline, lambda _: {"source": readable(), "sink": WritableStream(), "signal": None}),
    "share": (webstreams.share, lambda _: {"stream": readable()}),
    "zip_streams": (lambda **given: webstreams.zip_streams(*given.values()), lambda _: {"stream": readable()}),
    "chunked": (webstreams.chunked, lambda _: {"size": 1}),
    "from_blocking_iterable": (webstreams.from_blocking_iterable, lambda _: {"iterable": []}),
    "from_byte_stream": (webstreams.from_byte_stream, lambda _: {"stream": webstreams.as_byte_stream(readable())}),
    "from_object_stream": (
        webstreams.from_object_stream, lambda _: {"stream": webstreams.as_object_stream(readable())}),
    "from_queue": (webstreams.from_queue, lambda _: {"queue": asyncio.Queue()}),
    "from_stream_reader": (webstreams.from_stream_reader, lambda _: {"reader": asyncio.StreamReader()}),
    "generator_transform": (webstreams.generator_transform, lambda _: {"function": generate}),
    "lines": (webstreams.lines, lambda _: {}),
    "queue_microtask": (webstreams.queue_microtask, lambda _: {"callback": write_nothing}),
    "read_file": (webstreams.read_file, lambda folder: {"path": source_path(folder)}),
    "send_response": (
        webstreams.send_response,
        lambda _: {"scope": scope(), "receive": receive, "send": send, "stream": readable()}),
    "to_byte_stream": (
        webstreams.to_byte_stream, lambda _: {"stream": webstreams.as_byte_stream(None, WritableStream())}),
    "to_callable": (webstreams.to_callable, lambda _: {"function": print}),
    "to_generator": (webstreams.to_generator, lambda _: {"generator": echo()}),
    "to_object_stream": (
        webstreams.to_object_stream, lambda _: {"stream": webstreams.as_object_stream(None, WritableStream())}),
    "to_queue": (webstreams.to_queue, lambda _: {"queue": asyncio.Queue()}),
    "to_request_body": (webstreams.to_request_body, lambda _: {"stream": readable()}),
    "to_stream_writer": (webstreams.to_stream_writer, lambda _: {"writer": stream_writer()}),
    "write_file": (webstreams.write_file, lambda folder: {"path": folder / "out"}),
    "readable_from_thread": (threads.readable_from_thread, lambda _: {"function": write_nothing}),
    "ThreadSafeReader": (threads.ThreadSafeReader, lambda _: {"stream": readable()}),
    "ThreadSafeWriter": (threads.ThreadSafeWriter, lambda _: {"stream": WritableStream()}),
    "ReadableStream.get_reader": (lambda **given: readable().get_reader(**given), lambda _: {"mode": None}),
    "ReadableStream.bytes": (lambda **given: readable().bytes(**given), lambda _: {"limit": None}),
    "ReadableStream.text": (
        lambda **given: readable().text(**given), lambda _: {"encoding": "utf-8", "fatal": False, "limit": None}),
    "ReadableStream.list": (lambda **given: readable().list(**given), lambda _: {"limit": None}),
    "ReadableStream.pipe_to": (
        lambda **given: readable().pipe_to(**given), lambda _: {"destination": WritableStream(), "signal": None}),
    "ReadableStream.pipe_through": (
        lambda **given: readable().pipe_through(**given), lambda _: {"transform": TransformStream(), "signal": None}),
    "observe": (observe.observe, lambda _: {"subject": readable()}),
    "observe.label": (observe.label, lambda _: {"thing": readable(), "name": "a name"}),
    "observe.terminal.show": (
        terminal.show, lambda _: {"pipeline": observe.observe(closed()), "file": io.StringIO()}),
    "observe.web.app": (web.app, lambda _: {"pipeline": observe.observe(readable())}),
    "observe.opentelemetry.instrument": (opentelemetry.instrument, lambda _: {"meter_provider": None}),
    "ChunkedStream": (webstreams.ChunkedStream, lambda _: {"size": 1}),
    "resilient": (brokers.resilient, lambda _: {"factory": opened}),
    "Promise.all": (Promise.all, lambda _: {"values": []}),
    "Promise.then": (lambda **given: readable().cancel().then(**given), lambda _: {
        "on_fulfilled": None, "on_rejected": None}),
    "Promise.add_done_callback": (lambda **given: readable().cancel().add_done_callback(**given), lambda _: {
        "callback": write_nothing, "context": None}),
    "acknowledging": (brokers.acknowledging, lambda _: {"sink": WritableStream()}),
    "on_value": (brokers.on_value, lambda _: {"transform": TransformStream()}),
}  # fmt: skip

# What an error may name instead of the parameter: the function that needs something else.
ALSO_NAMED = {
    "underlying_source": "underlying source", "underlying_sink": "underlying sink", "transformer": "transformer",
    "strategy": "strategy", "writable_strategy": "strategy", "readable_strategy": "strategy",
    "pair": "compose(): stage 1",
}  # fmt: skip


# Paths of the operating system, which has its own errors for them.
PATHS = {"path"}
# What is called back: here any function is a good value, and what it does when it is called is its own affair.
CALLBACKS = {
    "function", "send", "receive", "callback", "listener", "on_cancel", "factory", "backoff", "retry",
    "on_fulfilled", "on_rejected",
}  # fmt: skip


def parameters_of(call: Callable[..., Any], make_good: Good) -> list[str]:
    """Return the names of the parameters: those of the signature; for a lambda here, those of the good arguments."""
    parameters = inspect.signature(call).parameters.values()
    named = [each.name for each in parameters if each.kind in {each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY}]
    return list(make_good(Path())) if call.__name__ == "<lambda>" else named


async def outcome_of(call: Callable[..., Any], arguments: dict[str, Any]) -> BaseException | None:
    """Return what a call raises, at once or when it is awaited; end what it made."""
    made = None
    try:
        made = call(**arguments)
        if inspect.isawaitable(made):
            await asyncio.wait_for(made, 5)
    except Exception as error:
        return error
    finally:
        await dispose(made)
    return None


async def dispose(made: Any) -> None:
    for side in (made, getattr(made, "readable", None), getattr(made, "writable", None)):
        with suppress(TypeError):
            if isinstance(side, ReadableStream):
                await side.cancel()
            elif isinstance(side, WritableStream):
                await side.abort()
    if isinstance(made, asyncio.StreamReader):
        made.feed_eof()


def is_clear(error: BaseException | None, parameter: str) -> bool:
    """Whether a bad value was refused as it should be, or was no bad value."""
    if error is None or (parameter in PATHS and isinstance(error, OSError)):
        return True
    names = (parameter, ALSO_NAMED.get(parameter, parameter), " needs ")
    return isinstance(error, (TypeError, ValueError)) and any(name in str(error) for name in names)


def locked_streams(arguments: dict[str, Any]) -> list[str]:
    return [name for name, value in arguments.items() if getattr(value, "locked", False)]


@each_of(name=CALLS)
async def test_every_bad_value_is_refused_by_name(name: str, tmp_path: Path) -> None:
    call, make_good = CALLS[name]
    unclear = []
    for parameter in parameters_of(call, make_good):
        for shown, value in VALUES.items():
            if parameter in CALLBACKS and callable(value):
                continue
            good = make_good(tmp_path)
            arguments = {**good, parameter: value}
            error = await outcome_of(call, arguments)
            if isinstance(writer := good.get("writer"), asyncio.StreamWriter):
                writer.close()
            if not is_clear(error, parameter):
                unclear.append(f"{parameter}={shown}: {error!r}")
            elif error is not None and (locked := locked_streams(arguments)):
                unclear.append(f"{parameter}={shown}: {locked} locked after {error!r}")
    assert unclear == []


# What counts something or lasts so many seconds: True is 1 for Python, and a mistake for whoever has written it.
NUMBERS: dict[str, Callable[[Any], Any]] = {
    "take: count": lambda bad: readable().take(bad),
    "drop: count": lambda bad: readable().drop(bad),
    "map: concurrency": lambda bad: readable().map(produce, concurrency=bad),
    "map: window": lambda bad: readable().map(produce, concurrency=1, window=bad),
    "map: timeout": lambda bad: readable().map(produce, concurrency=1, timeout=bad),
    "for_each: concurrency": lambda bad: readable().for_each(produce, concurrency=bad),
    "to_callable: concurrency": lambda bad: webstreams.to_callable(produce, concurrency=bad),
    "batched: count": lambda bad: readable().batched(bad),
    "batched: size": lambda bad: readable().batched(size=bad),
    "batched: seconds": lambda bad: readable().batched(1, seconds=bad),
    "throttled: limit": lambda bad: readable().throttled(bad, 1),
    "throttled: per": lambda bad: readable().throttled(1, bad),
    "throttled: burst": lambda bad: readable().throttled(1, 1, burst=bad),
    "debounced: seconds": lambda bad: readable().debounced(bad),
    "chunked: size": lambda bad: readable().chunked(bad),
    "channel: high_water_mark": lambda bad: webstreams.channel(high_water_mark=bad),
    "share: high_water_mark": lambda bad: webstreams.share(readable(), high_water_mark=bad),
    "share: subscribers": lambda bad: webstreams.share(readable(), subscribers=bad),
    "share: replay": lambda bad: webstreams.share(readable(), replay=bad),
    "bytes: limit": lambda bad: readable().bytes(limit=bad),
    "list: limit": lambda bad: readable().list(limit=bad),
    "lines: limit": lambda bad: webstreams.lines(limit=bad),
    "AbortSignal.timeout: seconds": lambda bad: AbortSignal.timeout(seconds=bad),
    "worker: window": lambda bad: workers.worker(echo_chunks, window=bad),
    "worker: grace": lambda bad: workers.worker(echo_chunks, grace=bad),
    "workers: count": lambda bad: workers.workers(echo_chunks, count=bad),
    "ThreadSafeReader.read: timeout": lambda bad: asyncio.to_thread(threads.ThreadSafeReader(readable()).read, bad),
    "watch: interval": lambda bad: observe.observe(readable()).watch(bad),
    "log: stalled": lambda bad: observe.observe(readable()).log(logging.getLogger(), stalled=bad),
    "resilient: attempts": lambda bad: brokers.resilient(opened, attempts=bad),
    "drain: seconds": lambda bad: brokers.resilient(opened).drain(bad),
}


async def test_a_number_beyond_all_floats_is_refused_by_name_or_as_good_as_infinity() -> None:
    unclear = []
    for name, call in NUMBERS.items():
        for value in (10**400, -(10**400), 10**5000):
            error = await outcome_of(call, {"bad": value})
            parameter = name.rpartition(" ")[2]
            refused = isinstance(error, (TypeError, ValueError)) and parameter in str(error)
            if not refused and (error is not None or value < 0):
                unclear.append(f"{name}: {error!r}")
    assert unclear == []


async def test_a_rate_that_is_none_is_refused() -> None:
    for limit, per in ((1e-300, 1e300), (1e300, 1e-300)):
        with pytest.raises(ValueError, match="limit and per must make a rate"):
            readable().throttled(limit, per)


async def test_a_bool_is_no_number() -> None:
    unclear = []
    for name, call in NUMBERS.items():
        error = await outcome_of(call, {"bad": True})
        if not isinstance(error, TypeError) or name.rpartition(" ")[2] not in str(error):
            unclear.append(f"{name}: {error!r}")
    assert unclear == []


async def test_what_only_functions_make_says_so() -> None:
    made = (
        brokers.Deliveries, partial(brokers.Publisher, in_flight=1), brokers.ResilientStream,
        partial(workers.Stage, count=1, window=1, ordered=True),
    )  # fmt: skip
    for bad in VALUES.values():
        for construct in made:
            with pytest.raises(TypeError, match=r"cannot be constructed: .*\(\)"):
                construct(bad)
        with pytest.raises(TypeError, match="needs a pair of a ReadableStream and a WritableStream"):
            brokers.ValuePair(bad)


async def test_a_coroutine_function_is_no_microtask() -> None:
    with pytest.raises(TypeError, match=r"not a coroutine function.*create_task"):
        webstreams.queue_microtask(receive)
    with pytest.raises(TypeError, match=r"not a coroutine function.*create_task"):
        webstreams.queue_microtask(partial(Receiver(), None))


async def test_a_coroutine_function_is_no_listener() -> None:
    signal = webstreams.AbortController().signal
    for listener in (send, partial(send), Receiver(), partial(Receiver(), None)):
        with pytest.raises(TypeError, match=r"must be a plain function: nobody would await"):
            signal.add_event_listener("abort", listener)


# What leads to other machines, to sockets and to programs, with bad values of its own: any other string or number is
# the system's affair.
ADDRESSES: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {
    "connect_tcp: host": (lambda bad: webstreams.connect_tcp(bad, 1), ["a\0b", b"x", None]),
    "serve_tcp: host": (lambda bad: [webstreams.serve_tcp(produce, bad, 0)], ["a\0b", b"x"]),
    "connect_unix: path": (webstreams.connect_unix, ["a\0b", b"a\0b", "", None]),
    "serve_unix: path": (lambda bad: [webstreams.serve_unix(produce, bad)], ["a\0b", b"a\0b", "", None]),
    "open_process: arguments": (lambda bad: webstreams.open_process("true", bad), ["a\0b", None]),
    "open_process: env": (
        lambda bad: webstreams.open_process("true", env=bad),
        [{"": "x"}, {"A=B": "x"}, {"A": 1}, {"A": "\0"}, {b"A\0": b"x"}, {1: "x"}, [("A", "B")], "A=B"]),
    "open_process: cwd": (lambda bad: webstreams.open_process("true", cwd=bad), ["a\0b", b"\0"]),
    "open_process: stdin": (
        lambda bad: webstreams.open_process("true", stdin=bad),
        ["x", -4, -5, 2**31, -(10**30), 10**400]),
    "Delivery.join: deliveries": (brokers.Delivery.join, ["x", b"x", [None], None, produce]),
}  # fmt: skip


@pytest.mark.parametrize("name", ADDRESSES)
async def test_a_bad_address_is_refused_by_name(name: str) -> None:
    """Issue 11, 20."""
    call, bad_values = ADDRESSES[name]
    numbers = [] if name.endswith("stdin") else [True, 0, -1, 5]
    unclear = []
    for value in [*bad_values, *numbers, 1.5, math.nan, 10**30, object(), int, (1, 2, 3), {1}, 1j, [1]]:
        error = await outcome_of(partial(call, value), {})
        if not isinstance(error, (TypeError, ValueError)) or name.rpartition(" ")[2] not in str(error):
            unclear.append(f"{value!r}: {error!r}")
    assert unclear == []


def test_every_public_function_is_called() -> None:
    public = {name for name in webstreams.__all__ if inspect.isfunction(getattr(webstreams, name))}
    assert public - CALLS.keys() == LEFT_OUT.keys()


# What is tried where the real ends are, with their own errors.
LEFT_OUT = {
    "connect_tcp": "tests/ends/test_sockets.py", "connect_unix": "tests/ends/test_sockets.py",
    "serve_tcp": "tests/ends/test_socket_servers.py", "serve_unix": "tests/ends/test_socket_servers.py",
    "open_process": "tests/ends/test_processes.py", "from_response": "tests/ends/test_http.py",
    "standard_input": "no parameter", "standard_output": "no parameter", "standard_error": "no parameter",
}  # fmt: skip
