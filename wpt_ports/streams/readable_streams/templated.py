"""Port of streams/readable-streams/templated.any.js."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webstreams import Promise, ReadableStream
from wpt_ports.resources.rs_test_templates import (
    StreamAndReader,
    stream_and_default_reader,
    templated_rs_closed,
    templated_rs_closed_reader,
    templated_rs_empty,
    templated_rs_empty_reader,
    templated_rs_errored,
    templated_rs_errored_reader,
    templated_rs_errored_sync_only,
    templated_rs_throw_after_close_or_error,
    templated_rs_two_chunks_closed_reader,
    templated_rs_two_chunks_open_reader,
)
from wpt_ports.resources.rs_utils import readable_with_controller

the_error = Exception("boo!")
chunks = ["a", "b"]


def empty() -> ReadableStream[Any]:
    return ReadableStream()


def empty_reader() -> StreamAndReader:
    return stream_and_default_reader(empty())


def closed_in_start() -> ReadableStream[Any]:
    return ReadableStream({"start": lambda controller: controller.close()})


def closed_before_getting_reader() -> StreamAndReader:
    stream, controller = readable_with_controller()
    controller.close()
    return stream_and_default_reader(stream)


def closed_after_getting_reader() -> StreamAndReader:
    stream, controller = readable_with_controller()
    result = stream_and_default_reader(stream)
    controller.close()
    return result


def closed_via_cancel() -> ReadableStream[Any]:
    stream = empty()
    stream.cancel()
    return stream


def closed_via_reader_cancel() -> StreamAndReader:
    result = empty_reader()
    result.reader.cancel()
    return result


def errored_in_start() -> ReadableStream[Any]:
    return ReadableStream({"start": lambda controller: controller.error(the_error)})


def errored_by_start_promise() -> ReadableStream[Any]:
    return ReadableStream({"start": lambda controller: Promise.reject(the_error)})


def errored_by_start_promise_reader() -> StreamAndReader:
    return stream_and_default_reader(errored_by_start_promise())


def errored_before_getting_reader() -> StreamAndReader:
    stream, controller = readable_with_controller()
    controller.error(the_error)
    return stream_and_default_reader(stream)


def errored_after_getting_reader() -> StreamAndReader:
    stream, controller = readable_with_controller()
    result = stream_and_default_reader(stream)
    controller.error(the_error)
    return result


def two_chunks() -> tuple[ReadableStream[Any], Any]:
    stream, controller = readable_with_controller()
    for chunk in chunks:
        controller.enqueue(chunk)
    return stream, controller


def two_chunks_open_reader() -> StreamAndReader:
    stream, _ = two_chunks()
    return stream_and_default_reader(stream)


def two_chunks_closed_reader() -> StreamAndReader:
    stream, controller = two_chunks()
    result = stream_and_default_reader(stream)
    controller.close()
    return result


def over_source(members: Mapping[str, Any]) -> ReadableStream[Any]:
    source: Any = members
    stream: ReadableStream[Any] = ReadableStream(source)
    return stream


templated_rs_empty(__name__, "ReadableStream (empty)", empty)
templated_rs_empty_reader(__name__, "ReadableStream (empty) reader", empty_reader)
templated_rs_closed(__name__, "ReadableStream (closed via call in start)", closed_in_start)
templated_rs_closed_reader(
    __name__, "ReadableStream reader (closed before getting reader)", closed_before_getting_reader
)
templated_rs_closed_reader(__name__, "ReadableStream reader (closed after getting reader)", closed_after_getting_reader)
templated_rs_closed(__name__, "ReadableStream (closed via cancel)", closed_via_cancel)
templated_rs_closed_reader(
    __name__, "ReadableStream reader (closed via cancel after getting reader)", closed_via_reader_cancel
)
templated_rs_errored(__name__, "ReadableStream (errored via call in start)", errored_in_start, the_error)
templated_rs_errored_sync_only(__name__, "ReadableStream (errored via call in start)", errored_in_start, the_error)
templated_rs_errored(
    __name__,
    "ReadableStream (errored via returning a rejected promise in start)",
    errored_by_start_promise,
    the_error,
)
templated_rs_errored_reader(
    __name__,
    "ReadableStream (errored via returning a rejected promise in start) reader",
    errored_by_start_promise_reader,
    the_error,
)
templated_rs_errored_reader(
    __name__, "ReadableStream reader (errored before getting reader)", errored_before_getting_reader, the_error
)
templated_rs_errored_reader(
    __name__, "ReadableStream reader (errored after getting reader)", errored_after_getting_reader, the_error
)
templated_rs_two_chunks_open_reader(
    __name__, "ReadableStream (two chunks enqueued, still open) reader", two_chunks_open_reader, chunks
)
templated_rs_two_chunks_closed_reader(
    __name__, "ReadableStream (two chunks enqueued, then closed) reader", two_chunks_closed_reader, chunks
)
templated_rs_throw_after_close_or_error(__name__, "ReadableStream", over_source)
