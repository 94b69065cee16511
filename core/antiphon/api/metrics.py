"""Figures of the running server for Prometheus."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

from aiohttp import web
from aiohttp.hdrs import METH_ALL
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from antiphon.events import CallChanged, EventBus, LevelMeasured, ZoneDeleted, ZoneStarved
from antiphon.tasks import end

_LAG_EVERY_S = 0.5
_HTTP_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_UNKNOWN = "unknown"


class Metrics:
    """Counts requests by its middleware, calls and sound by the bus that it follows.

    What changes by itself (zones that play, loudspeakers, jobs) is set by whoever asks for
    `text`, just before.
    """

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Histogram(
            "antiphon_http_request_seconds",
            "Time to answer requests, by route; live sound and WebSockets count when they end.",
            ("method", "route", "status"),
            buckets=_HTTP_BUCKETS,
            registry=registry,
        )
        self._by_request: dict[tuple[str, str, str], Histogram] = {}
        self._calls = Counter(
            "antiphon_calls", "Calls by their outcome in a zone.", ("outcome",), registry=registry
        )
        self._starved = Counter(
            "antiphon_zone_starved_seconds",
            "Sound that was lost.",
            ("zone", "reason"),
            registry=registry,
        )
        # Plain values, made into figures when somebody asks: each zone tells one every second.
        self._levels: dict[UUID, tuple[float, float]] = {}
        registry.register(_Levels(self._levels))
        self._lag = Histogram(
            "antiphon_event_loop_lag_seconds",
            "How late the main loop ran a timer.",
            buckets=_LAG_BUCKETS,
            registry=registry,
        )
        self.zones = Gauge(
            "antiphon_zones", "Zones by what they do.", ("playback",), registry=registry
        )
        self.devices = Gauge(
            "antiphon_devices", "Loudspeakers by presence.", ("online",), registry=registry
        )
        self.jobs = Gauge("antiphon_jobs", "Jobs kept in mind.", ("state",), registry=registry)

    def follow(self, bus: EventBus) -> None:
        """Count what the bus tells from now on."""
        bus.subscribe(CallChanged, self._call)
        bus.subscribe(ZoneStarved, self._zone_starved)
        bus.subscribe(LevelMeasured, self._level)
        bus.subscribe(ZoneDeleted, self._gone)

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)

    def middleware(self) -> Middleware:
        """The outermost layer: it sees what was really answered."""

        @web.middleware
        async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
            began = time.perf_counter()
            status = 499  # the caller went away
            try:
                response = await handler(request)
                status = response.status
            finally:
                self._request(request, status).observe(time.perf_counter() - began)
            return response

        return measure

    def _request(self, request: web.Request, status: int) -> Histogram:
        method = request.method if request.method in METH_ALL else _UNKNOWN
        key = (method, _template(request), str(status))
        if (found := self._by_request.get(key)) is None:
            found = self._by_request[key] = self._requests.labels(*key)
        return found

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Measure the main loop's lag for as long as this lasts."""
        task = asyncio.create_task(self._watch(), name="loop lag")
        try:
            yield
        finally:
            await end(task)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_EVERY_S
            await asyncio.sleep(_LAG_EVERY_S)
            self._lag.observe(max(0.0, loop.time() - due))

    def _call(self, event: CallChanged) -> None:
        if event.state.final:
            self._calls.labels(event.state.value).inc()

    def _zone_starved(self, event: ZoneStarved) -> None:
        self._starved.labels(str(event.zone_id), event.reason).inc(event.seconds)

    def _level(self, event: LevelMeasured) -> None:
        self._levels[event.zone_id] = (event.rms_db, event.peak_db)

    def _gone(self, event: ZoneDeleted) -> None:
        self._levels.pop(event.zone_id, None)


class _Levels(Collector):
    """The last level of each zone."""

    def __init__(self, levels: Mapping[UUID, tuple[float, float]]) -> None:
        self._levels = levels

    def collect(self) -> Iterable[Metric]:
        """Called for each look at the figures."""
        family = GaugeMetricFamily(
            "antiphon_zone_level_dbfs",
            "What left the zone over the last second; -120 is silence.",
            labels=("zone", "kind"),
        )
        for zone_id, (rms_db, peak_db) in self._levels.items():
            family.add_metric((str(zone_id), "rms"), rms_db)
            family.add_metric((str(zone_id), "peak"), peak_db)
        yield family


def _template(request: web.Request) -> str:
    """The route's path with its parameters' names; never what somebody typed."""
    resource = request.match_info.route.resource
    return resource.canonical.rstrip("/") or "/" if resource is not None else _UNKNOWN
