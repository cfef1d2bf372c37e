"""GET /metrics: what the process counts, in the text form of Prometheus."""

from __future__ import annotations

import hmac
import platform
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

from prometheus_client import (
    CollectorRegistry,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from milepost import __version__
from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.problems import Status
from milepost.errors import StoreError, Unauthorized
from milepost.metrics import Metrics
from milepost.settings import Settings
from milepost.wiring import Hub

CONTENT_TYPE = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")


def routes(settings: Settings) -> tuple[Route[Nothing, Nothing], ...]:
    """The route, unless the settings turn it off."""
    if not settings.metrics:
        return ()
    route = Route(
        method="GET",
        path="/metrics",
        act=_expose(settings.metrics_token),
        name="metrics",
        summary="What the process counts, for Prometheus.",
        tag="health",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: str},
        public=True,
    )
    return (route,)


def _expose(token: str) -> Callable[[Call[Nothing, Nothing]], Awaitable[Answer]]:
    wanted = f"Bearer {token}".encode()
    registry: CollectorRegistry | None = None

    async def expose(call: Call[Nothing, Nothing]) -> Answer:
        nonlocal registry
        given = call.headers.get(b"authorization", b"")
        if token and not hmac.compare_digest(given, wanted):
            raise Unauthorized
        if registry is None:
            registry = _registry(call.hub)
        await call.hub.pressure.look()
        with suppress(StoreError):
            await call.hub.health.counts()
        return Answer(generate_latest(registry), content_type=CONTENT_TYPE)

    return expose


def _registry(hub: Hub) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Counted(hub.metrics))
    registry.register(_Waiting(hub))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


class _Counted(Collector):
    """Everything that was counted, as it is now."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        for tally in self._metrics.tallies:
            counter = CounterMetricFamily(tally.name, tally.about, labels=tally.labels)
            for labels, number in tally.counts():
                counter.add_metric(labels, number)
            yield counter
        for spread in self._metrics.spreads:
            histogram = HistogramMetricFamily(spread.name, spread.about, labels=spread.labels)
            for labels, buckets, total in spread.shelves():
                histogram.add_metric(labels, buckets, total)
            yield histogram
        for gauge in self._metrics.gauges:
            family = GaugeMetricFamily(gauge.name, gauge.about)
            family.add_metric((), gauge.read())
            yield family


class _Waiting(Collector):
    """What waits in the database, by the last look at it, and what this build is."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        yield self._build()
        reading = self._hub.pressure.reading
        backlog, now = reading.backlog, self._hub.now()
        lanes = GaugeMetricFamily(
            "milepost_lanes_waiting", "Lanes that are due and not held.", labels=("endpoints",)
        )
        lanes.add_metric(("active",), backlog.due)
        lanes.add_metric(("paused",), backlog.parked)
        yield lanes
        endpoints = GaugeMetricFamily(
            "milepost_endpoints", "Endpoints by how they are doing.", labels=("health",)
        )
        for condition, number in self._hub.health.counted.items():
            endpoints.add_metric((condition.value,), number)
        yield endpoints
        silences = GaugeMetricFamily(
            "milepost_silences_open",
            "Orders that are silent, by what is missing.",
            labels=("kind",),
        )
        for kind, number in self._hub.silences.counted.items():
            silences.add_metric((kind.value,), number)
        yield silences
        yield _gauge(
            "milepost_deliveries_pending", "Deliveries that are not settled.", backlog.pending
        )
        for name, about, at in (
            (
                "oldest_pending",
                "The age of the oldest pending delivery, 0 without one.",
                "oldest_at",
            ),
            ("oldest_due", "How long the first of the due lanes has been due.", "oldest_due_at"),
        ):
            since = getattr(backlog, at)
            age_s = 0.0 if since is None else max(0.0, (now - since).total_seconds())
            yield _gauge(f"milepost_{name}_seconds", about, age_s)
        if reading.free_bytes is not None:
            about = "What is left on the database's disk."
            yield _gauge("milepost_disk_free_bytes", about, reading.free_bytes)

    def _build(self) -> Metric:
        labels = {
            "version": __version__,
            "python": platform.python_version(),
            "store": self._hub.settings.database_url.partition(":")[0],
        }
        family = GaugeMetricFamily("milepost_build_info", "What runs here.", labels=tuple(labels))
        family.add_metric(tuple(labels.values()), 1)
        return family


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=value)
