"""Zones and loudspeakers that should be heard and are not, as alerts for people."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from antiphon.events import (
    DeviceEvent,
    DeviceFellSilent,
    DeviceHeard,
    DeviceRemoved,
    EventBus,
    ZoneDeleted,
    ZoneEvent,
    ZoneHeard,
    ZoneSilent,
)
from antiphon_devices.alerts import SILENCE, Alerts
from antiphon_devices.mirror import Mirror
from antiphon_devices.topics import Kind, MirrorTopic, Topic, ZoneTopic, device_key


class Unheard:
    """Opens an alert when a zone or a loudspeaker falls silent, and closes it when it is heard."""

    def __init__(self, root: str, mirror: Mirror, alerts: Alerts) -> None:
        self._root = root
        self._mirror = mirror
        self._alerts = alerts
        # What is open, with the client and the topic that it was raised with.
        self._open: dict[UUID, tuple[UUID, str]] = {}

    def subscribe(self, bus: EventBus) -> list[Callable[[], None]]:
        """Follow the bus; returns the functions that end it."""
        return [bus.subscribe(ZoneEvent, self._zone), bus.subscribe(DeviceEvent, self._device)]

    def _zone(self, event: ZoneEvent) -> None:
        match event:
            case ZoneSilent():
                if (zone := self._mirror.known.zones.get(event.zone_id)) is not None:
                    place = ZoneTopic(
                        Kind.STATE, client=str(zone.client_id), zone=str(zone.zone_id)
                    )
                    self._raise(zone.zone_id, zone.client_id, place, zone.name)
            case ZoneHeard() | ZoneDeleted():
                self._over(event.zone_id)

    def _device(self, event: DeviceEvent) -> None:
        match event:
            case DeviceFellSilent():
                device = self._mirror.known.devices.get(event.device_id)
                if device is not None and device.client_id is not None:
                    key = device_key(device.device_id)
                    place = MirrorTopic(Kind.STATE, client=str(device.client_id), device=key)
                    self._raise(device.id, device.client_id, place, device.name)
            case DeviceHeard() | DeviceRemoved():
                self._over(event.device_id)

    def _raise(self, subject: UUID, client_id: UUID, place: Topic, name: str) -> None:
        topic = place.render(self._root)
        self._open[subject] = client_id, topic
        self._alerts.silence(client_id, topic, name)

    def _over(self, subject: UUID) -> None:
        if (raised := self._open.pop(subject, None)) is not None:
            self._alerts.over(raised[0], SILENCE, raised[1])
