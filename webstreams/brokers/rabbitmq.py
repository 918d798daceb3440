"""RabbitMQ as streams, over aio-pika: ``pip install "webstreams[rabbitmq]"``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from typing_extensions import TypeVar

from .._platform.arguments import checked_text
from .._platform.lazy import needs_extra
from ._publishing import CONFIRM_TIME, Publisher, PublishingWork, body_of
from ._source import BrokerSource, Deliveries, checked_limit
from .delivery import Outcome

with needs_extra("rabbitmq"):
    import aio_pika
    from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage, AbstractMessage, AbstractQueue
    from aio_pika.exceptions import ChannelClosed, ConnectionClosed, DeliveryError

if TYPE_CHECKING:
    from aiormq.abc import AbstractChannel as UnderlayChannel
    from aiormq.abc import DeliveredMessage

__all__ = ["consume", "publish"]

T = TypeVar("T", default=Any)

Message: TypeAlias = bytes | bytearray | memoryview | AbstractMessage

# What a quorum queue counts in a message: how often it came before.
_COUNT_HEADER: Final = "x-delivery-count"


def consume(channel: AbstractChannel, queue: AbstractQueue | str, *, prefetch: int = 32) -> Deliveries[bytes]:
    """Make a stream of the messages of a queue, each to be acknowledged.

    `channel` is an open channel of aio-pika, of a plain or a robust connection; give each stream a channel of its own,
    for the limit is set for the channel's consumers (``basic.qos``). `queue` is a queue or its name. At most `prefetch`
    messages are unsettled at a time; the others wait in the broker. It must be at least as many as the pipeline holds
    at a time (the size of a batch, the calls of a map).

    ``nack()`` puts a message back in its place; ``nack(requeue=False)`` sends it to the queue's dead-letter exchange,
    and drops it if the queue has none. The metadata of a delivery is an `aio_pika.IncomingMessage`. `attempt` is 1 for
    a message that comes for the first time; for others it is known of quorum queues only.

    The stream is errored with the client's error as soon as the client sees that the channel or the connection is lost
    (at once if the connection is closed; when it is silent after three times its heartbeat and three seconds, and that
    is 183 seconds unless the URL says otherwise: with ``?heartbeat=10``, 33 seconds), and with `RuntimeError` when the
    broker cancels the consumer, as it does when the queue is deleted. It does not come back with a robust connection:
    `resilient` opens a new one.

    Raises `TypeError` for anything other than a channel, a queue and an integer `prefetch`;
    `ValueError` for one below 1. Not in the Standard.

    >>> async def main() -> None:
    ...     connection = await aio_pika.connect("amqp://localhost")
    ...     async for delivery in consume(await connection.channel(), "orders"):
    ...         print(delivery.value)
    ...         await delivery.ack()
    """
    if not isinstance(channel, AbstractChannel):
        raise TypeError(f"consume() needs a channel of aio-pika (await connection.channel()), not {_name(channel)}")
    if not isinstance(queue, str | AbstractQueue):
        raise TypeError(f"the queue must be a queue of aio-pika or its name, not {_name(queue)}")
    return Deliveries(_Source(channel, str(queue), checked_limit(prefetch, "prefetch")))


def publish(
    exchange: AbstractExchange,
    *,
    routing_key: str,
    in_flight: int = 64,
    mandatory: bool = True,
    timeout: float = CONFIRM_TIME,
) -> Publisher[Message]:
    """Make a writable stream that publishes to an exchange.

    `exchange` is one of aio-pika's, of a channel with publisher confirms (the default there). `bytes` become persistent
    messages (delivery mode 2); an `aio_pika.Message` goes as it is. The promise of a ``write()`` is fulfilled when the
    broker has confirmed the message. It is rejected with `aio_pika.exceptions.DeliveryError` when the broker refuses it
    and, if `mandatory`, when no queue takes it (``PublishError``); with `TimeoutError` when the confirmation does not
    come within `timeout` seconds; with the client's error when the connection is lost. Each of them errors the stream.

    Raises `TypeError` for anything other than an exchange or an integer `in_flight`, `ValueError` for a
    channel without confirms or an `in_flight` below 1. Not in the Standard.

    >>> async def main() -> None:
    ...     connection = await aio_pika.connect("amqp://localhost")
    ...     channel = await connection.channel()
    ...     async with publish(channel.default_exchange, routing_key="orders").get_writer() as writer:
    ...         await writer.write(b"an order")
    """
    if not isinstance(exchange, AbstractExchange):
        raise TypeError(f"publish() needs an exchange of aio-pika (channel.default_exchange), not {_name(exchange)}")
    if not getattr(getattr(exchange, "channel", None), "publisher_confirms", True):
        raise ValueError("publish() needs a channel with confirms: connection.channel(publisher_confirms=True)")
    checked_text(routing_key, "routing_key")
    return Publisher(_Work(exchange, routing_key, mandatory, timeout), checked_limit(in_flight, "in_flight"))


def _name(value: object) -> str:
    return type(value).__name__


class _Source(BrokerSource[int]):
    """Consumes on the channel below aio-pika's, which no robust connection restores behind our back."""

    limit_name = "prefetch"

    def __init__(self, channel: AbstractChannel, queue: str, prefetch: int) -> None:
        super().__init__(prefetch, f"the queue {queue!r} of RabbitMQ")
        self._outer = channel
        self._queue = queue
        self._channel: UnderlayChannel | None = None
        self._tag: str | None = None
        # The number of the last message, and whether the channel has given none to anybody else.
        self._last = 0
        self._is_alone = True

    async def open(self) -> None:
        """Set the limit and begin to consume."""
        channel = self._channel = await self._outer.get_underlay_channel()
        channel.closing.add_done_callback(self._closed)
        await _sent(channel.basic_qos(prefetch_count=self.ledger.limit))
        callbacks = getattr(channel, "on_consumer_cancel_callbacks", None)
        if callbacks is not None:
            callbacks.add(self._cancelled)
        if not self.is_over:
            answer = await _sent(channel.basic_consume(self._queue, self._received))
            self._tag = answer.consumer_tag

    async def _received(self, message: DeliveredMessage) -> None:
        tag = message.delivery_tag
        assert tag is not None
        self._is_alone = self._is_alone and tag == self._last + 1
        self._last = tag
        if self.is_over:
            await message.channel.basic_nack(tag, requeue=True)
            return
        incoming = aio_pika.IncomingMessage(message)
        self.deliver((tag, message.body, incoming, _attempt(incoming)))

    def _closed(self, closing: asyncio.Future[Any]) -> None:
        error = None if closing.cancelled() else closing.exception()
        if error is None:
            error = ChannelClosed(None, "the channel was closed")
        elif isinstance(error, asyncio.CancelledError):  # the client cancels its reader when it hears nothing any more
            error = ConnectionClosed(None, "the connection is lost: the broker has been silent for too long")
        self.fail(error)

    def _cancelled(self, frame: Any) -> None:
        if frame.consumer_tag == self._tag:
            self.fail(RuntimeError(f"RabbitMQ has cancelled the consumer of {self._queue!r}: was the queue deleted?"))

    async def settle(self, key: int, outcome: Outcome) -> None:
        """Send the opposite of an acknowledgement on the channel that the message came on."""
        assert self._channel is not None
        await _sent(self._channel.basic_nack(key, requeue=outcome == "requeue"))

    async def acknowledge_together(self, keys: list[int]) -> None:
        """Acknowledge all messages before the first one that is still open together, and each of the others."""
        assert self._channel is not None
        covered = self._covered_by(keys)
        others = [key for key in keys if key > covered]
        if covered:
            await _sent(self._channel.basic_ack(covered, multiple=True, wait=not others))
        for key in others:
            await _sent(self._channel.basic_ack(key, wait=key == others[-1]))

    def _covered_by(self, keys: list[int]) -> int:
        """Return the last one of the messages to acknowledge before which none is open; 0 if there is none.

        What is acknowledged "up to here" is everything that the channel has given: only if that is all ours, and while
        the account is kept.
        """
        acknowledged, covered = set(keys), 0
        for key in self.ledger if self._is_alone and self.ledger.end is None else ():
            if key not in acknowledged:
                break
            covered = key
        return covered

    async def stop(self) -> None:
        """Cancel the consumer."""
        channel = self._channel
        if channel is not None and self._tag is not None and not channel.is_closed:
            await _sent(channel.basic_cancel(self._tag))

    async def finish(self) -> None:
        """Let the channel alone."""
        channel = self._channel
        if channel is not None:
            channel.closing.remove_done_callback(self._closed)
            callbacks = getattr(channel, "on_consumer_cancel_callbacks", None)
            if callbacks is not None:
                callbacks.discard(self._cancelled)

    async def give_back(self, keys: list[int]) -> None:
        """Requeue; a channel that is closed has done it."""
        channel = self._channel
        if channel is not None and not channel.is_closed:
            for key in keys:
                await _sent(channel.basic_nack(key, requeue=True))


async def _sent(sending: Awaitable[T]) -> T:
    """Wait until the client has sent something; if the connection is lost meanwhile, the client cancels that."""
    try:
        return await sending
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ConnectionClosed(None, "the connection was lost before the broker was told") from None


def _attempt(message: AbstractIncomingMessage) -> int | None:
    if not message.redelivered:
        return 1
    count = message.headers.get(_COUNT_HEADER)
    return count + 1 if isinstance(count, int) else None


class _Work(PublishingWork):
    """Publishes to one exchange."""

    def __init__(self, exchange: AbstractExchange, routing_key: str, mandatory: bool, timeout: float) -> None:
        super().__init__(f"the exchange {exchange.name!r} of RabbitMQ", timeout)
        self._exchange = exchange
        self._routing_key = routing_key
        self._mandatory = mandatory

    async def publish(self, message: Any) -> None:
        """Publish and wait for the confirm."""
        if not isinstance(message, AbstractMessage):
            message = aio_pika.Message(body_of(message), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        try:
            result: Any = await self._exchange.publish(message, self._routing_key, mandatory=self._mandatory)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # The client cancels what waits for a confirm when the connection is lost.
            raise ConnectionClosed(None, "the connection was lost before the message was confirmed") from None
        if getattr(result, "delivery", None) is not None:  # a channel without on_return_raises gives the message back
            raise DeliveryError(result, result.delivery)

    def is_fatal(self, error: object) -> bool:
        """A message that is refused or that no queue takes concerns nobody else."""
        return not isinstance(error, DeliveryError)
