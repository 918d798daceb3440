"""Section 6.3: TransformStreamDefaultController."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Generic, overload

from typing_extensions import TypeVar

from ..._debug.repr import show, show_desired_size, summary
from ..._engine.jobs import ASKS_LOOP, get_ident, get_running_loop
from ..._platform.idl import INTERNAL, refuse_constructor
from ..._platform.mypyc import subscriptable
from ..._platform.stages import note_stage
from ..readable.controller import ReadableStreamDefaultController
from .state import TransformController, TransformStreamState, set_backpressure
from .transformer import Transformer

T = TypeVar("T", default=Any)


class TransformStreamDefaultController(TransformController, Generic[T]):
    """What a transformer uses to act on its stream. Streams Standard, 6.3."""

    __slots__ = ("__weakref__", "_stream")
    _constant: ClassVar[tuple[str, ...]] = ("_stream",)

    def __init__(self, token: object = None, *setup: Any, **_: Any) -> None:
        if token is not INTERNAL:
            raise refuse_constructor("TransformStreamDefaultController")
        self._set_up(*setup)

    def _set_up(self, stream: TransformStreamState, transformer: Transformer) -> None:
        """SetUpTransformStreamDefaultController"""
        self._stream = stream
        self._transformer = transformer
        self._finish_promise = None
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
        if run is not None:
            if run.expecting is self and not run.pending and get_ident() == run.thread:
                run.expecting = None  # take(), without the call
                run.current.output.append(chunk)
                return
            if run.take_more(self, chunk) or run.take(self, chunk):
                return
        if not (ASKS_LOOP and get_running_loop() is jobs.loop) and get_ident() != jobs.thread_probe._thread_id:
            jobs.require_loop()
        if run is not None:
            chunk = run.intercept(self, chunk)
        queue = self._stream._readable_controller._queue
        if queue.total >= queue.brimful:
            queue.chunks.append(chunk)  # _enqueue(), without the call: nothing but this is done
            queue.total += 1
        else:
            self._enqueue(chunk)

    def error(self, reason: object = None) -> None:
        """Error both sides with `reason`, any object."""
        self._stream._jobs.require_running()
        if self._transformer is not None:
            note_stage(reason, self._transformer.stage(), "controller.error()")
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
        if readable_controller._close_requested or readable_controller._stream._state != "readable":
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
