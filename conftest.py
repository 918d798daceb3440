"""What all tests share: collecting garbage must be cheap, for many tests do it."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """Have the garbage collector look only at what the tests make, not at what they were made of."""
    gc.collect()
    gc.freeze()
