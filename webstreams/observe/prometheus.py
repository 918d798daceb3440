"""Metrics of all observed pipelines for Prometheus: ``pip install "webstreams[prometheus]"``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from .._platform.lazy import needs_extra
from ._readings import Reading, readings

with needs_extra("prometheus"):
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.registry import Collector

__all__ = ["collector"]

_LABELS: Final = ["pipeline", "stage", "kind"]
_GAUGES: Final = (
    ("queued", "what is in the queues of a stage, in the units of their strategies"),
    ("high_water_mark", "the high-water marks of the queues of a stage"),
    ("running", "calls of a function that run"),
    ("waiting", "chunks that wait for a call of a function"),
    ("in_flight", "chunks that are under way to a broker or to workers, or not acknowledged"),
)


class StageCollector(Collector):
    """Reads all observed pipelines when it is scraped, in whatever thread that is; what `collector` returns."""

    def describe(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Return what there may be, without looking."""
        return self._families([])

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Return what there is now."""
        return self._families(readings())

    def _families(self, found: list[Reading]) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        yield _counted("chunks", "chunks that stages were handed and have given", found, _chunks)
        yield _counted("size", "bytes (of str: characters) of these chunks", found, _sizes)
        yield _counted("seconds", "time of stages in each state", found, _seconds, "state")
        yield _counted("lost", "chunks that subscriptions of shared streams have lost", found, _lost, "policy")
        for name, text in _GAUGES:
            gauge = GaugeMetricFamily(f"webstreams_stage_{name}", text, labels=_LABELS)
            for each in found:
                gauge.add_metric([each.pipeline, each.stage, each.kind], getattr(each, name))
            yield gauge


def _counted(
    name: str, text: str, found: list[Reading], values: Callable[[Reading], dict[str, float]], label: str = "direction"
) -> CounterMetricFamily:
    family = CounterMetricFamily(f"webstreams_stage_{name}", text, labels=[*_LABELS, label])
    for each in found:
        for value, number in values(each).items():
            family.add_metric([each.pipeline, each.stage, each.kind, value], float(number))
    return family


def _chunks(reading: Reading) -> dict[str, float]:
    return {"in": reading.chunks_in, "out": reading.chunks_out}


def _sizes(reading: Reading) -> dict[str, float]:
    return {"in": reading.size_in, "out": reading.size_out}


def _seconds(reading: Reading) -> dict[str, float]:
    return dict(reading.seconds)


def _lost(reading: Reading) -> dict[str, float]:
    return {"drop": reading.lost} if reading.kind == "branch" else {}


def collector() -> StageCollector:
    """Return a collector of the metrics of all observed pipelines; register it once.

    It looks when it is scraped, in any thread, also while the event loop is busy. Labels are the names of pipelines and
    stages, never anything of which there is a new one for each pipeline: give names to `observe` that stay the same.
    What has the same names is added up, with pipelines that are gone as long as others of their name live; after the
    last one no series is left.

    The metrics: ``webstreams_stage_chunks_total`` and ``webstreams_stage_size_total`` (``direction`` is in or out),
    ``webstreams_stage_seconds_total`` (``state`` is busy, blocked or starved), ``webstreams_stage_lost_total``, and the
    gauges ``webstreams_stage_queued``, ``_high_water_mark``, ``_running``, ``_waiting`` and ``_in_flight``. Not in the
    Standard.

    >>> import asyncio
    >>> from prometheus_client import CollectorRegistry, generate_latest
    >>> from webstreams import ReadableStream
    >>> from webstreams.observe import observe
    >>> from webstreams.observe.prometheus import collector
    >>> async def main() -> None:
    ...     registry = CollectorRegistry()
    ...     registry.register(collector())
    ...     stream = ReadableStream.from_([b"spam", b"eggs"])
    ...     observe(stream, name="lunch")
    ...     await stream.list()
    ...     labels = {"pipeline": "lunch", "stage": "source", "kind": "source", "direction": "out"}
    ...     print(registry.get_sample_value("webstreams_stage_size_total", labels))
    >>> asyncio.run(main())
    8.0
    """
    return StageCollector()
