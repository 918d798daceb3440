"""What the ports of ``streams/transform-streams/`` share."""

from __future__ import annotations

from typing import Any

from webstreams import TransformStreamDefaultController


class ControllerKeeper:
    """Keeps the controller that its `start` is called with: upstream's ``start(c) { controller = c; }``."""

    controller: TransformStreamDefaultController[Any]
    transform: None  # for type checkers: it has none

    def start(self, controller: TransformStreamDefaultController[Any]) -> None:
        """The transformer's ``start``."""
        self.controller = controller


def discard(chunk: Any, controller: TransformStreamDefaultController[Any]) -> None:
    """A ``transform`` that enqueues nothing."""
