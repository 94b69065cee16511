"""What integrators ask for, done through the zones and the loudspeakers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from antiphon.errors import Conflict, Invalid, NotFound, Refused, TooLarge
from antiphon.plugins import CallView, Devices, DeviceView, PlaybackView, PlayRequest, Zones
from antiphon.types import Playback, Principal
from antiphon_devices import wishes
from antiphon_devices.answers import Answers
from antiphon_devices.mirror import Mirror
from antiphon_devices.payloads import (
    MAX_PAYLOAD_BYTES,
    AckStatus,
    AnnounceCommand,
    Command,
    OrderCommand,
    PlayCommand,
    StopAnnouncementCommand,
)
from antiphon_devices.requests import Request, UnknownOp, uuid_of
from antiphon_devices.setting import Setting
from antiphon_devices.topics import ClientTopic, FloorTopic, Kind, MirrorTopic, ZoneTopic

_ORDERS = ("identify", "test_tone", "restart")

ZoneAct = Callable[[Principal, UUID], Awaitable[PlaybackView]]


class Commands:
    """Executes one request; answers it, and makes the state be told again after a `set`.

    `catch_up` lets the mirror hear of loudspeakers that changed a moment ago.
    """

    def __init__(
        self,
        zones: Zones,
        devices: Devices,
        mirror: Mirror,
        answers: Answers,
        catch_up: Callable[[], Awaitable[None]],
    ) -> None:
        self._zones = zones
        self._devices = devices
        self._mirror = mirror
        self._answers = answers
        self._catch_up = catch_up
        self._setting = Setting(zones, devices, mirror.around)
        self._plain: Mapping[str, ZoneAct] = {
            "pause": zones.pause,
            "resume": zones.resume,
            "next": zones.next,
            "previous": zones.previous,
        }
        self._zone_ops: Mapping[str, Callable[[Request, UUID], Awaitable[None]]] = {
            "announce": self._announce,
            "stop_announcement": self._stop_announcement,
            "play": self._play,
            **dict.fromkeys(self._plain, self._act),
        }

    async def execute(self, request: Request) -> None:
        """Do it. Raises Refused, Unavailable or TimeoutError where it can not be done."""
        if len(request.message.payload) > MAX_PAYLOAD_BYTES:
            raise TooLarge("The payload", MAX_PAYLOAD_BYTES)
        request.note_id()
        topic = request.topic
        match topic:
            case ZoneTopic(kind=Kind.SET):
                await self._set_zone(request, uuid_of("zone", topic.zone))
            case ZoneTopic():
                if (op := self._zone_ops.get(request.op)) is None:
                    raise UnknownOp(request.op, self._zone_ops)
                await op(request, uuid_of("zone", topic.zone))
            case MirrorTopic(kind=Kind.SET):
                await self._set_device(request, await self._device(topic))
            case MirrorTopic():
                await self._order(request, await self._device(topic))
            case FloorTopic():
                await self._floor_op(request, uuid_of("floor", topic.floor))
            case ClientTopic():
                await self._client_op(request)

    # --- set ---------------------------------------------------------------------------------

    async def _set_zone(self, request: Request, zone_id: UUID) -> None:
        wished = wishes.wishes(request)
        limited = await self._setting.zone(request.principal, zone_id, wished)
        await self._mirror.answer_zone(zone_id)
        self._answer_set(request, limited)

    async def _set_device(self, request: Request, device: DeviceView) -> None:
        wished = wishes.wishes(request)
        limited = await self._setting.device(request.principal, device, wished)
        await self._mirror.answer_device(device.id)
        self._answer_set(request, limited)

    def _answer_set(self, request: Request, limited: list[str]) -> None:
        if limited:
            self._answers.ack(request, AckStatus.CLAMPED, ("clamped", " ".join(limited)))
        elif request.wants_ack:
            self._answers.ack(request, AckStatus.COMPLETED)

    # --- announcements -----------------------------------------------------------------------

    async def _announce(self, request: Request, zone_id: UUID) -> None:
        call = wishes.call(request.read(AnnounceCommand), [zone_id])
        view = await self._zones.call(request.principal, call)
        self._answers.follow(request, view, [zone_id])

    async def _stop_announcement(self, request: Request, zone_id: UUID) -> None:
        call_id = request.read(StopAnnouncementCommand).call_id
        if call_id is None:
            heard = (await self._zones.view(request.principal, zone_id)).announcement
            if heard is None:
                raise NotFound("announcement that is heard in zone", zone_id)
            call_id = heard.call_id
        call = await self._zones.get_call(request.principal, call_id)
        if all(zone.zone_id != zone_id for zone in call.zones):
            raise NotFound("call in this zone with the id", call_id)
        await self._revoke(request, call)

    async def _client_op(self, request: Request) -> None:
        if request.op == "announce":
            await self._announce_in(request, None)
        elif request.op == "stop_announcement":
            await self._stop_call(request)
        else:
            raise UnknownOp(request.op, ("announce", "stop_announcement"))

    async def _announce_in(self, request: Request, zones: list[UUID] | None) -> None:
        call = wishes.call(request.read(AnnounceCommand), zones)
        view = await self._zones.call(request.principal, call)
        self._answers.follow(request, view, [zone.zone_id for zone in view.zones])

    async def _stop_call(self, request: Request) -> None:
        call_id = request.read(StopAnnouncementCommand).call_id
        if call_id is None:
            raise Invalid.field("call_id", "say which call; its ack told the id")
        await self._revoke(request, await self._zones.get_call(request.principal, call_id))

    async def _revoke(self, request: Request, call: CallView) -> None:
        await self._zones.revoke(request.principal, call.id)
        self._answers.ack(request, AckStatus.COMPLETED, result={"call_id": str(call.id)})

    # --- music -------------------------------------------------------------------------------

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

    async def _act(self, request: Request, zone_id: UUID) -> None:
        request.read(Command)
        await self._plain[request.op](request.principal, zone_id)
        await self._done(request, zone_id)

    async def _done(self, request: Request, zone_id: UUID) -> None:
        await self._mirror.answer_zone(zone_id)
        self._answers.ack(request, AckStatus.COMPLETED)

    # --- floors ------------------------------------------------------------------------------

    async def _floor_op(self, request: Request, floor_id: UUID) -> None:
        who = request.principal
        zones = [view for view in await self._zones.views(who) if view.floor_id == floor_id]
        if not zones:
            raise NotFound("floor with zones", floor_id)
        ids = [zone.zone_id for zone in zones]
        match request.op:
            case "announce":
                await self._announce_in(request, ids)
            case "stop_announcement":
                await self._stop_call(request)
            case "play" | "pause" | "resume" | "stop":
                request.read(Command)
                await self._everywhere(request, zones)
            case _:
                raise UnknownOp(request.op, _FLOOR)

    async def _everywhere(self, request: Request, zones: list[PlaybackView]) -> None:
        """Do it in each zone where it makes sense; answered once, with how many did it."""
        who, done, refused = request.principal, 0, ""
        for zone in zones:
            try:
                await self._on_floor(request.op, who, zone)
            except Refused as error:  # a zone without music, say; the others are not to blame
                refused = str(error)
            else:
                done += 1
                await self._mirror.answer_zone(zone.zone_id)
        if not done:
            raise Conflict(refused)
        result: dict[str, Any] = {"zones": done}
        self._answers.ack(request, AckStatus.COMPLETED, result=result)

    async def _on_floor(self, op: str, who: Principal, zone: PlaybackView) -> None:
        if op == "pause":
            if zone.playback is Playback.PLAYING:
                await self._zones.pause(who, zone.zone_id)
        elif op == "stop":
            await self._zones.stop(who, zone.zone_id)
        elif zone.playback is Playback.PAUSED:
            await self._zones.resume(who, zone.zone_id)
        elif op == "play" and zone.playback is Playback.STOPPED:
            await self._zones.play(who, zone.zone_id, PlayRequest())

    # --- loudspeakers ------------------------------------------------------------------------

    async def _order(self, request: Request, device: DeviceView) -> None:
        if request.op not in _ORDERS:
            raise UnknownOp(request.op, _ORDERS)
        arguments = request.read(OrderCommand).args
        await self._devices.order(request.principal, device.id, request.op, arguments)
        self._answers.ack(request, AckStatus.COMPLETED)

    async def _device(self, topic: MirrorTopic) -> DeviceView:
        client_id = uuid_of("client", topic.client)
        for is_last in (False, True):
            device = self._mirror.device_by_key(topic.device)
            if device is not None and device.client_id == client_id:
                return device
            if not is_last:
                await self._catch_up()
        raise NotFound("device", topic.device)


_FLOOR = ("announce", "stop_announcement", "play", "pause", "resume", "stop")
