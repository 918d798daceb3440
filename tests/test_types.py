"""`webstreams.types`: the names that API.md promises exist at run time, too."""

from __future__ import annotations

import inspect
from typing import Any, get_args, get_type_hints

import webstreams
from tests.grids import each_of
from webstreams import (
    ReadableWritablePair,
    ReadDoneResult,
    ReadValueResult,
    brokers,
    observe,
    operations,
    threads,
    types,
    workers,
)
from webstreams.brokers import kafka, nats, rabbitmq, redis
from webstreams.observe import opentelemetry, prometheus, terminal, web


@each_of(name=["UnderlyingSource", "UnderlyingSink", "QueuingStrategy", "ReadResult"])
def test_a_type_takes_the_type_of_its_chunks(name: str) -> None:
    alias: Any = getattr(types, name)
    assert all(getattr(part, "__args__", (int,)) in {(int,), (type(None),)} for part in get_args(alias[int]))


def test_a_transformer_takes_two() -> None:
    alias: Any = vars(types)["Transformer"]
    assert alias[int, str].__args__[0].__args__ == (int, str)


def test_a_result_is_a_chunk_or_the_end() -> None:
    alias: Any = vars(types)["ReadResult"]
    assert get_args(alias[int]) == (ReadValueResult[int], ReadDoneResult[None])


def test_a_pair_is_the_same_type_everywhere() -> None:
    assert types.ReadableWritablePair is ReadableWritablePair


def test_all_names_are_there() -> None:
    assert all(hasattr(types, name) for name in types.__all__)
    assert set(types.PipeOptions.__annotations__) == {"prevent_abort", "prevent_cancel", "prevent_close", "signal"}


# What a framework asks that works by annotations (of parameters to check, or of commands to make).
MODULES = (
    webstreams, brokers, kafka, nats, rabbitmq, redis, observe, opentelemetry, prometheus, terminal, web, operations,
    threads, workers,
)  # fmt: skip


def test_the_annotations_of_all_that_is_public_can_be_asked_for() -> None:
    for module in MODULES:
        for name in module.__all__:
            public = getattr(module, name)
            members = vars(public) if inspect.isclass(public) else {name: public}
            for own, member in members.items():
                if own.startswith("_"):
                    continue
                function = member.__func__ if isinstance(member, staticmethod | classmethod) else member
                if inspect.isroutine(function) and hasattr(function, "__annotations__"):
                    get_type_hints(function)
