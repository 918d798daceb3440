"""Every mutant still fits the source, and a sample of them is noticed; the command tries all of them."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from tests.grids import by_key, each_of

from .__main__ import noticed_by
from .catalogue import PACKAGE, Mutant, all_mutants
from .redundant import REDUNDANT

MUTANTS = all_mutants()
# Some, and what notices them.
SAMPLE = {
    "signal": "tests/fastpath/test_check.py::test_a_pipeline_without_a_fault_is_not_reported",
    "_write_chunk is not declared": (
        "tests/fastpath/test_guards.py::test_a_microtask_that_a_callback_queues_before_it_enqueues_comes_first"
    ),
}


@each_of(mutant=by_key(MUTANTS))
def test_a_mutant_changes_one_place(mutant: Mutant) -> None:
    source = source_of(mutant.module)
    assert source.count(mutant.text) == 1
    assert mutant.text != mutant.replacement
    ast.parse(source.replace(mutant.text, mutant.replacement))


@cache
def source_of(module: str) -> str:
    return (PACKAGE / f"{module}.py").read_text(encoding="utf-8")


def test_what_is_redundant_is_a_mutant() -> None:
    assert REDUNDANT.keys() <= MUTANTS.keys()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "test"), SAMPLE.items(), ids=list(SAMPLE))
def test_a_sample_of_the_mutants_is_noticed(name: str, test: str) -> None:
    assert noticed_by(MUTANTS[name], [test]).partition("[")[0] == test.partition("::")[2]
