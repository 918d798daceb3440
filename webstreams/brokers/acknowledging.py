"""A sink for deliveries: writes the values to another stream and acknowledges what has been written."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable
from contextlib import suppress
from functools import partial
from inspect import isawaitable
from typing import Any, Final, Literal, TypeAlias

from typing_extensions import TypeVar

from .._engine.door import react, reject
from .._engine.promise import Promise, promise_rejected_with
from .._engine.settling import Settled, SettledByCalls
from .._streams.door import abort_at_once, detach_last_write, has_backpressure, jobs_of, state_of, user_sink_of, write
from .._streams.readable.pipe import Pipe
from .._streams.readable.piped_writes import PipedWrites, carries_one_chunk
from .._streams.writable.at_once import DirectWriter
from .._streams.writable.controller import WritableStreamDefaultController
from .._streams.writable.overlapping import OverlappingSink
from .._streams.writable.sink import LeadingSink
from .._streams.writable.stream import WritableStream
from .._streams.writable.writer import WritableStreamDefaultWriter
from ._publishing import Publisher
from ._source import Deliveries
from .delivery import Account, Delivery, DeliveryLost, call_back

__all__ = ["OnFailure", "acknowledging"]

T = TypeVar("T", default=Any)

OnFailure: TypeAlias = Literal["stop", "requeue", "reject"]

_ANSWERS: Final = ("stop", "requeue", "reject")

# How many deliveries are acknowledged while the sink works on the next ones, and the most that are written at a time.
ACKNOWLEDGED_MEANWHILE: Final = 64
MOST_AT_A_TIME: Final = 1000

NOTHING: Final[deque[Any]] = deque()


def acknowledging(sink: WritableStream[T], *, on_failure: OnFailure = "stop") -> WritableStream[Delivery[T]]:
    """Make a writable stream of deliveries of a writable stream of values.

    A delivery is acknowledged when the sink's write of its value has succeeded, never before; the promise of its own
    ``write()`` is settled after that. Values reach the sink in their order and no faster than it wants them; the next
    one is written while the last one is acknowledged, and a `sink` that has several writes under way (the publishing
    streams) gets several. Closing closes the sink, aborting aborts it.

    `on_failure` is for a write that fails. "stop" gives the delivery back and errors the stream with the sink's error.
    "requeue" gives it back, "reject" refuses it for good (to the dead letters of the broker), and the stream goes on,
    as long as the sink can: a sink that is errored, or a connection that is lost, is the end all the same.

    A delivery that came too late to be acknowledged (`DeliveryLost`) is no failure: its value was written, the broker
    delivers it again, and the source has told why.

    Raises `TypeError` for something that is not a `WritableStream` or is locked, `ValueError` for another `on_failure`.
    Not in the Standard.

    >>> import asyncio
    >>> from webstreams import ReadableStream
    >>> class Log:
    ...     def require_open(self) -> None:
    ...         pass
    ...     async def settle(self, outcome: str) -> None:
    ...         print("the broker is told:", outcome)
    >>> async def main() -> None:
    ...     sink = WritableStream({"write": lambda value, controller: print("written:", value)})
    ...     await ReadableStream.from_([Delivery(b"an order", Log())]).pipe_to(acknowledging(sink))
    >>> asyncio.run(main())
    written: b'an order'
    the broker is told: ack
    """
    if not isinstance(sink, WritableStream):
        raise TypeError(f"acknowledging() needs a WritableStream for the values, not {type(sink).__name__}")
    if on_failure not in _ANSWERS:
        raise ValueError(f'on_failure must be "stop", "requeue" or "reject", not {on_failure!r}')
    work = _Acknowledging(sink, on_failure)
    if on_failure != "stop":
        _survive_single_failures(sink)
    stream: WritableStream[Delivery[T]] = WritableStream(work, {"high_water_mark": work.limit})
    return stream


class _Acknowledging(LeadingSink):
    """The underlying sink: writes the value of each delivery, and acknowledges it after that.

    A writer's write() is settled when its delivery has been acknowledged. A pipe looks at none of its writes: for it, a
    write is done as soon as the sink wants more, nothing is made for it that waits, and the pipe takes the fast path.
    Closing the stream waits for all acknowledgements either way.
    """

    # What errors are said to arise in.
    stage_name = "acknowledging()"
    # The end of the event loop is told to the sink behind it.
    may_stay_open = True

    def __init__(self, sink: WritableStream[Any], on_failure: OnFailure) -> None:
        self._sink = sink
        self._writer = sink.get_writer()
        self.on_failure = on_failure
        self.jobs = jobs_of(sink)
        # What a writer has written and the sink does not want yet, in the order of the deliveries.
        self._waiting: deque[_Write] = deque()
        wanted = self._writer.desired_size
        at_a_time = MOST_AT_A_TIME if wanted is None or wanted == math.inf else int(wanted)
        self.limit = max(1, min(at_a_time, MOST_AT_A_TIME)) + ACKNOWLEDGED_MEANWHILE
        self.overlapping = OverlappingSink(self.jobs, self.limit, None, self._finish, self._stop)
        self.overlapping.settle_by_hand(self._begin)
        self._piped = PipedWrites()
        # What the source of the pipe has received and nobody has read yet.
        self._more: deque[Any] = NOTHING
        # Writes what a pipe gives, and what it is busy with.
        self._direct = DirectWriter(self._writer, self._unseen_request)
        # A method is made anew each time that it is asked for.
        self._acknowledged = self._unseen_acknowledged
        self._delivery: Delivery[Any]
        # The account that has acknowledged a delivery last, and all that have: they know what is under way.
        self._account: Account | None = None
        self._accounts: set[Account] = set()

    # What the stream calls.

    def start(self, controller: WritableStreamDefaultController) -> None:
        """Get to know the stream."""
        self.overlapping.start(controller)

    def write(self, delivery: Delivery[Any], controller: WritableStreamDefaultController) -> Any:
        """Write a value and acknowledge its delivery: by callbacks, for a task would cost more than the rest."""
        if self._piped.has_changed(controller):
            self._meet(self._piped.pipe)
        pipe = self._piped.pipe
        if pipe is None:
            self.jobs.leave_run()
            return self.overlapping.write(delivery, controller)
        overlapping = self.overlapping
        if not overlapping.has_room():  # it has failed: with no room, the pipe would wait
            return overlapping.wait_for_room()
        if self._write_all(delivery, pipe, controller):
            return None
        if not overlapping.has_room():
            return overlapping.wait_for_room()
        return self._writer.ready.then(None, self._is_not_wanted) if self._is_full() else None

    def close(self) -> Promise[None]:
        """Close the sink when everything is written and acknowledged."""
        self._await_accounts()
        closed: Promise[None] = self.overlapping.close()
        return closed

    def abort(self, reason: object) -> Promise[None]:
        """Abort the sink; the deliveries go back when their stream is cancelled."""
        self._await_accounts()
        aborted: Promise[None] = self.overlapping.abort(reason)
        return aborted

    def end_at_once(self, reason: object) -> None:
        """End the writes under way: the sink may never finish them."""
        abort_at_once(self._writer, reason)

    def _await_accounts(self) -> None:
        for account in self._accounts:
            for _ in range(account.watch(self._acknowledged)):
                self.overlapping.begin_unseen()

    # Writing.

    @property
    def can_go_on(self) -> bool:
        """Whether the stream goes on after a write that has failed."""
        return self.on_failure != "stop" and state_of(self._sink) == "writable"

    # What a pipe writes, which looks at none of its writes.

    def _meet(self, pipe: Pipe | None) -> None:
        source = None if pipe is None else pipe.source
        self._more = source._source.unread if isinstance(source, Deliveries) else NOTHING  # noqa: SLF001 - of this room

    def _write_all(self, delivery: Delivery[Any], pipe: Pipe, controller: WritableStreamDefaultController) -> bool:
        """Write a delivery and, as long as the sink takes each at once, what its source has received with it.

        The pipe would bring them one by one, and that takes longer than all that is done here. It stops as soon as
        anything else is to be done, or the time of this turn is over. Return whether the sink has taken everything.
        """
        jobs = self.jobs
        more = self._more if self._more and carries_one_chunk(pipe, controller) else NOTHING
        queued = len(jobs.jobs)
        while self._has_written(delivery):
            if not more or pipe.shutting_down or len(jobs.jobs) != queued or jobs.is_late():
                return True
            jobs.countdown -= 1
            delivery = more.popleft()
        return False

    def _has_written(self, delivery: Delivery[Any]) -> bool:
        """Write a delivery; whether the sink has it, and its account sees to the acknowledgement."""
        if not isinstance(delivery, Delivery) or delivery._end:  # noqa: SLF001 - `settled`, for every delivery
            self._refuse(delivery)
            return True
        self._delivery = delivery
        if not self._direct.write(delivery.value):
            return False
        account = delivery._acknowledge_unseen()  # noqa: SLF001 - of this room
        if account is None:
            self._acknowledge(delivery)
            return False
        if account is not self._account:
            self._account = account
            self._accounts.add(account)
        return True

    def _acknowledge(self, delivery: Delivery[Any]) -> None:
        self.overlapping.begin_unseen()
        try:
            delivery._acknowledge(self._acknowledged)  # noqa: SLF001 - of this room
        except RuntimeError as error:  # somebody has settled it meanwhile
            self.overlapping.rejected(None, error)

    def _refuse(self, delivery: object) -> None:
        self.overlapping.begin_unseen()
        try:
            _require_delivery(delivery)
        except Exception as error:
            self.jobs.push(partial(self.overlapping.rejected, None, error))

    def _unseen_acknowledged(self, error: BaseException | None) -> None:
        if error is None or isinstance(error, DeliveryLost):
            self.overlapping.fulfilled(None)
        else:
            self.overlapping.rejected(None, error)

    def _unseen_request(self) -> Settled:
        self.overlapping.begin_unseen()
        return _Write(self, self._delivery, None).request()

    def _is_not_wanted(self, reason: object) -> Promise[None]:
        """The sink has failed: the stream is errored when it is known what has become of the writes under way."""
        if self.overlapping.is_idle:
            return promise_rejected_with(self.jobs, reason)
        return self.overlapping.wait_for_room()

    def _begin(self, delivery: Delivery[Any], request: Settled) -> None:
        write = _Write(self, delivery, request)
        try:
            _require_delivery(delivery)
        except Exception as error:
            self.jobs.push(partial(self.overlapping.rejected, request, error))
            return
        if self._waiting or self._is_full():
            self._waiting.append(write)
            if len(self._waiting) == 1:
                self._wait()
        else:
            write.begin(self._writer)

    def _is_full(self) -> bool:
        return has_backpressure(self._sink)

    def _wait(self) -> None:
        react(self._writer.ready, self._go_on, self._go_on)

    def _go_on(self, _: object) -> None:
        """The sink wants more, or no more at all."""
        while self._waiting and not self._is_full():
            write = self._waiting.popleft()
            write.begin(self._writer)
        if self._waiting:
            self._wait()

    def _finish(self) -> Promise[None]:
        return self._writer.close()

    def _stop(self, reason: object) -> Promise[None]:
        return self._writer.abort(reason)


def _require_delivery(delivery: Any) -> None:
    if isinstance(delivery, Delivery):
        delivery._require_unsettled("written and acknowledged")  # noqa: SLF001 - of this room
    else:
        raise TypeError(
            f"acknowledging() takes deliveries, not {type(delivery).__name__}: apply on_value() to the transforms "
            "before it, so that they give deliveries"
        )


class _Write:
    """The write of a value, and what follows it."""

    __slots__ = ("_request", "_work", "delivery")

    def __init__(self, work: _Acknowledging, delivery: Delivery[Any], request: Settled | None) -> None:
        self._work = work
        self.delivery = delivery
        self._request = request

    def begin(self, writer: WritableStreamDefaultWriter[Any]) -> None:
        """Hand the value to the sink."""
        write(writer, self.delivery.value, self.request())

    def request(self) -> Settled:
        """Return what the sink is to tell of the end of the write."""
        return SettledByCalls(self._fulfill, self._reject)

    def _fulfill(self, value: Any) -> None:
        """The sink calls this in the midst of its own work; so it does with the next one."""
        self._work.jobs.push(self.written)

    def _reject(self, reason: object) -> None:
        self._work.jobs.push(partial(self._failed, reason))

    def written(self) -> None:
        """The sink has the value: acknowledge."""
        try:
            self.delivery._acknowledge(self._acknowledged)  # noqa: SLF001 - of this room
        except RuntimeError as error:  # somebody has settled it meanwhile
            self._work.overlapping.rejected(self._request, error)

    def _acknowledged(self, error: BaseException | None) -> None:
        overlapping = self._work.overlapping
        if error is None or isinstance(error, DeliveryLost):
            overlapping.fulfilled(self._request)
        else:
            overlapping.rejected(self._request, error)

    def _failed(self, reason: object) -> None:
        call_back(self._give_back(), partial(self._given_back, reason))

    async def _give_back(self) -> None:
        with suppress(DeliveryLost):  # the failure is what counts
            await self.delivery.nack(requeue=self._work.on_failure != "reject")

    def _given_back(self, reason: object, error: BaseException | None) -> None:
        if error is not None:
            self._work.overlapping.rejected(self._request, error)
        elif self._work.can_go_on:
            self._work.overlapping.fulfilled(self._request)
        else:
            self._work.overlapping.rejected(self._request, reason)


# Going on after a failed write.


def _survive_single_failures(stream: WritableStream[Any]) -> None:
    """Have a failed write end that write alone, if the stream can go on after it."""
    if isinstance(stream, Publisher):
        stream.survive()
        return
    sink = user_sink_of(stream)
    if sink is not None:
        sink.write = _SurvivingWrite(sink.write)


class _SurvivingWrite:
    """The write callback of a sink, whose failure is told to the write alone."""

    def __init__(self, write: Any) -> None:
        self._write = write

    def __call__(self, chunk: Any, controller: WritableStreamDefaultController) -> Awaitable[None] | None:
        """Write; a failure settles the promise of this write, and the stream believes that all is well."""
        try:
            result: Awaitable[object] | object = self._write(chunk, controller)
        except Exception as error:
            self._tell(error, controller)
            return None
        return self._wait(result, controller) if isawaitable(result) else None

    async def _wait(self, result: Awaitable[object], controller: WritableStreamDefaultController) -> None:
        try:
            await result
        except Exception as error:
            self._tell(error, controller)

    def _tell(self, error: Exception, controller: WritableStreamDefaultController) -> None:
        request = detach_last_write(controller)
        if request is None:
            raise error
        reject(request, error)
