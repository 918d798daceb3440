"""Metrics of all observed pipelines for OpenTelemetry: ``pip install "webstreams[opentelemetry]"``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite
from typing import Final
from weakref import WeakKeyDictionary, WeakSet

from .._platform.lazy import needs_extra
from ._look import Look
from ._readings import Reading, pipelines, readings
from ._watched import Watched

with needs_extra("opentelemetry"):
    from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation, get_meter_provider

__all__ = ["instrument"]

Values = Iterator[tuple[dict[str, str], float]]

# Instruments cannot be taken back: each provider gets them once.
_instrumented: Final[WeakSet[MeterProvider]] = WeakSet()


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Export the metrics of all observed pipelines, those that come later included, by observable instruments.

    `meter_provider` is the global one by default. A provider gets the instruments once, however often this is called,
    and nothing is left behind when the last pipeline of a name is gone. The instruments read in the exporter's thread,
    also while the event loop is busy. Attributes are the names of pipelines and stages (``pipeline``, ``stage``) and
    the ``kind`` of the stage; what has the same names is added up.

    The instruments: the counters ``webstreams.stage.chunks`` and ``webstreams.stage.size`` (``direction`` is in or
    out), ``webstreams.stage.time`` in seconds (``state`` is busy, blocked or starved) and ``webstreams.stage.lost``;
    the gauges ``webstreams.stage.queue``, ``webstreams.stage.high_water_mark``, ``webstreams.stage.running``,
    ``webstreams.stage.in_flight``, and ``webstreams.stage.busy_ratio``, the share since the last export. There are no
    spans: a chunk that waits in a queue belongs to no single one. Not in the Standard.

    >>> import asyncio
    >>> from opentelemetry.sdk.metrics import MeterProvider
    >>> from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    >>> from webstreams import ReadableStream
    >>> from webstreams.observe import observe
    >>> from webstreams.observe.opentelemetry import instrument
    >>> async def main() -> None:
    ...     reader = InMemoryMetricReader()
    ...     instrument(MeterProvider([reader], shutdown_on_exit=False))
    ...     stream = ReadableStream.from_(["spam", "eggs"])
    ...     observe(stream, name="breakfast")
    ...     await stream.list()
    ...     metrics = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    ...     print(sorted(metric.name for metric in metrics)[:3])
    >>> asyncio.run(main())
    ['webstreams.stage.busy_ratio', 'webstreams.stage.chunks', 'webstreams.stage.high_water_mark']
    """
    provider = get_meter_provider() if meter_provider is None else meter_provider
    if not hasattr(provider, "get_meter"):
        raise TypeError(f"instrument(): meter_provider must be a MeterProvider, not {type(provider).__name__}")
    if provider in _instrumented:
        return
    _instrumented.add(provider)
    meter = provider.get_meter("webstreams")
    _add_counters(meter)
    _add_gauges(meter)


def _add_counters(meter: Meter) -> None:
    for name, unit, text, values in (
        ("chunks", "{chunk}", "Chunks that stages were handed and have given.", _chunks),
        ("size", "By", "Bytes (of str: characters) of these chunks.", _sizes),
        ("time", "s", "Time of stages in each state.", _times),
        ("lost", "{chunk}", "Chunks that subscriptions of shared streams have lost.", _lost),
    ):
        meter.create_observable_counter(f"webstreams.stage.{name}", [Callback(values)], unit, text)


def _add_gauges(meter: Meter) -> None:
    for name, attribute, text in (
        ("queue", "queued", "What is in the queues of stages, in the units of their strategies."),
        ("high_water_mark", "high_water_mark", "The high-water marks of these queues."),
        ("running", "running", "Calls of functions that run."),
        ("in_flight", "in_flight", "Chunks under way to a broker or to workers, or not acknowledged."),
    ):
        meter.create_observable_gauge(f"webstreams.stage.{name}", [Callback(Attribute(attribute))], "", text)
    meter.create_observable_gauge(
        "webstreams.stage.busy_ratio", [Ratios()], "1", "Share of the time since the last export that stages are busy."
    )


class Attribute:
    """One number of each reading."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, reading: Reading) -> Values:
        """Yield the number, unless it is no measurement: a mark, or a size, may be infinite."""
        value = getattr(reading, self._name)
        if isfinite(value):
            yield {}, value


class Callback:
    """The callback of an instrument: what it observes of each stage."""

    def __init__(self, values: Callable[[Reading], Values]) -> None:
        self._values = values

    def __call__(self, options: CallbackOptions) -> Iterator[Observation]:
        """Read all pipelines."""
        for reading in readings():
            names = {"pipeline": reading.pipeline, "stage": reading.stage, "kind": reading.kind}
            for attributes, value in self._values(reading):
                yield Observation(value, names | attributes)


def _chunks(reading: Reading) -> Values:
    yield {"direction": "in"}, reading.chunks_in
    yield {"direction": "out"}, reading.chunks_out


def _sizes(reading: Reading) -> Values:
    yield {"direction": "in"}, reading.size_in
    yield {"direction": "out"}, reading.size_out


def _times(reading: Reading) -> Values:
    for state, seconds in reading.seconds.items():
        yield {"state": state}, seconds


def _lost(reading: Reading) -> Values:
    if reading.kind == "branch":
        yield {}, reading.lost


class Ratios:
    """The busy shares since the last export; of stages with the same names, the highest."""

    def __init__(self) -> None:
        self._looks: WeakKeyDictionary[Watched, Look] = WeakKeyDictionary()

    def __call__(self, options: CallbackOptions) -> Iterator[Observation]:
        """Look at all pipelines."""
        highest: dict[tuple[str, str, str], float] = {}
        for pipeline in pipelines():
            look = self._looks.get(pipeline)
            if look is None:
                look = self._looks[pipeline] = Look()
            snapshot = look.take(pipeline)
            for stage in snapshot.stages:
                names = (snapshot.name, stage.name, stage.kind)
                highest[names] = max(highest.get(names, 0.0), stage.busy)
        for (name, stage_name, kind), share in highest.items():
            yield Observation(share, {"pipeline": name, "stage": stage_name, "kind": kind})
