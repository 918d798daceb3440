"""`webstreams.types`: the names that API.md promises exist at run time, too."""

from __future__ import annotations

from typing import Any, get_args

from tests.grids import each_of
from webstreams import ReadableWritablePair, ReadDoneResult, ReadValueResult, types


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
