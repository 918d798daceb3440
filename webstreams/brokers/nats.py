"""NATS JetStream as streams, over nats-py: ``pip install "webstreams[nats]"``."""

from __future__ import annotations

import json
import time
from typing import Any, Final, TypeAlias

from .._platform.arguments import checked_text
from .._platform.lazy import needs_extra
from ._feeding import FetchingSource
from ._publishing import CONFIRM_TIME, Publisher, PublishingWork, body_of
from ._source import Deliveries, checked_limit
from .delivery import Outcome

with needs_extra("nats"):
    from nats.aio.msg import Msg
    from nats.errors import ConnectionClosedError, ConnectionReconnectingError, StaleConnectionError
    from nats.js import JetStreamContext
    from nats.js.api import AckPolicy, ConsumerConfig
    from nats.js.errors import APIError, NotFoundError

__all__ = ["consume", "publish"]

Message: TypeAlias = bytes | bytearray | memoryview | Msg

# How long a request for messages stays at the server, and how often that shows that it is alive (seconds).
REQUEST_TIME: Final = 30.0
HEARTBEAT: Final = 2.0
# How often the connection is looked at (seconds).
LOOK_TIME: Final = 0.5
# What is waited for when the stream ends: messages that are on their way (seconds).
FLUSH_TIME: Final = 3.0

HEARTBEAT_STATUS: Final = "100"
# There is nothing, or the time of the request is over: the next one may be made.
END_OF_REQUEST: Final = frozenset({"404", "408"})
CONFLICT: Final = "409"
# Conflicts that end a request and not the consumer.
HARMLESS: Final = ("batch completed", "exceeded max", "leadership change", "server shutdown")


def consume(jetstream: JetStreamContext, stream: str, durable: str, *, in_flight: int = 64) -> Deliveries[bytes]:
    """Make a stream of the messages that a durable pull consumer of JetStream gives, each to be acknowledged.

    `jetstream` is what ``connection.jetstream()`` gives, `stream` the name of the stream. The consumer is made if there
    is none: all messages, explicit acknowledgement, at most `in_flight` unacknowledged ones. At most `in_flight`
    messages are unsettled here at a time; requests to the server are for what is free, and one that has been made is
    never given up: what it brings comes into the stream or goes back.

    As long as a delivery is unsettled the server is told that the work is in progress, so that ``ack_wait`` may be
    shorter than the work. ``nack()`` has the message delivered again at once, ``nack(requeue=False)`` never again
    (``term``: JetStream has no dead letters, but publishes an advisory). `attempt` is what the server counts, the
    metadata the client's own message.

    The stream is errored within a second when the client is disconnected, also if that is about to connect again; after
    three missed heartbeats (6 seconds) when the server is silent; and with ``APIError`` when the consumer is deleted.

    Raises `TypeError` for anything other than a JetStream context or an integer `in_flight`, `ValueError` for
    one below 1. Not in the Standard.

    >>> import nats
    >>> async def main() -> None:
    ...     connection = await nats.connect("nats://localhost:4222")
    ...     async for delivery in consume(connection.jetstream(), "ORDERS", "billing"):
    ...         print(delivery.value)
    ...         await delivery.ack()
    """
    _check(jetstream, "consume()")
    checked_text(stream, "stream")
    checked_text(durable, "durable")
    return Deliveries(_Source(jetstream, stream, durable, checked_limit(in_flight, "in_flight")))


def publish(
    jetstream: JetStreamContext, subject: str, *, in_flight: int = 64, timeout: float = CONFIRM_TIME
) -> Publisher[Message]:
    """Make a writable stream that publishes to a subject of a JetStream stream.

    `bytes` are published to `subject`; a `nats.aio.msg.Msg` to its own, if it has one, with its headers. The promise
    of a ``write()`` is fulfilled when the server has stored the message (its ``PubAck``). It is rejected with the
    client's error (``NoStreamResponseError`` when no stream takes the subject), and with `TimeoutError` when the answer
    does not come within `timeout` seconds, also while the client is disconnected. Each errors the stream.

    Raises `TypeError` for anything other than a JetStream context or an integer `in_flight`, `ValueError` for
    one below 1. Not in the Standard.

    >>> import nats
    >>> async def main() -> None:
    ...     connection = await nats.connect("nats://localhost:4222")
    ...     async with publish(connection.jetstream(), "orders").get_writer() as writer:
    ...         await writer.write(b"an order")
    """
    _check(jetstream, "publish()")
    checked_text(subject, "subject")
    return Publisher(_Work(jetstream, subject, timeout), checked_limit(in_flight, "in_flight"))


def _check(jetstream: object, function: str) -> None:
    if not isinstance(jetstream, JetStreamContext):
        raise TypeError(f"{function} needs connection.jetstream() of nats-py, not {type(jetstream).__name__}")


class _Source(FetchingSource[str]):
    """Asks for messages; the key of a delivery is the subject that its acknowledgement goes to."""

    lost = (OSError, StaleConnectionError, ConnectionClosedError, ConnectionReconnectingError)

    def __init__(self, jetstream: JetStreamContext, stream: str, durable: str, limit: int) -> None:
        super().__init__(limit, f"the JetStream stream {stream!r}")
        self._jetstream = jetstream
        self._client: Any = jetstream._nc  # noqa: SLF001 - no public name
        self._stream = stream
        self._durable = durable
        self._messages: dict[str, Msg] = {}
        self._inbox: str = ""
        self._subscription: Any = None
        # How many messages each request that is under way may still bring, by its number.
        self._requests: dict[int, int] = {}
        self._count = 0
        self._heard = time.monotonic()
        self._lease_time = 0.0
        self._lease_at = 0.0

    async def open(self) -> None:
        """Find or make the consumer, and begin."""
        self._require_connection()
        info = await self._consumer()
        self._lease_time = (info.config.ack_wait or REQUEST_TIME) / 3
        self._inbox = self._client.new_inbox()
        # No limits of the client's own: what is asked for is bounded.
        self._subscription = await self._client.subscribe(
            f"{self._inbox}.*", cb=self._received, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        self.begin(min(LOOK_TIME, self._lease_time))

    async def _consumer(self) -> Any:
        try:
            return await self._jetstream.consumer_info(self._stream, self._durable)
        except NotFoundError:
            config = ConsumerConfig(
                durable_name=self._durable, ack_policy=AckPolicy.EXPLICIT, max_ack_pending=self.ledger.limit
            )
            return await self._jetstream.add_consumer(self._stream, config)

    # Receiving.

    async def fetch(self, count: int) -> None:
        """Ask for what is free and not asked for yet; the answers come by themselves."""
        count -= sum(self._requests.values())
        if count > 0 and (count >= self._enough or self.hungry):
            self._count += 1
            self._requests[self._count] = count
            request = {
                "batch": count,
                "expires": round(REQUEST_TIME * 1e9),
                "idle_heartbeat": round(HEARTBEAT * 1e9),
            }
            self._heard = time.monotonic()
            await self._client.publish(self._subject(), json.dumps(request).encode(), f"{self._inbox}.{self._count}")
        await self.ledger.change()

    def _subject(self) -> str:
        prefix = self._jetstream._prefix  # noqa: SLF001 - no public name
        return f"{prefix}.CONSUMER.MSG.NEXT.{self._stream}.{self._durable}"

    async def _received(self, message: Msg) -> None:
        self._heard = time.monotonic()
        status = message.headers.get("Status") if message.headers else None
        if status is not None:
            self._hear(message, status)
        elif self.is_over:
            self._messages[message.reply] = message  # it goes back with the others
        else:
            self._count_one()
            self._messages[message.reply] = message
            self.deliver((message.reply, message.data, message, message.metadata.num_delivered))

    def _count_one(self) -> None:
        """A message has come; the server serves the requests in their order."""
        for number, missing in self._requests.items():
            if missing > 1:
                self._requests[number] = missing - 1
            else:
                del self._requests[number]
            return

    def _hear(self, message: Msg, status: str) -> None:
        """The server says something about a request."""
        if status == HEARTBEAT_STATUS:
            return
        description = (message.headers or {}).get("Description", "")
        if status in END_OF_REQUEST or (status == CONFLICT and description.lower().startswith(HARMLESS)):
            self._requests.pop(int(message.subject.rpartition(".")[2]), None)
            self.ledger.wake()
        else:
            self.fail(APIError(code=int(status), description=description))

    # Looking after what is open.

    async def tend(self) -> None:
        """See whether the server is there, and tell it that the work is in progress."""
        self._require_connection()
        now = time.monotonic()
        if self._requests and now - self._heard > 3 * HEARTBEAT:
            raise StaleConnectionError
        if now >= self._lease_at:
            self._lease_at = now + self._lease_time
            for message in list(self._messages.values()):
                await message.in_progress()

    def _require_connection(self) -> None:
        if self._client.is_closed:
            raise ConnectionClosedError
        if not self._client.is_connected:
            raise self._client.last_error or ConnectionReconnectingError()

    # Settling.

    async def settle(self, key: str, outcome: Outcome) -> None:
        """Have the message delivered again, or never again."""
        message = self._take(key)
        await (message.nak() if outcome == "requeue" else message.term())

    async def acknowledge_together(self, keys: list[str]) -> None:
        """Acknowledge each message: JetStream has no command for several."""
        for key in keys:
            await self._take(key).ack()

    def _take(self, key: str) -> Msg:
        message = self._messages.pop(key)
        self._require_connection()
        return message

    async def stop(self) -> None:
        """Take the inbox away, which ends the requests, and wait for what is on its way."""
        await self.finish_fetching(cancel=True)
        self._requests.clear()
        if self._subscription is not None and self._client.is_connected:
            # A server that is silent would not answer, and draining waits for that.
            await (self._subscription.unsubscribe() if self.is_lost else self._subscription.drain())

    async def give_back(self, keys: list[str]) -> None:
        """Have everything delivered again, in the order of the stream."""
        if self._client.is_connected:
            for message in sorted(self._messages.values(), key=_sequence):
                await message.nak()
            await self._client.flush(timeout=FLUSH_TIME)
        self._messages.clear()


def _sequence(message: Msg) -> int:
    return message.metadata.sequence.stream


class _Work(PublishingWork):
    """Publishes to one subject."""

    def __init__(self, jetstream: JetStreamContext, subject: str, timeout: float) -> None:
        super().__init__(f"the JetStream subject {subject!r}", timeout)
        self._jetstream = jetstream
        self._subject = subject

    async def publish(self, message: Any) -> None:
        """Publish and wait for the answer."""
        if isinstance(message, Msg):
            subject, data, headers = message.subject or self._subject, message.data, message.header
        else:
            subject, data, headers = self._subject, body_of(message), None
        await self._jetstream.publish(subject, data, timeout=self.timeout, headers=headers)

    def is_fatal(self, error: object) -> bool:
        """A message that the server refuses concerns nobody else."""
        return not isinstance(error, APIError)
