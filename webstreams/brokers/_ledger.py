"""The account of the deliveries of one stream: which are open, and how many more may be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Generic

from typing_extensions import TypeVar

from ._grouping import set_result
from .delivery import ACKNOWLEDGED, Acknowledged, Delivery, DeliveryLost, Outcome, QuickSettlement

K = TypeVar("K", default=Any)

# Gives a delivery back to the broker or rejects it; the client knows it by a key.
Settle = Callable[[K, Outcome], Awaitable[None]]
# Tells the broker of an acknowledgement: at once, or it sees to it that `Ledger.told` is called when that is done.
Acknowledge = Callable[["OwnedDelivery"], None]
# What a delivery is made of: the client's key for it, the value, the metadata, the attempt.
Message = tuple[K, Any, Any, int | None]


class Ledger(Generic[K]):
    """Knows every delivery that nobody has settled, in the order of their arrival, by the client's key for it."""

    def __init__(
        self,
        limit: int,
        settle: Settle[K],
        acknowledge: Acknowledge,
        failed: Callable[[Exception], None],
        where: str,
        *,
        at_once: bool,
    ) -> None:
        self.limit = limit
        # Why the stream has ended; None while it goes on.
        self.end: BaseException | str | None = None
        # What nobody has settled, in the order of arrival: as long as a delivery is here, it is its own.
        self.entered: dict[OwnedDelivery, None] = {}
        # Of which deliveries the broker is being told.
        self.settling: set[OwnedDelivery] = set()
        # Who waits for the end of an acknowledgement: nobody for most of them.
        self._waiting: dict[OwnedDelivery, Acknowledged] = {}
        self.tell = acknowledge
        # Whether an acknowledgement is done when it has been told.
        self.at_once = at_once
        self.waiters: list[asyncio.Future[None]] = []
        self.where = where
        self._settle = settle
        self._failed = failed

    def __len__(self) -> int:
        """How many deliveries nobody has settled."""
        return len(self.entered)

    def __iter__(self) -> Iterator[K]:
        """Give the keys of the open deliveries, the oldest first."""
        return (delivery.key for delivery in self.entered)

    @property
    def free(self) -> int:
        """How many more may be open."""
        return self.limit - len(self.entered)

    def open(self, messages: Iterable[Message[K]]) -> list[OwnedDelivery]:
        """Enter deliveries."""
        deliveries = OwnedDelivery.make_all(messages, self)
        self.entered.update(dict.fromkeys(deliveries))
        return deliveries

    def drop(self, delivery: OwnedDelivery) -> None:
        """Forget a delivery that the broker gives to somebody else: settling it does nothing then."""
        del self.entered[delivery]
        delivery.ledger = None
        self.wake()

    def close(self, end: BaseException | str) -> list[K]:
        """End the account; return what is open, which the source gives back. What is being settled is waited for."""
        self.end = end
        left = [delivery for delivery in self.entered if delivery not in self.settling]
        for delivery in left:
            del self.entered[delivery]
        self.wake()
        return [delivery.key for delivery in left]

    async def change(self) -> None:
        """Wait until a delivery is settled, somebody reads, or the account is closed."""
        waiter = asyncio.get_running_loop().create_future()
        self.waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self.waiters:
                self.waiters.remove(waiter)

    def lost(self) -> DeliveryLost:
        """Make the error for a delivery that is settled too late."""
        error = DeliveryLost(
            f"the delivery came too late to be settled: its stream from {self.where} has ended, and the broker has "
            f"the message back and delivers it again"
        )
        if isinstance(self.end, BaseException):
            error.__cause__ = self.end
        return error

    async def settle(self, delivery: OwnedDelivery, outcome: Outcome) -> None:
        """Settle a delivery."""
        if outcome == "ack":
            result: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.acknowledge(delivery, partial(set_result, result))
            return await result
        if delivery not in self.entered:
            raise self.lost()
        self.settling.add(delivery)
        try:
            await self._settle(delivery.key, outcome)
        except Exception as error:
            self._failed(error)
            raise self.lost() from error
        else:
            if outcome != "requeue":
                delivery.ledger = None
        finally:
            self._leave([delivery])
        return None

    def acknowledge(self, delivery: OwnedDelivery, done: Acknowledged) -> None:
        """Acknowledge a delivery, and call `done` after that, perhaps at once."""
        if delivery not in self.entered:
            done(self.lost())
        elif self.at_once:
            self.begin(delivery)
            done(None)
        else:
            self._waiting[delivery] = done
            self.begin(delivery)

    def begin(self, delivery: OwnedDelivery) -> None:
        """Acknowledge an open delivery; whoever has to know the end of that is in the account already."""
        if self.at_once:
            del self.entered[delivery]
            delivery.ledger = None
            self.tell(delivery)
            if self.waiters:
                self.wake()
        else:
            self.settling.add(delivery)
            self.tell(delivery)

    def watch(self, done: Acknowledged) -> int:
        """Call `done` at the end of each acknowledgement that nobody waits for yet; return how many there are."""
        unseen = [each for each in self.settling if each.is_acknowledged and each not in self._waiting]
        self._waiting.update(dict.fromkeys(unseen, done))
        return len(unseen)

    def told(self, group: Sequence[OwnedDelivery], error: BaseException | None = None) -> None:
        """The broker was told of acknowledgements, or could not be told."""
        self._leave(group)
        if isinstance(error, Exception):
            self._failed(error)
        self._answer(group, error)

    def give_up(self, error: BaseException) -> None:
        """The broker cannot be told any more of what is being settled."""
        group = list(self.settling)
        self._leave(group)
        self._answer(group, error)

    def _answer(self, group: Sequence[OwnedDelivery], error: BaseException | None) -> None:
        """Tell those who wait for an acknowledgement."""
        waiting = self._waiting
        for done in [waiting.pop(delivery) for delivery in group if delivery in waiting] if waiting else ():
            done(None if error is None else self._untold(error))

    def _untold(self, error: BaseException) -> DeliveryLost:
        lost = self.lost()
        lost.__cause__ = error
        return lost

    def _leave(self, group: Sequence[OwnedDelivery]) -> None:
        """The broker has been told, or could not be told."""
        self.settling.difference_update(group)
        entered = self.entered
        for delivery in group:
            entered.pop(delivery, None)
        if self.waiters:
            self.wake()

    def wake(self) -> None:
        """Let those go on who wait for a change."""
        waiters, self.waiters = self.waiters, []
        for each in waiters:
            if not each.done():
                each.set_result(None)


class OwnedDelivery(Delivery[Any]):
    """A delivery in an account, which makes it: it is settled there, by the client's key for it."""

    __slots__ = ("key", "ledger")

    key: Any
    # None when it is done with, and when the broker gives it to somebody else.
    ledger: Ledger[Any] | None

    @staticmethod
    def make_all(messages: Iterable[Message[Any]], ledger: Ledger[Any]) -> list[OwnedDelivery]:
        """Make a delivery of each message."""
        # A class that is called costs twice as much, and this is done for every message.
        make = OwnedDelivery.__new__
        deliveries: list[OwnedDelivery] = []
        for key, value, metadata, attempt in messages:
            delivery: OwnedDelivery = make(OwnedDelivery)
            delivery.value = value
            delivery.metadata = metadata
            delivery.attempt = attempt
            delivery._end = ""
            delivery.ledger = ledger
            delivery.key = key
            deliveries.append(delivery)
        return deliveries

    @property
    def is_acknowledged(self) -> bool:
        """Whether it is settled, by an acknowledgement."""
        return self._end == ACKNOWLEDGED

    def _take(self, end: str) -> _Duty:
        self._require_unsettled(end)
        self._end = end
        return _Duty(self)

    def _acknowledge(self, done: Acknowledged) -> None:
        if self._end:
            self._require_unsettled(ACKNOWLEDGED)
        self._end = ACKNOWLEDGED
        if self.ledger is None:
            done(None)
        else:
            self.ledger.acknowledge(self, done)

    def _acknowledge_unseen(self) -> Ledger[Any] | None:
        ledger = self.ledger
        if ledger is None or self._end or self not in ledger.entered:
            return None
        self._end = ACKNOWLEDGED
        ledger.begin(self)
        return ledger


class _Duty(QuickSettlement):
    """Settles a delivery with its account."""

    __slots__ = ("_delivery",)

    def __init__(self, delivery: OwnedDelivery) -> None:
        self._delivery = delivery

    def require_open(self) -> None:
        """Raise `DeliveryLost` if it is too late."""
        ledger = self._delivery.ledger
        if ledger is not None and ledger.end is not None:
            raise ledger.lost()

    async def settle(self, outcome: Outcome) -> None:
        """Tell the broker."""
        ledger = self._delivery.ledger
        if ledger is not None:
            await ledger.settle(self._delivery, outcome)

    def acknowledge(self, done: Acknowledged) -> None:
        """Tell the broker, without a task."""
        ledger = self._delivery.ledger
        if ledger is None:
            done(None)
        else:
            ledger.acknowledge(self._delivery, done)
