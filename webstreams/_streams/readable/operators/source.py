"""What an operator gives: a stream with a high-water mark of 0, which asks its chain when it is asked."""

from __future__ import annotations

from typing import Any

from ...._debug.repr import LockHolder
from ...._engine.promise import DEFERRED, AlgorithmPromise, Promise
from ...._platform.idl import INTERNAL
from ..controller import ReadableStreamDefaultController
from ..reader import ReadableStreamDefaultReader, require_unlocked
from ..source import UnderlyingSource
from ..state import ReadableStreamState
from .chain import Chain, Receiver


class ChainSource(UnderlyingSource, Receiver):
    """The source of such a stream."""

    __slots__ = ("_controller", "_is_pulling", "_is_steady", "_jobs", "_promise", "chain")

    def __init__(self, chain: Chain, stream: ReadableStreamState[Any]) -> None:
        super().__init__({"pull": self._pull, "cancel": chain.cancel})
        self._jobs = stream._jobs
        # None when another chain has taken it over.
        self.chain: Chain | None = chain
        self._controller: Any = ReadableStreamDefaultController(INTERNAL, stream, self, 0, None)
        self._is_pulling = False
        self._promise: Promise[Any] | None = None
        # A pipeline that runs steadily has called: it wants a promise of what comes later.
        self._is_steady = False
        chain.give_to(self)

    def _pull(self, controller: Any) -> Any:
        self._is_pulling = True
        self._is_steady = self._jobs.run is not None
        assert self.chain is not None
        self.chain.ask()
        if not self._is_pulling:
            return None
        self._is_pulling = False
        if not self._is_steady:
            return DEFERRED
        self._promise = AlgorithmPromise(self._jobs)
        return self._promise

    def take_chunk(self, chunk: Any) -> None:
        """Put a chunk into the stream."""
        if self._jobs.run is None:
            self._controller._enqueue(chunk)
        else:
            self._controller.enqueue(chunk)
        self._has_pulled()

    def take_end(self) -> None:
        """Close the stream."""
        self._jobs.leave_run()
        self._controller._close()
        self._has_pulled()

    def take_error(self, error: object) -> None:
        """Error the stream."""
        self._jobs.leave_run()
        self._controller._error(error)

    def _has_pulled(self) -> None:
        if self._is_pulling:
            self._is_pulling = False
        elif self._promise is not None:
            promise, self._promise = self._promise, None
            promise._fulfill(None)
        elif self._controller._pulling:
            self._jobs.push(self._controller._on_pull_fulfilled)


def chain_over(stream: ReadableStreamState[Any], method: str) -> Chain:
    """Lock a stream and return a chain over it: that which feeds the stream, if nobody has used it yet."""
    require_unlocked(stream, f"{method}() stream")
    holder = LockHolder(f"{method}()")
    controller: Any = stream._controller
    if type(controller) is ReadableStreamDefaultController:
        source: Any = controller._source
        is_unused = stream._state == "readable" and not stream._disturbed
        if isinstance(source, ChainSource) and source.chain is not None and is_unused:
            chain = source.chain
            source.chain = None
            chain.lock_between(stream, holder)
            return chain
    reader: ReadableStreamDefaultReader[Any] = ReadableStreamDefaultReader(stream)
    reader._holder = holder
    return Chain(stream, reader)
