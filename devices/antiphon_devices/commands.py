"""What integrators ask for, done through the zones and the loudspeakers."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from antiphon.errors import Invalid, NotFound, TooLarge
from antiphon.plugins import CallRequest, Devices, DeviceView, PlayRequest, Zones
from antiphon.types import Playback
from antiphon_devices.answers import Answers
from antiphon_devices.mirror import Mirror
from antiphon_devices.payloads import (
    MAX_PAYLOAD_BYTES,
    AckStatus,
    AnnounceCommand,
    Command,
    OrderCommand,
    PlayCommand,
    SetDocument,
    StopAnnouncementCommand,
)
from antiphon_devices.requests import NotSupported, Request, UnknownOp, uuid_of
from antiphon_devices.topics import ClientTopic, Kind, MirrorTopic, ZoneTopic

_ORDERS = ("identify", "test_tone", "restart")
_LATER = "This server does not do it yet."


class Commands:
    """Executes one request; answers it, and makes the state be told again after a `set`."""

    def __init__(self, zones: Zones, devices: Devices, mirror: Mirror, answers: Answers) -> None:
        self._zones = zones
        self._devices = devices
        self._mirror = mirror
        self._answers = answers
        self._zone_ops: Mapping[str, Callable[[Request, UUID], Awaitable[None]]] = {
            "announce": self._announce,
            "stop_announcement": self._stop_announcement,
            "play": self._play,
            "pause": self._pause,
            "resume": self._resume,
            "next": self._next,
            "previous": self._previous,
        }

    async def execute(self, request: Request) -> None:
        """Do it. Raises Refused, Unavailable or TimeoutError where it can not be done."""
        if len(request.message.payload) > MAX_PAYLOAD_BYTES:
            raise TooLarge("The payload", MAX_PAYLOAD_BYTES)
        topic = request.topic
        match topic:
            case ZoneTopic(kind=Kind.SET):
                await self._set_zone(request, uuid_of("zone", topic.zone))
            case ZoneTopic():
                if (op := self._zone_ops.get(request.op)) is None:
                    raise UnknownOp(request.op, self._zone_ops)
                await op(request, uuid_of("zone", topic.zone))
            case MirrorTopic(kind=Kind.SET):
                await self._set_device(request, self._device(topic))
            case MirrorTopic():
                await self._order(request, self._device(topic))
            case ClientTopic():
                await self._client_op(request)

    # --- set ---------------------------------------------------------------------------------

    async def _set_zone(self, request: Request, zone_id: UUID) -> None:
        actions: list[Callable[[], Awaitable[object]]] = []
        clamped: list[str] = []
        who = request.principal
        for name, value in _wishes(request).items():
            if name == "volume":
                volume, note = _volume(value)
                clamped += note
                actions.append(_later(self._zones.set_volume, who, zone_id, volume))
            elif name == "playback":
                actions.append(_later(self._set_playback, request, zone_id, _playback(value)))
            elif name in ("muted", "source", "schedule_enabled"):
                raise NotSupported(f"A zone's {name} can not be set. {_LATER}")
            else:
                raise UnknownOp(f"set/{name}", ("set/volume", "set/playback"))
        for act in actions:
            await act()
        await self._mirror.answer_zone(zone_id)
        self._answer_set(request, clamped)

    async def _set_playback(self, request: Request, zone_id: UUID, wish: Playback) -> None:
        who = request.principal
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

    async def _set_device(self, request: Request, device: DeviceView) -> None:
        clamped: list[str] = []
        volume: int | None = None
        for name, value in _wishes(request).items():
            if name == "volume":
                volume, clamped = _volume(value)
            elif name in ("muted", "latency_ms"):
                raise NotSupported(f"A loudspeaker's {name} can not be set. {_LATER}")
            else:
                raise UnknownOp(f"set/{name}", ("set/volume",))
        if volume is not None:
            await self._devices.set_volume(request.principal, device.id, volume)
        await self._mirror.answer_device(device.id)
        self._answer_set(request, clamped)

    def _answer_set(self, request: Request, clamped: list[str]) -> None:
        if clamped:
            self._answers.ack(request, AckStatus.CLAMPED, ("clamped", " ".join(clamped)))
        elif request.wants_ack:
            self._answers.ack(request, AckStatus.COMPLETED)

    # --- cmd ---------------------------------------------------------------------------------

    async def _announce(self, request: Request, zone_id: UUID) -> None:
        call = _call(request.read(AnnounceCommand), [zone_id])
        view = await self._zones.call(request.principal, call)
        self._answers.follow(request, view, [zone_id])

    async def _stop_announcement(self, request: Request, zone_id: UUID) -> None:
        call_id = request.read(StopAnnouncementCommand).call_id
        if call_id is None:
            heard = (await self._zones.view(request.principal, zone_id)).announcement
            if heard is None:
                raise NotFound("announcement that is heard in zone", zone_id)
            call_id = heard.call_id
        await self._revoke(request, call_id, zone_id)

    async def _client_op(self, request: Request) -> None:
        who = request.principal
        if request.op == "announce":
            command = request.read(AnnounceCommand)
            view = await self._zones.call(who, _call(command, None))
            self._answers.follow(request, view, [zone.zone_id for zone in view.zones])
        elif request.op == "stop_announcement":
            call_id = request.read(StopAnnouncementCommand).call_id
            if call_id is None:
                raise Invalid.field("call_id", "say which call; its ack told the id")
            await self._revoke(request, call_id, None)
        else:
            raise UnknownOp(request.op, ("announce", "stop_announcement"))

    async def _revoke(self, request: Request, call_id: UUID, zone_id: UUID | None) -> None:
        call = await self._zones.get_call(request.principal, call_id)
        if zone_id is not None and all(zone.zone_id != zone_id for zone in call.zones):
            raise NotFound("call in this zone with the id", call_id)
        await self._zones.revoke(request.principal, call_id)
        self._answers.ack(request, AckStatus.COMPLETED, result={"call_id": str(call_id)})

    async def _play(self, request: Request, zone_id: UUID) -> None:
        command = request.read(PlayCommand)
        if command.music_ids and command.folder_ids:
            raise Invalid.field("folder_ids", "give music_ids or folder_ids, not both")
        play = PlayRequest(
            music_ids=command.music_ids,
            folder_ids=command.folder_ids,
            shuffle=command.shuffle,
            repeat=command.repeat,
        )
        await self._zones.play(request.principal, zone_id, play)
        await self._done(request, zone_id)

    async def _pause(self, request: Request, zone_id: UUID) -> None:
        request.read(Command)
        await self._zones.pause(request.principal, zone_id)
        await self._done(request, zone_id)

    async def _resume(self, request: Request, zone_id: UUID) -> None:
        request.read(Command)
        await self._zones.resume(request.principal, zone_id)
        await self._done(request, zone_id)

    async def _next(self, request: Request, zone_id: UUID) -> None:
        request.read(Command)
        await self._zones.next(request.principal, zone_id)
        await self._done(request, zone_id)

    async def _previous(self, request: Request, zone_id: UUID) -> None:
        request.read(Command)
        await self._zones.previous(request.principal, zone_id)
        await self._done(request, zone_id)

    async def _done(self, request: Request, zone_id: UUID) -> None:
        await self._mirror.answer_zone(zone_id)
        self._answers.ack(request, AckStatus.COMPLETED)

    async def _order(self, request: Request, device: DeviceView) -> None:
        if request.op not in _ORDERS:
            raise UnknownOp(request.op, _ORDERS)
        arguments = request.read(OrderCommand).args
        await self._devices.order(request.principal, device.id, request.op, arguments)
        self._answers.ack(request, AckStatus.COMPLETED)

    def _device(self, topic: MirrorTopic) -> DeviceView:
        client_id = uuid_of("client", topic.client)
        device = self._mirror.device_by_key(topic.device)
        if device is None or device.client_id != client_id:
            raise NotFound("device", topic.device)
        return device


def _later(
    act: Callable[..., Awaitable[object]], *arguments: object
) -> Callable[[], Awaitable[object]]:
    return lambda: act(*arguments)


def _wishes(request: Request) -> dict[str, Any]:
    """The properties that a `set` names; a bare value is one property."""
    if request.topic.name is None:
        return request.read(SetDocument).wishes
    try:
        text = request.message.payload.decode().strip()
    except UnicodeDecodeError:
        raise Invalid.field(request.topic.name, "is not UTF-8 text") from None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    return {request.topic.name: value}


def _volume(value: object) -> tuple[int, list[str]]:
    """A volume in percent, and what had to be done to make it one."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or (isinstance(value, float) and not math.isfinite(value))
    ):
        raise Invalid.field("volume", "is not a number from 0 to 100")
    within = min(100, max(0, value))
    note = [f"The volume was limited to {within}."] if within != value else []
    return round(within), note


def _playback(value: object) -> Playback:
    if isinstance(value, str):
        for playback in Playback:
            if playback.value == value:
                return playback
    raise Invalid.field("playback", f"is none of {', '.join(Playback)}")


def _call(command: AnnounceCommand, zones: list[UUID] | None) -> CallRequest:
    if command.url is not None:
        raise NotSupported(f"An announcement can not be fetched from a url. {_LATER}")
    if command.style not in (None, "over"):
        raise NotSupported(f"The style {command.style} can not be chosen. {_LATER}")
    return CallRequest(
        announcement_id=command.announcement_id,
        text=command.text,
        voice=command.voice,
        zones=zones,
        all=zones is None,
        band=command.band,
        chime=command.chime,
        expires_in_s=command.expires_in_s,
    )
