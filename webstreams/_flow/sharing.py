"""`share`: one stream for any number of readers, who may come and go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Generic, TypeVar

from .._debug.repr import show, show_count, show_number
from .._engine.door import ignored
from .._engine.promise import Promise
from .._platform.errors import AbortError
from .._platform.idl import INTERNAL, refuse_constructor
from .._platform.staying import Staying
from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.operators.checks import checked_count
from .._streams.readable.stream import ReadableStream
from .branches import Branch
from .hub import Hub
from .inputs import require_free
from .policies import Policy, checked_mark, checked_policy, checked_size

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


def share(
    stream: ReadableStream[T],
    *,
    high_water_mark: float = 16,
    size: Callable[[T], float] | None = None,
    policy: Policy = "wait",
    subscribers: int = 0,
    replay: int = 0,
    keep: bool = False,
) -> Shared[T]:
    """Share a stream, which is locked from now on: every ``subscribe()`` gives a stream of all its chunks.

    The source is read when a subscription waits for a chunk and no subscription has `high_water_mark` unread, measured
    by `size` (by default 1 for each chunk); nothing is read before the first read, nor before there were as many as
    `subscribers`. What happens to a subscription that has no room is its `policy`:

    - "wait": the slowest governs. Nothing is lost, and all have to be read at the same time: reading them one after
      the other waits for ever (in debug mode a `ResourceWarning` names the one that holds the others up).
    - "error": it fails with `Lagged`, the others go on.
    - "drop-oldest", "drop-newest": it goes on without some chunks, which its ``lost`` counts.

    A subscriber that comes late gets the last `replay` chunks first, and the end of the stream if that has come. An
    error of the source, and its end, reach every subscription after what it has not read yet. Cancelling one frees what
    it holds at once; so does dropping it. With the last one the source is cancelled, with the list of their reasons
    (of the last 64), unless `keep`: then it waits for the next subscriber. All get the same objects.

    Raises `TypeError` and `ValueError` for arguments that cannot be used, and locks nothing then. Not in the Standard.

    >>> import asyncio
    >>> from webstreams import ReadableStream, share
    >>> async def main() -> None:
    ...     shared = share(ReadableStream.from_([1, 2, 3]))
    ...     print(await asyncio.gather(shared.subscribe().list(), shared.subscribe().list()))
    >>> asyncio.run(main())
    [[1, 2, 3], [1, 2, 3]]
    """
    mark = checked_mark(high_water_mark, "share()")
    if not mark:
        raise ValueError("share(): high_water_mark must be greater than 0: with 0 every queue is full from the start")
    needed = checked_count(subscribers, "share(): subscribers", 0)
    replayed = checked_count(replay, "share(): replay", 0)
    measure, default = checked_size(size, "share()"), checked_policy(policy, "share()")
    require_free(stream, "its stream", "share")
    hub = Hub(stream, mark, measure, needed=needed, replay=replayed, keep=bool(keep))
    return Shared(INTERNAL, hub, default)


class Shared(Staying, Generic[T]):
    """A stream with any number of subscriptions: what `share` returns.

    When it is dropped, and with it the last subscription, the source is cancelled.

    >>> import asyncio
    >>> from webstreams import ReadableStream, share
    >>> async def main() -> None:
    ...     shared = share(ReadableStream.from_("spam and eggs".split()))
    ...     first, second = shared.subscribe(), shared.subscribe()
    ...     print(shared)
    ...     await asyncio.gather(first.list(), second.list())
    ...     print(shared)
    >>> asyncio.run(main())
    <Shared 2 subscribers, queue 0/16>
    <Shared no subscribers, queue 0/16>
    """

    __slots__ = ("_hub", "_policy")

    def __init__(self, token: object = None, *setup: Any) -> None:
        if token is not INTERNAL:
            raise refuse_constructor("Shared", "share() returns one")
        self._hub: Hub
        self._policy: Policy
        self._hub, self._policy = setup

    def subscribe(self, *, policy: Policy | None = None) -> Subscription[T]:
        """Return a new stream of the chunks that are read from now on, after those of the replay.

        Its own `policy` may differ from the others', so that one slow reader need not hold them up. After the end of
        the source it has the replay, and then ends as that did. Raises `ValueError` for an unknown policy, and
        `RuntimeError` in another event loop or thread than that of the stream.
        """
        hub = self._hub
        hub.jobs.require_running()
        chosen = self._policy if policy is None else checked_policy(policy, "subscribe()")
        branch = hub.add(chosen)
        subscription: Subscription[T] = Subscription(INTERNAL, hub, branch)
        hub.open(branch, subscription)
        return subscription

    def cancel(self, reason: object = None) -> Promise[None]:
        """Cancel the source with `reason`, any object; the promise is settled as it has cancelled.

        The subscriptions lose what they have not read: they are errored with the reason, or closed without one.
        """
        self._hub.jobs.require_running()
        return self._hub.cancel(reason)

    @property
    def subscribers(self) -> int:
        """How many subscriptions there are that have not ended and were not cancelled or dropped."""
        return len(self._hub.branches)

    @property
    def queued(self) -> float:
        """How much the subscription that has most unread has not read: chunks, or what `size` measures."""
        return max((each.size() for each in self._hub.branches), default=0)

    def __repr__(self) -> str:
        """Show the subscriptions and the queue."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield show_count(self.subscribers, "subscriber")
        yield f"queue {show_number(self.queued)}/{show_number(self._hub.mark)}"

    def __del__(self) -> None:
        """Nobody can subscribe any more: without subscriptions the source is cancelled."""
        hub = getattr(self, "_hub", None)
        if hub is not None:
            hub.jobs.push_of_collected(hub.abandon)


class Subscription(ReadableStream[T_co]):
    """A stream of the chunks of a shared stream: what ``Shared.subscribe()`` returns.

    >>> import asyncio
    >>> from webstreams import ReadableStream, share
    >>> async def main() -> None:
    ...     shared = share(ReadableStream.from_(range(9)), high_water_mark=2)
    ...     slow = shared.subscribe(policy="drop-oldest")
    ...     await shared.subscribe().list()
    ...     print(slow.lost, await slow.list())
    >>> asyncio.run(main())
    7 [7, 8]
    """

    __slots__ = ("_branch",)

    _branch: Branch

    def __init__(self, token: object = None, *setup: Any) -> None:
        if token is not INTERNAL:
            raise refuse_constructor("Subscription")
        hub, self._branch = setup
        super().__init__(_Tap(hub, self._branch), {"high_water_mark": 0})

    @property
    def lost(self) -> int:
        """How many chunks were dropped because this subscription was too slow."""
        return self._branch.lost

    def _details(self) -> Iterator[str]:
        yield from super()._details()
        branch = self._branch
        if branch in branch.hub.branches:
            yield f"{show_count(branch.count(), 'chunk')} to read"
        if branch.lost:
            yield f"{branch.lost} lost"


class _Tap:
    """The underlying source of a subscription. Only that refers to it: when it is collected, nobody reads any more."""

    def __init__(self, hub: Hub, branch: Branch) -> None:
        self._hub = hub
        self._branch = branch

    def pull(self, controller: ReadableStreamDefaultController[Any]) -> None:
        self._hub.pull(self._branch)

    def cancel(self, reason: object) -> Promise[None] | None:
        return self._hub.leave(self._branch, reason)

    def __del__(self) -> None:
        hub, branch = self._hub, self._branch
        if branch in hub.branches:
            hub.jobs.push_of_collected(partial(_leave_dropped, hub, branch))


def _leave_dropped(hub: Hub, branch: Branch) -> None:
    promise = hub.leave(branch, AbortError("the subscription was dropped"))
    if promise is not None:
        ignored(promise)
