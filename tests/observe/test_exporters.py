"""Metrics: names as labels, read at the time of the scrape, in any thread, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from math import inf
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from webstreams import ReadableStream, TransformStream, WritableStream, share
from webstreams.observe import label, observe
from webstreams.observe.opentelemetry import instrument
from webstreams.observe.prometheus import collector


def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector())
    return registry


def scraped(registry: CollectorRegistry, name: str) -> dict[tuple[str, ...], float]:
    """What a scrape tells of the pipelines of the tests, by stage and the last label."""
    return {
        tuple(value for key, value in sample.labels.items() if key not in ("pipeline", "kind")): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == f"webstreams_stage_{name}" and sample.labels["pipeline"] == "tested"
    }


async def collect() -> None:
    """Have everything collected that nobody refers to, the loop included."""
    for _ in range(5):
        await asyncio.sleep(0)
        gc.collect()


async def copy() -> Any:
    """A pipeline that has run; whoever has its last stream keeps it."""
    parsing: TransformStream[bytes, bytes] = TransformStream()
    label(parsing, "parse")
    sink: WritableStream[bytes] = WritableStream()
    label(sink, "store")
    piping = ReadableStream.from_([b"spam", b"eggs!"]).pipe_through(parsing).pipe_to(sink)
    observe(piping, name="tested")
    await piping
    return sink, parsing


async def test_prometheus_reads_when_it_is_scraped() -> None:
    await collect()
    metrics = registry()
    kept = await copy()
    assert scraped(metrics, "chunks_total")["parse", "in"] == 2
    assert scraped(metrics, "size_total")["parse", "out"] == 9
    assert scraped(metrics, "size_total")["store", "in"] == 9
    seconds = scraped(metrics, "seconds_total")
    assert {state for _, state in seconds} == {"busy", "blocked", "starved"}
    again = await copy()
    assert scraped(metrics, "chunks_total")["parse", "in"] == 4
    assert scraped(metrics, "queued")["store",] == 0
    text = generate_latest(metrics).decode()
    assert 'webstreams_stage_chunks_total{direction="in",kind="sink",pipeline="tested",stage="store"} 4.0' in text
    del again
    await collect()
    assert scraped(metrics, "chunks_total")["parse", "in"] == 4  # a counter never goes back
    del kept
    await collect()
    assert scraped(metrics, "chunks_total") == {}


async def test_what_a_subscription_has_lost_is_a_metric() -> None:
    await collect()
    metrics = registry()
    shared = share(ReadableStream.from_(range(9)), high_water_mark=2)
    slow = shared.subscribe(policy="drop-oldest")
    label(slow, "slow")
    observe(slow, name="tested")
    await shared.subscribe().list()
    assert scraped(metrics, "lost_total")["slow", "drop"] == 7


async def test_a_scrape_while_the_event_loop_is_busy_is_answered() -> None:
    await collect()
    metrics = registry()
    asked, answered = threading.Event(), threading.Event()
    found: list[dict[tuple[str, ...], float]] = []

    def scrape() -> None:
        asked.wait(30)
        found.append(scraped(metrics, "chunks_total"))
        answered.set()

    thread = threading.Thread(target=scrape)
    thread.start()

    def hold(chunk: int) -> None:
        asked.set()
        assert answered.wait(30)

    stream = ReadableStream.from_(range(3))
    observe(stream, name="tested")
    await stream.for_each(hold)
    thread.join()
    assert found[0]["source", "out"] == 1


def exported(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data = reader.get_metrics_data()
    metrics = [] if data is None else data.resource_metrics[0].scope_metrics[0].metrics
    found = {
        metric.name: [point for point in metric.data.data_points if (point.attributes or {})["pipeline"] == "tested"]
        for metric in metrics
    }
    return {name: points for name, points in found.items() if points}


async def test_opentelemetry_is_registered_once_and_leaves_nothing() -> None:
    await collect()
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    instrument(provider)
    instrument(provider)
    kept = await copy()
    points = {
        (point.attributes["stage"], point.attributes["direction"]): point.value
        for point in exported(reader)["webstreams.stage.chunks"]
    }
    assert points["store", "in"] == 2
    found = exported(reader)
    assert {point.attributes["state"] for point in found["webstreams.stage.time"]} == {"busy", "blocked", "starved"}
    assert all(0 <= point.value <= 1 for point in found["webstreams.stage.busy_ratio"])
    del kept
    await collect()
    assert exported(reader) == {}
    await asyncio.to_thread(provider.shutdown)


async def test_an_infinite_mark_is_no_measurement(caplog: pytest.LogCaptureFixture) -> None:
    await collect()
    reader = InMemoryMetricReader()
    instrument(MeterProvider([reader], shutdown_on_exit=False))
    stream: ReadableStream[int] = ReadableStream({}, {"high_water_mark": inf})
    observe(stream, name="tested")
    assert "webstreams.stage.high_water_mark" not in exported(reader)
    assert len(exported(reader)["webstreams.stage.queue"]) == 1
    assert caplog.messages == []
