"""The position that is committed to Kafka: that of the longest prefix of records that are done with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.brokers.memory import memory_stream
from webstreams.brokers import Deliveries, DeliveryLost
from webstreams.brokers._ledger import OwnedDelivery
from webstreams.brokers._offsets import Offsets


@dataclass
class Record:
    offset: int


def delivered(*numbers: int) -> tuple[Offsets, list[OwnedDelivery], Deliveries[Any]]:
    """Make an account of records that were delivered, and the deliveries, of which nobody is told."""
    stream, broker = memory_stream(limit=100, count=0)
    broker.ledger.at_once = True
    broker.ledger.tell = lambda delivery: None
    broker._attempts.update(dict.fromkeys(numbers, 1))
    deliveries = broker.ledger.open((number, number, Record(number), 1) for number in numbers)
    offsets = Offsets("a partition", numbers[0])
    offsets.deliver(deliveries)
    return offsets, deliveries, stream


async def test_a_record_that_is_open_keeps_the_position_before_it() -> None:
    offsets, deliveries, _ = delivered(5, 6, 9, 10)  # offsets may have gaps
    assert offsets.prepare() == (5, 0)
    for index, expected in ((1, (5, 0)), (2, (5, 0)), (0, (10, 3)), (3, (11, 4))):
        assert deliveries[index]._acknowledge_unseen() is not None
        assert offsets.prepare() == expected


async def test_what_is_committed_makes_room() -> None:
    offsets, deliveries, _ = delivered(0, 1, 2)
    for each in deliveries[:2]:
        await each.ack()
    position = offsets.prepare()
    await deliveries[2].ack()
    offsets.commit(*position)
    assert (offsets.committed, offsets.outstanding) == (2, 1)
    offsets.commit(*offsets.prepare())
    assert (offsets.committed, offsets.outstanding) == (3, 0)


async def test_a_part_that_is_acknowledged_by_a_callback_counts_too() -> None:
    offsets, deliveries, _ = delivered(0)
    (part,) = deliveries[0].derive("a part")
    part._acknowledge(lambda error: None)
    assert offsets.prepare() == (1, 1)


async def test_what_is_given_back_is_not_passed_until_it_has_come_again() -> None:
    offsets, deliveries, stream = delivered(0, 1, 2)
    for each in deliveries[1:]:
        await each.ack()
    await deliveries[0].nack()
    assert offsets.prepare() == (0, 0)
    (again,) = stream._source.ledger.open([(0, 0, Record(0), 2)])
    offsets.deliver_again(again)
    assert offsets.prepare() == (0, 0)
    await again.ack()
    assert offsets.prepare() == (3, 3)


async def test_what_is_open_at_the_end_is_never_passed() -> None:
    offsets, deliveries, stream = delivered(0, 1, 2)
    await deliveries[0].ack()
    await stream.cancel()
    for each in deliveries[1:]:
        with pytest.raises(DeliveryLost):
            await each.ack()
    assert offsets.prepare() == (1, 1)
