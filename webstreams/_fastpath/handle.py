"""What stands for a pipe where that must not be kept alive."""

from __future__ import annotations

from .._streams.readable.pipe import Pipe


class PipeHandle:
    """Kept by its pipe only, and known elsewhere by weak references."""

    __slots__ = ("__weakref__", "pipe")

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe
