"""How a pipe gives chunks to a sink of the library's own that takes them at once (`UnderlyingSink.take_at_once`).

Not in the Standard. Nothing is written for such a chunk, and nothing is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..writable.sink import UnderlyingSink
from .iterable import IterableSource


class Taker:
    """The sink of a pipe; what it does not take is written."""

    __slots__ = ("_pipe", "_sink")

    def __init__(self, pipe: Any, sink: UnderlyingSink) -> None:
        self._pipe = pipe
        self._sink = sink

    def begin(self) -> None:
        """Have an iterator asked for one item after the other, as long as they are taken and nothing else happens."""
        self._have_items_taken(self._takes_item)

    def end(self) -> None:
        """The pipe has ended: others may read."""
        self._have_items_taken(None)

    def _have_items_taken(self, takes: Callable[[Any], bool] | None) -> None:
        source = self._pipe.source._controller._source
        if isinstance(source, IterableSource):
            source.takes = takes

    def takes(self, chunk: Any) -> bool:
        """Whether the sink has taken the chunk; not while others wait, nor when somebody observes what is written."""
        sink = self._sink
        dest = self._pipe.dest
        controller = dest._controller
        return (
            sink.take_at_once is not None
            and not controller._queue.chunks
            and dest._state == "writable"
            and dest._close_request is None
            and controller._started
            and controller._write_watch is None
            and sink.take_at_once(chunk)
        )

    def _takes_item(self, item: Any) -> bool:
        """Take an item of the iterator for which the read waits, in a job, and when nothing else is to be done."""
        pipe = self._pipe
        take = self._sink.take_at_once
        dest = pipe.dest
        controller = dest._controller
        return (
            take is not None
            and not pipe.shutting_down
            and bool(pipe.reader._read_requests)
            and pipe.source._controller._meter is None
            # takes(), without the call: this is done for every chunk.
            and not controller._queue.chunks
            and dest._state == "writable"
            and controller._started
            and controller._write_watch is None
            and take(item)
        )
