"""The operators as a chain sees them: what is called for a chunk, and what becomes of the result."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextvars import Context
from typing import Any, ClassVar, Final, Protocol, TypeAlias

from ...._platform.errors import call
from ...._platform.idl import is_non_negative_number, to_number
from .checks import checked_count, checked_number, require_plain_function
from .marks import SKIP

# What becomes of the result of a step's function.
MAP: Final = 0  # it goes on in the place of the chunk, or nothing does (`SKIP`)
FILTER: Final = 1  # it tells whether the chunk goes on
TAP: Final = 2  # nothing: the chunk goes on
EXPAND: Final = 3  # it is an iterable, whose items go on
TAKE: Final = 4  # as for MAP; and the step may have had enough

# In the place of MAP: a function of the library, which gives nothing to wait for.
OWN: Final = -1

# Steps, each with its kind, its function and its index, and the index of the step behind them.
Plan: TypeAlias = tuple[list[tuple[int, Callable[[Any], Any], int]], int]


class Step:
    """One operator."""

    __slots__ = ("context", "function", "index", "kind", "may_wait")

    # Whether it makes many chunks of one at a time, before they are asked for (`take_ready`).
    makes_many: ClassVar[bool] = False

    def __init__(self, kind: int, function: Callable[[Any], Any], context: Context | None) -> None:
        self.kind = kind
        self.function = function
        # Where the function's coroutines run; None for a function of the library, which never has any.
        self.context = context
        self.may_wait = context is not None
        # Its place among the steps.
        self.index = 0

    def is_full(self) -> bool:
        """Whether the step wants no more chunks."""
        return False

    def rest(self) -> Any:
        """Return what the step still has when its input has ended, or `SKIP`."""
        return SKIP

    def has_rest(self) -> bool:
        """Whether there may be something of that kind."""
        return False

    def take_ready(self) -> Sequence[Any]:
        """Return what a step that `makes_many` has made already and not given yet: it will not be given then."""
        raise NotImplementedError


class TakeStep(Step):
    """``take(count)``"""

    __slots__ = ("_left",)

    def __init__(self, count: int) -> None:
        super().__init__(TAKE, self._take, None)
        self._left = count

    def _take(self, chunk: Any) -> Any:
        self._left -= 1
        return chunk

    def is_full(self) -> bool:
        """Whether all chunks have been given."""
        return self._left <= 0


class DropStep(Step):
    """``drop(count)``"""

    __slots__ = ("_left",)

    def __init__(self, count: int) -> None:
        super().__init__(MAP, self._drop, None)
        self._left = count

    def _drop(self, chunk: Any) -> Any:
        if self._left > 0:
            self._left -= 1
            return SKIP
        return chunk


class Batch:
    """The chunks of a batch that is being filled, up to a count or a size."""

    __slots__ = ("_measure", "_size", "chunks", "count", "limit")

    def __init__(self, count: int | None, limit: float | None, measure: Callable[[Any], float]) -> None:
        self.chunks: list[Any] = []
        self.count = count
        self.limit = limit
        self._measure = measure
        self._size: float = 0.0

    def add(self, chunk: Any) -> bool:
        """Take a chunk; whether the batch is full."""
        self.chunks.append(chunk)
        if self.limit is not None:
            self._size += _checked_size(call(self._measure, chunk))
            if self._size >= self.limit:
                return True
        return len(self.chunks) == self.count

    def take(self) -> list[Any]:
        """Return the batch and begin the next."""
        chunks, self.chunks = self.chunks, []
        self._size = 0.0
        return chunks

    def is_limited(self) -> bool:
        """Whether it is ever full."""
        return self.count is not None or self.limit is not None


class BatchStep(Step):
    """``batched(count, size=...)`` without a time limit"""

    __slots__ = ("_batch",)

    stage_name: ClassVar[str] = "batched()"

    def __init__(self, batch: Batch) -> None:
        super().__init__(MAP, self._count if batch.limit is None else self._add, None)
        self._batch = batch

    def _count(self, chunk: Any) -> Any:
        batch = self._batch
        chunks = batch.chunks
        chunks.append(chunk)
        if len(chunks) != batch.count:
            return SKIP
        batch.chunks = []
        return chunks

    def _add(self, chunk: Any) -> Any:
        return self._batch.take() if self._batch.add(chunk) else SKIP

    def rest(self) -> Any:
        """Return the last batch."""
        return self._batch.take() if self._batch.chunks else SKIP

    def has_rest(self) -> bool:
        """Whether a batch is begun."""
        return bool(self._batch.chunks)


class ReduceStep(Step):
    """The second half of ``reduce()``: keeps the result of the function, which `combine` calls."""

    __slots__ = ("_reducer", "result")

    stage_name: ClassVar[str] = "reduce()"

    def __init__(self, reducer: Callable[[Any, Any], Any], initial: Any) -> None:
        super().__init__(MAP, self._keep, None)
        self._reducer = reducer
        self.result = initial

    def combine(self, chunk: Any) -> Any:
        """Call the function with what there is and the chunk."""
        return self._reducer(self.result, chunk)

    def _keep(self, result: Any) -> Any:
        self.result = result
        return SKIP


class Cutter(Protocol):
    """What cuts chunks into pieces (`_cutting`)."""

    @property
    def used_up(self) -> bool:
        """Whether all pieces of the last chunk have been returned."""

    def take(self, chunk: Any) -> None:
        """Accept a chunk."""

    def step(self) -> Any:
        """Return pieces: a list, or one that is not empty, if there is any in what is looked at."""

    def finish(self) -> Any:
        """Return what is left at the end."""


class CutStep(Step):
    """``lines()`` and ``chunked()``"""

    makes_many: ClassVar[bool] = True
    __slots__ = ("_cutter", "_has_rest", "_ready", "stage_name")

    def __init__(self, cutter: Cutter, stage_name: str) -> None:
        super().__init__(EXPAND, self._cut, None)
        self._cutter = cutter
        # What errors say that they arose in.
        self.stage_name = stage_name
        self._has_rest = True
        # Pieces that are made.
        self._ready: deque[Any] = deque()

    def _cut(self, chunk: Any) -> Iterator[Any]:
        self._cutter.take(chunk)
        return self._pieces()

    def _pieces(self) -> Iterator[Any]:
        ready = self._ready
        while not self._cutter.used_up:
            ready.extend(_listed(self._cutter.step()))
            while ready:
                yield ready.popleft()

    def take_ready(self) -> Sequence[Any]:
        """See `Step`."""
        ready = list(self._ready)
        self._ready.clear()
        return ready

    def rest(self) -> Any:
        """Return the last piece, in a list."""
        self._has_rest = False
        return _listed(self._cutter.finish())

    def has_rest(self) -> bool:
        """Whether the end has not been looked for."""
        return self._has_rest


def _listed(made: Any) -> list[Any]:
    """Return the pieces that a cutter has made, or the one if it is not empty, in a list."""
    return made if isinstance(made, list) else [made] if made else []


def discard(_: Any) -> Any:
    """Let nothing go on."""
    return SKIP


def _checked_size(size: Any) -> float:
    number = to_number(size)
    if not is_non_negative_number(number):
        raise ValueError(f"the size of a chunk must be a non-negative number; size_of() returned {size!r}")
    return number


def new_batch(count: Any, size: Any, size_of: Any, *, needs_limit: bool = True) -> Batch:
    """Return an empty batch; TypeError and ValueError for limits that cannot be ones."""
    number = None if count is None else checked_count(count, "count", 1)
    limit = None if size is None else checked_number(size, "size", "what size_of() counts in")
    if size_of is not None:
        require_plain_function(size_of, "size_of")
        if limit is None:
            raise TypeError("size_of needs a size, which it is compared with")
    if needs_limit and number is None and limit is None:
        raise TypeError("batched() needs a limit: count (chunks), size, or seconds")
    return Batch(number, limit, len if size_of is None else size_of)


def plan_from(steps: Sequence[Step], first: int) -> Plan:
    """Return the steps that the loop over an iterator does itself, and the index of the one that it does not do, or -1:
    one that may add an input or remove one."""
    plan: list[tuple[int, Callable[[Any], Any], int]] = []
    tail = -1
    for step in steps[first:]:
        if step.kind > TAP:
            tail = step.index
            break
        plan.append((OWN if step.kind == MAP and not step.may_wait else step.kind, step.function, step.index))
    return plan, tail
