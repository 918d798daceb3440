"""What gives chunks to a pipeline."""

from __future__ import annotations

from typing import ClassVar


class Giver:
    """What gives chunks: a stage, a queue that holds many (`pipeline.Reservoir`), a user who writes (`WriterEnd`)."""

    __slots__ = ("count", "index")
    # No snapshot and no check looks at them in a giver that is a part: they belong to the simulation.
    _unseen: ClassVar[tuple[str, ...]] = ("count", "index")

    def __init__(self) -> None:
        # How many chunks it has given, in a simulation; and its place among the givers.
        self.count = 0
        self.index = 0
