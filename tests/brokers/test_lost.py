"""The broker cannot be told anything any more: the stream is errored at once, and waits for none of its answers."""

from __future__ import annotations

import asyncio

import pytest

from tests.brokers.memory import MemoryBroker
from tests.waiting import until
from webstreams.brokers import Deliveries, DeliveryLost, _source
from webstreams.brokers._ledger import OwnedDelivery
from webstreams.brokers._source import BrokerSource


class SilentBroker(MemoryBroker):
    """Never answers an acknowledgement."""

    def __init__(self, limit: int, count: int) -> None:
        super().__init__(limit, count)
        self.groups: list[list[int]] = []

    def acknowledge(self, delivery: OwnedDelivery) -> None:
        BrokerSource.acknowledge(self, delivery)

    async def acknowledge_together(self, keys: list[int]) -> None:
        self.groups.append(keys)
        await asyncio.get_running_loop().create_future()


async def test_no_answer_is_waited_for_when_the_connection_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither that of the acknowledgements under way, nor are those sent that would go next."""
    monkeypatch.setattr(_source, "PARTING_TIME", 3600.0)
    broker = SilentBroker(2, 2)
    reader = Deliveries[int](broker).get_reader()
    acknowledging = []
    for _ in range(2):
        delivery = (await reader.read()).value
        assert delivery is not None
        acknowledging.append(asyncio.ensure_future(delivery.ack()))
        await until(lambda: bool(broker.groups))
    error = ConnectionError("nobody answers")
    broker.fail(error)
    async with asyncio.timeout(60):
        with pytest.raises(ConnectionError) as caught:
            await reader.read()
        for each in acknowledging:
            with pytest.raises(DeliveryLost) as lost:
                await each
            assert lost.value.__cause__ is error
    assert caught.value is error
    assert broker.groups == [[0]]
