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

from .._engine.promise import Promise
from .._engine.settling import Settled, SettledByCalls
from .._streams.writable.controller import WritableStreamDefaultController
from .._streams.writable.overlapping import OverlappingSink, detach_write
from .._streams.writable.sink import UnderlyingSink
from .._streams.writable.stream import BLANK, WritableStream, create_writable_stream
from .._streams.writable.writer import WritableStreamDefaultWriter
from ._publishing import Publisher
from .delivery import Delivery, DeliveryLost, call_back

__all__ = ["OnFailure", "acknowledging"]

T = TypeVar("T", default=Any)

OnFailure: TypeAlias = Literal["stop", "requeue", "reject"]

_ANSWERS: Final = ("stop", "requeue", "reject")

# How many deliveries are acknowledged while the sink works on the next ones, and the most that are written at a time.
ACKNOWLEDGED_MEANWHILE: Final = 64
MOST_AT_A_TIME: Final = 1000


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
    stream: WritableStream[Delivery[T]] = WritableStream(BLANK)
    limit = work.limit
    work.overlapping = OverlappingSink(stream._jobs, limit, None, work.finish, work.stop)
    work.overlapping.settle_by_hand(work.begin)
    if on_failure != "stop":
        _survive_single_failures(sink)
    create_writable_stream(work.overlapping, limit, None, stream)
    return stream


class _Acknowledging:
    """What is done for each delivery, and at the end."""

    def __init__(self, sink: WritableStream[Any], on_failure: OnFailure) -> None:
        self._sink = sink
        self._writer = sink.get_writer()
        self.on_failure = on_failure
        self.jobs = sink._jobs
        # What waits until the sink wants more, in the order of the deliveries.
        self._waiting: deque[_Write] = deque()
        wanted = self._writer.desired_size
        at_a_time = MOST_AT_A_TIME if wanted is None or wanted == math.inf else int(wanted)
        self.limit = max(1, min(at_a_time, MOST_AT_A_TIME)) + ACKNOWLEDGED_MEANWHILE
        self.overlapping: OverlappingSink

    @property
    def can_go_on(self) -> bool:
        """Whether the stream goes on after a write that has failed."""
        return self.on_failure != "stop" and self._sink._state == "writable"

    def begin(self, delivery: Delivery[Any], request: Settled) -> None:
        """Write a value and acknowledge its delivery: by callbacks, for a task would cost more than the rest."""
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
        wanted = self._writer.desired_size
        return wanted is not None and wanted <= 0

    def _wait(self) -> None:
        self._writer.ready._react(self._go_on, self._go_on)

    def _go_on(self, _: object) -> None:
        """The sink wants more, or no more at all."""
        while self._waiting and not self._is_full():
            write = self._waiting.popleft()
            write.begin(self._writer)
        if self._waiting:
            self._wait()

    def finish(self) -> Promise[None]:
        """Close the sink: everything is written and acknowledged."""
        return self._writer.close()

    def stop(self, reason: object) -> Promise[None]:
        """Abort the sink; the deliveries go back when their stream is cancelled."""
        return self._writer.abort(reason)


def _require_delivery(delivery: Any) -> None:
    if not isinstance(delivery, Delivery):
        raise TypeError(
            f"acknowledging() takes deliveries, not {type(delivery).__name__}: apply on_value() to the transforms "
            "before it, so that they give deliveries"
        )
    delivery._require_unsettled("written and acknowledged")


class _Write:
    """The write of a value, and what follows it."""

    __slots__ = ("_request", "_work", "delivery")

    def __init__(self, work: _Acknowledging, delivery: Delivery[Any], request: Settled) -> None:
        self._work = work
        self.delivery = delivery
        self._request = request

    def begin(self, writer: WritableStreamDefaultWriter[Any]) -> None:
        """Hand the value to the sink."""
        writer._write(self.delivery.value, SettledByCalls(self._fulfill, self._reject))

    def _fulfill(self, value: Any) -> None:
        """The sink calls this in the midst of its own work; so it does with the next one."""
        self._work.jobs.push(self._written)

    def _reject(self, reason: object) -> None:
        self._work.jobs.push(partial(self._failed, reason))

    def _written(self) -> None:
        try:
            self.delivery._acknowledge(self._acknowledged)
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
    controller = stream._controller
    assert isinstance(controller, WritableStreamDefaultController)
    sink = controller._sink
    if isinstance(sink, UnderlyingSink):
        sink.write = _SurvivingWrite(sink.write)


class _SurvivingWrite:
    """The write callback of a sink, whose failure is told to the write alone."""

    def __init__(self, write: Any) -> None:
        self._write = write

    async def __call__(self, chunk: Any, controller: WritableStreamDefaultController) -> None:
        """Write; a failure settles the promise of this write, and the stream believes that all is well."""
        try:
            result: Awaitable[object] | object = self._write(chunk, controller)
            if isawaitable(result):
                await result
        except Exception as error:
            if controller._stream._state != "writable":
                raise
            detach_write(controller)._reject(error)
