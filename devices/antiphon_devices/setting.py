"""What integrators set: the wishes for a zone or a loudspeaker, all of them done or none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from antiphon.errors import Invalid, NotFound
from antiphon.plugins import Devices, DeviceUpdate, DeviceView, PlayRequest, Zones
from antiphon.types import Playback, Principal
from antiphon_devices import wishes
from antiphon_devices.around import Around
from antiphon_devices.requests import NotSupported, UnknownOp

Deed = Callable[[], Awaitable[object]]


class Setting:
    """Checks every wish before it does the first. Each method returns what had to be limited."""

    def __init__(self, zones: Zones, devices: Devices, around: Around) -> None:
        self._zones = zones
        self._devices = devices
        self._around = around

    async def zone(self, who: Principal, zone_id: UUID, wished: Mapping[str, Any]) -> list[str]:
        """Let a zone be as it is wished."""
        view = await self._zones.view(who, zone_id)
        deeds: list[Deed] = []
        limited: list[str] = []
        for name, value in wished.items():
            match name:
                case "volume":
                    volume, note = wishes.volume(value)
                    limited += note
                    deeds.append(partial(self._zones.set_volume, who, zone_id, volume))
                case "muted":
                    muted = wishes.flag(name, value)
                    deeds.append(partial(self._zones.set_muted, who, zone_id, muted=muted))
                case "playback":
                    wish = wishes.playback(value)
                    deeds.append(partial(self._set_playback, who, zone_id, wish))
                case "source":
                    deeds.append(self._source(who, zone_id, view.client_id, value))
                case "schedule_enabled":
                    deeds.append(self._schedules(who, zone_id, wishes.flag(name, value)))
                case _:
                    raise UnknownOp(f"set/{name}", [f"set/{known}" for known in _ZONE])
        for deed in deeds:
            await deed()
        return limited

    def _source(self, who: Principal, zone_id: UUID, client_id: UUID, value: object) -> Deed:
        ref = self._around.find(client_id, value) if isinstance(value, str) else None
        if ref is None:
            raise Invalid.field("source", "is neither id nor name of one; see the topic sources")
        return partial(self._zones.play_refs, who, zone_id, [ref])

    def _schedules(self, who: Principal, zone_id: UUID, enabled: bool) -> Deed:  # noqa: FBT001
        if not self._around.has_schedules:
            raise NotSupported("There are no schedules on this server.")
        return partial(self._zones.switch_schedules, who, zone_id, enabled=enabled)

    async def _set_playback(self, who: Principal, zone_id: UUID, wish: Playback) -> None:
        now = (await self._zones.view(who, zone_id)).playback
        if wish is now:
            return
        if wish is Playback.PAUSED:
            await self._zones.pause(who, zone_id)
        elif wish is Playback.STOPPED:
            await self._zones.stop(who, zone_id)
        elif now is Playback.PAUSED:
            await self._zones.resume(who, zone_id)
        else:
            await self._zones.play(who, zone_id, PlayRequest())

    async def device(
        self, who: Principal, device: DeviceView, wished: Mapping[str, Any]
    ) -> list[str]:
        """Let a loudspeaker be as it is wished."""
        if device.client_id is None:
            raise NotFound("device", device.id)
        deeds: list[Deed] = []
        limited: list[str] = []
        for name, value in wished.items():
            match name:
                case "volume":
                    volume, note = wishes.volume(value)
                    deeds.append(partial(self._devices.set_volume, who, device.id, volume))
                    limited += note
                case "muted":
                    muted = wishes.flag(name, value)
                    deeds.append(partial(self._devices.set_muted, who, device.id, muted=muted))
                case "latency_ms":
                    latency_ms, note = wishes.latency(value)
                    update = DeviceUpdate(latency_ms=latency_ms)
                    deeds.append(partial(self._devices.update, who, device.id, update))
                    limited += note
                case _:
                    raise UnknownOp(f"set/{name}", [f"set/{known}" for known in _DEVICE])
        for deed in deeds:
            await deed()
        return limited


_ZONE = ("volume", "muted", "playback", "source", "schedule_enabled")
_DEVICE = ("volume", "muted", "latency_ms")
