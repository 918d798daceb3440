"""What the core tells of chunks and locks when somebody observes (`webstreams.observe`); nobody does by default.

A controller or a transform's writable side that is observed has a `Meter`; the others have None in its place, and that
is all they look at. `LOCKS` hears of every new lock, so that a stage which joins an observed pipeline is found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .._platform.mypyc import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Meter:
    """What is told of one stage. It changes nothing, and calls nothing that anybody else could see."""

    __slots__ = ()

    def chunk_is_put(self, chunk: Any) -> None:
        """A chunk is about to go into the queue of the stage's readable side, or to the read that waits for it."""
        raise NotImplementedError

    def chunk_is_taken(self, chunk: Any) -> None:
        """An operator with a timer was handed a chunk."""
        raise NotImplementedError

    def bytes_are_put(self, count: int) -> None:
        """The source has written so many bytes into the memory of a reader."""
        raise NotImplementedError

    def began_to_wait(self) -> None:
        """A chunk was written into a transform, and waits until its readable side has room."""
        raise NotImplementedError


def put_counted(controller: Any, put: Callable[[Any], object], chunk: Any) -> None:
    """Put a chunk of which the meter of a controller has been told already."""
    meter, controller._meter = controller._meter, None
    try:
        put(chunk)
    finally:
        controller._meter = meter


class LockHook:
    """What is called with every stream that gets a reader or a writer."""

    __slots__ = ("tell",)

    def __init__(self) -> None:
        self.tell: Callable[[Any], object] | None = None


LOCKS: Final = LockHook()
