"""Upstream ``encoding/streams/resources/``: a stream of the items of a list, and the list of the chunks of a stream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from webstreams import Promise, ReadableStream, WritableStream


def readable_stream_from_array(items: Iterable[Any]) -> ReadableStream[Any]:
    """Make a stream that has all items in its queue and is closed behind them."""

    def start(controller: Any) -> None:
        for item in items:
            controller.enqueue(item)
        controller.close()

    return ReadableStream({"start": start})


def readable_stream_to_array(stream: ReadableStream[Any]) -> Promise[list[Any]]:
    """Pipe the stream into a sink that keeps the chunks."""
    chunks: list[Any] = []
    sink = WritableStream[Any]({"write": lambda chunk, controller: chunks.append(chunk)})
    return stream.pipe_to(sink).then(lambda _: chunks)
