"""Section 8.1 by itself: queue-with-sizes, and the chunks that are put back at its front."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import pytest

from webstreams._streams.queue import QueueWithSizes


def filled(sized: bool, *sizes: float) -> QueueWithSizes:
    queue = QueueWithSizes(sized)
    for number, size in enumerate(sizes):
        queue.enqueue_value_with_size(f"chunk {number}", size)
    return queue


def test_what_comes_first_goes_first_and_takes_its_size_along() -> None:
    queue = filled(True, 2, 3.5, 0)
    assert (queue.total, queue.chunk_count()) == (5.5, 3)
    assert [(queue.dequeue_value(), queue.total) for _ in range(3)] == [
        ("chunk 0", 3.5),
        ("chunk 1", 0),
        ("chunk 2", 0),
    ]


def test_the_total_is_never_below_zero() -> None:
    queue = filled(True, 1e16, 1, 1)
    assert 1e16 + 1 + 1 - 1e16 - 1 < 0
    for _ in range(3):
        queue.dequeue_value()
    assert queue.total == 0


def test_without_sizes_every_chunk_counts_one() -> None:
    queue = filled(False, 1, 1)
    assert (queue.total, queue.sizes) == (2, None)
    assert queue.dequeue_value() == "chunk 0"
    assert queue.total == 1


@pytest.mark.parametrize("size", [-1, math.nan, math.inf, -math.inf, None, "many", object()])
def test_a_size_that_is_no_finite_number_changes_nothing(size: Any) -> None:
    queue = filled(True, 1)
    with pytest.raises(ValueError, match="finite, non-negative number"):
        queue.enqueue_value_with_size("refused", size)
    assert (queue.total, queue.chunk_count(), len(queue.sizes or ())) == (1, 1, 1)


@pytest.mark.parametrize("sized", [True, False])
def test_the_close_sentinel_has_no_size(sized: bool) -> None:
    queue, sentinel = filled(sized), object()
    queue.enqueue_close(sentinel)
    assert (queue.total, list(queue.chunks)) == (0, [sentinel])
    queue.dequeue_close()
    assert (queue.total, queue.chunk_count(), queue.sizes or None) == (0, 0, None)


@pytest.mark.parametrize("sized", [True, False])
def test_a_reset_forgets_chunks_and_sizes(sized: bool) -> None:
    queue = filled(sized, 1, 1)
    queue.reset_queue()
    assert (queue.total, queue.chunk_count(), queue.sizes or None) == (0, 0, None)


@pytest.mark.parametrize("order", [*permutations(range(3))])
@pytest.mark.parametrize("sized", [True, False])
def test_chunks_are_put_back_in_the_order_of_their_delivery(sized: bool, order: tuple[int, ...]) -> None:
    """Whatever the order in which the reads were cancelled."""
    queue = filled(sized, 1, 1, 1, 1)
    delivered = [queue.dequeue_value() for _ in range(3)]
    for serial in order:
        queue.put_back(delivered[serial], serial)
    assert queue.total == (1 if sized else 4)  # a size that was counted is not counted again
    assert [queue.dequeue_value() for _ in range(4)] == [f"chunk {number}" for number in range(4)]
    assert queue.total == 0


def test_a_chunk_that_was_read_meanwhile_is_forgotten() -> None:
    queue = filled(False, 1, 1, 1)
    first, second = queue.dequeue_value(), queue.dequeue_value()
    queue.put_back(second, 1)
    assert queue.dequeue_value() == second
    queue.put_back(first, 2)
    assert list(queue.chunks) == [first, "chunk 2"]
