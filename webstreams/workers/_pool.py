"""The two sides of one worker or of several: the underlying source and sink."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from .._engine.jobs import current_jobs
from .._engine.promise import Promise
from .._platform.errors import LoopEndedError, as_exception
from .._platform.stages import note_stage, stage_name
from .._streams.door import enqueue_all, fail_sink, fail_with, takes_short_bursts
from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.writable.controller import WritableStreamDefaultController
from ._channel import Channel, Done
from ._frames import CANCEL, ERROR
from ._hosts import Job

# With so few chunks that may be sent, or fewer, a write has to wait before a run of the fast path is worth its start.
SHORT_WINDOW: Final = 32


class Pool:
    """Gives each chunk to the worker with the least to do; takes what comes, in the order of the chunks or as it comes.

    What a worker sends before it has done with a chunk belongs to that chunk. What it sends after its last one comes
    after all others.
    """

    _source: ReadableStreamDefaultController[Any]
    _sink: WritableStreamDefaultController

    def __init__(self, job: Job, count: int, window: int, ordered: bool) -> None:
        self._function = job.function
        # By which errors name the stage (`note_stage`).
        self.stage_name = stage_name(job.function)
        # For each chunk that was sent and is not done, the worker that has it, if the order matters.
        self._order: deque[Channel] = deque()
        self._is_ordered = ordered and count > 1
        self._takes_short_bursts = count * window <= SHORT_WINDOW
        self._is_wanted = False
        self._is_delivering = False
        self._some_have_ended = False
        self._readable_is_over = False
        self._writable_is_over = False
        # The chunk that waits for a worker, and what settles its write.
        self._waiting: tuple[Any, Callable[[Any], None], Callable[[object], None]] | None = None
        # The same for a chunk that was sent meanwhile, if the write is not done yet; and how the sending goes.
        self._sent: tuple[Callable[[Any], None], Promise[None] | None] | None = None
        self.channels: list[Channel] = []
        try:
            for _ in range(count):
                self.channels.append(Channel(job, window, self, self._is_ordered))
        except BaseException:
            self.kill()
            raise
        # If there is one alone, whose chunk comes next is known.
        self._only = self.channels[0] if count == 1 else None

    # The readable side.

    def start_readable(self, controller: ReadableStreamDefaultController[Any]) -> None:
        self._source = controller

    def pull(self, controller: ReadableStreamDefaultController[Any]) -> None:
        """Deliver the next chunk as soon as it is there."""
        self._is_wanted = True
        only = self._only
        if only is None or not only.received or self._some_have_ended or self._is_delivering or self._readable_is_over:
            self._deliver()
            if self._is_wanted:
                self._write_is_done()
        else:
            self._give(only)

    def cancel(self, reason: object) -> Promise[Any]:
        """Stop the workers; fulfilled when they have ended."""
        self._readable_is_over = True
        self._refuse_more(reason)
        return self._stop(CANCEL, reason)

    # The writable side.

    def start_writable(self, controller: WritableStreamDefaultController) -> None:
        self._sink = controller
        if self._takes_short_bursts:
            takes_short_bursts(controller, self.take if self._only is None else self._only.send_with_others)
        current_jobs().end.others.add(self)
        # Not in abort(), which comes only after the write that is under way.
        controller.signal.add_event_listener("abort", self._aborted)

    def write(self, chunk: Any, controller: WritableStreamDefaultController) -> Promise[None] | None:
        """Send a chunk; wait while every worker has as many as it may have."""
        channel = self._only
        if channel is None or channel.room <= 0 or channel.has_ended:
            channel = self._freest()
        if channel is None:
            promise, resolve, reject = Promise.with_resolvers()
            self._waiting = (chunk, resolve, reject)
            return promise
        try:
            sent = channel.send(chunk)
        except Exception as error:  # it cannot be pickled
            note_stage(error, self._function, "input: a chunk could not be sent to the worker")
            self.fail(error)
            raise
        if self._is_ordered:
            self._order.append(channel)
        return sent

    def take(self, chunk: Any) -> bool:
        """Take a chunk that goes with others at the end of this turn, if a worker has room; else it is written."""
        channel = self._freest()
        if channel is None or not channel.send_with_others(chunk):
            return False
        if self._is_ordered:
            self._order.append(channel)
        return True

    def close(self) -> None:
        """Tell the workers that no chunk will come."""
        self._writable_is_over = True
        for channel in self.channels:
            channel.close()
        self._deliver()

    def abort(self, reason: object) -> Promise[Any]:
        """Wait until the workers have ended."""
        return self._stop(ERROR, reason)

    def _aborted(self, event: object) -> None:
        self._writable_is_over = True  # the stream itself errors, after abort()
        self.fail(self._sink.signal.reason)

    # What the workers tell.

    def changed(self, has_ended: bool, is_telling: bool) -> None:
        """Go on: there may be room, a chunk, or an end."""
        if has_ended:
            self._some_have_ended = True
        if self._waiting is not None and self._freest() is not None:
            self._send_waiting()
            # What reads and what writes would take turns chunk by chunk: each of them is quicker without the other.
            if not is_telling or not self._is_wanted:
                self._write_is_done()
        if self._is_wanted or self._some_have_ended:
            self._deliver()

    def were_taken(self) -> None:
        """What has arrived was delivered, and perhaps read: let the writer go on."""
        self._write_is_done()

    def failed(self, error: BaseException) -> None:
        """A worker has died, or its function has failed."""
        note_stage(error, self._function, "function")
        self.fail(error)

    def fail(self, reason: object) -> None:
        """Error both sides, and stop the workers."""
        self._refuse_more(reason)
        if not self._readable_is_over:
            self._readable_is_over = True
            fail_with(self._source, reason)
        self._stop(ERROR, reason)

    # The end.

    @property
    def is_over(self) -> bool:
        """Whether neither side will do anything."""
        return self._readable_is_over and self._writable_is_over

    def abandon(self) -> None:
        """Nobody has the stage any more. Called in any thread, and perhaps after the end of the loop."""
        for channel in self.channels:
            channel.abandon()

    def _cut_off(self, error: LoopEndedError, is_late: bool) -> Promise[Any]:
        """The event loop has ended: ask the workers to end, and then end them."""
        if is_late:
            self.kill()
        elif not self.is_over:
            self.fail(error)
        return self._all_gone()

    def kill(self) -> None:
        """End the workers now."""
        for channel in self.channels:
            channel.kill()

    async def gone(self) -> None:
        """Wait until the workers have ended, even if that is cancelled: then they are ended at once."""
        cancelled = False
        for channel in self.channels:
            while not channel.gone.done():
                try:
                    await channel.gone
                except asyncio.CancelledError:
                    cancelled = True
                    self.kill()
        if cancelled:
            raise asyncio.CancelledError

    def _stop(self, kind: int, reason: object) -> Promise[Any]:
        for channel in self.channels:
            channel.stop(kind, reason)
        self._order.clear()
        return self._all_gone()

    def _all_gone(self) -> Promise[Any]:
        return Promise.all([channel.gone for channel in self.channels])

    def _refuse_more(self, reason: object) -> None:
        waiting, self._waiting = self._waiting, None
        self._write_is_done()
        if not self._writable_is_over:
            self._writable_is_over = True
            fail_sink(self._sink, reason)
        if waiting is not None:
            waiting[2](reason)

    # Sending.

    def _freest(self) -> Channel | None:
        """Return the worker with the least to do that may be sent a chunk."""
        best = None
        for channel in self.channels:
            if channel.room > 0 and not channel.has_ended and (best is None or channel.in_flight < best.in_flight):
                best = channel
        return best

    def _send_waiting(self) -> None:
        assert self._waiting is not None
        chunk, resolve, reject = self._waiting
        self._waiting = None
        try:
            self._sent = resolve, self.write(chunk, self._sink)
        except Exception as error:
            reject(error)

    def _write_is_done(self) -> None:
        if self._sent is not None:
            resolve, sending = self._sent
            self._sent = None
            resolve(sending)

    # Delivering.

    def _deliver(self) -> None:
        if self._is_delivering:
            return  # a pull inside of enqueue()
        self._is_delivering = True
        try:
            while not self._readable_is_over and (self._is_wanted or self._some_have_ended) and self._deliver_one():
                pass
        finally:
            self._is_delivering = False

    def _deliver_one(self) -> bool:
        """Deliver a chunk if one is wanted, or the end; whether there may be more to do."""
        channel = self._next()
        if channel is None:
            return self._end_if_over()
        if not self._is_wanted:
            return False
        self._give(channel)
        return True

    def _give(self, channel: Channel) -> None:
        self._is_wanted = False
        self._source.enqueue(channel.take())
        # No more reads wait: the queue keeps chunks for those to come, which then do not have to ask for each of them.
        if channel is self._only and len(channel.received) > 1 and not self._is_wanted:
            enqueue_all(self._source, channel.take_ahead())

    def _next(self) -> Channel | None:
        """Return the worker whose chunk comes next, if it is there."""
        if self._is_wanted:
            for channel in self.channels:
                channel.want()
        while self._order:
            channel = self._order[0]
            if not channel.received:
                return None
            if type(channel.received[0]) is not Done:
                return channel
            self._one_is_done(channel)
        for channel in self.channels:
            while channel.received and type(channel.received[0]) is Done:
                channel.received.popleft()
            if channel.received:
                # The next time, another one comes first.
                if not self._is_ordered:
                    self.channels.remove(channel)
                    self.channels.append(channel)
                return channel
        return None

    def _one_is_done(self, channel: Channel) -> None:
        self._order.popleft()
        done = channel.received[0]
        done.count -= 1
        if done.count <= 0:
            channel.received.popleft()

    def _end_if_over(self) -> bool:
        over = [channel for channel in self.channels if channel.is_over]
        for channel in over:
            error = channel.error or self._early_end(channel)
            if error is not None:
                self.failed(error)
                return False
        if len(over) == len(self.channels):
            self._readable_is_over = True
            self._refuse_more(TypeError("the function of the worker has returned before its input has ended"))
            self._source.close()
        return False

    def _early_end(self, channel: Channel) -> BaseException | None:
        """Return what it means for the others that one has returned early: its chunks are lost."""
        if len(self.channels) == 1 or not channel.has_returned_early:
            return None
        return as_exception(RuntimeError("one of several workers has returned before its input has ended"))
