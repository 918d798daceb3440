"""The dice of a random program: what the generator believes about it, and values."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = Any
Action: TypeAlias = dict[str, Any]
Weighted: TypeAlias = tuple[float, Callable[[], Action]]


@dataclass
class Stream:
    """What the generator believes about one end of a stream."""

    id: str
    rank: int
    bytes: bool = False
    controlled: bool = True
    made: bool = False
    lock: str | None = None
    mode: str = "default"
    released: list[str] = field(default_factory=list)


@dataclass
class Plan:
    """The objects that a program will have."""

    readables: list[Stream] = field(default_factory=list)
    writables: list[Stream] = field(default_factory=list)
    transforms: list[Stream] = field(default_factory=list)
    iterators: list[str] = field(default_factory=list)
    deferreds: list[str] = field(default_factory=list)
    aborters: list[str] = field(default_factory=list)
    builders: list[Callable[[], Action]] = field(default_factory=list)


class Dice:
    """Throws the dice for one program, and numbers its actions and chunks."""

    def __init__(self, seed: int, pipes: bool, without: Collection[str] = ()) -> None:
        self.seed = seed
        self.without = without
        self.pipes = pipes
        self.random = random.Random(f"{'pipes' if pipes else 'plain'} {seed}")
        self.plan = Plan()
        self.actions = 0
        self.chunks = 0
        self.depth = 0
        self.all_bytes = self.chance(0.12)
        self.tame = self.chance(0.6)
        # With pipes, what is done in one turn at both ends of a pipe would race: nothing says which end is first.
        self.orderly = pipes and "races" in without
        self.piping = False
        self.cross = (0.0 if self.orderly else 0.06) if pipes else self.random.choice((0.05, 0.2, 0.4))

    # Dice.

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return self.random.random() < probability

    def has(self, feature: str) -> bool:
        """Whether programs may have this feature."""
        return feature not in self.without

    def pick(self, options: Sequence[Weighted]) -> Action:
        """Run one of the weighted makers."""
        weights = [weight for weight, _ in options]
        return self.random.choices(options, weights)[0][1]()

    def action(self, op: str, **fields: Json) -> Action:
        """An action under the next number."""
        self.actions += 1
        return {"op": op, "i": self.actions, **fields}

    # Values.

    def chunk(self, *, byte: bool = False, argument: bool = False) -> Json:
        """A chunk: mostly a name of its own."""
        if argument and self.chance(0.5):
            return {"arg": 1}
        if byte or self.all_bytes:
            return self.bytes()
        if self.chance(0.06):
            return self.random.choice((None, 0, 7, -1.5, True))
        if self.chance(0.05):
            return self.bytes()
        self.chunks += 1
        return f"c{self.chunks}"

    def bytes(self) -> Json:
        """A small buffer."""
        values = [self.random.randrange(100) for _ in range(self.random.choice((1, 1, 2, 3, 3, 4, 5, 8)))]
        if self.chance(0.03):
            return []
        return {"sub": values} if self.chance(0.15) else values

    def error(self) -> Json:
        """An error of the program's own."""
        self.chunks += 1
        return {"e": f"E{self.chunks}"}

    def reason(self) -> Json:
        """A reason: mostly an error."""
        if self.chance(0.7):
            return self.error()
        self.chunks += 1
        return self.random.choice((None, f"why{self.chunks}", 42))
