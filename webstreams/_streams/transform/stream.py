"""Section 6.2: TransformStream, which puts the two sides together."""

from __future__ import annotations

from typing import Any, Final, Generic

from typing_extensions import TypeVar

from ... import types
from ..._debug.watches import warn_of_mistakes
from ..._engine.jobs import current_jobs
from ..._engine.promise import Promise
from ..._platform.errors import call
from ..._platform.idl import INTERNAL
from ..._platform.mistakes import STRATEGY, TRANSFORMER, unknown_members
from ..readable.controller import ReadableStreamDefaultController
from ..readable.stream import ReadableStream, create_readable_stream
from ..strategy import SizeAlgorithm, convert_strategy, extract_high_water_mark, extract_size_algorithm
from ..writable.controller import WritableStreamDefaultController
from ..writable.stream import WritableStream, create_writable_stream
from .controller import TransformStreamDefaultController
from .sides import TransformSink, TransformSource
from .state import TransformStreamState
from .transformer import Transformer

I = TypeVar("I", default=Any, contravariant=True)  # noqa: E741
O = TypeVar("O", default=Any, covariant=True)  # noqa: E741

# Given as the transformer: make a stream that is set up later.
BLANK: Final[Any] = object()


class TransformStream(TransformStreamState, Generic[I, O]):
    """A pair of streams: chunks written to `writable` come out of `readable`, transformed. Streams Standard, 6.2.

    `transformer` is an object with the members as attributes, or a mapping with them as keys: `start`,
    ``transform(chunk, controller)``, ``flush(controller)`` and ``cancel(reason)``. Without `transform` chunks pass
    unchanged. The writable side's queue holds 1 chunk by default, the readable side's none: a chunk is transformed
    when somebody wants the result.

    Raises `TypeError` and `ValueError` for arguments that cannot be used, and what the transformer's ``start()``
    raises; `RuntimeError` when no event loop runs in this thread.

    >>> import asyncio
    >>> from webstreams import ReadableStream, TransformStream
    >>> async def main() -> None:
    ...     upper = TransformStream({"transform": lambda word, controller: controller.enqueue(word.upper())})
    ...     print(await ReadableStream.from_(["a", "b"]).pipe_through(upper).list())
    >>> asyncio.run(main())
    ['A', 'B']
    """

    __slots__ = ("__weakref__",)

    def __init__(
        self,
        transformer: types.Transformer[I, O] | None = None,
        writable_strategy: types.QueuingStrategy[I] | None = None,
        readable_strategy: types.QueuingStrategy[O] | None = None,
    ) -> None:
        super().__init__(current_jobs())
        if transformer is BLANK:
            return
        writable_members = convert_strategy(writable_strategy)
        readable_members = convert_strategy(readable_strategy)
        algorithms = Transformer(transformer)
        strategies = ((STRATEGY, writable_strategy), (STRATEGY, readable_strategy))
        if self._jobs.loop.get_debug():
            warn_of_mistakes(self._jobs, unknown_members((TRANSFORMER, transformer), *strategies))
        readable_high_water_mark = extract_high_water_mark(readable_members, 0)
        readable_size = extract_size_algorithm(readable_members)
        writable_high_water_mark = extract_high_water_mark(writable_members, 1)
        writable_size = extract_size_algorithm(writable_members)
        start_promise: Promise[Any] = Promise(self._jobs)
        self._initialize(
            start_promise, writable_high_water_mark, writable_size, readable_high_water_mark, readable_size
        )
        self._writable_controller._under_way = start_promise._resolve_with(self._set_up_controller(algorithms))

    def _set_up_controller(self, transformer: Transformer) -> Any:
        """SetUpTransformStreamDefaultControllerFromTransformer; gives the result of the transformer's start()."""
        controller: TransformStreamDefaultController[O] = TransformStreamDefaultController(INTERNAL, self, transformer)
        return call(transformer.start, controller)

    def _initialize(
        self,
        start_promise: Promise[Any],
        writable_high_water_mark: float,
        writable_size_algorithm: SizeAlgorithm | None,
        readable_high_water_mark: float,
        readable_size_algorithm: SizeAlgorithm | None,
    ) -> None:
        """InitializeTransformStream"""
        sink = TransformSink(self, start_promise)
        writable = create_writable_stream(sink, writable_high_water_mark, writable_size_algorithm)
        source = TransformSource(self, start_promise)
        readable = create_readable_stream(source, readable_high_water_mark, readable_size_algorithm)
        assert isinstance(writable._controller, WritableStreamDefaultController)
        assert isinstance(readable._controller, ReadableStreamDefaultController)
        self._writable = writable
        self._writable_controller = writable._controller
        self._readable = readable
        self._readable_controller = readable._controller

    @property
    def readable(self) -> ReadableStream[O]:
        """The side that the results come out of."""
        return self._readable  # type: ignore[return-value]

    @property
    def writable(self) -> WritableStream[I]:
        """The side that chunks are written to."""
        return self._writable  # type: ignore[return-value]
