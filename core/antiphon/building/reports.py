"""What drivers report of the devices that they found, brought into the table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tortoise.transactions import in_transaction

from antiphon.building.models import Device, Zone
from antiphon.building.presence import Presence
from antiphon.events import DeviceFound, EventBus
from antiphon.plugins.devices import DeviceReport
from antiphon.streams import SAFE_VOLUME

_FACTS = {"model": 200, "firmware_version": 100, "ip_address": 64}


@dataclass(frozen=True, slots=True)
class _Taken:
    """The row that a report is about, and what the report made of it."""

    device: Device
    is_new: bool
    has_news: bool


class Reports:
    """Takes reports. `changed` is called with every row that differs from before.

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

    async def take(self, reports: Sequence[DeviceReport]) -> list[Device]:
        """Make or bring up to date the rows that reports are about, all of them or none.

        One commit for many: on a disk that is asked to keep its word each takes a while.
        """
        async with in_transaction():
            ids = list({report.device_id for report in reports})
            known = {row.device_id: row for row in await Device.filter(device_id__in=ids)}
            taken = [await self._take(report, known) for report in reports]
        for one in taken:  # when others can see it too
            if one.is_new:
                found = DeviceFound(device_id=one.device.id, client_id=one.device.client_id)
                self._bus.publish(found)
            if one.has_news:
                self._changed(one.device)
        return [one.device for one in taken]

    async def _take(self, report: DeviceReport, known: dict[str, Device]) -> _Taken:
        self._presence.tell(report.device_id, is_online=report.is_online)
        device = known.get(report.device_id)
        is_new = device is None
        if device is None:
            device = known[report.device_id] = await self._newcomer(report)
        before = _told(device)
        device.device_type = report.device_type
        device.is_online = self._presence.of(report.device_id)
        for fact, longest in _FACTS.items():
            if (value := getattr(report, fact)) is not None:
                setattr(device, fact, value[:longest])
        if not is_new and _told(device) == before:
            return _Taken(device, is_new=False, has_news=False)
        if device.is_online or (before[1] and not device.is_online):
            device.last_seen = datetime.now(UTC)
        await device.save()
        return _Taken(device, is_new=is_new, has_news=True)

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
