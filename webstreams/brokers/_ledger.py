"""The account of the deliveries of one stream: which are open, and how many more may be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from typing import Any, Generic

from typing_extensions import TypeVar

from .delivery import ACKNOWLEDGED, Acknowledged, Delivery, DeliveryLost, Outcome, QuickSettlement

K = TypeVar("K", bound=Hashable, default=Any)

# Tells the broker what has become of a delivery, which the client knows by a key.
Settle = Callable[[K, Outcome], Awaitable[None]]
# Acknowledges a delivery without a task; calls the function when that is done.
Acknowledge = Callable[[K, Acknowledged], None]
# Acknowledges a delivery at once, if that is possible.
AcknowledgeNow = Callable[[K], bool]
# What a delivery is made of: the client's key for it, the value, the metadata, the attempt.
Message = tuple[K, Any, Any, int | None]


class Ledger(Generic[K]):
    """Knows every delivery that nobody has settled, in the order of their arrival, by the client's key for it."""

    def __init__(
        self,
        limit: int,
        settle: Settle[K],
        acknowledge: Acknowledge[K],
        acknowledge_now: AcknowledgeNow[K],
        failed: Callable[[Exception], None],
        where: str,
    ) -> None:
        self.limit = limit
        # Why the stream has ended; None while it goes on.
        self.end: BaseException | str | None = None
        # Of which deliveries the broker is being told.
        self.settling: set[K] = set()
        self.where = where
        self._settle = settle
        self._acknowledge = acknowledge
        self._acknowledge_now = acknowledge_now
        self._failed = failed
        self._open: dict[K, OwnedDelivery] = {}
        self._waiters: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        """How many deliveries nobody has settled."""
        return len(self._open)

    def __iter__(self) -> Iterator[K]:
        """Give the keys of the open deliveries, the oldest first."""
        return iter(self._open)

    def __contains__(self, key: K) -> bool:
        """Whether a delivery is open."""
        return key in self._open

    @property
    def free(self) -> int:
        """How many more may be open."""
        return self.limit - len(self._open)

    def open(self, messages: Iterable[Message[K]]) -> list[Delivery[Any]]:
        """Enter deliveries."""
        entered = self._open
        deliveries: list[Delivery[Any]] = []
        for key, value, metadata, attempt in messages:
            delivery = entered[key] = OwnedDelivery(self, key, value, metadata, attempt)
            deliveries.append(delivery)
        return deliveries

    def message(self, key: K) -> Any:
        """Return the metadata of an open delivery."""
        return self._open[key].metadata

    def drop(self, key: K) -> None:
        """Forget a delivery that the broker gives to somebody else: settling it does nothing then."""
        delivery = self._open.pop(key, None)
        if delivery is not None:
            delivery.ledger = None
            self.wake()

    def close(self, end: BaseException | str) -> list[K]:
        """End the account; return what is open, which the source gives back. What is being settled is waited for."""
        self.end = end
        keys = [key for key in self._open if key not in self.settling]
        for key in keys:
            del self._open[key]
        self.wake()
        return keys

    async def change(self) -> None:
        """Wait until a delivery is settled, somebody reads, or the account is closed."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

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
        key: K = delivery.key
        if self._open.get(key) is not delivery:
            raise self.lost()
        self.settling.add(key)
        try:
            await self._settle(key, outcome)
        except Exception as error:
            self._failed(error)
            raise self.lost() from error
        finally:
            self._settled(delivery)

    def acknowledge(self, delivery: OwnedDelivery, done: Acknowledged) -> None:
        """Acknowledge a delivery, without a task."""
        key: K = delivery.key
        if self.acknowledge_now(delivery):
            done(None)
        elif self._open.get(key) is not delivery:
            done(self.lost())
        else:
            self.settling.add(key)
            self._acknowledge(key, _Acknowledgement(self, delivery, done))

    def acknowledge_now(self, delivery: OwnedDelivery) -> bool:
        """Acknowledge a delivery if that can be done at once; whether it is done."""
        key, entered = delivery.key, self._open
        if entered.get(key) is not delivery or not self._acknowledge_now(key):
            return False
        del entered[key]
        if self._waiters:
            self.wake()
        return True

    def acknowledged(self, delivery: OwnedDelivery, done: Acknowledged, error: BaseException | None) -> None:
        """The broker has been told, or could not be told."""
        if error is not None:
            if isinstance(error, Exception):
                self._failed(error)
            lost = self.lost()
            lost.__cause__ = error
            error = lost
        self._settled(delivery)
        done(error)

    def _settled(self, delivery: OwnedDelivery) -> None:
        key: K = delivery.key
        self.settling.discard(key)
        if self._open.get(key) is delivery:
            del self._open[key]
            if self._waiters:
                self.wake()

    def wake(self) -> None:
        """Let those go on who wait for a change."""
        waiters, self._waiters = self._waiters, []
        for each in waiters:
            if not each.done():
                each.set_result(None)


class OwnedDelivery(Delivery[Any]):
    """A delivery in an account: what others have a settlement for, it does with its account and its key there."""

    __slots__ = ("key", "ledger")

    def __init__(self, ledger: Ledger[Any], key: Any, value: Any, metadata: Any, attempt: int | None) -> None:
        # Not by way of the base class: one call for each message of a broker is enough.
        self.value = value
        self.metadata = metadata
        self.attempt = attempt
        self._end = ""
        self.key: Any = key
        # None when the broker gives it to somebody else.
        self.ledger: Ledger[Any] | None = ledger

    def _take(self, end: str) -> _Duty:
        self._require_unsettled(end)
        self._end = end
        return _Duty(self)

    def _acknowledge_now(self) -> bool:
        ledger = self.ledger
        if self._end or ledger is None or not ledger.acknowledge_now(self):
            return False
        self._end = ACKNOWLEDGED
        return True


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


class _Acknowledgement:
    """Called when the broker has been told that a delivery is done with."""

    __slots__ = ("_delivery", "_done", "_ledger")

    def __init__(self, ledger: Ledger[Any], delivery: OwnedDelivery, done: Acknowledged) -> None:
        self._ledger = ledger
        self._delivery = delivery
        self._done = done

    def __call__(self, error: BaseException | None) -> None:
        self._ledger.acknowledged(self._delivery, self._done, error)
