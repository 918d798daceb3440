"""Port of streams/readable-byte-streams/templated.any.js."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from webstreams import Promise, ReadableStream
from wpt_ports.resources.byte_views import assert_typed_array_equals, byte_stream, uint8
from wpt_ports.resources.rs_test_templates import (
    StreamAndReader,
    stream_and_default_reader,
    templated_rs_empty,
    templated_rs_empty_reader,
    templated_rs_throw_after_close_or_error,
)


class EndResult(NamedTuple):
    value: object
    done: bool


class ReaderWithViews:
    """A BYOB reader whose `read()` brings the view that the template does not know of."""

    def __init__(self, reader: Any) -> None:
        self.cancel = reader.cancel
        self.release_lock = reader.release_lock
        self._reader = reader

    @property
    def closed(self) -> Promise[None]:
        closed: Promise[None] = self._reader.closed
        return closed

    def read(self) -> Promise[Any]:
        promise: Promise[Any] = self._reader.read(bytearray(1)).then(without_empty_view)
        return promise


def without_empty_view(result: Any) -> EndResult:
    """Upstream's comparison takes the empty view of a closed stream for undefined; here it has to be one."""
    assert_typed_array_equals(result.value, uint8(0)[:0])
    return EndResult(None, result.done)


def empty_with_default_reader() -> StreamAndReader:
    return stream_and_default_reader(byte_stream())


def empty_with_byob_reader() -> StreamAndReader:
    stream = byte_stream()
    return StreamAndReader(stream, ReaderWithViews(stream.get_reader(mode="byob")))


def with_members(members: Mapping[str, Any]) -> ReadableStream[Any]:
    return byte_stream(**members)


templated_rs_empty(__name__, "ReadableStream with byte source (empty)", byte_stream)
templated_rs_empty_reader(__name__, "ReadableStream with byte source (empty) default reader", empty_with_default_reader)
templated_rs_empty_reader(__name__, "ReadableStream with byte source (empty) BYOB reader", empty_with_byob_reader)
templated_rs_throw_after_close_or_error(__name__, "ReadableStream with byte source", with_members)
