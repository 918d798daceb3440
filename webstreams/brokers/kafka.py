"""Kafka as streams, over aiokafka: ``pip install "webstreams[kafka]"``."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from .._platform.arguments import checked_seconds, checked_text
from .._platform.lazy import needs_extra
from .._streams.writable.stream import WritableStream
from .._streams.writable.writer import WritableStreamDefaultWriter
from ._feeding import FetchingSource
from ._ledger import OwnedDelivery
from ._offsets import Offsets
from ._publishing import Publisher, PublishingWork, body_of
from ._source import Deliveries, checked_limit, writer_of
from .delivery import Outcome

with needs_extra("kafka"):
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
    from aiokafka.errors import (
        CommitFailedError,
        IllegalStateError,
        KafkaConnectionError,
        MessageSizeTooLargeError,
    )

__all__ = ["consume", "produce"]

Record: TypeAlias = "ConsumerRecord[Any, Any]"
Message: TypeAlias = "bytes | bytearray | memoryview | ConsumerRecord[Any, Any] | Mapping[str, Any]"
# The account of a partition, a record, and how often it was delivered.
Key: TypeAlias = "tuple[Offsets, Record, int]"

# How long one poll waits for a record (seconds).
POLL_TIME: Final = 0.2
# How long the broker may be silent before it is asked for a sign of life, and how long that may take (seconds).
SILENCE: Final = 3.0
ANSWER_TIME: Final = 7.0
# How long a record waits for its confirmation (seconds): the client tries again by itself for a while.
CONFIRM_TIME: Final = 30.0

# The names that topics have; a lone dot, or two, are none.
TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
# Polling this partition, which nobody has, brings nothing; it tells the client that the program is alive.
NOBODY: Final[Any] = TopicPartition("", 0)

_log = logging.getLogger("webstreams.brokers")


def consume(
    consumer: Any,  # an AIOKafkaConsumer: the client has no types
    *,
    in_flight: int = 500,
    commit_interval: float = 1.0,
    revoke_timeout: float = 10.0,
    dead_letter: WritableStream[Record] | None = None,
) -> Deliveries[bytes]:
    """Make a stream of the records that a consumer gets, each to be acknowledged.

    `consumer` is an `AIOKafkaConsumer` that has been started, has a group and does not commit by itself
    (``enable_auto_commit=False``). At most `in_flight` records are unsettled at a time. The value of a delivery is the
    record's, the metadata the record. `attempt` counts the deliveries by this stream.

    Kafka knows no acknowledgement of a record, only a position in each partition. So ``ack()`` notes that a record is
    done; every `commit_interval` seconds, and at the end, the position is committed up to which all records are done,
    in whatever order they were. Records that are done and not committed count to `in_flight`, too, and when they take
    up the room the position is committed at once. So a program that is killed has no more than `in_flight` records
    delivered again, and one slow record stops the stream after so many others.

    ``nack()`` delivers the record again, in this stream; the position stays before it. ``nack(requeue=False)`` writes
    the record to `dead_letter`, if there is one (`produce` takes it as it is), and it is done when that has been
    confirmed.

    When the group is rebalanced, what nobody has read of a partition that goes away is dropped, what is in the pipeline
    is waited for, up to `revoke_timeout` seconds, and the position is committed, before another member gets it. What is
    settled later than that changes nothing: the other member gets it again. While there is no room for records, the
    client is kept from believing that the program hangs (``max_poll_interval_ms``).

    The stream is errored with the client's error; with `KafkaConnectionError` when no broker has answered for 10
    seconds, although the client would wait on. At the end the consumer, which stays the caller's, is set back to the
    first record that is not done.

    Raises `TypeError` for anything other than an `AIOKafkaConsumer` or an integer `in_flight`, `ValueError`
    for a consumer that commits by itself or has no group, and for an `in_flight` below 1. Not in the Standard.

    >>> async def main() -> None:
    ...     consumer = AIOKafkaConsumer("orders", group_id="billing", enable_auto_commit=False)
    ...     async with consumer:
    ...         async for delivery in consume(consumer):
    ...             print(delivery.value)
    ...             await delivery.ack()
    """
    if not isinstance(consumer, AIOKafkaConsumer):
        raise TypeError(f"consume() needs an AIOKafkaConsumer, not {type(consumer).__name__}")
    if consumer._enable_auto_commit:  # noqa: SLF001 - no public name
        raise ValueError("consume() needs AIOKafkaConsumer(enable_auto_commit=False): it commits what is acknowledged")
    if consumer._group_id is None:  # noqa: SLF001 - no public name
        raise ValueError("consume() needs AIOKafkaConsumer(group_id=...): positions are committed for a group")
    limit = checked_limit(in_flight, "in_flight")
    every = checked_seconds(commit_interval, "commit_interval")
    longest = checked_seconds(revoke_timeout, "revoke_timeout")
    return Deliveries(_Source(consumer, limit, every, longest, dead_letter))


def produce(producer: Any, topic: str, *, in_flight: int = 500, timeout: float = CONFIRM_TIME) -> Publisher[Message]:
    """Make a writable stream that sends to a topic.

    `producer` is an `AIOKafkaProducer` that has been started. `bytes` are the value of a record; a mapping has the
    arguments of ``producer.send()`` (``value``, ``key``, ``headers``, ``partition``, ``timestamp_ms``); of a
    `ConsumerRecord` the value, the key and the headers are sent. Records are handed to the client in the order of
    writing. The promise of a ``write()`` is fulfilled when the broker has confirmed the record (as the producer's
    ``acks`` says). It is rejected with the client's error, and with `TimeoutError` after `timeout` seconds; each errors
    the stream.

    Raises `TypeError` for anything other than an `AIOKafkaProducer` or an integer `in_flight`, `ValueError`
    for one below 1, and for a name that no topic of Kafka can have. Not in the Standard.

    >>> async def main() -> None:
    ...     async with AIOKafkaProducer() as producer, produce(producer, "orders").get_writer() as writer:
    ...         await writer.write({"key": b"customer 7", "value": b"an order"})
    """
    if not isinstance(producer, AIOKafkaProducer):
        raise TypeError(f"produce() needs an AIOKafkaProducer, not {type(producer).__name__}")
    return Publisher(_Work(producer, _checked_topic(topic), timeout), checked_limit(in_flight, "in_flight"))


def _checked_topic(topic: Any) -> str:
    """Return the name of a topic. For one that no broker accepts, the client asks again until its time is over."""
    checked_text(topic, "topic")
    if TOPIC.fullmatch(topic) is None or topic in (".", ".."):
        raise ValueError(f"topic must be 1 to 249 letters, digits, dots, underscores or hyphens, not {topic!r:.60}")
    return str(topic)


class _Source(FetchingSource[Key]):
    """Polls one consumer, and commits what is finished."""

    lost = (OSError, KafkaConnectionError)
    acknowledges_at_once = True

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        limit: int,
        commit_interval: float,
        revoke_timeout: float,
        dead_letter: WritableStream[Record] | None,
    ) -> None:
        super().__init__(limit, "Kafka")
        self._consumer: Any = consumer
        self._commit_interval = commit_interval
        self._revoke_timeout = revoke_timeout
        self._dead_letter: WritableStreamDefaultWriter[Record] | None = (
            None if dead_letter is None else writer_of(dead_letter, "dead_letter")
        )
        self._partitions: dict[TopicPartition, Offsets] = {}
        # Partitions that go away, or have gone.
        self._revoked: set[TopicPartition] = set()
        self._listener: _Listener | None = None
        self._polled = self._heard = time.monotonic()
        # How many polls are under way.
        self._polls = 0
        self._commit_lock = asyncio.Lock()
        # How many records were acknowledged since the last commit began, and whether they are to be committed before
        # the time has come.
        self._acknowledged = 0
        self._is_hurried = False

    @property
    def _subscription(self) -> Any:
        """Where the client keeps its listener and counts its polls; all that is private there."""
        return self._consumer._subscription  # noqa: SLF001

    async def open(self) -> None:
        """Listen to rebalances, and begin."""
        if self._consumer._fetcher is None:  # noqa: SLF001 - no public name
            raise RuntimeError("the AIOKafkaConsumer has not been started: await consumer.start() first")
        if self._subscription.partitions_auto_assigned():
            # The client takes a listener only with a new subscription, which would rebalance the group.
            self._listener = _Listener(self, self._subscription._listener)  # noqa: SLF001
            self._subscription._listener = self._listener  # noqa: SLF001
        self.begin(self._commit_interval)

    # Receiving.

    async def fetch(self, count: int) -> None:
        """Poll once."""
        pages = await self._poll(timeout_ms=round(POLL_TIME * 1000), max_records=count)
        if pages:
            self._heard = self._polled
        for partition, records in pages.items():
            if partition not in self._revoked:
                self._deliver_page(partition, records)

    async def _poll(self, *partitions: TopicPartition, **options: int) -> dict[TopicPartition, list[Record]]:
        self._polls += 1
        try:
            pages: dict[TopicPartition, list[Record]] = await self._consumer.getmany(*partitions, **options)
        finally:
            # The client counts the polls under way, to know when nobody polls, and goes on counting one that was
            # cancelled.
            self._polls -= 1
            self._subscription._fetch_count = self._polls  # noqa: SLF001
            self._polled = time.monotonic()
        return pages

    def _deliver_page(self, partition: TopicPartition, records: list[Record]) -> None:
        offsets = self._partitions.get(partition)
        if offsets is None:
            offsets = self._partitions[partition] = Offsets(partition, records[0].offset)
        if not self.is_over:  # else the consumer is set back to them
            messages = [((offsets, record, 1), record.value, record, 1) for record in records]
            offsets.deliver(self.deliver_all(messages))

    # Settling.

    async def settle(self, key: Key, outcome: Outcome) -> None:
        """Deliver a record again, or note that it is done with."""
        offsets, record, attempt = key
        if outcome == "requeue":
            again = ((offsets, record, attempt + 1), record.value, record, attempt + 1)
            for delivery in self.deliver_all([again]):
                offsets.deliver_again(delivery)
            return
        if outcome == "reject" and self._dead_letter is not None:
            await self._dead_letter.write(record)
        self._count_done()

    def acknowledge(self, delivery: OwnedDelivery) -> None:
        """Note that a record is done: nobody is told of that now."""
        self._count_done()

    def _count_done(self) -> None:
        self._acknowledged += 1
        if self._acknowledged >= self._enough and not self._is_hurried:
            self._hurry()

    def _hurry(self) -> None:
        self._is_hurried = True
        self.tend_now.set()

    def has_no_room(self) -> None:
        """Make room: what is done is committed before its time has come."""
        if self.hungry and self._acknowledged:
            self._hurry()

    @property
    def room(self) -> int:
        """How many records may be fetched: what is acknowledged and not committed counts, for it would come again."""
        return self.ledger.limit - sum([each.outstanding for each in self._partitions.values()])

    async def tend(self) -> None:
        """Commit, keep the membership, and see whether a broker is there."""
        self._is_hurried = False
        self._acknowledged = 0
        await self._commit(list(self._partitions))
        now = time.monotonic()
        if now - self._polled > POLL_TIME * 2 and not self._revoked and not self._polls:
            await self._poll(NOBODY, timeout_ms=0)
        if now - self._heard > SILENCE:
            await self._ask_for_a_sign()

    async def _ask_for_a_sign(self) -> None:
        partitions = self._consumer.assignment()
        if not partitions:
            return
        try:
            async with asyncio.timeout(ANSWER_TIME):
                await self._consumer.end_offsets([next(iter(partitions))])
        except TimeoutError as error:
            silent = SILENCE + ANSWER_TIME
            raise KafkaConnectionError(f"no broker has answered for {silent:g} seconds") from error
        self._heard = time.monotonic()

    async def _commit(self, partitions: Iterable[TopicPartition]) -> None:
        async with self._commit_lock:
            mine = {each: self._partitions[each] for each in partitions if each in self._partitions}
            positions = {each: offsets.prepare() for each, offsets in mine.items()}
            prepared = {each: new for each, new in positions.items() if new[0] != mine[each].committed}
            if not prepared:
                return
            try:
                async with asyncio.timeout(ANSWER_TIME):
                    await self._consumer.commit({each: position for each, (position, _) in prepared.items()})
            except (CommitFailedError, IllegalStateError) as error:
                # Too late: the group was rebalanced. Another member gets these records again.
                _log.warning("a commit came too late and was dropped: %r", error)
                return
            except TimeoutError as error:
                raise KafkaConnectionError(f"no broker has taken a commit for {ANSWER_TIME:g} seconds") from error
            self._heard = time.monotonic()
            for each, (position, passed) in prepared.items():
                mine[each].commit(position, passed)
            self.ledger.wake()

    # Rebalances.

    async def revoke(self, revoked: set[TopicPartition]) -> None:
        """Partitions go away: finish what is in the pipeline, commit, forget the rest."""
        self._revoked |= revoked
        for each in [each for each in self.unread if each.key[0].partition in revoked]:
            self.unread.remove(each)
            self.ledger.drop(each)
        try:
            async with asyncio.timeout(self._revoke_timeout):
                while any(key[0].partition in revoked for key in self.ledger):
                    await self.ledger.change()
        except TimeoutError:
            _log.warning("a rebalance did not wait longer for %d records in the pipeline", len(self.ledger))
        await self._commit(revoked)
        for each in list(self.ledger.entered):
            if each.key[0].partition in revoked:
                self.ledger.drop(each)
        for partition in revoked:
            self._partitions.pop(partition, None)

    def assign(self, assigned: set[TopicPartition]) -> None:
        """Partitions have come, with positions that were committed."""
        self._revoked -= assigned
        self._heard = time.monotonic()

    # The end.

    async def stop(self) -> None:
        """Poll no more. A poll that waits has taken nothing yet, so that nothing is lost when it is cancelled."""
        await self.finish_fetching(cancel=True)

    async def give_back(self, keys: list[Key]) -> None:
        """Commit what is done, and set the consumer back to the first record that is not."""
        if self._listener is not None:
            self._subscription._listener = self._listener.inner  # noqa: SLF001
        await self._commit(list(self._partitions))
        assigned = self._consumer.assignment()
        for partition, offsets in self._partitions.items():
            if partition in assigned:
                self._consumer.seek(partition, offsets.next)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc, unused-ignore]
    """Tells a source of rebalances, and the listener that the consumer had before."""

    def __init__(self, source: _Source, inner: Any) -> None:
        self._source = source
        self.inner = inner

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Called before the group is rebalanced."""
        await self._source.revoke(set(revoked))
        if self.inner is not None:
            await _finished(self.inner.on_partitions_revoked(revoked))

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Called after the group was rebalanced."""
        self._source.assign(set(assigned))
        if self.inner is not None:
            await _finished(self.inner.on_partitions_assigned(assigned))


async def _finished(result: Any) -> None:
    if asyncio.iscoroutine(result):
        await result


class _Work(PublishingWork):
    """Sends to one topic."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, timeout: float) -> None:
        super().__init__(f"the Kafka topic {topic!r}", timeout)
        self._producer: Any = producer
        self._topic = topic
        # The client keeps the order of the calls only if the next one begins when the last one has ended.
        self._turn = asyncio.Lock()

    async def publish(self, message: Any) -> None:
        """Send and wait for the confirmation."""
        if isinstance(message, ConsumerRecord):
            arguments: Mapping[str, Any] = {"value": message.value, "key": message.key, "headers": message.headers}
        else:
            arguments = message if isinstance(message, Mapping) else {"value": body_of(message)}
        async with self._turn:
            try:
                confirmation = await self._producer.send(self._topic, **arguments)
            except AssertionError as error:  # what the client says of wrong arguments
                raise ValueError(f"the record cannot be sent: {error}") from error
        await confirmation

    def is_fatal(self, error: object) -> bool:
        """A record that is too large concerns nobody else."""
        return not isinstance(error, MessageSizeTooLargeError)
