"""Every mutant still fits the source, and a sample of them is noticed; the command tries all of them."""

from __future__ import annotations

import ast

import pytest

from .__main__ import is_noticed
from .catalogue import PACKAGE, Mutant, all_mutants
from .redundant import REDUNDANT

MUTANTS = all_mutants()
SAMPLE = ["signal", "_write_chunk is not declared"]


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
def test_a_mutant_changes_one_place(mutant: Mutant) -> None:
    source = (PACKAGE / f"{mutant.module}.py").read_text(encoding="utf-8")
    assert source.count(mutant.text) == 1
    assert mutant.text != mutant.replacement
    ast.parse(source.replace(mutant.text, mutant.replacement))


def test_what_is_redundant_is_a_mutant() -> None:
    assert REDUNDANT.keys() <= MUTANTS.keys()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_of_the_mutants_is_noticed(name: str) -> None:
    assert is_noticed(MUTANTS[name])
