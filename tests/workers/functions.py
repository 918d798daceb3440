"""What the workers of the tests run: in a module of its own, which a child imports quickly."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any


def double(chunks: Iterable[Any]) -> Iterator[Any]:
    for chunk in chunks:
        yield chunk * 2


def same(chunks: Iterable[Any]) -> Iterator[Any]:
    yield from chunks


def totals(chunks: Iterable[int]) -> Iterator[int]:
    total = 0
    for chunk in chunks:
        total += chunk
        yield total
    yield -total


def pid(chunks: Iterable[Any]) -> Iterator[int]:
    for _ in chunks:
        yield os.getpid()


def fail(chunks: Iterable[Any]) -> Iterator[Any]:
    for chunk in chunks:
        yield chunk
        raise KeyError("from the worker")


def cannot_cross(chunks: Iterable[Any]) -> Iterator[Any]:
    for _ in chunks:
        yield lambda: None


class Local(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__("local")


def fail_locally(chunks: Iterable[Any]) -> Iterator[Any]:
    for _ in chunks:
        raise Local(1, 2)
    yield 1


def leave(chunks: Iterable[Any]) -> Iterator[Any]:
    for _ in chunks:
        sys.exit(3)
    yield 1


def ignore(chunks: Iterable[Any]) -> Iterator[Any]:
    yield "ignored"


def hang(chunks: Iterable[Any]) -> Iterator[Any]:
    yield os.getpid()
    while True:
        time.sleep(0.01)


def returns_none(chunks: Iterable[Any]) -> None:
    list(chunks)
