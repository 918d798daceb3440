"""What a chain of operators gives its chunks to: the stream behind them, or what ends them."""

from __future__ import annotations

from typing import Any

from ...._platform.mypyc import trait


@trait
class Receiver:
    """What a chain gives its chunks to, one for each `Chain.ask`."""

    __slots__ = ()

    def take_chunk(self, chunk: Any) -> None:
        """A chunk has passed all steps."""
        raise NotImplementedError

    def take_end(self) -> None:
        """There will be no more."""
        raise NotImplementedError

    def take_error(self, error: object) -> None:
        """The input is errored, or a step has failed."""
        raise NotImplementedError
