"""What drivers report of the devices that they found, brought into the table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from antiphon.building.models import Device, Zone
from antiphon.building.presence import Presence
from antiphon.events import DeviceFound, EventBus
from antiphon.plugins.devices import DeviceReport
from antiphon.streams import SAFE_VOLUME

_FACTS = {"model": 200, "firmware_version": 100, "ip_address": 64}


class Reports:
    """Takes reports, one at a time. `changed` is called with every row that differs from before.

    `first_zone` tells where a newcomer plays at once, if anywhere.
    """

    def __init__(
        self,
        bus: EventBus,
        presence: Presence,
        first_zone: Callable[[], Awaitable[Zone | None]],
        changed: Callable[[Device], None],
    ) -> None:
        self._bus = bus
        self._presence = presence
        self._first_zone = first_zone
        self._changed = changed

    async def take(self, report: DeviceReport) -> Device:
        """Make or bring up to date the row that a report is about."""
        self._presence.tell(report.device_id, is_online=report.is_online)
        device = await Device.get_or_none(device_id=report.device_id)
        is_new = device is None
        if device is None:
            device = await self._newcomer(report)
        before = _told(device)
        device.device_type = report.device_type
        device.is_online = self._presence.of(report.device_id)
        for fact, longest in _FACTS.items():
            if (value := getattr(report, fact)) is not None:
                setattr(device, fact, value[:longest])
        if not is_new and _told(device) == before:
            return device
        if device.is_online or (before[1] and not device.is_online):
            device.last_seen = datetime.now(UTC)
        await device.save()
        if is_new:
            self._bus.publish(DeviceFound(device_id=device.id, client_id=device.client_id))
        self._changed(device)
        return device

    async def _newcomer(self, report: DeviceReport) -> Device:
        zone = await self._first_zone()
        return Device(
            name=(report.name.strip() or report.device_id)[:200],
            device_id=report.device_id,
            zone_id=zone.id if zone else None,
            client_id=zone.client_id if zone else None,
            volume=zone.default_volume if zone else SAFE_VOLUME,
        )


def _told(device: Device) -> tuple[object, ...]:
    return (device.device_type, device.is_online, *(getattr(device, fact) for fact in _FACTS))
