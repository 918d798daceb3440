"""Operators that look at the clock of the event loop: ``batched(seconds=...)``, ``throttled()``, ``debounced()``.

A read that is under way is never cancelled by a timer: what it gives later belongs to what comes next.
"""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar

from ...._platform.errors import goes_through, stored_error
from ...._platform.stages import note_stage
from ..state import ReadableStreamState
from .chain import Chain
from .marks import WAITING
from .receiver import Receiver
from .source import OperatorSource
from .steps import Batch

# Timers may come early by what a clock cannot tell.
_ROUNDING = 1e-9


class TimedSource(OperatorSource, Receiver):
    """What they share: one timer, and one read of the input at a time."""

    __slots__ = ("_chain", "_has_ended", "_is_asking", "_is_over", "_is_reading", "_is_wanted", "_timer")

    def __init__(self, chain: Chain, stream: ReadableStreamState[Any]) -> None:
        super().__init__(stream)
        self._chain = chain
        self._timer: Any = None
        self._is_wanted = False
        self._is_asking = False
        self._is_reading = False
        self._has_ended = False
        self._is_over = False
        chain.give_to(self)

    def ask(self) -> None:
        """See `OperatorSource`."""
        self._is_wanted = True
        self._jobs.leave_run()
        self._go_on()

    def _go_on(self) -> None:
        """Give what is due; read what may be read."""
        if not self._is_over:
            self._give_what_is_due()
            self._read()

    def _read(self) -> None:
        if self._is_reading:
            return
        self._is_reading = True
        while not (self._is_asking or self._has_ended or self._is_over) and self._may_read():
            self._is_asking = True
            self._chain.ask()
        self._is_reading = False

    def _may_read(self) -> bool:
        raise NotImplementedError

    def _give_what_is_due(self) -> None:
        raise NotImplementedError

    def _keep(self, chunk: Any) -> None:
        raise NotImplementedError

    def _time_is_up(self) -> None:
        raise NotImplementedError

    def _give_wanted(self, chunk: Any) -> None:
        self._is_wanted = False
        self.give(chunk)

    def take_chunk(self, chunk: Any) -> None:
        """See `Receiver`."""
        self._is_asking = False
        meter = self._controller._meter
        if meter is not None:
            meter.chunk_is_taken(chunk)
        try:
            self._keep(chunk)
        except BaseException as error:
            stored = stored_error(error)
            note_stage(stored, self, "function")
            cancelling = self._chain.cancel(stored)
            if cancelling is not None:
                cancelling._mark_handled()
            self.take_error(stored)
            if goes_through(error):
                raise
        else:
            self._go_on()

    def take_end(self) -> None:
        """See `Receiver`."""
        self._has_ended = True
        self._stop_timer()
        self._go_on()

    def take_error(self, error: object) -> None:
        """See `Receiver`."""
        self._is_over = True
        self._stop_timer()
        self.fail(error)

    def cancel_steps(self, reason: object) -> Any:
        """See `OperatorSource`."""
        self._is_over = True
        self._stop_timer()
        return self._chain.cancel(reason)

    def _end_now(self) -> None:
        if not self._is_over:
            self._is_over = True
            self.end()

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self._jobs.loop.call_later(seconds, self._timer_fired)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _timer_fired(self) -> None:
        self._timer = None
        if not self._is_over:
            self._time_is_up()
            self._go_on()


class BatchSource(TimedSource):
    """``batched(seconds=...)``"""

    __slots__ = ("_batch", "_is_due", "_is_full", "_seconds")

    stage_name: ClassVar[str] = "batched()"

    def __init__(self, chain: Chain, stream: ReadableStreamState[Any], batch: Batch, seconds: float) -> None:
        self._batch = batch
        self._seconds = seconds
        self._is_due = False
        self._is_full = False
        super().__init__(chain, stream)

    def _may_read(self) -> bool:
        """A batch that is begun is filled while nobody asks; none is begun then."""
        if self._batch.chunks:
            return not self._is_full and (self._batch.is_limited() or not self._is_due)
        return self._is_wanted

    def _keep(self, chunk: Any) -> None:
        if not self._batch.chunks:
            self._start_timer(self._seconds)
        if self._batch.add(chunk):
            self._is_due = self._is_full = True

    def _time_is_up(self) -> None:
        self._is_due = True

    def _give_what_is_due(self) -> None:
        if self._batch.chunks and self._is_wanted and (self._is_due or self._has_ended):
            self._is_due = self._is_full = False
            self._stop_timer()
            self._give_wanted(self._batch.take())
        if self._has_ended and not self._batch.chunks:
            self._end_now()


class ThrottledSource(TimedSource):
    """``throttled()``: a bucket of tokens, one for each chunk."""

    __slots__ = ("_burst", "_filled_at", "_is_watching", "_rate", "_tokens")

    def __init__(self, chain: Chain, stream: ReadableStreamState[Any], rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._filled_at: float | None = None
        self._is_watching = False
        super().__init__(chain, stream)

    def _fill(self) -> None:
        now = self._jobs.loop.time()
        since = now if self._filled_at is None else self._filled_at
        self._filled_at = now
        self._tokens = min(self._burst, self._tokens + (now - since) * self._rate)

    def _may_read(self) -> bool:
        if not self._is_wanted or self._timer is not None:
            return False
        self._fill()
        if self._tokens >= 1 - _ROUNDING or self._chain.ends_next():
            return True
        self._start_timer((1 - self._tokens) / self._rate)
        if not self._is_watching:
            self._is_watching = True
            self._chain.watch_end(self._input_has_ended)
        return False

    def _input_has_ended(self, _: Any) -> None:
        """Only chunks have to wait for a token: not an error, and not the end."""
        if self._timer is not None and self._chain.ends_next():
            self._stop_timer()
            self._go_on()

    def _keep(self, chunk: Any) -> None:
        self._fill()
        self._tokens -= 1
        self._give_wanted(chunk)

    def _time_is_up(self) -> None:
        """Reading goes on."""

    def _give_what_is_due(self) -> None:
        if self._has_ended:
            self._end_now()


class DebouncedSource(TimedSource):
    """``debounced()``: the last chunk of every burst."""

    __slots__ = ("_last", "_ready", "_seconds")

    def __init__(self, chain: Chain, stream: ReadableStreamState[Any], seconds: float) -> None:
        self._seconds = seconds
        # The last chunk of a burst that is not over, and those of the bursts before.
        self._last: Any = WAITING
        self._ready: deque[Any] = deque()
        super().__init__(chain, stream)

    def _may_read(self) -> bool:
        """A burst is read to its end; none behind one that nobody has taken."""
        return not self._ready and (self._is_wanted or self._last is not WAITING)

    def _keep(self, chunk: Any) -> None:
        self._last = chunk
        self._start_timer(self._seconds)

    def _time_is_up(self) -> None:
        self._ready.append(self._last)
        self._last = WAITING

    def _give_what_is_due(self) -> None:
        if self._has_ended and self._last is not WAITING:
            self._time_is_up()
        if self._ready and self._is_wanted:
            self._give_wanted(self._ready.popleft())
        if self._has_ended and not self._ready:
            self._end_now()
