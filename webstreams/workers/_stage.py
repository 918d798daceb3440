"""`worker` and `workers`: something to `pipe_through` whose work is done elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from inspect import isasyncgenfunction
from typing import Any, Generic, Literal, Self, cast, get_args
from weakref import finalize

from typing_extensions import TypeVar

from .._debug.repr import show
from .._platform.arguments import checked_callable, checked_integer, checked_seconds, checked_size
from .._platform.errors import AbortError, as_exception
from .._platform.idl import refuse_constructor
from .._platform.mistakes import is_coroutine_function
from .._streams.readable.stream import ReadableStream
from .._streams.writable.stream import WritableStream
from ._hosts import Job, Kind
from ._pool import Pool
from ._port import MAX_WINDOW

I = TypeVar("I", default=Any)  # noqa: E741
O = TypeVar("O", default=Any)  # noqa: E741

# How long a worker has to end after it was asked to, or has said that it is done (seconds).
GRACE = 0.75


class Stage(Generic[I, O]):
    """The two sides of one worker or of several, from `worker` and `workers`: something to ``pipe_through()``.

    It is an asynchronous context manager: ``async with`` starts the workers, and leaves none behind.
    """

    def __init__(self, job: Job, count: int, window: int, ordered: bool) -> None:
        if not isinstance(job, Job):
            raise refuse_constructor("Stage", "worker() and workers() return one")
        self._job = job
        self._count = count
        self._window = window
        self._is_ordered = ordered
        self._pool: Pool | None = None
        self._readable: ReadableStream[O]
        self._writable: WritableStream[I]

    @property
    def readable(self) -> ReadableStream[O]:
        """What the function yields. Raises `RuntimeError` before the block begins."""
        self._require_pool()
        return self._readable

    @property
    def writable(self) -> WritableStream[I]:
        """What the function iterates over. Raises `RuntimeError` before the block begins."""
        self._require_pool()
        return self._writable

    async def __aenter__(self) -> Self:
        """Start the workers; give the stage itself. Raises the `OSError` of starting them."""
        if self._pool is not None:
            raise RuntimeError("this stage was started before: make a new one with worker() or workers()")
        pool = self._pool = Pool(self._job, self._count, self._window, self._is_ordered)
        self._readable = ReadableStream(
            {"start": pool.start_readable, "pull": pool.pull, "cancel": pool.cancel}, {"high_water_mark": 0}
        )
        self._writable = WritableStream(
            {"start": pool.start_writable, "write": pool.write, "close": pool.close, "abort": pool.abort}
        )
        finalize(self, pool.abandon).atexit = False
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """End the workers that have not ended: they are asked first, and killed after the grace time."""
        pool = self._require_pool()
        if isinstance(error, GeneratorExit):  # nobody will wait for anything
            pool.kill()
            return
        if not pool.is_over:
            reason = AbortError("the block that used the worker is over")
            pool.fail(reason if error is None else as_exception(error))
        await pool.gone()

    def _require_pool(self) -> Pool:
        if self._pool is None:
            raise RuntimeError("a worker has to be started: async with worker(...) as stage")
        return self._pool

    def __repr__(self) -> str:
        """Show both sides."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield "not started" if self._pool is None else f"from {self._writable!r} to {self._readable!r}"


def worker(
    function: Callable[[Iterable[I]], Iterable[O]],
    *,
    kind: Literal["process", "thread", "interpreter"] = "process",
    window: int = 16,
    grace: float = GRACE,
) -> Stage[I, O]:
    """Run a function over the chunks of a stream in a worker of its own: ``async with worker(function) as stage``.

    ``function(chunks)`` is a generator, or a plain function that returns an iterable; it may block and compute as it
    likes, and what it keeps between chunks stays in the worker. `kind` is where it runs:

    - "process": a new Python, spawned and not forked. The function is one that can be imported, and chunks are
      pickled, but the memory of `bytes`, `bytearray`, `memoryview` (which arrive as they are, without a format) and of
      arrays (pickle protocol 5) is not copied into a pickle. A script needs ``if __name__ == "__main__":``.
    - "interpreter": the same in a thread of this process with an interpreter of its own (Python 3.14 and later).
    - "thread": a thread. Nothing is pickled, and functions that compute in Python do not run side by side.

    At most `window` chunks (65,536 at most) are on their way to the function, and as many on the way back; the worker
    begins to yield at the first read.

    When the function returns, the readable side is closed; if it has not read all of its input, the writable side is
    errored with a `TypeError`. An exception of the function errors both sides, after the chunks that it has yielded;
    its traceback is in a note, and a `RemoteError` stands for one that cannot be pickled. A worker that ends in any
    other way, or has not ended `grace` seconds after its function, errors both sides with `WorkerDied` at once.
    Cancelling and aborting, and leaving the block, ask first: iterating over `chunks`, and the next ``yield``, end the
    function. They are done when the worker has ended: a process that has not ended after `grace` seconds is killed,
    with what it has started. A thread cannot be killed: it is left alone then. Nor can an interpreter, but one that is
    still starting is waited for, and ends without having called the function.

    Raises `TypeError` and `ValueError` for arguments that cannot be used, and `RuntimeError` for interpreters where
    Python has none. Not in the Standard.

    >>> import asyncio, zlib
    >>> from webstreams import ReadableStream
    >>> from webstreams.workers import worker
    >>> async def main() -> None:
    ...     async with worker(zlib_chunks, kind="thread") as stage:
    ...         print(await ReadableStream.from_([b"a" * 1000, b"b" * 1000]).pipe_through(stage).list())
    >>> def zlib_chunks(chunks):
    ...     for chunk in chunks:
    ...         yield len(zlib.compress(chunk))
    >>> asyncio.run(main())
    [17, 17]
    """
    size = checked_integer(window, "window", 1, MAX_WINDOW)
    return Stage(_checked_job(function, kind, grace, max(1, size // 2)), 1, size, False)


def workers(
    function: Callable[[Iterable[I]], Iterable[O]],
    *,
    count: int,
    ordered: bool = True,
    kind: Literal["process", "thread", "interpreter"] = "process",
    window: int = 16,
    grace: float = GRACE,
) -> Stage[I, O]:
    """Run a function in `count` workers as one stage: each chunk goes to the worker with the least to do.

    Each of them is as `worker` says, with its own state and its own `window`. If `ordered`, what the workers yield
    comes in the order of the chunks that it was made of: what a function yields before it asks for its next chunk
    belongs to the last one, and what it yields at the end of its input comes after all other chunks. Otherwise it comes
    as it is made. A worker that fails, or returns before its input has ended, ends all of them.

    Raises what `worker` raises. Not in the Standard.

    >>> import asyncio
    >>> from webstreams import ReadableStream
    >>> from webstreams.workers import workers
    >>> def double(chunks):
    ...     for chunk in chunks:
    ...         yield 2 * chunk
    >>> async def main() -> None:
    ...     async with workers(double, count=2, kind="thread") as stage:
    ...         print(await ReadableStream.from_(range(5)).pipe_through(stage).list())
    >>> asyncio.run(main())
    [0, 2, 4, 6, 8]
    """
    number = checked_size(count, "count", 1)
    if not isinstance(ordered, bool):
        raise TypeError(f"ordered must be a bool, not {type(ordered).__name__}")
    size = checked_integer(window, "window", 1, MAX_WINDOW)
    batch = 1 if ordered else max(1, size // 2)
    job = _checked_job(function, kind, grace, batch)
    if job.descriptors and number > 1:
        raise ValueError("a port can be moved into one worker only: use worker(), or a port for each")
    return Stage(job, number, size, ordered)


def _checked_job(function: Any, kind: Any, grace: Any, batch: int) -> Job:
    checked_callable(function, "function")
    if is_coroutine_function(function) or isasyncgenfunction(function) or isasyncgenfunction(type(function).__call__):
        raise TypeError(f"the function must be a plain generator function, which may block, not {function!r}")
    if not isinstance(kind, str) or kind not in get_args(Kind):
        raise ValueError(f'kind must be "process", "thread" or "interpreter", not {kind!r}')
    return Job(function, cast(Kind, kind), batch, checked_seconds(grace, "grace", finite=True))
