"""A transform that makes only what is asked for: a pair of streams around a codec.

A transform stream hands a whole chunk to ``transform()``, which has no way to wait in the middle until the readable
side has room again. Here the reader drives instead: each pull makes one piece, and a write is done when its chunk has
been used up and everything that it gave has been taken. As in a transform stream, a chunk waits for the first pull, an
error of one side is the error of the other, and cancelling or aborting throws the codec away.

Work that takes long runs in a thread of the loop's default executor, one call at a time, and no stream callback is a
coroutine: so no cancellation of a task can come in the middle of a call, and a call that runs is waited for.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from typing_extensions import TypeVar

from .._debug.repr import Marker
from .._engine.jobs import queue_microtask
from .._engine.promise import Promise
from .._platform.stages import note_stage
from .._streams.door import fail_sink, fail_with
from .._streams.readable.stream import ReadableStream
from .._streams.writable.stream import WritableStream

if TYPE_CHECKING:
    from .._streams.abort import Event
    from .._streams.readable.controller import ReadableStreamDefaultController
    from .._streams.writable.controller import WritableStreamDefaultController

# The longest piece, and about what a codec makes before it returns from a thread (bytes): to go to one and back costs
# about as much as to make a piece.
PIECE: Final = 65536
STEP: Final = 4 * PIECE

M_co = TypeVar("M_co", covariant=True, default=bytes)

_NOTHING: Final = Marker("no chunk")


class Codec(Protocol[M_co]):
    """What makes pieces of chunks. Its methods are never called while another call of them runs."""

    @property
    def used_up(self) -> bool:
        """Whether the chunk is used up and everything that it gave has been returned."""
        ...

    @property
    def failure(self) -> Exception | None:
        """What is wrong behind the piece that ``step()`` returned."""
        ...

    def take(self, chunk: Any) -> None:
        """Accept the next chunk; the one before is used up. Raises `TypeError` if it is not bytes."""

    def is_quick(self) -> bool:
        """Whether the next call of ``step()`` or ``finish()`` is too short to be worth a thread."""
        ...

    def step(self) -> M_co:
        """Work on the chunk and give what comes out, of about `STEP` bytes at most; it may be empty."""
        ...

    def finish(self) -> M_co:
        """Return the rest, after the last chunk."""
        ...


class _Call:
    """A call for a thread, which lets go of the codec before it tells of the result; the thread itself comes later."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[], bytes]) -> None:
        self._function = function

    def __call__(self) -> bytes:
        """Call the function, once."""
        function = self._function
        del self._function
        return function()


class PulledPair:
    """The two streams, `readable` and `writable`, and what passes between them."""

    __slots__ = (
        "__weakref__",
        "_aborted",
        "_call_ended",
        "_chunk",
        "_closing",
        "_codec",
        "_going_on",
        "_loop",
        "_pieces",
        "_readable_controller",
        "_resolve_call_ended",
        "_settle_write",
        "_taken",
        "_wanted",
        "_writable_controller",
        "readable",
        "stage_name",
        "writable",
    )

    _readable_controller: ReadableStreamDefaultController[Any]
    _writable_controller: WritableStreamDefaultController

    def __init__(self, codec: Codec[Any], stage: str) -> None:
        # Which stage of a pipeline it is, in the notes of errors.
        self.stage_name = stage
        # None when the pair has ended: closed, errored, cancelled or aborted.
        self._codec: Codec[Any] | None = codec
        # The chunk of the write under way, whether the codec has it, and the functions that settle the write.
        self._chunk: Any = _NOTHING
        self._taken = False
        self._settle_write: tuple[Callable[[None], None], Callable[[object], None]] | None = None
        # What was made and not yet asked for: the rest of an output that was longer than a piece.
        self._pieces: deque[bytes] = deque()
        self._wanted = False
        self._going_on = False
        self._aborted = False
        self._closing = False
        # Pending while a thread works.
        self._call_ended: Promise[None] | None = None
        self._resolve_call_ended: Callable[[None], None] | None = None
        self.readable: ReadableStream[Any] = ReadableStream(
            {"start": self._start_readable, "pull": self._pull, "cancel": self._cancel}, {"high_water_mark": 0}
        )
        self.writable: WritableStream[Any] = WritableStream(
            {"start": self._start_writable, "write": self._write, "close": self._close, "abort": self._abort},
            {"high_water_mark": 1},
        )
        self._loop = asyncio.get_running_loop()

    # What the streams call.

    def _start_readable(self, controller: ReadableStreamDefaultController[bytes]) -> None:
        self._readable_controller = controller

    def _start_writable(self, controller: WritableStreamDefaultController) -> None:
        self._writable_controller = controller
        controller.signal.add_event_listener("abort", self._abort_write)

    def _pull(self, controller: ReadableStreamDefaultController[bytes]) -> None:
        self._wanted = True
        self._go_on()

    def _write(self, chunk: Any, controller: WritableStreamDefaultController) -> Promise[None]:
        promise, *settle = Promise.with_resolvers()
        self._chunk = chunk
        self._settle_write = (settle[0], settle[1])
        self._go_on()
        return promise

    def _close(self) -> Promise[None] | None:
        codec = self._codec
        assert codec is not None
        self._closing = True
        try:
            if codec.is_quick():
                self._end(codec.finish())
                return None
            self._call(codec.finish, self._finished)
        except BaseException as error:
            self._fail(error)
            if not isinstance(error, Exception):
                raise
            return Promise.reject(error)
        promise, *settle = Promise.with_resolvers()
        self._settle_write = (settle[0], settle[1])
        return promise

    def _cancel(self, reason: object) -> Promise[None] | None:
        self._drop_codec()
        if not self._closing:
            fail_sink(self._writable_controller, reason)
            if self._call_ended is None:
                self._end_write(reason)
        return self._call_ended

    def _abort(self, reason: object) -> None:
        self._drop_codec()
        fail_with(self._readable_controller, reason)

    def _abort_write(self, _: Event) -> None:
        """Let a write go that waits: the writable stream calls `_abort` when it is done."""
        self._aborted = True
        if self._call_ended is None:
            self._end_write(self._writable_controller.signal.reason)

    # The work.

    def _go_on(self) -> None:
        """Enqueue one piece, if a read waits for one and there is input to make it from."""
        if self._going_on or not self._can_go_on():
            return
        self._going_on = True
        try:
            if self._pieces:
                self._give_piece()
            else:
                self._work()
        finally:
            self._going_on = False
        if self._can_go_on():
            queue_microtask(self._go_on)

    def _can_go_on(self) -> bool:
        has_input = bool(self._pieces) or self._chunk is not _NOTHING
        return self._wanted and has_input and self._call_ended is None and self._codec is not None

    def _work(self) -> None:
        codec = self._codec
        assert codec is not None
        try:
            if not self._taken:
                codec.take(self._chunk)
                self._taken = True
            if not codec.used_up and not codec.is_quick():
                self._call(codec.step, self._stepped)
                return
            made = b"" if codec.used_up else codec.step()
        except BaseException as error:
            self._fail(error)
            if not isinstance(error, Exception):
                raise
        else:
            self._accept(made)

    def _call(self, function: Callable[[], bytes], then: Callable[[Future[bytes]], None]) -> None:
        """Have a thread call `function`."""
        future = self._loop.run_in_executor(None, _Call(function))
        self._call_ended, self._resolve_call_ended, _ = Promise.with_resolvers()
        future.add_done_callback(then)

    def _end_call(self, future: Future[bytes]) -> BaseException | None:
        """Finish the bookkeeping of a call in a thread; return its error, or None."""
        assert self._resolve_call_ended is not None
        self._resolve_call_ended(None)
        self._call_ended = self._resolve_call_ended = None
        if future.cancelled():
            return RuntimeError("the event loop's default executor was shut down before it did its work")
        return future.exception()

    def _stepped(self, future: Future[bytes]) -> None:
        """The thread is done with a step."""
        error = self._end_call(future)
        if self._codec is None:
            self._end_write()  # cancelled meanwhile: nobody wants it
        elif error is not None:
            self._fail(error)
        else:
            self._going_on = True
            self._accept(future.result())
            self._going_on = False
            self._go_on()

    def _finished(self, future: Future[bytes]) -> None:
        """The thread is done with the rest."""
        error = self._end_call(future)
        if self._codec is None:
            self._end_write()
        elif error is not None:
            self._fail(error)
        else:
            self._end(future.result())
            self._end_write()

    def _accept(self, made: Any) -> None:
        """Take over what a step made."""
        if made:
            self._pieces.extend(_pieces_of(made))
            self._give_piece()
        else:
            self._end_write_if_used_up()

    def _give_piece(self) -> None:
        self._wanted = False
        self._readable_controller.enqueue(self._pieces.popleft())
        if not self._pieces:
            self._end_write_if_used_up()
        elif self._aborted:
            self._end_write(self._writable_controller.signal.reason)

    def _end_write_if_used_up(self) -> None:
        codec = self._codec
        assert codec is not None
        if codec.failure is not None:
            self._fail(codec.failure)
        elif codec.used_up:
            self._end_write()
        elif self._aborted:
            self._end_write(self._writable_controller.signal.reason)

    # The ends.

    def _end(self, rest: Any) -> None:
        """Enqueue the rest, without waiting for a read (like a transform stream's flush()), and close."""
        self._drop_codec()
        for piece in _pieces_of(rest):
            self._readable_controller.enqueue(piece)
        self._readable_controller.close()

    def _fail(self, error: BaseException) -> None:
        """Error both sides."""
        self._drop_codec()
        note_stage(error, self, "transform()")
        if isinstance(error, (TypeError, ValueError)):
            _forget_frames(error)
        fail_with(self._readable_controller, error)
        fail_sink(self._writable_controller, error)
        self._end_write(error)

    def _drop_codec(self) -> None:
        self._codec = None
        self._pieces.clear()

    def _end_write(self, reason: object = _NOTHING) -> None:
        """Settle the write (or the close) under way, if there is one: fulfilled, or rejected with a reason."""
        self._chunk = _NOTHING
        self._taken = False
        if self._settle_write is None:
            return
        (resolve, reject), self._settle_write = self._settle_write, None
        if reason is _NOTHING:
            resolve(None)
        else:
            reject(reason)


def _forget_frames(error: BaseException) -> None:
    """Let go of the frames of an error that a codec raised about its input: the streams keep it, and they the codec."""
    for each in (error, error.__cause__, error.__context__):
        if each is not None:
            each.__traceback__ = None


def _pieces_of(made: bytes) -> list[bytes]:
    if len(made) <= PIECE:
        return [made] if made else []
    return [made[start : start + PIECE] for start in range(0, len(made), PIECE)]
