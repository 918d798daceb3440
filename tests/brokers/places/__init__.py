"""The same few things for each broker: a place for messages, a connection, a consuming and a publishing stream.

Each broker has a module, so that a program which is about one of them loads the client of that one alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from .place import GROUP, Place, with_port

__all__ = ["BROKERS", "GROUP", "Place", "make_place", "with_port"]

BROKERS: Final = ("rabbitmq", "kafka", "nats", "redis")


def make_place(broker: str, url: str, name: str | None = None) -> Place:
    """Make a place at a broker; without a `name` it has one that nobody else has."""
    place: Place = import_module(f"{__name__}.{broker}").PLACE(url, name)
    return place
