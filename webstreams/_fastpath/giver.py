"""What gives chunks to a pipeline."""

from __future__ import annotations


class Giver:
    """What gives chunks: a stage, a queue that holds many (`pipeline.Reservoir`), a user who writes (`WriterEnd`)."""

    __slots__ = ("count", "index")

    def __init__(self) -> None:
        # How many chunks it has given, in a simulation; and its place among the givers.
        self.count = 0
        self.index = 0
