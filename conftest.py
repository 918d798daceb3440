"""What all tests share: collecting garbage must be cheap, for many tests do it."""

from __future__ import annotations

import gc
from itertools import count

TESTS_PER_FREEZE = 100

_finished = count(1)


def freeze() -> None:
    """Have the garbage collector look only at what is made from now on."""
    gc.collect()
    gc.freeze()


def pytest_collection_finish() -> None:
    """Leave out what the tests were made of."""
    freeze()


def pytest_runtest_logfinish() -> None:
    """Leave out what pytest keeps of the tests that are over."""
    if next(_finished) % TESTS_PER_FREEZE == 0:
        freeze()
