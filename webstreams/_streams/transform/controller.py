"""Section 6.3: TransformStreamDefaultController, and the transformer that it calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, ClassVar, Generic, overload

from typing_extensions import TypeVar

from ..._debug.repr import show, show_desired_size, summary
from ..._engine.jobs import get_ident, get_running_loop, raise_wrong_loop
from ..._engine.promise import AlgorithmPromise
from ..._platform.idl import INTERNAL, callback_member, do_nothing, member_getter, refuse_constructor
from ..._platform.mistakes import TRANSFORMER
from ..._platform.mypyc import subscriptable
from ..part import Part
from .state import TransformStreamState, set_backpressure

if TYPE_CHECKING:
    from ..readable.controller import ReadableStreamDefaultController

T = TypeVar("T", default=Any)


def _enqueue_chunk(chunk: Any, controller: TransformStreamDefaultController[Any]) -> None:
    controller.enqueue(chunk)


class Transformer:
    """The transform, flush and cancel algorithms, and the start callback.

    An author's transformer is an object or a mapping whose members are looked up once, in Web IDL's order.
    """

    __slots__ = ("cancel", "context", "flush", "is_identity", "start", "transform")

    def __init__(self, transformer: Any) -> None:
        name = TRANSFORMER
        get = member_getter(transformer, name)
        self.cancel: Callable[[object], Any] = callback_member(get, "cancel", name) or do_nothing
        self.flush: Callable[[Any], Any] = callback_member(get, "flush", name) or do_nothing
        _refuse_type(get, "readable_type")
        self.start: Callable[[Any], Any] = callback_member(get, "start", name) or do_nothing
        self.transform: Callable[[Any, Any], Any] = callback_member(get, "transform", name) or _enqueue_chunk
        self.is_identity: bool = self.transform is _enqueue_chunk
        _refuse_type(get, "writable_type")
        self.context: Context = copy_context()


def _refuse_type(get: Callable[[str], Any], member: str) -> None:
    if get(member) is not None:
        raise ValueError(f"a transformer must not have a {member}: it is reserved for the future")


class TransformStreamDefaultController(Part, Generic[T]):
    """What a transformer uses to act on its stream. Streams Standard, 6.3."""

    __slots__ = ("__weakref__", "_finish_promise", "_stream", "_transformer")
    _constant: ClassVar[tuple[str, ...]] = ("_stream",)

    def __init__(self, token: object = None, *setup: Any) -> None:
        if token is not INTERNAL:
            raise refuse_constructor("TransformStreamDefaultController")
        self._set_up(*setup)

    def _set_up(self, stream: TransformStreamState, transformer: Transformer) -> None:
        """SetUpTransformStreamDefaultController"""
        self._stream = stream
        # The transform, flush and cancel algorithms; None once they are cleared.
        self._transformer: Transformer | None = transformer
        self._finish_promise: AlgorithmPromise[None] | None = None
        stream._controller = self

    # What the transformer calls.

    @property
    def desired_size(self) -> float | None:
        """How much more the readable side's queue wants, in its strategy's units; None when errored, 0 when closed."""
        run = self._stream._jobs.run
        return self._get_desired_size() if run is None else run.desired_size(self)

    @overload
    def enqueue(self: TransformStreamDefaultController[None]) -> None: ...
    @overload
    def enqueue(self, chunk: T) -> None: ...
    def enqueue(self, chunk: Any = None) -> None:
        """Put a chunk into the queue of the readable side.

        Raises `TypeError` when that is closed or errored, and what its strategy's ``size()`` raises (which errors the
        stream).
        """
        jobs = self._stream._jobs
        run = jobs.run
        if run is not None and run.take(self, chunk):
            return
        if get_ident() != jobs.home._thread_id and get_running_loop() is not jobs.loop:
            raise_wrong_loop()
        if run is not None:
            chunk = run.intercept(self, chunk)
        self._enqueue(chunk)

    def error(self, reason: object = None) -> None:
        """Error both sides with `reason`, any object."""
        self._stream._jobs.require_running()
        self._error(reason)

    def terminate(self) -> None:
        """Close the readable side and error the writable side: the rest of what is written is not wanted."""
        self._stream._jobs.require_running()
        self._terminate()

    # Abstract operations (6.4.2).

    def _get_desired_size(self) -> float | None:
        return self._stream._readable_controller._get_desired_size()

    def _readable_controller(self) -> ReadableStreamDefaultController[Any]:
        return self._stream._readable_controller

    def _clear_algorithms(self) -> None:
        """TransformStreamDefaultControllerClearAlgorithms"""
        self._transformer = None

    def _enqueue(self, chunk: Any) -> None:
        """TransformStreamDefaultControllerEnqueue"""
        stream = self._stream
        readable_controller = stream._readable_controller
        if not readable_controller._can_close_or_enqueue():
            raise TypeError(f"cannot enqueue into the readable side: {readable_controller._why_not()}")
        try:
            readable_controller._put(chunk)
        except Exception as error:
            stream._error_writable_and_unblock_write(error)
            stream._throw_readable_error()
        if readable_controller._has_backpressure() != stream._backpressure:
            set_backpressure(stream, True)

    def _error(self, error: object) -> None:
        """TransformStreamDefaultControllerError"""
        self._stream._error(error)

    def _terminate(self) -> None:
        """TransformStreamDefaultControllerTerminate"""
        self._readable_controller()._close()
        self._stream._error_writable_and_unblock_write(TypeError("the transform stream was terminated"))

    # Debugging.

    def __repr__(self) -> str:
        """Show the stream, and how much more its readable side wants."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield f"of {summary(self._stream)}"
        yield show_desired_size(self._readable_controller()._get_desired_size())


subscriptable(TransformStreamDefaultController)
