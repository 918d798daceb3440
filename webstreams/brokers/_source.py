"""What the consuming streams share: the underlying source over a broker, and the stream itself."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, Final, Generic

from typing_extensions import TypeVar

from .._platform.arguments import checked_seconds, checked_size
from .._platform.idl import refuse_constructor
from .._streams.door import fail_with
from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.stream import ReadableStream
from .._streams.writable.stream import WritableStream
from .._streams.writable.writer import WritableStreamDefaultWriter
from ._grouping import Grouping
from ._ledger import Ledger, Message, OwnedDelivery
from ._standstill import StandstillWatch, watch_standstill
from .delivery import Delivery, Outcome

__all__ = ["Deliveries"]

T = TypeVar("T", default=Any, covariant=True)
K = TypeVar("K", default=Any)

# How long giving back what is open may take when a stream ends (seconds): the connection may be dead.
PARTING_TIME: Final = 5.0


def checked_limit(limit: Any, name: str) -> int:
    """Return a limit of deliveries. Raises `TypeError` unless it is an integer, `ValueError` for one below 1."""
    return checked_size(limit, name, 1)


def writer_of(stream: Any, name: str) -> WritableStreamDefaultWriter[Any]:
    """Return a writer of an argument. Raises `TypeError` for a locked stream, and for anything else."""
    if not isinstance(stream, WritableStream):
        raise TypeError(f"{name} must be a WritableStream, not {type(stream).__name__}")
    return stream.get_writer()


class BrokerSource(Generic[K]):
    """The underlying source over a broker. A subclass says how to begin, how to settle and how to end."""

    # What it is called in notes of errors.
    stage_name: ClassVar[str] = "consume()"
    # Errors after which the broker cannot be told anything.
    lost: ClassVar[tuple[type[BaseException], ...]] = (OSError,)
    # Whether an acknowledgement is done when `acknowledge` returns, and nobody has to be told.
    acknowledges_at_once: ClassVar[bool] = False
    # What users know the limit by.
    limit_name: ClassVar[str] = "in_flight"

    def __init__(self, limit: int, where: str) -> None:
        self.ledger: Ledger[K] = Ledger(
            limit, self.settle, self.acknowledge, self.fail, where, at_once=self.acknowledges_at_once
        )
        # Acknowledgements that are sent together.
        self.acks: Grouping[OwnedDelivery] = Grouping(self._send)
        # Set while a read waits.
        self.hungry: bool = False
        # What nobody has read yet; here and not in the queue of the stream, so that a subclass can take it back.
        self.unread: deque[OwnedDelivery] = deque()
        # Only in debug mode.
        self.watch: StandstillWatch | None = None
        self._controller: ReadableStreamDefaultController[Delivery[Any]]
        # What is stopped while it is being opened would go on for ever: stopping waits for this.
        self._opened = asyncio.Event()
        self._stopping: asyncio.Task[None] | None = None
        self._parting: asyncio.Task[None] | None = None
        self._drained = False
        self._is_closed = False

    # What a subclass does.

    async def open(self) -> None:
        """Begin to receive."""
        raise NotImplementedError

    async def settle(self, key: K, outcome: Outcome) -> None:
        """Give a delivery back to the broker, or reject it."""
        raise NotImplementedError

    async def acknowledge_together(self, keys: list[K]) -> None:
        """Tell the broker that deliveries are done with."""
        raise NotImplementedError

    def acknowledge(self, delivery: OwnedDelivery) -> None:
        """Tell the broker with the next group that a delivery is done with; a subclass may have another way."""
        self.acks.put((delivery,))

    async def _send(self, group: list[OwnedDelivery]) -> None:
        try:
            await self.acknowledge_together([delivery.key for delivery in group])
        except Exception as error:
            self.ledger.told(group, error)
        else:
            self.ledger.told(group)

    async def stop(self) -> None:
        """Receive no more. Called once, after `open` has ended, also after an error."""
        raise NotImplementedError

    async def finish(self) -> None:
        """Look no more after what is open: it is settled, or goes back now. Called after `stop`."""

    async def give_back(self, keys: list[K]) -> None:
        """Give back what nobody has settled; nothing is received any more."""
        raise NotImplementedError

    def is_hungry(self) -> bool:
        """Whether a read waits."""
        return self.hungry

    # What the stream calls.

    async def start(self, controller: ReadableStreamDefaultController[Delivery[Any]]) -> None:
        """Begin."""
        self._controller = controller
        try:
            await self.open()
        except BaseException as error:
            self._is_closed = True  # errored by this, also if it is drained
            self._opened.set()
            await self.part(error)
            raise
        self._opened.set()

    def pull(self, controller: ReadableStreamDefaultController[Delivery[Any]]) -> None:
        """Somebody reads: give a delivery, or remember it."""
        unread = self.unread
        if unread:
            controller.enqueue(unread.popleft())
        else:
            self.hungry = True
            self.ledger.wake()
            if self.watch is not None:
                self.watch.read_waits()
        if self._drained and self._has_stopped():
            self._close_when_empty()

    async def cancel(self, reason: object) -> None:
        """End: what is open goes back to the broker."""
        await self.part("it was cancelled")

    # What a subclass calls.

    def deliver(self, *messages: Message[K]) -> None:
        """Give deliveries to the read that waits, or keep them for the next ones; after the end, they are nobody's."""
        self.deliver_all(messages)

    def deliver_all(self, messages: Iterable[Message[K]]) -> list[OwnedDelivery]:
        """Do what `deliver` does, and return the deliveries."""
        if self._is_closed or self._parting is not None:
            return []
        deliveries = self.ledger.open(messages)
        self.unread.extend(deliveries)
        if self.hungry and self.unread:
            self.hungry = False
            self._controller.enqueue(self.unread.popleft())
        return deliveries

    def fail(self, error: BaseException) -> None:
        """Give back what is open, and error the stream: whoever is told may close the connection."""
        if self._parting is None:
            self._is_closed = True
            self._part(error).add_done_callback(partial(self._failed, error))

    def _failed(self, error: BaseException, parting: asyncio.Task[None]) -> None:
        fail_with(self._controller, error)

    @property
    def is_over(self) -> bool:
        """Whether nothing more may be delivered."""
        return self._drained or self._parting is not None

    @property
    def is_lost(self) -> bool:
        """Whether the stream has ended because the broker cannot be told anything: nothing waits for its answer."""
        return isinstance(self.ledger.end, self.lost)

    # The end.

    async def drain(self, seconds: float) -> None:
        """Receive no more, close the stream, and wait until everything is settled."""
        checked_seconds(seconds, "seconds")
        try:
            if self._parting is None:
                self._drained = True
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._run_dry()
        finally:  # also when nobody waits any longer
            parting = self._part("it was drained")
            self._close_when_empty()
            await asyncio.shield(parting)

    async def _run_dry(self) -> None:
        try:
            await self._stop()
        except Exception as error:
            self.fail(error)
        self._close_when_empty()
        while len(self.ledger):
            await self.ledger.change()

    async def _stop(self) -> None:
        """Receive no more, as soon as what is being opened is open; once, and to the end, whoever waits for it."""
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(self._stop_when_open())
            self._stopping.add_done_callback(_look_at_error)
        await asyncio.wait([self._stopping])
        self._stopping.result()

    def _has_stopped(self) -> bool:
        """Whether nothing comes any more: until then a delivery may be on its way, or the connection be lost."""
        return self._stopping is not None and self._stopping.done()

    async def _stop_when_open(self) -> None:
        await self._opened.wait()
        await self.stop()

    def _close_when_empty(self) -> None:
        if self._drained and not self.unread and not self._is_closed:
            self._is_closed = True
            self._controller.close()

    async def parted(self) -> None:
        """Wait until nothing is open any more, and the broker has been told."""
        while self._parting is None:
            await self.ledger.change()
        await asyncio.shield(self._parting)

    async def part(self, end: BaseException | str) -> None:
        """End the account and give back what is open; wait for that."""
        await asyncio.shield(self._part(end))

    def _part(self, end: BaseException | str) -> asyncio.Task[None]:
        if self._parting is None:
            if self.watch is not None:
                self.watch.stop()
            keys = self.ledger.close(end)
            self.unread.clear()
            self._parting = asyncio.get_running_loop().create_task(self._leave(keys, end))
        return self._parting

    async def _leave(self, keys: list[K], end: BaseException | str) -> None:
        try:
            async with asyncio.timeout(PARTING_TIME):
                try:
                    if isinstance(end, self.lost):
                        # A silent server would have each group wait for as long as the first one.
                        self.acks.stop()
                        self.ledger.give_up(end)
                    await self._finish()
                    if not self.is_lost:
                        await self.give_back(keys)
                finally:
                    while len(self.ledger):  # being settled
                        await self.ledger.change()
        except Exception:
            # A broker that cannot be reached has taken everything back by itself, or will; the stream is told why.
            if not isinstance(end, BaseException):
                raise

    async def _finish(self) -> None:
        try:
            if not self._has_stopped():
                await self._stop()
        finally:
            await self.finish()


def _look_at_error(task: asyncio.Task[None]) -> None:
    """Whoever waits for the task is told of its error; if nobody does any more, the connection is lost anyway."""
    if not task.cancelled():
        task.exception()


class Deliveries(ReadableStream[Delivery[T]]):
    """A readable stream of the messages of a broker, each of which waits to be settled.

    The stream owns its deliveries: what nobody has settled when it is cancelled or errored goes back to the broker,
    wherever it is then, and settling it is a `DeliveryLost`. Its queue holds no more than the limit that it was made
    with. The functions of the modules for each broker make it. Not in the Standard.
    """

    __slots__ = ("_source",)

    def __init__(self, source: BrokerSource[Any]) -> None:
        if not isinstance(source, BrokerSource):
            raise refuse_constructor("Deliveries", "consume() of the module for a broker returns them")
        self._source = source
        super().__init__(source, {"high_water_mark": 0})
        source.watch = watch_standstill(self._jobs, source.ledger, source.is_hungry, source.limit_name)

    @property
    def unsettled(self) -> int:
        """How many deliveries nobody has settled yet, here and in the rest of the pipeline."""
        return len(self._source.ledger)

    async def drain(self, seconds: float = 30.0) -> None:
        """Stop in good order: receive no more, let what is here run through the pipeline, and wait until it is settled.

        The stream closes after what is in its queue. What is not settled after `seconds`, or when the waiting is
        cancelled, goes back to the broker. The stream may be locked: this is for a program that is told to stop while a
        pipe runs. It may also be about to open; then it closes when it is open, without a delivery. A stream that is
        opened again and again is drained as a whole, by ``drain()`` of what `resilient` has made. Raises `TypeError`
        and `ValueError`, and does nothing, unless `seconds` is a non-negative number.
        """
        await self._source.drain(seconds)

    async def parted(self) -> None:
        """Wait for the end of everything: the stream has ended, and all its deliveries are settled or given back."""
        await self._source.parted()
