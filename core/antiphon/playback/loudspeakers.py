"""Which loudspeakers hear a zone: who is there, who is muted, and since when."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from uuid import UUID

from tortoise.exceptions import BaseORMException

from antiphon.building.models import Device
from antiphon.events import DeviceChanged, EventBus
from antiphon.playback.record import Part
from antiphon.types import CallState

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of a call on one loudspeaker. `outcome`: as the call's, `offline` or `muted`."""

    device_id: UUID
    outcome: str
    seconds: float
    reason: str | None = None


@dataclass(slots=True)
class _Speaker:
    """`obstacle` is why nothing is heard from it; `since` is when that last changed."""

    zone_id: UUID | None
    obstacle: str | None
    since: float


class Loudspeakers:
    """Follows all loudspeakers in memory, so that a receipt costs no query."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._speakers: dict[UUID, _Speaker] = {}
        self._by_zone: dict[UUID | None, set[UUID]] = {}
        self._stack = ExitStack()

    async def __aenter__(self) -> Self:
        """Read all, and follow what changes from then on."""
        self._stack.callback(self._bus.subscribe(DeviceChanged, self._changed))
        try:
            for device in await Device.all():
                if device.id not in self._speakers:
                    volume = 0 if device.muted else device.volume
                    obstacle = _obstacle(is_online=device.is_online, volume=volume)
                    self._put(device.id, _Speaker(device.zone_id, obstacle, 0.0))
        except BaseORMException:
            _log.exception("Loudspeakers could not be read; receipts lack those that do not change")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop following."""
        self._stack.close()

    def credit(self, zone_id: UUID, part: Part, seconds: float) -> None:
        """A zone has played `seconds` of a call: write down what each loudspeaker had of it."""
        now = asyncio.get_running_loop().time()
        for device_id, speaker in self._in(zone_id):
            heard_s = seconds if speaker.obstacle is None else 0.0
            if speaker.since > part.began:  # it went, or came, in between
                there_s = (
                    now - speaker.since if speaker.obstacle is None else speaker.since - part.began
                )
                heard_s = min(seconds, there_s)
            total_s = part.by_device_before.get(device_id, 0.0) + heard_s
            part.by_device[device_id] = round(total_s, 3)

    def heard(self, zone_id: UUID, part: Part) -> Iterator[Heard]:
        """What became of a call that is over in a zone, on each of its loudspeakers."""
        for device_id, speaker in self._in(zone_id):
            seconds = part.by_device.get(device_id, 0.0)
            obstacle = speaker.obstacle
            if part.state is not CallState.COMPLETED:
                yield Heard(device_id, part.state.value, seconds, part.reason)
            elif obstacle is None and (seconds > 0 or not part.seconds_heard):
                yield Heard(device_id, part.state.value, seconds)
            elif obstacle is None:
                yield Heard(device_id, "offline", seconds, "it came back too late")
            else:
                yield Heard(device_id, obstacle, seconds, _WHY[obstacle])

    def _in(self, zone_id: UUID) -> Iterator[tuple[UUID, _Speaker]]:
        return ((key, self._speakers[key]) for key in self._by_zone.get(zone_id, ()))

    def _changed(self, event: DeviceChanged) -> None:
        obstacle = _obstacle(is_online=event.is_online, volume=0 if event.muted else event.volume)
        before = self._speakers.get(event.device_id)
        if before is not None and (before.obstacle, before.zone_id) == (obstacle, event.zone_id):
            return
        now = asyncio.get_running_loop().time()
        self._put(event.device_id, _Speaker(event.zone_id, obstacle, now))

    def _put(self, device_id: UUID, speaker: _Speaker) -> None:
        if (before := self._speakers.get(device_id)) is not None:
            self._by_zone[before.zone_id].discard(device_id)
        self._speakers[device_id] = speaker
        self._by_zone.setdefault(speaker.zone_id, set()).add(device_id)


_WHY = {
    "offline": "the loudspeaker was away",
    "muted": "the loudspeaker was muted, or its volume was 0",
}


def _obstacle(*, is_online: bool, volume: int) -> str | None:
    if not is_online:
        return "offline"
    return "muted" if volume == 0 else None
