"""From the events of the server to documents and passing messages, at a bearable pace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from uuid import UUID

from antiphon.events import (
    ChoicesChanged,
    DeviceEvent,
    Event,
    EventBus,
    FloorEvent,
    LevelMeasured,
    PlansChanged,
    ZoneChanged,
    ZoneCreated,
    ZoneDeleted,
    ZoneEvent,
)
from antiphon_devices.documents import Documents
from antiphon_devices.mirror import Mirror
from antiphon_devices.news import SCHEDULE_NEWS, device_news, news, schedule_news
from antiphon_devices.pace import Pace
from antiphon_devices.topics import ClientTopic, Kind, ZoneTopic

_STATE_INTERVAL_S = 0.2
_ALL = "loudspeakers"
_DEVICES_AT_ONCE = 500
_FORECAST_INTERVAL_S = 5.0
_FORECAST_TIMEOUT_S = 60.0
_RELOAD_INTERVAL_S = 300.0
_RETRY_INTERVAL_S = 5.0
_SECOND_LOOKS_S = (0.5, 3.0)
_NEWS_EXPIRE_S = 30


class Teller:
    """Follows the bus, and looks at everything now and then, in case no event told."""

    def __init__(self, mirror: Mirror, documents: Documents, log: logging.Logger) -> None:
        self._mirror = mirror
        self._documents = documents
        self._log = log
        self.clients = Pace(mirror.refresh_client, _STATE_INTERVAL_S)
        self._devices = Pace(self._refresh_devices, _STATE_INTERVAL_S)
        self._changed: set[UUID] = set()
        self._looking = asyncio.Lock()
        self._zones = Pace(mirror.refresh_zone, _STATE_INTERVAL_S)
        self._sources = Pace(mirror.refresh_sources, _STATE_INTERVAL_S)
        self._floors = Pace(mirror.refresh_floors, _STATE_INTERVAL_S)
        self._schedules = Pace(mirror.refresh_schedules, _FORECAST_INTERVAL_S, _FORECAST_TIMEOUT_S)

    def subscribe(self, bus: EventBus) -> list[Callable[[], None]]:
        """Follow the bus; returns the functions that end it."""
        return [
            bus.subscribe(ZoneEvent, self._zone_event),
            bus.subscribe(DeviceEvent, self._device_event),
            bus.subscribe(FloorEvent, _of_client(self._floors)),
            bus.subscribe(ChoicesChanged, _of_client(self._sources)),
            bus.subscribe(PlansChanged, _of_client(self._schedules)),
            *(bus.subscribe(kind, self._schedule_event) for kind in SCHEDULE_NEWS),
        ]

    async def run(self, loaded: asyncio.Event) -> None:
        """Publish what changes, until cancelled. `loaded` is set once all was looked at."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reload(loaded))
            for pace in (
                self.clients,
                self._devices,
                self._zones,
                self._sources,
                self._floors,
                self._schedules,
            ):
                group.create_task(pace.run())

    async def _reload(self, loaded: asyncio.Event) -> None:
        while True:
            wait_s = _RELOAD_INTERVAL_S
            try:
                await self._mirror.load()
                loaded.set()
            except Exception:
                self._log.exception("MQTT: the building could not be read")
                wait_s = _RETRY_INTERVAL_S
            await asyncio.sleep(wait_s)

    # --- loudspeakers ------------------------------------------------------------------------

    def device_changed(self, device_id: UUID) -> None:
        """A loudspeaker is not what it was; told soon, with all others that changed by then."""
        self._changed.add(device_id)
        self._devices.mark(_ALL)

    async def catch_up(self) -> None:
        """Return once the mirror has heard of all loudspeakers that have changed by now."""
        wanted = set(self._changed)
        async with self._looking:
            pass  # what is being looked up now is known then
        while wanted & self._changed:
            await self._refresh_devices(_ALL)

    def _device_event(self, event: DeviceEvent) -> None:
        device = self._mirror.known.devices.get(event.device_id)
        if device is not None and device.zone_id is not None and (told := device_news(event)):
            zone = ZoneTopic(
                Kind.EVENT, "fault", client=str(device.client_id), zone=str(device.zone_id)
            )
            self._documents.say(zone, told, expires_s=_NEWS_EXPIRE_S)
        self.device_changed(event.device_id)

    async def _refresh_devices(self, _: str) -> None:
        async with self._looking:
            some = list(self._changed)[:_DEVICES_AT_ONCE]
            self._changed.difference_update(some)  # what changes meanwhile is looked up again
            try:
                await self._mirror.refresh_devices(some)
            except BaseException:
                self._changed.update(some)
                raise
        if self._changed:
            self._devices.mark(_ALL)

    # --- events ------------------------------------------------------------------------------

    def _zone_event(self, event: ZoneEvent) -> None:
        if isinstance(event, ZoneDeleted):
            self._mirror.remove_zone(event.zone_id)
            return
        if isinstance(event, LevelMeasured):
            return
        self._tell_news(event)
        if isinstance(event, ZoneCreated):
            self._mirror.restore_zone(event.zone_id)
        self._zones.mark(event.zone_id)
        if isinstance(event, ZoneCreated | ZoneChanged):
            if event.client_id is not None:
                self._schedules.mark(event.client_id)
            # The zones hear of it when we do, and may need a moment to make it true.
            for later_s in _SECOND_LOOKS_S:
                asyncio.get_running_loop().call_later(later_s, self._zones.mark, event.zone_id)

    def _tell_news(self, event: ZoneEvent) -> None:
        """Say what happened, once, to whoever listens now."""
        zone = self._mirror.known.zones.get(event.zone_id)
        if zone is None or (told := news(event)) is None:
            return
        kind, document = told
        topic = ZoneTopic(Kind.EVENT, kind, client=str(zone.client_id), zone=str(zone.zone_id))
        self._documents.say(topic, document, expires_s=_NEWS_EXPIRE_S)

    def _schedule_event(self, event: Event) -> None:
        document = schedule_news(event)
        if document is None or event.client_id is None:
            return
        self._schedules.mark(event.client_id)
        topic = ClientTopic(Kind.EVENT, "schedule", client=str(event.client_id))
        self._documents.say(topic, document, expires_s=_NEWS_EXPIRE_S)


def _of_client(pace: Pace[UUID]) -> Callable[[Event], None]:
    def mark(event: Event) -> None:
        if event.client_id is not None:
            pace.mark(event.client_id)

    return mark
