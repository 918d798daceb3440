"""The errors of the public API, and the way from any reason to something Python can raise and back."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, NoReturn

from .frames import without_library


class AbortError(Exception):
    """The counterpart of the DOM's ``AbortError``: an operation was aborted and no other reason was given."""


class LoopEndedError(AbortError):
    """The event loop has ended. Reported where something was cut off by it, and then nowhere else."""


class StreamError(Exception):
    """Stands for a reason that cannot be raised as it is.

    `reason` is the object that was given to ``cancel()``, ``abort()`` or ``error()``, or the exception that may not
    travel through an event loop (`StopIteration`, `StopAsyncIteration`, `GeneratorExit`, `asyncio.CancelledError`);
    that one is the ``__cause__`` too.
    """

    reason: object
    __cause__: BaseException | None

    def __init__(self, reason: object = None) -> None:
        super().__init__(reason)
        self.reason = reason
        if isinstance(reason, BaseException):
            self.__cause__ = reason

    def __str__(self) -> str:
        """What happened, with the reason as Python would show it."""
        return f"the stream was ended with the reason {self.reason!r}"


class DataError(TypeError, ValueError):
    """The data that a stream was to decode is invalid: it is corrupt, incomplete, or more than was allowed.

    The Standard raises a `TypeError` here, Python a `ValueError`: this class is both. If another error reported it,
    that one is its ``__cause__``. Not in the Standard.

    >>> import asyncio
    >>> from webstreams import DataError, DecompressionStream, ReadableStream
    >>> async def main() -> None:
    ...     try:
    ...         await ReadableStream.from_([b"no gzip data"]).pipe_through(DecompressionStream("gzip")).bytes()
    ...     except DataError as error:
    ...         print(error)
    >>> asyncio.run(main())
    the gzip data is corrupt: Error -3 while decompressing data: incorrect header check
    """


def is_control_flow(error: BaseException) -> bool:
    """Whether an exception steers generators, coroutines or tasks, so that raising it elsewhere would break them."""
    return isinstance(error, (StopIteration, StopAsyncIteration, GeneratorExit, CancelledError))


def callback_error(error: BaseException) -> BaseException:
    """What a stream stores when a callback raised `error`; lets ``KeyboardInterrupt`` and ``SystemExit`` through."""
    if goes_through(error):
        raise error
    return stored_error(error)


def cancelled_error(message: str) -> BaseException:
    """Return the error raised in a task that waits for something that was cancelled."""
    return CancelledError(message)


class InterruptHook:
    """What is done when an interrupt goes through a callback; the engine sets it (`_engine.loop_end`)."""

    __slots__ = ("notice",)

    def __init__(self) -> None:
        self.notice: Callable[[], None] | None = None


INTERRUPT: Final = InterruptHook()


def goes_through(error: BaseException) -> bool:
    """Whether an exception of a callback ends the program: the stream is errored, and it goes on to the event loop."""
    if not isinstance(error, (KeyboardInterrupt, SystemExit)):
        return False
    if INTERRUPT.notice is not None:
        INTERRUPT.notice()
    return True


def is_known_to_the_loop(reason: object) -> bool:
    """Whether a callback failed by an interrupt, or by the cancellation of its task: asyncio reports neither."""
    return isinstance(reason, (KeyboardInterrupt, SystemExit, CancelledError))


def stored_error(error: BaseException) -> BaseException:
    """What a stream stores when a callback raised `error`, whatever it is; the traceback keeps the user's frames."""
    if is_control_flow(error) or goes_through(error):
        return StreamError(error)
    forget_library(error)
    return error


def forget_library(reason: object) -> None:
    """Take the frames of the library out of the traceback of an error that is stored, wherever it has arisen."""
    if isinstance(reason, BaseException) and reason.__traceback__ is not None:
        reason.with_traceback(without_library(_original_traceback(reason.__traceback__)))


def call(callback: Callable[..., Any], *args: Any) -> Any:
    """Call a callback whose exception goes to the caller of a method, as a stream would store it."""
    try:
        return callback(*args)
    except BaseException as error:
        stored = callback_error(error)
        if stored is error:
            raise
        raise stored from error


def as_exception(reason: object) -> BaseException:
    """The exception to raise for a stored reason: itself if it is one that may be raised, else a `StreamError`."""
    if isinstance(reason, Exception) and not is_control_flow(reason):
        return reason
    return StreamError(reason)


def throw(reason: object) -> NoReturn:
    """Raise a stored reason, with the traceback that it had when it was stored.

    Python puts every frame that an exception passes through in front of its traceback. One stored error is raised
    once for every read of an errored stream, so what earlier calls of this function put there is taken off first.
    """
    error = as_exception(reason)
    raise error.with_traceback(_original_traceback(error.__traceback__))


def _original_traceback(traceback: TracebackType | None) -> TracebackType | None:
    original = traceback
    while traceback is not None:
        code = traceback.tb_frame.f_code
        traceback = traceback.tb_next
        if code.co_name == "throw" and code.co_filename == _THIS_FILE:
            original = traceback
    return original


_THIS_FILE = throw.__code__.co_filename if hasattr(throw, "__code__") else __file__
