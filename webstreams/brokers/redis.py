"""Redis Streams as streams, over redis-py: ``pip install "webstreams[redis]"``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

from .._platform.arguments import checked_seconds, checked_size, checked_text, show_number
from .._platform.lazy import needs_extra
from .._streams.writable.stream import WritableStream
from .._streams.writable.writer import WritableStreamDefaultWriter
from ._feeding import FetchingSource
from ._grouping import Grouping, set_result
from ._ledger import OwnedDelivery
from ._publishing import CONFIRM_TIME, Publisher, PublishingWork, body_of
from ._source import Deliveries, checked_limit, writer_of
from .delivery import Outcome

with needs_extra("redis"):
    from redis.asyncio import Redis
    from redis.exceptions import ConnectionError as LostError
    from redis.exceptions import ResponseError
    from redis.exceptions import TimeoutError as LateError

__all__ = ["consume", "publish"]

Fields: TypeAlias = Mapping[bytes, bytes]
Message: TypeAlias = "bytes | bytearray | memoryview | Mapping[bytes, bytes] | Mapping[str, bytes]"

# The fields of an entry to add, and what is told when that is done.
_Entry: TypeAlias = "tuple[Mapping[Any, Any], asyncio.Future[None]]"

# How long one read waits for an entry, and how long a command may take beyond that (seconds).
BLOCK_TIME: Final = 1.0
COMMAND_TIME: Final = 10.0
# What `claim_idle` may be (seconds): Redis counts milliseconds, back from now.
LEAST_IDLE: Final = 0.001
MOST_IDLE: Final = 1e9
# How many entries are claimed, or looked at, by one command.
PAGE: Final = 1000


def consume(
    client: Redis,
    key: str | bytes,
    group: str,
    consumer: str,
    *,
    in_flight: int = 64,
    claim_idle: float = 60.0,
    dead_letter: WritableStream[Fields] | None = None,
) -> Deliveries[Fields]:
    """Make a stream of the entries of a Redis stream, read for a consumer of a group; each is to be acknowledged.

    The value of a delivery is the mapping of the entry's fields, `bytes` to `bytes`, the metadata its id. The group is
    made if there is none (from the first entry on). At most `in_flight` entries are unsettled at a time.

    First come the entries that this consumer has left unacknowledged before (its program was killed); then new ones.
    What another consumer has left for `claim_idle` seconds is claimed and comes, too. As long as a delivery is
    unsettled here, it is kept from being claimed by others, however long the work takes.

    ``nack()`` lets any consumer of the group claim the entry at once. ``nack(requeue=False)`` writes its fields to
    `dead_letter`, if there is one, and acknowledges the entry when that is done: Redis has no dead letters of its own.

    The stream is errored with the client's error: at once when the connection is refused or closed and the client's own
    retries have failed, after 11 seconds when the server is silent.

    Raises `TypeError` for anything other than a `redis.asyncio.Redis` or integer limits; `ValueError` for a
    client that decodes its responses, an `in_flight` below 1 or a `claim_idle` below a millisecond or above 1e9
    seconds. Not in the Standard.

    >>> async def main() -> None:
    ...     async for delivery in consume(Redis(), "orders", "billing", "billing-1"):
    ...         print(delivery.value[b"data"])
    ...         await delivery.ack()
    """
    _check(client, "consume()")
    checked_text(key, "key", bytes)
    checked_text(group, "group", bytes)
    checked_text(consumer, "consumer", bytes)
    if not LEAST_IDLE <= checked_seconds(claim_idle, "claim_idle") <= MOST_IDLE:
        raise ValueError(
            f"claim_idle must be from {LEAST_IDLE} to {MOST_IDLE:g} seconds, not {show_number(claim_idle)}"
        )
    limit = checked_limit(in_flight, "in_flight")
    return Deliveries(_Source(client, key, group, consumer, limit, claim_idle, dead_letter))


def publish(
    client: Redis,
    key: str | bytes,
    *,
    max_length: int | None = None,
    in_flight: int = 64,
    timeout: float = CONFIRM_TIME,
) -> Publisher[Message]:
    """Make a writable stream that adds entries to a Redis stream.

    A mapping has the fields of the entry; `bytes` go into the field ``data``. With `max_length`, old entries are cut
    off when there are about so many. The promise of a ``write()`` is fulfilled when Redis has answered; up to
    `in_flight` entries are under way, those that come together in one pipeline. It is rejected with the client's error
    (and the stream errored), and with `TimeoutError` when there is no answer within `timeout` seconds.

    A client that tries again by itself (`redis.asyncio.Redis` does by default) may add an entry twice.

    Raises `TypeError` for anything other than a `redis.asyncio.Redis`, `ValueError` for a client that decodes its
    responses and for an `in_flight` below 1. Not in the Standard.

    >>> async def main() -> None:
    ...     async with publish(Redis(), "orders").get_writer() as writer:
    ...         await writer.write({b"id": b"1", b"amount": b"20"})
    """
    _check(client, "publish()")
    checked_text(key, "key", bytes)
    if max_length is not None:
        checked_size(max_length, "max_length")
    return Publisher(_Work(client, key, max_length, timeout), checked_limit(in_flight, "in_flight"))


def _check(client: object, function: str) -> None:
    if not isinstance(client, Redis):
        raise TypeError(f"{function} needs a redis.asyncio.Redis, not {type(client).__name__}")
    if client.connection_pool.connection_kwargs.get("decode_responses"):
        raise ValueError(f"{function} needs a client that gives bytes: Redis(decode_responses=False), the default")


class _Source(FetchingSource[bytes]):
    """Reads for one consumer; the key of a delivery is the id of its entry."""

    lost = (OSError, LostError, LateError)

    def __init__(
        self,
        client: Redis,
        key: str | bytes,
        group: str,
        consumer: str,
        limit: int,
        claim_idle: float,
        dead_letter: WritableStream[Fields] | None,
    ) -> None:
        super().__init__(limit, f"the Redis stream {key!r}")
        self._client: Any = client
        self._key = key
        self._group = group
        self._consumer = consumer
        self._idle = claim_idle
        self._dead_letter: WritableStreamDefaultWriter[Fields] | None = (
            None if dead_letter is None else writer_of(dead_letter, "dead_letter")
        )
        # Acknowledgements that go with the next read; none does while a read waits, nor when there are no more reads.
        self._with_read: list[OwnedDelivery] = []
        self._read_waits = True
        # Whether there are probably more entries: the last read has got all that it wanted.
        self._has_more = False
        # The last entry of our own past that was read; None when all were.
        self._past: bytes | None = b"0-0"
        # When to look again for what others have left, and where the search goes on.
        self._claim_at = 0.0
        self._claim_from: bytes = b"0-0"

    async def open(self) -> None:
        """Make the group if need be, and begin."""
        try:
            await self._client.xgroup_create(self._key, self._group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self.begin(self._idle / 3)

    # Reading.

    @property
    def room(self) -> int:
        """How many entries may be read, after what is to be acknowledged with the read."""
        return self.ledger.free + len(self._with_read)

    @property
    def makes_room_soon(self) -> bool:
        """Whether entries are being acknowledged, and not with the next read."""
        return len(self.ledger.settling) > len(self._with_read)

    async def fetch(self, count: int) -> None:
        """Read our own past first, then what others have left, then what is new."""
        async with _in_time(BLOCK_TIME + COMMAND_TIME):
            if self._past is None and self._has_more and time.monotonic() < self._claim_at:
                await self._fetch_more(count)
            else:
                self._read_waits = True
                self.has_no_room()
                await self._fetch_slowly(min(count, self.ledger.free))
                self._read_waits = self.is_over

    def has_no_room(self) -> None:
        """Acknowledge now what would have gone with the next read."""
        self.acks.put(self._take_with_read())

    def _take_with_read(self) -> list[OwnedDelivery]:
        """Return the acknowledgements that were to go with the next read; whoever takes them sees to them."""
        group, self._with_read = self._with_read, []
        return group

    async def _fetch_slowly(self, count: int) -> None:
        if count <= 0:
            await self.ledger.change()
        elif self._past is not None:
            await self._fetch_past(count)
        elif time.monotonic() >= self._claim_at:
            await self._claim(count)
        else:
            await self._fetch_new(count)

    async def _fetch_new(self, count: int) -> None:
        wait = min(BLOCK_TIME, max(0.001, self._claim_at - time.monotonic()))
        self._deliver_new(await self._read(">", count, max(1, round(wait * 1000))), count)

    def _deliver_new(self, entries: Sequence[tuple[bytes, Any]], count: int) -> None:
        self._has_more = len(entries) == count
        self.deliver_all([(entry, fields, entry, 1) for entry, fields in entries])

    async def _fetch_more(self, count: int) -> None:
        """Read without waiting, and acknowledge in the same round trip; the server does that first."""
        group = self._take_with_read()
        pipeline = self._client.pipeline(transaction=False)
        if group:
            pipeline.xack(self._key, self._group, *[delivery.key for delivery in group])
        pipeline.xreadgroup(self._group, self._consumer, {self._key: ">"}, count=count)
        try:
            *acknowledged, answer = await pipeline.execute(raise_on_error=False)
        except asyncio.CancelledError:
            # Nobody knows whether the server has heard of them; it does no harm to tell it again.
            self._with_read += group
            raise
        except Exception as error:
            self.ledger.told(group, error)
            raise
        self.ledger.told(group, next((each for each in acknowledged if isinstance(each, BaseException)), None))
        if isinstance(answer, BaseException):
            raise answer
        self._deliver_new(_entries_of(answer), count)

    async def _fetch_past(self, count: int) -> None:
        assert self._past is not None
        entries = await self._read(self._past, count, None)
        await self._deliver_again(entries)
        self._past = entries[-1][0] if entries else None

    async def _claim(self, count: int) -> None:
        answer = await self._client.xautoclaim(
            self._key, self._group, self._consumer, round(self._idle * 1000), self._claim_from, count=count
        )
        self._claim_from = answer[0]
        await self._deliver_again(answer[1])
        if self._claim_from == b"0-0":
            self._claim_at = time.monotonic() + self._idle / 2

    async def _read(self, start: str | bytes, count: int, block: int | None) -> list[tuple[bytes, Any]]:
        streams = {self._key: start}
        return _entries_of(
            await self._client.xreadgroup(self._group, self._consumer, streams, count=count, block=block)
        )

    async def _deliver_again(self, entries: Sequence[tuple[bytes, Any]]) -> None:
        attempts = await self._attempts(entries)
        ours = set(self.ledger)
        for entry, fields in entries:
            if entry in ours:
                continue
            if not fields:
                await self.acknowledge_together([entry])  # it was cut off the stream: there is nothing to deliver
            else:
                self.deliver((entry, fields, entry, attempts.get(entry)))

    async def _attempts(self, entries: Sequence[tuple[bytes, Any]]) -> dict[bytes, int]:
        if not entries:
            return {}
        pending = await self._pending(entries[0][0], entries[-1][0], PAGE)
        return {each["message_id"]: each["times_delivered"] for each in pending}

    async def _pending(self, first: bytes, last: bytes, count: int) -> list[dict[str, Any]]:
        return await self._client.xpending_range(  # type: ignore[no-any-return]
            self._key, self._group, first, last, count, self._consumer
        )

    # Settling.

    async def settle(self, key: bytes, outcome: Outcome) -> None:
        """Let everybody claim the entry, or take it to the dead letters."""
        if outcome == "requeue":
            await self._release([key])
            self._claim_at = 0.0
            return
        if outcome == "reject" and self._dead_letter is not None:
            await self._dead_letter.write(await self._fields(key))
        await self.acknowledge_together([key])

    def acknowledge(self, delivery: OwnedDelivery) -> None:
        """Acknowledge with the next read, or with the next group."""
        if self._read_waits:
            self.acks.put((delivery,))
        else:
            self._with_read.append(delivery)
            if self.ledger.waiters:
                self.ledger.wake()

    async def _fields(self, key: bytes) -> Fields:
        entries = await self._client.xrange(self._key, key, key)
        fields: Fields = entries[0][1] if entries else {}
        return fields

    async def acknowledge_together(self, keys: list[bytes]) -> None:
        """Acknowledge several entries with one command."""
        async with _in_time(COMMAND_TIME):
            await self._client.xack(self._key, self._group, *keys)

    async def _release(self, keys: Sequence[bytes]) -> None:
        """Make entries look as if nobody had touched them for long."""
        if keys:
            idle = round(self._idle * 1000)
            await self._client.xclaim(self._key, self._group, self._consumer, 0, list(keys), idle=idle, justid=True)

    async def tend(self) -> None:
        """Make what is open look as if it had just come; what somebody else has claimed meanwhile is his."""
        ours = list(self.ledger)
        if not ours:
            return
        async with _in_time(COMMAND_TIME):
            pending = await self._pending(ours[0] if len(ours) == 1 else b"-", b"+", PAGE + len(ours))
            ours_now = set(self.ledger)
            held = [each["message_id"] for each in pending if each["message_id"] in ours_now]
            if held:
                await self._client.xclaim(self._key, self._group, self._consumer, 0, held, justid=True)

    # The end.

    async def stop(self) -> None:
        """Read no more. What a read has got that waited and was cancelled is given back with the rest."""
        await self.finish_fetching(cancel=self._read_waits or self.is_lost)
        self._read_waits = True
        if isinstance(self.ledger.end, self.lost):
            self.ledger.told(self._take_with_read(), self.ledger.end)
        self.has_no_room()

    async def give_back(self, keys: list[bytes]) -> None:
        """Let others claim everything that this consumer has, at once."""
        pending = await self._pending(b"-", b"+", PAGE + len(keys))
        await self._release([each["message_id"] for each in pending])


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    """Have what is in the block end within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        if error.args:  # of the client
            raise
        raise TimeoutError(f"Redis has not answered within {seconds:g} seconds") from error


def _entries_of(answer: Any) -> list[tuple[bytes, Any]]:
    if not answer:
        return []
    if isinstance(answer, dict):  # RESP3
        return [entry for page in next(iter(answer.values())) for entry in page]
    return list(answer[0][1])


class _Work(PublishingWork):
    """Adds entries, in groups."""

    def __init__(self, client: Redis, key: str | bytes, max_length: int | None, timeout: float) -> None:
        super().__init__(f"the Redis stream {key!r}", timeout)
        self._client: Any = client
        self._key = key
        self._max_length = max_length
        self._entries: Grouping[_Entry] = Grouping(self._add)
        # How many entries are waited for.
        self._waiting = 0

    async def publish(self, message: Any) -> None:
        """Add an entry with the next group."""
        added: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._entries.put([(message if isinstance(message, Mapping) else {b"data": body_of(message)}, added)])
        self._waiting += 1
        try:
            await added
        finally:
            self._waiting -= 1
            if self._waiting == 0 and added.cancelled():
                self._entries.stop()

    async def _add(self, entries: list[_Entry]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        answers: list[Any]
        try:
            for fields, _ in entries:
                pipeline.xadd(
                    self._key, dict(fields), maxlen=self._max_length, approximate=self._max_length is not None
                )
            answers = await pipeline.execute(raise_on_error=False)
        except Exception as error:
            answers = [error] * len(entries)
        for (_, added), answer in zip(entries, answers, strict=True):
            set_result(added, answer if isinstance(answer, BaseException) else None)

    def is_fatal(self, error: object) -> bool:
        """An entry that Redis refuses concerns nobody else."""
        return not isinstance(error, ResponseError)
