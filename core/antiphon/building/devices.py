"""`DeviceService`: all loudspeakers, who may touch them, and what is wished of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self
from uuid import UUID

from antiphon.audit import commanded
from antiphon.building.lookup import matching, seen_by, view_of, views_of
from antiphon.building.models import Device, Zone
from antiphon.building.presence import Presence
from antiphon.building.reports import Reports
from antiphon.building.snapclients import SNAPCLIENT, SnapclientDriver, Snapclients
from antiphon.building.together import Together
from antiphon.building.troubles import Troubles
from antiphon.errors import Invalid, NotFound, PartAway, Unavailable
from antiphon.events import DeviceChanged, DeviceEvent, DeviceRemoved, EventBus, ZoneDeleted
from antiphon.plugins.devices import (
    DeviceDriver,
    DeviceQuery,
    DeviceReport,
    DeviceUpdate,
    DeviceView,
    StreamServer,
)
from antiphon.plugins.lists import Page, ordered
from antiphon.processes import Backoff
from antiphon.streams import ClientNews, ClientsSynced, Snapcast
from antiphon.tenancy.models import Client
from antiphon.tenancy.scope import scoped
from antiphon.tenancy.subscriptions import check_devices
from antiphon.types import Principal

_log = logging.getLogger(__name__)
_REPORTS_AT_ONCE = 200


class DeviceService:
    """Implements `antiphon.plugins.Devices`; enter it once the database is open.

    The table holds what is wished. It is written first and then carried to the device by the
    driver of its type; a device that is away gets it when it is back.
    """

    def __init__(self, bus: EventBus, snapcast: Snapcast) -> None:
        self._bus = bus
        self._snapcast = snapcast
        presence = Presence(snapcast)
        self._snapclients = Snapclients(bus, snapcast, presence, self._publish)
        self._reports = Reports(bus, presence, self._snapclients.first_zone, self._publish)
        self._reported = Together(self._take_reports, _REPORTS_AT_ONCE)
        self._drivers: dict[str, DeviceDriver] = {}
        self._troubles = Troubles()
        self._news: asyncio.Queue[ClientNews | ZoneDeleted] = asyncio.Queue()
        self._lock = asyncio.Lock()
        self._stack = contextlib.ExitStack()
        self._task: asyncio.Task[None] | None = None
        self.add_driver(SnapclientDriver(snapcast))

    def add_driver(self, driver: DeviceDriver) -> None:
        """Let `driver` carry wishes to its type of device. Raises ValueError where one does."""
        if driver.device_type in self._drivers:
            taken = type(self._drivers[driver.device_type]).__name__
            raise ValueError(f"Devices of type {driver.device_type!r} already have {taken}")
        self._drivers[driver.device_type] = driver

    async def __aenter__(self) -> Self:
        """Follow snapserver."""
        await self._snapclients.forget_presence()
        self._stack.callback(self._snapcast.subscribe(self._news.put_nowait))
        self._stack.callback(self._bus.subscribe(ZoneDeleted, self._news.put_nowait))
        self._stack.callback(self._bus.subscribe(DeviceEvent, self._troubles.take))
        if self._snapcast.available:
            self._news.put_nowait(ClientsSynced(tuple(self._snapcast.clients())))
        self._task = asyncio.create_task(self._follow(), name="devices")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop following."""
        self._stack.close()
        await self._reported.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def views(
        self, principal: Principal, only: Collection[UUID] | None = None
    ) -> Sequence[DeviceView]:
        """See `Devices`."""
        rows = await seen_by(principal)
        rows = rows if only is None else rows.filter(id__in=list(only))
        devices = await views_of(rows, self._troubles)
        devices.sort(key=lambda device: (device.name.casefold(), device.device_id))
        return devices

    async def page(self, principal: Principal, query: DeviceQuery) -> Page[DeviceView]:
        """See `Devices`."""
        rows = ordered(matching(await seen_by(principal), query), query.ordering, "name")
        found, total = await query.fetch(rows)
        return Page[DeviceView](items=tuple(map(self._view, found)), total=total)

    async def view(self, principal: Principal, device_id: UUID) -> DeviceView:
        """See `Devices`."""
        return self._view(await self._device(principal, device_id))

    @commanded("update", "devices")
    async def update(
        self, principal: Principal, device_id: UUID, update: DeviceUpdate
    ) -> DeviceView:
        """See `Devices`. Raises LimitReached where the zone's client has all it may have."""
        async with self._lock:
            device = await self._device(principal, device_id)
            volume, zone_id, latency_ms = device.volume, device.zone_id, device.latency_ms
            if update.name is not None:
                device.name = _checked_name(update.name)
            if update.latency_ms is not None:
                device.latency_ms = update.latency_ms
            if "zone_id" in update.model_fields_set:
                await self._move(principal, device, update.zone_id)
            await device.save()
            if device.volume != volume:
                await self._carry(device, lambda driver, id_: driver.set_volume(id_, device.volume))
            if update.name is not None:
                await self._carry(device, lambda driver, id_: driver.set_name(id_, device.name))
            if device.latency_ms != latency_ms:
                wished = device.latency_ms
                await self._carry(device, lambda driver, id_: driver.set_latency(id_, wished))
            if device.zone_id != zone_id:
                await self._carry(device, lambda driver, id_: driver.assign(id_, device.zone_id))
            self._publish(device)
            return self._view(device)

    @commanded("volume", "devices")
    async def set_volume(self, principal: Principal, device_id: UUID, volume: int) -> DeviceView:
        """See `Devices`. Raises Invalid outside of 0 to 100."""
        if not 0 <= volume <= 100:
            raise Invalid.field("volume", f"must be from 0 to 100, not {volume}")
        async with self._lock:
            device = await self._device(principal, device_id)
            device.volume = volume
            await device.save()
            await self._carry(device, lambda driver, id_: driver.set_volume(id_, volume))
            self._publish(device)
            return self._view(device)

    @commanded("remove", "devices")
    async def remove(self, principal: Principal, device_id: UUID) -> DeviceView:
        """See `Devices`."""
        async with self._lock:
            device = await self._device(principal, device_id)
            view = self._view(device)
            await self._carry(device, lambda driver, id_: driver.assign(id_, None))
            await device.delete()
            self._bus.publish(
                DeviceRemoved(
                    device_id=device.id,
                    client_id=device.client_id,
                    hardware_id=device.device_id,
                )
            )
            return view

    @commanded("mute", "devices")
    async def set_muted(self, principal: Principal, device_id: UUID, *, muted: bool) -> DeviceView:
        """See `Devices`."""
        async with self._lock:
            device = await self._device(principal, device_id)
            device.muted = muted
            await device.save()
            await self._carry(device, lambda driver, id_: driver.set_muted(id_, muted=muted))
            self._publish(device)
            return self._view(device)

    async def order(
        self, principal: Principal, device_id: UUID, op: str, arguments: Mapping[str, Any]
    ) -> None:
        """See `Devices`."""
        device = await self._device(principal, device_id)
        if (driver := self._drivers.get(device.device_type)) is None:
            raise PartAway(device.name, f"Nothing here talks to the type {device.device_type}.")
        await driver.order(device.device_id, op, arguments)

    async def report(self, report: DeviceReport) -> DeviceView:
        """See `Devices`."""
        return self._view(await self._reported.put(report))

    async def _take_reports(self, reports: Sequence[DeviceReport]) -> Sequence[Device]:
        async with self._lock:
            return await self._reports.take(reports)

    @property
    def stream_server(self) -> StreamServer | None:
        """See `Devices`."""
        port = self._snapcast.stream_port
        return StreamServer(host=self._snapcast.elsewhere, port=port) if port else None

    async def _device(self, principal: Principal, device_id: UUID) -> Device:
        if (device := await (await seen_by(principal)).get_or_none(id=device_id)) is None:
            raise NotFound("device", device_id)
        return device

    async def _move(self, principal: Principal, device: Device, zone_id: UUID | None) -> None:
        """Put a device into a zone. One that is adopted by that starts at the zone's volume."""
        if zone_id is None:
            device.zone_id = None
            return
        zone = await scoped(Zone, principal).get_or_none(id=zone_id)
        if zone is None:
            raise NotFound("zone", zone_id)
        if device.client_id != zone.client_id:
            await _check_limit(zone.client_id)
        if device.client_id is None:
            device.volume = zone.default_volume
        device.zone_id, device.client_id = zone.id, zone.client_id

    async def _carry(self, device: Device, wish: _Wish) -> None:
        """Tell the driver of its type and, where its sound comes from snapserver, that too."""
        types = [device.device_type]
        if device.device_type != SNAPCLIENT and self._snapcast.client(device.device_id):
            types.append(SNAPCLIENT)
        for device_type in types:
            if (driver := self._drivers.get(device_type)) is None:
                _log.warning("No driver is there for devices of type %s", device_type)
                continue
            try:
                await wish(driver, device.device_id)
            except Unavailable as error:
                _log.info("%s is told when it is back: %s", device.name, error)

    async def _follow(self) -> None:
        backoff = Backoff(first_s=1.0, most_s=60.0)
        while True:
            news = await self._news.get()
            try:
                async with self._lock:
                    if isinstance(news, ZoneDeleted):
                        await self._empty(news.zone_id)
                    else:
                        await self._snapclients.follow(news)
                backoff.reset()
            except Exception:
                _log.exception("News of loudspeakers could not be kept; all are read again")
                await asyncio.sleep(backoff.next_s())
                if self._snapcast.available:
                    self._news.put_nowait(ClientsSynced(tuple(self._snapcast.clients())))

    async def _empty(self, zone_id: UUID) -> None:
        for device in await Device.filter(zone_id=zone_id):
            device.zone_id = None
            await device.save()
            await self._carry(device, lambda driver, id_: driver.assign(id_, None))
            self._publish(device)

    def _view(self, device: Device) -> DeviceView:
        return view_of(device, self._troubles)

    def _publish(self, device: Device) -> None:
        self._bus.publish(
            DeviceChanged(
                device_id=device.id,
                client_id=device.client_id,
                is_online=device.is_online,
                volume=device.volume,
                zone_id=device.zone_id,
                muted=device.muted,
            )
        )


class _Wish(Protocol):
    def __call__(self, driver: DeviceDriver, device_id: str, /) -> Awaitable[None]: ...


async def _check_limit(client_id: UUID) -> None:
    count = await Device.filter(client_id=client_id).count()
    check_devices(await Client.get(id=client_id), count)


def _checked_name(name: str) -> str:
    if not (name := name.strip()):
        raise Invalid.field("name", "must not be blank")
    return name
