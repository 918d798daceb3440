"""What a chain of operators takes chunks from: a stream, or what a function of ``flat_map()`` returned."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from operator import length_hint
from typing import Any, ClassVar, Final

from ...._engine.jobs import Job, JobQueue
from ...._engine.promise import NEVER_AWAITABLE, Promise
from ...._engine.pump import Pump
from ...._platform.buffer import is_bytes_like
from ...._platform.idl import INTERNAL
from ...._platform.mypyc import trait
from ...part import Part
from ..controller import ReadableStreamDefaultController
from ..iterable import IterableSource, open_iterable
from ..reader import ReadableStreamDefaultReader
from ..state import ReadableStreamState, ReadRequest
from .marks import ENDED


@trait
class Owner:
    """What an input tells of what comes later than it was asked for."""

    __slots__ = ()

    def input_gave(self, source: Input, chunk: Any) -> None:
        """A chunk has come."""
        raise NotImplementedError

    def input_ended(self) -> None:
        """There will be no more."""
        raise NotImplementedError

    def input_failed(self, error: object) -> None:
        """The input is errored."""
        raise NotImplementedError


# Iterators that call nothing for an item.
SILENT: Final = frozenset({type(iter([])), type(iter(())), type(iter(range(0))), type(iter(range(2**64)))})

# How often to look whether the iterator of a stream can be asked without it: the stream may not have started yet.
TRIES_TO_SHARE: Final = 4


class Input(ReadRequest, Part):
    """One input, and the request of every read of it.

    A chunk of a stream goes on in a job of its own, as it does behind a pipe: functions must not be called while a
    source calls ``enqueue()``, and a run of the fast path knows what a job does.
    """

    __slots__ = ("_chunk", "_jobs", "_on_end", "_on_input", "_pumped", "iterator", "owner", "position", "reader",
                 "tries_to_share")  # fmt: skip
    _constant: ClassVar[tuple[str, ...]] = (
        "_jobs", "_on_end", "_on_input", "_pumped", "iterator", "owner", "position", "reader", "tries_to_share",
    )  # fmt: skip
    _chunk_slots: ClassVar[tuple[str, ...]] = ("_chunk",)

    def __init__(
        self,
        owner: Owner,
        jobs: JobQueue,
        position: int,
        reader: ReadableStreamDefaultReader[Any] | None,
        iterator: Iterator[Any] | None,
    ) -> None:
        self.owner = owner
        self._jobs = jobs
        # The index of the step that its chunks go to.
        self.position = position
        # The lock of a stream; None when the input has ended, and for an iterator.
        self.reader = reader
        # What is iterated over without a stream between (`share_iterator`), and how often to look for that.
        self.iterator = iterator
        self.tries_to_share = TRIES_TO_SHARE if position == 0 else 0
        # What takes the items of an asynchronous generator that is shared so.
        self._pumped: Pump | None = None
        # The chunk that has been read, and the jobs that tell the owner.
        self._chunk: Any = None
        self._on_input: Job = self._take_input
        self._on_end: Job = owner.input_ended

    def is_stream(self) -> bool:
        """Whether it is a stream that is read from, for good."""
        return self.iterator is None and self.tries_to_share == 0

    def has_plenty(self) -> bool:
        """Whether the stream has so many chunks in its queue that a read does nothing but take one."""
        reader = self.reader
        if reader is None or reader._stream is None:
            return False
        queue = reader._queue
        return queue.total >= queue.plenty

    def take_of_many(self) -> Any:
        """Take one of them."""
        assert self.reader is not None and self.reader._stream is not None
        self.reader._stream._disturbed = True
        queue = self.reader._queue
        queue.total -= 1
        return queue.chunks.popleft()

    def ask(self) -> None:
        """Read from the stream: the owner is told later. The last thing that a job does, for a source may be called."""
        reader = self.reader
        stream = None if reader is None else reader._stream
        if reader is None or stream is None:
            self._jobs.push(self._on_end)
        elif stream._state == "readable":
            stream._disturbed = True
            stream._controller._pull_steps(self)
        else:
            reader._read(self)

    def chunk_steps(self, chunk: Any) -> None:
        """A chunk is there."""
        self._chunk = chunk
        self._jobs.push(self._on_input)

    def _take_input(self) -> None:
        chunk, self._chunk = self._chunk, None
        self.owner.input_gave(self, chunk)

    def _ends_with_callback(self, job: Job) -> bool:
        """Tell the fast path that the functions are called last, or the source for the next chunk."""
        return job == self._take_input

    def close_steps(self, chunk: Any = None) -> None:
        """The stream is closed."""
        if self.reader is not None:
            self._jobs.push(self._on_end)

    def error_steps(self, error: object) -> None:
        """The stream is errored."""
        if self.reader is not None:
            self.owner.input_failed(error)

    def share_iterator(self) -> bool:
        """Iterate from now on over what the stream takes its chunks from, if nobody could tell who asks it."""
        assert self.reader is not None and self.reader._stream is not None
        source = _shared_source(self.reader._stream)
        if source is None:
            return False
        self._pumped = source.pump
        self.iterator = source._iterator if source.pump is None else source.pump.items()
        return True

    def has_items_at_once(self) -> bool:
        """Whether it is an iterator that calls nothing for an item, and that has any."""
        return type(self.iterator) in SILENT and length_hint(self.iterator) > 0

    def take_at_once(self, most: int) -> list[Any]:
        """Take up to so many of them, if there are any, as long as none may be awaitable."""
        assert self.iterator is not None
        items: list[Any] = []
        for item in islice(self.iterator, max(most, 0)):
            if type(item) not in NEVER_AWAITABLE:
                self.put_back(item)
                break
            items.append(item)
        return items

    def put_back(self, item: Any) -> None:
        """Have an item that was taken from the iterator come next; it is one that calls something from now on."""
        if self.iterator is not None:
            self.iterator = chain((item,), self.iterator)

    def may_have_more(self) -> bool:
        """Whether the iterator has ended only because the item that it was asked for is not there yet."""
        return self._pumped is not None and not self._pumped.is_over

    def wait_for_item(self) -> None:
        """Have the stream itself wait for that."""
        assert self._pumped is not None
        if self.iterator is not None:  # nobody has begun to observe
            self.iterator = self._pumped.items()
        self._begin_read().wait_for_item()

    def wait_for_awaitable(self, item: Any) -> None:
        """Have the stream itself wait for an awaitable item."""
        self._begin_read().wait_for_awaitable(item)

    def _begin_read(self) -> IterableSource:
        assert self.reader is not None and self.reader._stream is not None
        controller: Any = self.reader._stream._controller
        self.reader._read_requests.append(self)
        controller._pulling = True
        source = controller._source
        assert isinstance(source, IterableSource)
        source._controller = controller
        return source

    def end(self) -> None:
        """Release the lock: the input has ended, or is errored."""
        reader, self.reader = self.reader, None
        if reader is not None and reader._stream is not None:
            reader._release()
        self.iterator = None

    def cancel(self, reason: object) -> Promise[Any] | None:
        """Cancel the stream or close the iterator; None if there is nothing to wait for."""
        reader, self.reader = self.reader, None
        iterator, self.iterator = self.iterator, None
        if reader is not None and reader._stream is not None:
            result = reader._generic_cancel(reason)
            reader._release()
            return result
        close = getattr(iterator, "close", None)
        if close is not None:
            close()
        return None


def may_be_shared(stream: ReadableStreamState[Any]) -> bool:
    """Whether a stream takes its chunks from an iterator, which could be asked without it."""
    controller: Any = stream._controller
    source = controller._source if type(controller) is ReadableStreamDefaultController else None
    return type(source) is IterableSource and (not source.is_async or source.pump is not None)


def may_share_soon(stream: ReadableStreamState[Any]) -> bool:
    """Whether `Input.share_iterator` is worth another look, when the jobs that are queued have run: the stream is
    new."""
    controller: Any = stream._controller
    is_new = stream._state == "readable" and not controller._started
    return is_new and may_be_shared(stream) and controller._strategy_hwm == 0


def _shared_source(stream: ReadableStreamState[Any]) -> IterableSource | None:
    """Return what a stream takes its chunks from, if nobody could tell who calls its iterator."""
    controller: Any = stream._controller
    if stream._state != "readable" or not may_be_shared(stream) or not controller._can_pull:
        return None
    if controller._pulling or controller._queue.chunks or controller._strategy_hwm != 0:
        return None
    if controller._meter is not None:  # somebody observes
        return None
    source = controller._source
    assert isinstance(source, IterableSource)
    return source if source.is_async or hasattr(type(source._iterator), "__iter__") else None


def stream_over(iterable: Any, jobs: JobQueue) -> ReadableStreamState[Any]:
    """Return a stream of the items of an async iterable, for ourselves."""
    stream: ReadableStreamState[Any] = ReadableStreamState(jobs)
    ReadableStreamDefaultController(INTERNAL, stream, IterableSource(iterable, jobs), 0, None)
    return stream


def inner_input(owner: Owner, jobs: JobQueue, position: int, iterable: Any) -> Input:
    """Return an input over what a function of ``flat_map()`` gave."""
    if isinstance(iterable, ReadableStreamState):
        return Input(owner, jobs, position, ReadableStreamDefaultReader(iterable), None)
    if isinstance(iterable, str) or is_bytes_like(iterable):
        raise TypeError(
            f"the function of flat_map() must return an iterable of chunks, and a {type(iterable).__name__} is most "
            "likely one chunk: return it in a list"
        )
    if not (hasattr(type(iterable), "__aiter__") or hasattr(type(iterable), "__iter__")):
        raise TypeError(
            "the function of flat_map() must return an iterable, an async iterable or a ReadableStream, "
            f"not {type(iterable).__name__}"
        )
    is_async, iterator = open_iterable(iterable)
    if not is_async:
        is_iterable = hasattr(type(iterator), "__iter__")
        return Input(owner, jobs, position, None, iterator if is_iterable else _items_of(iterator))
    return Input(owner, jobs, position, ReadableStreamDefaultReader(stream_over(iterator, jobs)), None)


def _items_of(iterator: Any) -> Iterator[Any]:
    """Iterate over an iterator that is not iterable itself."""
    while (item := next(iterator, ENDED)) is not ENDED:
        yield item
