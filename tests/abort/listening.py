"""Listeners that record what they hear of, for the tests of signals."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

from webstreams import (
    AbortSignal,
    Event,
    Promise,
)

LONG = 3600.0


class Listener:
    """A listener that records its events under a name in a common list."""

    def __init__(self, log: list[str], name: str) -> None:
        self.log = log
        self.name = name

    def __call__(self, event: Event) -> None:
        self.log.append(self.name)


def listen(log: list[str], **signals: AbortSignal) -> None:
    """Add a listener to each signal, which logs the signal's name."""
    for name, signal in signals.items():
        signal.add_event_listener("abort", Listener(log, name))


async def aborted(signal: AbortSignal) -> None:
    """Wait until a signal is aborted."""
    promise, resolve, _ = Promise.with_resolvers()
    signal.add_event_listener("abort", resolve)
    await asyncio.wait_for(promise, 10)


def is_alive(reference: weakref.ref[Any]) -> bool:
    """Whether an object is still there after a collection."""
    gc.collect()
    return reference() is not None
