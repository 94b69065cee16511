"""Zones and loudspeakers kept in memory, for tests of what stands in front of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from antiphon.errors import AntiphonError, Conflict, NotFound
from antiphon.events import (
    CallChanged,
    DeviceChanged,
    DeviceRemoved,
    EventBus,
    PlaybackChanged,
    ZoneDeleted,
)
from antiphon.plugins import (
    AnnouncementView,
    CallRequest,
    CallView,
    CallZoneView,
    DeviceDriver,
    DeviceQuery,
    DeviceReport,
    DeviceUpdate,
    DeviceView,
    MediaRef,
    Page,
    PlaybackView,
    PlayRequest,
    StreamServer,
    TrackView,
)
from antiphon.plugins.lists import ordered_items
from antiphon.plugins.zones import QueuedTrack, QueueView
from antiphon.types import Band, CallState, Playback, Principal, Repeat


def zone_view(client_id: UUID, name: str = "Lobby", **changes: Any) -> PlaybackView:
    """A zone that plays a track."""
    return PlaybackView.model_validate(
        {
            "zone_id": uuid4(),
            "client_id": client_id,
            "floor_id": uuid4(),
            "name": name,
            "playback": Playback.PLAYING,
            "volume": 30,
            "track": TrackView(music_id=uuid4(), title="Take Five", artist="Dave", duration_s=324),
            "position_s": 12.5,
            "position_at": datetime.now(UTC),
            "announcement": None,
            "queue_length": 3,
            "queue_position": 0,
            "shuffle": False,
            "repeat": Repeat.ALL,
            **changes,
        }
    )


def device_view(client_id: UUID | None, zone_id: UUID | None, device_id: str) -> DeviceView:
    """A loudspeaker that is there."""
    return DeviceView(
        id=uuid4(),
        client_id=client_id,
        zone_id=zone_id,
        name="Ceiling",
        device_type="snapclient",
        device_id=device_id,
        is_online=True,
        volume=80,
        latency_ms=0,
        last_seen=datetime.now(UTC),
    )


def _sees(principal: Principal, zone: PlaybackView) -> bool:
    is_own = principal.client_id in (None, zone.client_id)
    return is_own and principal.floor_id in (None, zone.floor_id)


class FakeZones:
    """Obeys at once and says so on the bus. `asked` holds each command: name, principal, value.

    `trouble` is raised by the next command instead, if it is set. `hold` makes commands wait.
    """

    def __init__(self, bus: EventBus, *zones: PlaybackView) -> None:
        self.bus = bus
        self.by_id = {zone.zone_id: zone for zone in zones}
        self.calls_by_id: dict[UUID, CallView] = {}
        self.asked: list[tuple[str, Principal, Any]] = []
        self.trouble: AntiphonError | Exception | None = None
        self.called = asyncio.Event()
        self.latency_s = self.notice_s = 0.0
        self.queued: list[UUID] = []

    def add(self, zone: PlaybackView) -> None:
        self.by_id[zone.zone_id] = zone

    def delete(self, zone_id: UUID) -> None:
        zone = self.by_id.pop(zone_id)
        self.bus.publish(ZoneDeleted(client_id=zone.client_id, zone_id=zone_id))

    def change(self, zone_id: UUID, **changes: Any) -> PlaybackView:
        zone = self.by_id[zone_id] = self.by_id[zone_id].model_copy(update=changes)
        self.bus.publish(
            PlaybackChanged(
                client_id=zone.client_id,
                zone_id=zone_id,
                playback=zone.playback,
                volume=zone.volume,
            )
        )
        return zone

    def call_becomes(self, call_id: UUID, state: CallState, reason: str | None = None) -> None:
        call = self.calls_by_id[call_id]
        zones = tuple(
            zone.model_copy(update={"state": state, "reason": reason}) for zone in call.zones
        )
        self.calls_by_id[call_id] = call.model_copy(update={"zones": zones})
        for zone in zones:
            heard = None
            if state is CallState.PLAYING:
                heard = AnnouncementView(
                    call_id=call_id,
                    announcement_id=None,
                    title=call.title,
                    band=call.band,
                    started_at=datetime.now(UTC),
                    duration_s=4.0,
                )
            self.by_id[zone.zone_id] = self.by_id[zone.zone_id].model_copy(
                update={"announcement": heard}
            )
            self.bus.publish(
                CallChanged(
                    client_id=call.client_id,
                    zone_id=zone.zone_id,
                    call_id=call_id,
                    state=state,
                    title=call.title,
                    reason=reason,
                )
            )

    def _ask(self, name: str, principal: Principal, zone_id: UUID, value: Any = None) -> None:
        self._see(principal, zone_id)
        self.asked.append((name, principal, value))
        if self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            raise trouble

    def _see(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        zone = self.by_id.get(zone_id)
        if zone is None or not _sees(principal, zone):
            raise NotFound("zone", zone_id)
        return zone

    async def views(
        self, principal: Principal, only: Collection[UUID] | None = None
    ) -> Sequence[PlaybackView]:
        return [
            zone
            for zone in self.by_id.values()
            if _sees(principal, zone) and (only is None or zone.zone_id in only)
        ]

    async def view(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        return self._see(principal, zone_id)

    async def play(self, principal: Principal, zone_id: UUID, request: PlayRequest) -> PlaybackView:
        self._ask("play", principal, zone_id, request)
        return self.change(zone_id, playback=Playback.PLAYING)

    async def play_refs(
        self,
        principal: Principal,
        zone_id: UUID,
        refs: Sequence[MediaRef],
        *,
        shuffle: bool = False,
    ) -> PlaybackView:
        self._ask("play_refs", principal, zone_id, refs)
        source = refs[0] if len(refs) == 1 else None
        return self.change(zone_id, playback=Playback.PLAYING, source=source)

    async def redraw(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        self._ask("redraw", principal, zone_id)
        return self._see(principal, zone_id)

    async def go_on(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        self._ask("go_on", principal, zone_id)
        return self._see(principal, zone_id)

    async def call_between(self, principal: Principal, request: CallRequest) -> CallView:
        return await self.call(principal, request)

    async def pause(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        self._ask("pause", principal, zone_id)
        return self.change(zone_id, playback=Playback.PAUSED)

    async def resume(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        self._ask("resume", principal, zone_id)
        return self.change(zone_id, playback=Playback.PLAYING)

    async def stop(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        self._ask("stop", principal, zone_id)
        return self.change(zone_id, playback=Playback.STOPPED)

    async def next(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        self._ask("next", principal, zone_id)
        return self.change(zone_id, position_s=0.0)

    async def previous(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        self._ask("previous", principal, zone_id)
        return self.change(zone_id, position_s=0.0)

    async def seek(self, principal: Principal, zone_id: UUID, position_s: float) -> PlaybackView:
        self._ask("seek", principal, zone_id, position_s)
        return self.change(zone_id, position_s=position_s)

    async def set_volume(self, principal: Principal, zone_id: UUID, volume: int) -> PlaybackView:
        self._ask("set_volume", principal, zone_id, volume)
        return self.change(zone_id, volume=volume)

    async def queue(
        self, principal: Principal, zone_id: UUID, *, offset: int, limit: int
    ) -> QueueView:
        await self.view(principal, zone_id)
        places = range(len(self.queued))[offset : offset + limit]
        items = tuple(QueuedTrack(place=place, track=None) for place in places)
        return QueueView(items=items, total=len(self.queued), position=0)

    async def set_queue(
        self, principal: Principal, zone_id: UUID, music_ids: Sequence[UUID]
    ) -> PlaybackView:
        self._ask("set_queue", principal, zone_id, music_ids)
        self.queued = list(music_ids)
        return self.change(zone_id, queue_length=len(music_ids))

    async def set_muted(self, principal: Principal, zone_id: UUID, *, muted: bool) -> PlaybackView:
        self._ask("set_muted", principal, zone_id, muted)
        return self.change(zone_id, muted=muted)

    async def switch_schedules(
        self, principal: Principal, zone_id: UUID, *, enabled: bool
    ) -> PlaybackView:
        self._ask("switch_schedules", principal, zone_id, enabled)
        return self.change(zone_id, schedules_enabled=enabled)

    async def call(self, principal: Principal, request: CallRequest) -> CallView:
        zones = request.zones or [zone.zone_id for zone in await self.views(principal)]
        for zone_id in zones:
            self._ask("call", principal, zone_id, request)
        self.called.set()
        call = CallView(
            id=uuid4(),
            client_id=principal.client_id or self.by_id[zones[0]].client_id,
            announcement_id=request.announcement_id,
            title=request.text or "stored",
            band=request.band or Band.ANNOUNCEMENT,
            priority=(request.band or Band.ANNOUNCEMENT).priority,
            created_at=datetime.now(UTC),
            expires_at=None,
            zones=tuple(CallZoneView(zone_id=z, state=CallState.QUEUED) for z in zones),
        )
        self.calls_by_id[call.id] = call
        return call

    async def calls(
        self,
        principal: Principal,
        *,
        zone_id: UUID | None = None,
        ordering: str = "-created_at",
        offset: int = 0,
        limit: int = 50,
    ) -> Page[CallView]:
        all_calls = list(self.calls_by_id.values())
        if zone_id is not None:
            all_calls = [one for one in all_calls if zone_id in {z.zone_id for z in one.zones}]
        items = ordered_items(all_calls, ordering)
        return Page[CallView](items=tuple(items[offset : offset + limit]), total=len(items))

    async def get_call(self, principal: Principal, call_id: UUID) -> CallView:
        call = self.calls_by_id.get(call_id)
        if call is None or principal.client_id not in (None, call.client_id):
            raise NotFound("call", call_id)
        return call

    async def revoke(self, principal: Principal, call_id: UUID) -> CallView:
        await self.get_call(principal, call_id)
        self.call_becomes(call_id, CallState.REVOKED)
        return self.calls_by_id[call_id]


class FakeDevices:
    """Loudspeakers that obey at once and say so on the bus."""

    def __init__(self, bus: EventBus, *devices: DeviceView) -> None:
        self.bus = bus
        self.by_id = {device.id: device for device in devices}
        self.reports: list[DeviceReport] = []
        self.drivers: dict[str, DeviceDriver] = {}
        self.stream_server: StreamServer | None = None

    def change(self, device_id: UUID, **changes: Any) -> DeviceView:
        device = self.by_id[device_id] = self.by_id[device_id].model_copy(update=changes)
        self.bus.publish(
            DeviceChanged(
                client_id=device.client_id,
                device_id=device_id,
                is_online=device.is_online,
                volume=device.volume,
                zone_id=device.zone_id,
            )
        )
        return device

    async def views(
        self, principal: Principal, only: Collection[UUID] | None = None
    ) -> Sequence[DeviceView]:
        seen = [d for d in self.by_id.values() if principal.client_id in (None, d.client_id)]
        return [device for device in seen if only is None or device.id in only]

    async def page(self, principal: Principal, query: DeviceQuery) -> Page[DeviceView]:
        items = ordered_items(await self.views(principal), query.ordering)
        return Page[DeviceView].of(items, query)

    async def view(self, principal: Principal, device_id: UUID) -> DeviceView:
        device = self.by_id.get(device_id)
        if device is None or principal.client_id not in (None, device.client_id):
            raise NotFound("device", device_id)
        return device

    async def update(
        self, principal: Principal, device_id: UUID, update: DeviceUpdate
    ) -> DeviceView:
        await self.view(principal, device_id)
        return self.change(device_id, **update.model_dump(exclude_unset=True))

    async def set_volume(self, principal: Principal, device_id: UUID, volume: int) -> DeviceView:
        await self.view(principal, device_id)
        return self.change(device_id, volume=volume)

    async def remove(self, principal: Principal, device_id: UUID) -> DeviceView:
        device = await self.view(principal, device_id)
        del self.by_id[device_id]
        gone = DeviceRemoved(
            client_id=device.client_id, device_id=device_id, hardware_id=device.device_id
        )
        self.bus.publish(gone)
        return device

    async def set_muted(self, principal: Principal, device_id: UUID, *, muted: bool) -> DeviceView:
        await self.view(principal, device_id)
        return self.change(device_id, muted=muted)

    async def report(self, report: DeviceReport) -> DeviceView:
        self.reports.append(report)
        known = next((d for d in self.by_id.values() if d.device_id == report.device_id), None)
        if known is None:
            known = device_view(None, None, report.device_id)
            known = known.model_copy(update={"name": report.name, "is_online": False})
            self.by_id[known.id] = known
        facts = {"device_type": report.device_type, "is_online": report.is_online is True}
        return self.change(known.id, **facts)

    def add_driver(self, driver: DeviceDriver) -> None:
        self.drivers[driver.device_type] = driver

    async def order(
        self, principal: Principal, device_id: UUID, op: str, arguments: Mapping[str, Any]
    ) -> None:
        device = await self.view(principal, device_id)
        if (driver := self.drivers.get(device.device_type)) is None:
            raise Conflict(f"A device of type {device.device_type} can not do {op}.")
        await driver.order(device.device_id, op, arguments)
