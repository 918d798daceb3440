"""What the publishing streams share: several messages under way, each write settled by its own confirmation."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from typing_extensions import TypeVar

from .._platform.arguments import checked_seconds
from .._platform.buffer import any_view
from .._platform.idl import refuse_constructor
from .._streams.writable.overlapping import OverlappingSink
from .._streams.writable.stream import BLANK, WritableStream, create_writable_stream

__all__ = ["Publisher"]

T = TypeVar("T", default=Any, contravariant=True)

# How long a message waits for its confirmation (seconds).
CONFIRM_TIME: Final = 10.0


def body_of(message: Any) -> bytes:
    """Return the bytes of a message. Raises `TypeError` for what has none: ``bytes(5)`` would be five zeros."""
    return message if isinstance(message, bytes) else any_view(message, "the message").tobytes()


class PublishingWork:
    """How messages get to one broker. A subclass says how one is published."""

    def __init__(self, where: str, timeout: float) -> None:
        self.where = where
        self.timeout: float = checked_seconds(timeout, "timeout")
        # What was written and is not confirmed, by a number for each.
        self.unconfirmed: dict[int, Any] = {}
        # Whether the stream goes on after the failure of a single message.
        self.survives = False
        self._count = 0

    async def publish(self, message: Any) -> None:
        """Publish a message; return when the broker has confirmed it, raise if it refuses it."""
        raise NotImplementedError

    def is_fatal(self, error: object) -> bool:
        """Whether an error concerns the connection, and not one message alone."""
        return True

    # What the sink calls.

    async def begin(self, message: Any) -> None:
        """Publish a message, for as long as it may take."""
        self._count += 1
        number = self._count
        self.unconfirmed[number] = message
        try:
            async with asyncio.timeout(self.timeout):
                await self.publish(message)
        except TimeoutError as error:
            if not error.args:
                raise TimeoutError(f"{self.where} has not confirmed a message within {self.timeout:g} s") from error
            raise
        except Exception as error:
            error.add_note(f"while publishing to {self.where}: {_short(message)}")
            if self.survives and not self.is_fatal(error):
                del self.unconfirmed[number]
            raise
        del self.unconfirmed[number]

    def finish(self) -> Any:
        """The stream is closed, and everything is confirmed."""

    def stop(self, reason: object) -> Any:
        """The stream is aborted; what is under way is waited for."""


class Publisher(WritableStream[T]):
    """A writable stream that publishes.

    The promise of each ``write()`` is settled by the confirmation of its own message. Up to `in_flight` messages are
    under way at a time; `desired_size` counts what is not confirmed. ``close()`` waits for all confirmations. When one
    fails, nothing more is sent, the outcome of the others is waited for, and the stream is errored with the client's
    error. The functions of the modules for each broker make it. Not in the Standard.
    """

    __slots__ = ("_sink", "_work")

    def __init__(self, work: PublishingWork, in_flight: int) -> None:
        if not isinstance(work, PublishingWork):
            raise refuse_constructor("Publisher", "publish() of the module for a broker returns one")
        super().__init__(BLANK)
        self._work = work
        self._sink = OverlappingSink(self._jobs, in_flight, work.begin, work.finish, work.stop)
        create_writable_stream(self._sink, in_flight, None, self)

    @property
    def unconfirmed(self) -> list[T]:
        """What was sent and not confirmed, in the order of writing: while the stream works, what is under way; after an
        error, the messages of which nobody knows whether the broker has them."""
        return list(self._work.unconfirmed.values())

    def survive(self) -> None:
        """Go on after the failure of a single message, which only its own write is told of; a lost connection is the
        end all the same."""
        self._work.survives = True
        self._sink.survive(self._work.is_fatal)


def _short(message: object) -> str:
    text = repr(message)
    return text if len(text) <= 100 else text[:97] + "..."
