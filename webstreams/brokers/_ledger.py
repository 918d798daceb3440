"""The account of the deliveries of one stream: which are open, and how many more may be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterator
from typing import Any, Generic

from typing_extensions import TypeVar

from .delivery import Acknowledged, Delivery, DeliveryLost, Outcome, QuickSettlement

K = TypeVar("K", bound=Hashable, default=Any)

# Tells the broker what has become of a delivery, which the client knows by a key.
Settle = Callable[[K, Outcome], Awaitable[None]]
# Acknowledges a delivery without a task; calls the function when that is done.
Acknowledge = Callable[[K, Acknowledged], None]
# Acknowledges a delivery at once, if that is possible.
AcknowledgeNow = Callable[[K], bool]


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
        # How many deliveries the broker is being told of.
        self.settling: int = 0
        self.where = where
        self._settle = settle
        self._acknowledge = acknowledge
        self._acknowledge_now = acknowledge_now
        self._failed = failed
        self._entries: dict[K, _Entry[K]] = {}
        self._waiters: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        """How many deliveries nobody has settled."""
        return len(self._entries)

    def __iter__(self) -> Iterator[K]:
        """Give the keys of the open deliveries, the oldest first."""
        return iter(self._entries)

    def __contains__(self, key: K) -> bool:
        """Whether a delivery is open."""
        return key in self._entries

    @property
    def free(self) -> int:
        """How many more may be open."""
        return self.limit - len(self._entries)

    def open(self, key: K, value: Any, metadata: Any, attempt: int | None) -> Delivery[Any]:
        """Enter a delivery."""
        entry = self._entries[key] = _Entry(self, key, metadata)
        return Delivery(value, entry, metadata=metadata, attempt=attempt)

    def message(self, key: K) -> Any:
        """Return the metadata of an open delivery."""
        return self._entries[key].message

    def drop(self, key: K) -> None:
        """Forget a delivery that the broker gives to somebody else: settling it does nothing then."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            entry.is_dropped = True
            self.wake()

    def close(self, end: BaseException | str) -> list[K]:
        """End the account; return what is open, which the source gives back. What is being settled is waited for."""
        self.end = end
        keys = [key for key, entry in self._entries.items() if not entry.is_settling]
        for key in keys:
            del self._entries[key]
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

    async def settle(self, entry: _Entry[K], outcome: Outcome) -> None:
        """Settle a delivery."""
        key = entry.key
        if self._entries.get(key) is not entry:
            if entry.is_dropped:
                return
            raise self.lost()
        entry.is_settling = True
        self.settling += 1
        try:
            await self._settle(key, outcome)
        except Exception as error:
            self._failed(error)
            raise self.lost() from error
        finally:
            self._settled(entry)

    def acknowledge(self, entry: _Entry[K], done: Acknowledged) -> None:
        """Acknowledge a delivery, without a task."""
        if self._entries.get(entry.key) is not entry:
            done(None if entry.is_dropped else self.lost())
            return
        entry.is_settling = True
        self.settling += 1
        self._acknowledge(entry.key, _Acknowledgement(self, entry, done))

    def acknowledge_now(self, entry: _Entry[K]) -> bool:
        """Acknowledge a delivery if that can be done at once; whether it is done."""
        key, entries = entry.key, self._entries
        if entries.get(key) is not entry or not self._acknowledge_now(key):
            return False
        del entries[key]
        if self._waiters:
            self.wake()
        return True

    def acknowledged(self, entry: _Entry[K], done: Acknowledged, error: BaseException | None) -> None:
        """The broker has been told, or could not be told."""
        if error is not None:
            if isinstance(error, Exception):
                self._failed(error)
            lost = self.lost()
            lost.__cause__ = error
            error = lost
        self._settled(entry)
        done(error)

    def _settled(self, entry: _Entry[K]) -> None:
        self.settling -= 1
        if self._entries.get(entry.key) is entry:
            del self._entries[entry.key]
            if self._waiters:
                self.wake()

    def wake(self) -> None:
        """Let those go on who wait for a change."""
        waiters, self._waiters = self._waiters, []
        for each in waiters:
            if not each.done():
                each.set_result(None)


class _Entry(QuickSettlement, Generic[K]):
    """A delivery in the account: what settles it."""

    __slots__ = ("_ledger", "is_dropped", "is_settling", "key", "message")

    def __init__(self, ledger: Ledger[K], key: K, message: Any) -> None:
        self._ledger = ledger
        self.key: K = key
        self.message: Any = message
        # The broker gives it to somebody else; or is being told what has become of it.
        self.is_dropped: bool = False
        self.is_settling: bool = False

    def require_open(self) -> None:
        """Raise `DeliveryLost` if it is too late."""
        if self._ledger.end is not None:
            raise self._ledger.lost()

    async def settle(self, outcome: Outcome) -> None:
        """Tell the broker."""
        await self._ledger.settle(self, outcome)

    def acknowledge(self, done: Acknowledged) -> None:
        """Tell the broker, without a task."""
        self._ledger.acknowledge(self, done)

    def acknowledge_now(self) -> bool:
        """Tell the broker, if that is done at once."""
        return self._ledger.acknowledge_now(self)


class _Acknowledgement(Generic[K]):
    """Called when the broker has been told that a delivery is done with."""

    __slots__ = ("_done", "_entry", "_ledger")

    def __init__(self, ledger: Ledger[K], entry: _Entry[K], done: Acknowledged) -> None:
        self._ledger = ledger
        self._entry = entry
        self._done = done

    def __call__(self, error: BaseException | None) -> None:
        self._ledger.acknowledged(self._entry, self._done, error)
