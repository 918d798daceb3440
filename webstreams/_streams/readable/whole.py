"""Pipes of what is there already into a sink that takes it, and the end, in one call. Not in the Standard.

A pipe reads a chunk after some jobs, writes it after some more, and closes after others: of a small file, that costs
more than all that the system does. Where nobody can see any of these steps, all of them are one. The sink is that
of a file, and the source is

- a list or a tuple of the user's with a few small chunks,
- or one of the library's that is emptied in a thread, if it is small: then the sink does so, in its own thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import length_hint
from typing import Any, Final

from ..._engine.promise import CallPromise, Promise
from ..._platform.idl import do_nothing
from ..writable.controller import WritableStreamDefaultController
from ..writable.sink import UnderlyingSink, WholeSink
from ..writable.state import WritableStreamState
from .byte_controller import ReadableByteStreamController
from .controller import ReadableStreamDefaultController
from .iterable import IterableSource
from .source import UnderlyingSource, WholeSource

# Iterators that run no code of users.
_QUIET: Final[tuple[type, ...]] = (type(iter([])), type(iter(())))
# How many chunks are looked at.
MOST_CHUNKS: Final = 16


def may_be_whole(pipe: Any) -> bool:
    """Return whether it is worth a look, when a pipe has begun, whether all goes in one call."""
    if pipe.options.prevent_close or pipe.shutting_down:
        return False
    controller = pipe.source._controller
    if type(controller) is ReadableStreamDefaultController:
        if type(controller._source) is not IterableSource:
            return False
        iterator = controller._source._iterator
        may_be = type(iterator) in _QUIET and 0 < length_hint(iterator) <= MOST_CHUNKS
    else:
        may_be = type(controller) is ReadableByteStreamController and _whole_source_of(pipe) is not None
    sink = pipe.dest._controller._sink
    return may_be and type(sink) is UnderlyingSink and sink.whole is not None


def begin_whole(pipe: Any) -> bool:
    """Pass on all at once, with the end, if nobody can see that; return whether that is done or under way."""
    source, dest = pipe.source, pipe.dest
    sink = _whole_sink_of(pipe)
    if (
        pipe.shutting_down
        or sink is None
        or not _is_idle(source._controller, dest)
        or source._state != "readable"
        or source._returned
        or not source._jobs.takes_many()
    ):
        return False
    if type(source._controller) is ReadableByteStreamController:
        return _Copy(pipe, sink).begin()
    chunk = _take_chunks(source._controller, dest._controller._strategy_hwm)
    if chunk is None:
        return False
    _end(pipe, partial(sink.write_whole, chunk))
    return True


def _whole_sink_of(pipe: Any) -> WholeSink | None:
    """Return the sink if it takes all in one call, and nobody has put something of their own in its place."""
    sink = pipe.dest._controller._sink
    if type(sink) is not UnderlyingSink:
        return None
    whole = sink.whole
    if whole is None or not whole.takes_whole:
        return None
    return whole if getattr(sink.write, "__self__", None) is whole else None


def _whole_source_of(pipe: Any) -> WholeSource | None:
    """Return the source if it may give all in one call, nobody has put something of their own in its place, and nobody
    is to keep what a pipe that ends early has left."""
    if pipe.options.prevent_abort or pipe.options.prevent_cancel or pipe.options.signal is not None:
        return None
    source = pipe.source._controller._source
    if type(source) is not UnderlyingSource:
        return None
    whole = source.whole
    if whole is None or not whole.gives_whole:
        return None
    return whole if getattr(source.pull, "__self__", None) is whole else None


def _is_idle(controller: Any, dest: WritableStreamState[Any]) -> bool:
    """Whether both streams have begun, nothing is under way or on its way in them, and nobody observes them."""
    destination: Any = dest._controller
    return (
        controller._started
        and not controller._pulling
        and not controller._close_requested
        and not controller._has_queued()
        and controller._meter is None
        and dest._state == "writable"
        and not dest._close_queued_or_in_flight()
        and destination._started
        and not destination._queue.chunks
        and destination._write_watch is None
    )


def _take_chunks(controller: Any, limit: float) -> bytes | None:
    """Return all chunks of a list, joined; or None, and leave them, if they are not all small and `bytes`."""
    given = controller._source
    if given.give != given._give_next:
        return None
    chunks = list(given._iterator)
    size: int | float = 0
    for chunk in chunks:
        size += len(chunk) if type(chunk) is bytes else limit
    if size >= limit:
        given._iterator = iter(chunks)
        return None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _end(pipe: Any, close: Callable[[], Promise[None] | None]) -> None:
    """The source has given all: close its stream, and the destination by a function that closes the sink."""
    pipe.shutting_down = True
    pipe.reader._closed_promise = None  # nobody need tell the pipe
    pipe.source._controller._close()
    pipe._perform(partial(_close, pipe.dest, close), ())


def _close(dest: WritableStreamState[Any], close: Callable[[], Promise[None] | None]) -> Promise[None]:
    controller = dest._controller
    assert isinstance(controller, WritableStreamDefaultController)
    dest._close_request = promise = CallPromise(dest._jobs, "close() of", dest)
    controller._begin_close(close)
    return promise


class _Copy:
    """What is done in one call of a thread; until that has returned, both streams are as while the first read is under
    way."""

    __slots__ = ("_pipe", "_sink", "_source")

    def __init__(self, pipe: Any, sink: WholeSink) -> None:
        self._pipe = pipe
        self._sink = sink
        self._source = _whole_source_of(pipe)

    def begin(self) -> bool:
        """Have the thread begin, if it can; return whether it does."""
        source, controller = self._source, self._pipe.source._controller
        if source is None or controller._pending_pull_intos or not self._sink.copy_whole(source.take_whole, self._done):
            return False
        source.lend(controller)
        return True

    def _done(self, outcome: object) -> None:
        pipe, source = self._pipe, self._source
        assert source is not None
        source.take_back()
        if pipe.shutting_down or pipe.source._state != "readable" or pipe.dest._state != "writable":
            return  # the pipe has ended, or will know of it
        if outcome is True:
            _end(pipe, do_nothing)
        elif outcome is False:
            pipe._begin()
        else:
            pipe.source._controller._callback_rejected(outcome)
