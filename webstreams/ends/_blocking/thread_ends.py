"""Sources and sinks over blocking calls, which are made in threads, one at a time."""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any, Final, Literal, TypeVar

from ..._engine.door import fulfill, ignored, reject
from ..._engine.jobs import JobQueue, current_jobs
from ..._engine.promise import AlgorithmPromise, Promise
from ..._platform.errors import LoopEndedError
from ..._platform.stages import note_stage
from ..._streams.door import fail_sink, fail_with, is_about_to_close, jobs_of_sink, when_aborted
from ..._streams.readable.byob_request import ReadableStreamBYOBRequest
from ..._streams.readable.byte_controller import ReadableByteStreamController
from ..._streams.readable.source import WholeSource
from ..._streams.writable.controller import WritableStreamDefaultController
from ..._streams.writable.sink import WholeSink
from .._bytes import view_of
from .gate import Interrupted
from .openings import Openings, openings_of
from .threads import call_in_thread, in_thread

# Chunks that wait are written in one call if they are smaller than this in the mean (bytes).
SMALL: Final = 8 * 1024


T = TypeVar("T")


class ThreadSource(WholeSource):
    """An underlying byte source: `take` is called in a thread when the stream is pulled.

    Bytes go straight into the memory of a BYOB reader. A default reader gets what one call has read, as one or more
    chunks. Whatever ends the reading releases what it needs: in the thread at the end or when it fails, and when the
    stream is cancelled after the call that is under way.
    """

    type: Literal["bytes"] = "bytes"
    # How long to wait when there was nothing, and that was not the end (seconds).
    interval: float = 0

    def __init__(self) -> None:
        # Set by `take`: there is no more.
        self.ended = False
        self._controller: ReadableByteStreamController
        self._is_busy = False
        self._timer: Any = None
        # What `pull` and `cancel` have returned; the latter waits until the last call has returned. The stream need not
        # convert the first one, which is not a user's.
        self._pulled: Promise[None]
        self._cancelled: Promise[None] | None = None
        # The end of the event loop knows of it.
        self._is_known = False

    # For subclasses.

    def take(self, view: memoryview | None) -> int | list[bytes]:
        """Fill a part of `view` and give its size, or give chunks; nothing at the end (`ended`). In a thread."""
        raise NotImplementedError

    def take_at_once(self, view: memoryview | None) -> int | bytes:
        """Fill a part of `view` and give its size, or give a chunk, if that does not have to wait. In the loop."""
        return 0

    def release(self) -> None:
        """Release every resource; may be called twice, in any thread."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """Let the call of `take` that is under way raise something now, if it could wait for long."""

    # What the stream calls.

    def pull(self, controller: ReadableByteStreamController) -> Promise[None] | None:
        """Take some bytes."""
        request = controller.byob_request
        taken = self.take_at_once(None if request is None else request.view)
        if taken:
            if request is not None:
                request.respond(taken)  # type: ignore[arg-type]
            else:
                controller.enqueue(taken)  # type: ignore[arg-type]
            return None
        jobs = current_jobs()
        self._make_known(jobs, controller)
        self._pulled = promise = AlgorithmPromise(jobs)
        self._begin(request)
        return promise

    def cancel(self, reason: object) -> Promise[None] | None:
        """Release everything; fulfilled when that is done."""
        if not self._is_busy:
            if self._timer is not None:
                self._timer.cancel()
            self.release()
            return None
        self._cancelled = promise = Promise(current_jobs())
        self.interrupt()
        return promise

    # What a pipe calls that has the sink empty the source.

    def lend(self, controller: ReadableByteStreamController) -> None:
        """Have no other call made meanwhile."""
        self._make_known(current_jobs(), controller)
        self._is_busy = True

    def take_back(self) -> None:
        """Go on, or be cancelled if that was wanted meanwhile."""
        self._is_busy = False
        if self._cancelled is not None:
            self.release()
            fulfill(self._cancelled)

    # In between.

    def _make_known(self, jobs: JobQueue, controller: ReadableByteStreamController) -> None:
        self._controller = controller
        if not self._is_known:
            self._is_known = True
            jobs.end.others.add(self)

    def _cut_off(self, error: LoopEndedError, is_late: bool) -> Promise[None] | None:
        """The event loop has ended: release everything. A call that was under way at a cancel is waited for, too."""
        if self._cancelled is not None and not is_late:
            return self._cancelled
        if self.ended or self._cancelled is not None:
            return None
        fail_with(self._controller, error)
        return self.cancel(error)

    def _begin_again(self) -> None:
        self._timer = None
        self._begin(self._controller.byob_request)

    def _begin(self, request: ReadableStreamBYOBRequest | None) -> None:
        self._is_busy = True
        view = None if request is None else request.view
        call_in_thread(partial(self._arrived, request), self._failed, self._take, view)

    def _take(self, view: memoryview | None) -> int | list[bytes]:
        if self._cancelled is not None:
            self.release()  # what earlier calls have opened
            return 0
        try:
            taken = self.take(view)
        except BaseException:
            self.release()
            raise
        if self.ended or self._cancelled is not None:
            self.release()  # now: the loop may be closed before it can do that
        return taken

    def _arrived(self, request: ReadableStreamBYOBRequest | None, taken: int | list[bytes]) -> None:
        try:
            self._deliver(request, taken)
        except TypeError as error:  # an end in the middle of an item
            reject(self._pulled, error)

    def _deliver(self, request: ReadableStreamBYOBRequest | None, taken: int | list[bytes]) -> None:
        self._is_busy = False
        if self._cancelled is not None:
            self.release()
            fulfill(self._cancelled)
            return
        if isinstance(taken, list):
            for chunk in taken:
                self._controller.enqueue(chunk)
        elif taken and request is not None:
            request.respond(taken)
        if self.ended:
            self._close()
        elif not taken:
            self._timer = get_running_loop().call_later(self.interval, self._begin_again)
            return
        fulfill(self._pulled)

    def _close(self) -> None:
        self._controller.close()
        request = self._controller.byob_request
        if request is not None:
            request.respond(0)

    def _failed(self, error: object) -> None:
        self._is_busy = False
        if self._cancelled is not None:
            fulfill(self._cancelled)
        else:
            reject(self._pulled, error)


class ThreadSink(WholeSink):
    """An underlying sink whose methods are called in threads, one after the other. What fails releases everything.

    One run of a thread opens, writes all that comes until there is no more, and finishes if that is wanted by then. The
    first run begins with the first chunk, or soon without one (`openings`); then it has all that comes in the same turn
    of the loop.
    With `behind`, a chunk counts as written when it is handed over, as long as less than so many bytes wait for the
    thread. A failure errors the stream when it happens.
    """

    # How much may wait for the thread (bytes).
    behind: int = 0

    def __init__(self) -> None:
        self._controller: WritableStreamDefaultController
        # What the loop and the thread have in common: the chunks that wait, how many bytes they have, and more.
        self._lock = Lock()
        self._waiting: list[Any] = []
        self._waiting_size = 0
        self._is_open = False
        self._is_closing = False
        self._is_discarded = False
        self._is_running = False
        # The run of the thread that is under way, or was the last; it ends when nothing waits.
        self._run: Promise[None]
        # Where it waits for the first run.
        self._openings: Openings | None = None

    # For subclasses.

    def open(self) -> None:
        """Begin. In a thread."""

    def put(self, chunk: Any) -> None:
        """Write a chunk. In a thread."""
        raise NotImplementedError

    def finish(self) -> None:
        """Finish and release everything. In a thread."""
        raise NotImplementedError

    def discard(self) -> None:
        """Undo what can be undone, and release everything; may be called twice. In a thread."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """Let a call that is under way raise `Interrupted` now, if it could wait for long. In the loop's thread."""

    @property
    def is_idle(self) -> bool:
        """Whether no thread works for the sink, which is open. In the loop's thread."""
        return self._is_open and not self._is_running

    # What the stream calls.

    def start(self, controller: WritableStreamDefaultController) -> None:
        """Open; the first chunk waits for it."""
        self._controller = controller
        # abort() comes only after the call that is under way.
        when_aborted(controller, self.interrupt)
        self._is_running = True
        jobs = jobs_of_sink(controller)
        self._run = AlgorithmPromise(jobs)
        self._openings = openings_of(jobs)
        self._openings.add(self)

    def write(self, chunk: Any, controller: WritableStreamDefaultController) -> Promise[None] | None:
        """Have a thread write a chunk, or leave it to the thread to write it soon."""
        try:
            own: Any = chunk if type(chunk) is bytes else view_of(chunk)
        except TypeError as error:
            return self._discard_after_run().then(partial(_reject, error))
        if self.behind and own is not chunk:
            own = own.tobytes()
        with self._lock:
            self._waiting.append(own)
            self._waiting_size += len(own)
            may_go_on = self._waiting_size < self.behind and (self._is_open or is_about_to_close(controller))
            must_begin, self._is_running = not self._is_running, True
        self._begin_if(must_begin)
        return None if may_go_on else self._run

    @property
    def takes_whole(self) -> bool:
        """Whether nobody could see what it does before the end."""
        return self.behind > 0

    def write_whole(self, chunk: bytes) -> Promise[None]:
        """Write a chunk and finish, in one run, which need not wait for more."""
        with self._lock:
            self._waiting.append(chunk)
            self._waiting_size += len(chunk)
            self._is_closing = True
            must_begin, self._is_running = not self._is_running, True
        if self._openings is not None:
            self._openings.discard(self)
            self.begin_first()
        else:
            self._begin_if(must_begin)
        return self._run

    def copy_whole(self, take: Callable[[], bytes | None], done: Callable[[object], None]) -> bool:
        """Have a thread take all there is, write it and finish; return False if another call has begun."""
        if self._openings is None:
            return False
        self._openings.discard(self)
        self._openings = None
        call_in_thread(
            partial(self._copied, done), partial(self._copy_failed, done), self._call, partial(self._copy, take)
        )
        return True

    def close(self) -> Promise[None]:
        """Finish, after everything that waits."""
        with self._lock:
            self._is_closing = True
            must_begin, self._is_running = not self._is_running, True
        self._begin_if(must_begin)
        return self._run

    def abort(self, reason: object) -> Promise[None]:
        """Discard, after the call that is under way."""
        return self._discard_after_run()

    def begin_first(self) -> None:
        """Begin the first run: nobody has written anything for a while, or all that came in this turn is there."""
        self._openings = None
        self._begin()

    # In between.

    def _begin_if(self, must_begin: bool) -> None:
        if must_begin:
            self._run = AlgorithmPromise(current_jobs())
            self._begin()
        elif self._openings is not None:
            self._openings.hurry(self)

    def _begin(self) -> None:
        run = self._run
        call_in_thread(partial(fulfill, run), partial(self._failed, run), self._call, self._work)

    def _failed(self, run: Promise[None], error: object) -> None:
        if isinstance(error, Interrupted):
            error = self._controller.signal.reason
        else:
            note_stage(error, self, "close()" if self._is_closing else "write()")
        reject(ignored(run), error)  # the stream tells
        fail_sink(self._controller, error)

    def _copied(self, done: Callable[[object], None], outcome: object) -> None:
        if outcome is False and not self._is_discarded:
            self._begin()
        else:
            self._is_running = False
            fulfill(self._run)
        done(outcome)

    def _copy_failed(self, done: Callable[[object], None], error: object) -> None:
        self._failed(self._run, error)
        done(False)

    def _discard_after_run(self) -> Promise[None]:
        with self._lock:
            self._is_discarded = True
            self._waiting.clear()
        if self._openings is not None:  # nothing is to be undone
            self._openings.discard(self)
            self._openings = None
            fulfill(self._run)
        return self._run.then(self._discard, self._discard)

    def _discard(self, _: object) -> Promise[None]:
        return in_thread(self.discard)

    # In a thread.

    def _call(self, method: Callable[[], T]) -> T:
        try:
            return method()
        except BaseException:
            self.discard()
            raise

    def _copy(self, take: Callable[[], bytes | None]) -> object:
        """Do all in one call; return what `copy_whole` tells."""
        try:
            content = take()
        except BaseException as error:
            return error
        if content is None:
            return False
        if self._was_discarded():  # a file in place keeps what it has
            return True
        self.open()
        self._is_open = True
        self.put(content)
        if not self._was_discarded():  # or else nobody has closed the stream
            self.finish()
        return True

    def _was_discarded(self) -> bool:
        with self._lock:
            return self._is_discarded

    def _work(self) -> None:
        if not self._is_open:
            self.open()
            self._is_open = True
        while True:
            with self._lock:
                chunks, size = self._waiting, self._waiting_size
                self._waiting, self._waiting_size = [], 0
                if not chunks and not self._is_closing:
                    self._is_running = False
                    return
            if not chunks:
                self.finish()
                return
            if len(chunks) > 1 and size < len(chunks) * SMALL:
                chunks = [b"".join(chunks)]  # one call that lets go of the interpreter, not one for each
            for chunk in chunks:
                self.put(chunk)


def _reject(error: object, _: object) -> Promise[None]:
    return Promise.reject(error)
