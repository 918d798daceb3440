"""What the warnings of debug mode have to know of a writable stream (`_debug.watches`)."""

from __future__ import annotations

from collections.abc import Iterator

from .._platform.mypyc import mypyc_attr, trait


@trait
@mypyc_attr(allow_interpreted_subclasses=True)
class WatchedStream:
    """What a watch has to know of a writable stream."""

    __slots__ = ()

    def _summary(self) -> Iterator[str]:
        raise NotImplementedError

    def _is_ready_watched(self) -> bool:
        """Whether somebody has looked at the writer's `ready` since the queue got full."""
        raise NotImplementedError
