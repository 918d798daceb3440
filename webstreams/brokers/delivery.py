"""One message of a broker, which is settled once: acknowledged or given back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, Generic, Literal, Protocol, TypeAlias

from typing_extensions import TypeVar

from .._engine.promise import Promise

__all__ = ["Delivery", "DeliveryLost", "Outcome", "Settlement"]

# Covariant, as what is read of a delivery is its value: those of `bytes` go where those of any buffer go.
T_co = TypeVar("T_co", covariant=True, default=Any)
U = TypeVar("U", default=Any)

# What becomes of a delivery: it is done with, it comes again, or it is refused for good.
Outcome: TypeAlias = Literal["ack", "requeue", "reject"]

ACKNOWLEDGED: Final = "acknowledged"

_WORDS: Final[dict[Outcome, str]] = {"ack": ACKNOWLEDGED, "requeue": "given back", "reject": "rejected"}


class DeliveryLost(RuntimeError):
    """A delivery was settled too late: its stream has ended, and the broker has it back and delivers it again.

    The ``__cause__`` is the error of the connection, if that was the reason.
    """


# Called when a delivery has been acknowledged, with the error if it could not be.
Acknowledged: TypeAlias = Callable[[BaseException | None], None]


class Settlement(Protocol):
    """What tells a broker what has become of a delivery."""

    def require_open(self) -> None:
        """Raise `DeliveryLost` if it is too late."""

    async def settle(self, outcome: Outcome) -> None:
        """Tell the broker; called once."""


class QuickSettlement:
    """A settlement that can acknowledge without a task of its own for each delivery."""

    __slots__ = ()

    def acknowledge(self, done: Acknowledged) -> None:
        """Do what ``settle("ack")`` does, and call `done` after that, perhaps at once."""
        raise NotImplementedError


class Account(Protocol):
    """What sees to acknowledgements that nobody waits for."""

    def watch(self, done: Acknowledged) -> int:
        """Call `done` at the end of each that is under way; return how many there are."""


def call_back(work: Awaitable[None], done: Acknowledged) -> None:
    """Run a coroutine, from now on, and call `done` when it has ended: at once if it does not wait for anything."""
    promise = Promise.resolve(work)
    if promise.done():
        done(promise.exception())
    else:
        promise.add_done_callback(partial(_ended, done))


def _ended(done: Acknowledged, promise: Promise[None]) -> None:
    done(promise.exception())


class Delivery(Generic[T_co]):
    """One message of a broker: its `value`, and the duty to settle it.

    `value` is what the pipeline works on; `metadata` is the client's own message (headers, keys, offsets); `attempt`
    counts the deliveries of this message, from 1, and is None where the broker does not tell.

    A delivery is settled once, by ``ack()``, by ``nack()``, or by being taken apart (``derive()``) or put together
    (``join()``), which makes new deliveries with the duty. Who settles one twice gets a `RuntimeError`; who settles one
    after its stream has ended gets `DeliveryLost`, which is one, too.

    Sources make deliveries. A program of your own can make some for its tests, with any object as the `settlement`
    that has the two methods of `Settlement`. Not in the Standard.

    >>> class Log:
    ...     def require_open(self) -> None:
    ...         pass
    ...     async def settle(self, outcome: str) -> None:
    ...         print("the broker is told:", outcome)
    >>> async def main() -> None:
    ...     delivery = Delivery("1,2", Log())
    ...     first, second = delivery.derive(*delivery.value.split(","))
    ...     await first.ack()
    ...     await second.ack()
    >>> asyncio.run(main())
    the broker is told: ack
    """

    __slots__ = ("_end", "_settlement", "attempt", "metadata", "value")

    def __init__(
        self, value: T_co, settlement: Settlement, *, metadata: Any = None, attempt: int | None = None
    ) -> None:
        self.value: T_co = value
        self.metadata: Any = metadata
        self.attempt: int | None = attempt
        self._settlement = settlement
        self._end = ""

    async def ack(self) -> None:
        """Acknowledge: the message is done with and does not come again. Done when the client has told the broker.

        Raises `RuntimeError` when the delivery was settled before, `DeliveryLost` when its stream has ended.
        """
        await self._take(ACKNOWLEDGED).settle("ack")

    async def nack(self, requeue: bool = True) -> None:
        """Give the message back, to be delivered again; without `requeue`, refuse it for good, which is what a broker
        takes to its dead letters.

        Raises as ``ack()`` does.
        """
        outcome: Outcome = "requeue" if requeue else "reject"
        await self._take(_WORDS[outcome]).settle(outcome)

    def _acknowledge(self, done: Acknowledged) -> None:
        """Do what ``ack()`` does, without a task where that is possible, and call `done` after that."""
        settlement = self._take(ACKNOWLEDGED)
        if isinstance(settlement, QuickSettlement):
            settlement.acknowledge(done)
        else:
            call_back(settlement.settle("ack"), done)

    def _acknowledge_unseen(self) -> Account | None:
        """Do what ``ack()`` does if an account sees to that and tells of its failure; else return None."""
        return None

    def derive(self, *values: U) -> list[Delivery[U]]:
        """Make a delivery of each value, with the same metadata, and hand the duty on to them.

        This delivery is acknowledged when all of them are, and given back or rejected as soon as one of them is.
        Without values it is acknowledged at once.

        Raises `RuntimeError` when the delivery was settled before.
        """
        parts = Parts(self)
        derived = [parts.add(value) for value in values]
        parts.seal()
        return derived

    @staticmethod
    def join(deliveries: Iterable[Delivery[U]]) -> Delivery[list[U]]:
        """Make one delivery with the list of the values: settling it settles all of them the same way.

        For batches: ``deliveries.batched(100).map(Delivery.join)``. The metadata is the list of theirs, `attempt` the
        highest of theirs. Raises `RuntimeError` when one of them was settled before or is there twice, and `TypeError`
        for what are no deliveries; then none is joined.
        """
        together = list(deliveries) if isinstance(deliveries, Iterable) else None
        if together is None or not all(isinstance(each, Delivery) for each in together):
            raise TypeError(f"Delivery.join() needs an iterable of deliveries, not {deliveries!r}")
        for each in together:
            each._require_unsettled("joined")  # noqa: SLF001 - of this class
        if len(set(together)) < len(together):
            raise RuntimeError("Delivery.join() was given a delivery twice, and a delivery is settled once")
        settlement = _Joined([each._take("joined with others") for each in together])  # noqa: SLF001
        attempts = [each.attempt for each in together if each.attempt is not None]
        return Delivery(
            [each.value for each in together],
            settlement,
            metadata=[each.metadata for each in together],
            attempt=max(attempts, default=None),
        )

    @property
    def settled(self) -> bool:
        """Whether it has been settled, taken apart or joined."""
        return bool(self._end)

    def _require_unsettled(self, action: str) -> None:
        if self._end:
            raise RuntimeError(
                f"the delivery cannot be {action}: it was {self._end} already, and a delivery is settled once"
            )

    def _take(self, end: str) -> Settlement:
        """Take the duty away from this delivery; `end` says how it was settled."""
        self._require_unsettled(end)
        self._end = end
        return self._settlement

    def __repr__(self) -> str:
        """Show the value, and how it was settled."""
        attempt = "" if self.attempt in (None, 1) else f" attempt {self.attempt}"
        return f"<Delivery {self._end or 'unsettled'}{attempt}: {self.value!r}>"


class Parts(QuickSettlement):
    """What a delivery was taken apart into. Its duty is done when all parts are, and there will be no more."""

    __slots__ = ("_attempt", "_is_sealed", "_metadata", "_open", "_outcome", "_settlement", "_task")

    def __init__(self, delivery: Delivery[Any]) -> None:
        self._settlement = delivery._take("taken apart")  # noqa: SLF001 - of this module
        self._metadata = delivery.metadata
        self._attempt = delivery.attempt
        self._open = 0
        self._is_sealed = False
        self._outcome: Outcome | None = None
        self._task: asyncio.Task[None] | None = None

    def add(self, value: U) -> Delivery[U]:
        """Make one more part."""
        self._open += 1
        return Delivery(value, self, metadata=self._metadata, attempt=self._attempt)

    def seal(self) -> None:
        """There will be no more parts: acknowledge if none is left, in a task of its own."""
        self._is_sealed = True
        if self._open == 0 and self._outcome is None:
            self._task = asyncio.get_running_loop().create_task(self._finish("ack"))

    async def sealed(self) -> None:
        """There will be no more parts: acknowledge if none is left."""
        self._is_sealed = True
        if self._open == 0 and self._outcome is None:
            await self._finish("ack")

    def require_open(self) -> None:
        """Raise `DeliveryLost` if it is too late."""
        self._settlement.require_open()

    def acknowledge(self, done: Acknowledged) -> None:
        """One part was acknowledged."""
        settlement = self._settlement
        if self._open == 1 and self._is_sealed and self._outcome is None and isinstance(settlement, QuickSettlement):
            self._open = 0
            self._outcome = "ack"
            settlement.acknowledge(done)
        else:
            call_back(self.settle("ack"), done)

    async def settle(self, outcome: Outcome) -> None:
        """One part was settled."""
        self._open -= 1
        if self._outcome is not None:
            return  # the broker has been told of another part
        if outcome != "ack" or (self._open == 0 and self._is_sealed):
            await self._finish(outcome)
        else:
            self._settlement.require_open()

    async def _finish(self, outcome: Outcome) -> None:
        self._outcome = outcome
        await self._settlement.settle(outcome)


class _Joined(QuickSettlement):
    """Settles several deliveries alike."""

    __slots__ = ("_settlements",)

    def __init__(self, settlements: Sequence[Settlement]) -> None:
        self._settlements = settlements

    def require_open(self) -> None:
        for each in self._settlements:
            each.require_open()

    def acknowledge(self, done: Acknowledged) -> None:
        """Acknowledge all, also when one of them fails; `done` gets the first error."""
        last = _Last(len(self._settlements), done)
        for each in self._settlements:
            if isinstance(each, QuickSettlement):
                each.acknowledge(last)
            else:
                call_back(each.settle("ack"), last)
        if not self._settlements:
            done(None)

    async def settle(self, outcome: Outcome) -> None:
        """Settle all, also when one of them fails; raise the first error."""
        settling = [each.settle(outcome) for each in self._settlements]
        for result in await asyncio.gather(*settling, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result


class _Last:
    """Called with the result of each of several acknowledgements; calls `done` with the first error at the last one."""

    __slots__ = ("_done", "_error", "_missing")

    def __init__(self, count: int, done: Acknowledged) -> None:
        self._missing = count
        self._done = done
        self._error: BaseException | None = None

    def __call__(self, error: BaseException | None) -> None:
        self._missing -= 1
        self._error = self._error or error
        if self._missing == 0:
            self._done(self._error)
