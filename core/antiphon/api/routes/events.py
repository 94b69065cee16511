"""What happens, as it happens, over WebSockets: everywhere, or in one zone."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web

from antiphon.api.guard import Guard
from antiphon.api.journal import Entry, Mark
from antiphon.api.sockets import Conversation, ResumeQuery, SocketParts, StateMessage
from antiphon.errors import Conflict, NotAuthenticated, NotFound, Refused
from antiphon.events import LevelMeasured, ZoneDeleted, ZoneEvent
from antiphon.plugins.routes import Request, Route
from antiphon.plugins.zones import PlaybackView

_HOW = """\
Send the token in the header or as the parameter `token`, or send `{"token": "…"}` as the first \
message. The server's first message has the type `state`, the name of its `stream`, a `sequence`, \
and %s. Then there is a message for each event: its name as `type`, a `sequence` that rises, and \
what the event tells%s.

After a cut, connect again with the `stream` and the `sequence` of the last message, as parameters \
or beside the token in the first message. The answer is a message of the type `resumed`, then what \
was missed; or the `state` again, where the server was started anew or the cut was long.

`{"type": "ping"}` is answered by `{"type": "pong"}`. Close codes: 4401 for a token that is not or \
no longer valid, 4404 for a zone that is not or no longer there, 4408 for a reader that is too \
slow, 1001 when the server stops, 1013 to try again later."""


class EverythingMessage(StateMessage):
    """All zones that are visible."""

    zones: tuple[PlaybackView, ...]


class ZoneMessage(StateMessage):
    """What the zone plays."""

    playback: PlaybackView


def event_routes(parts: SocketParts) -> list[Route]:
    """The routes under `ws`."""

    async def events(request: Request[None, ResumeQuery]) -> web.StreamResponse:
        return await _Everything(parts, request).hold()

    async def playback(request: Request[None, ResumeQuery]) -> web.StreamResponse:
        return await _OneZone(parts, request).hold()

    return [
        Route(
            method="GET",
            path="ws/events",
            handler=events,
            summary="Follow what happens (WebSocket)",
            description=_HOW % ("all zones that you see", ""),
            tag="events",
            roles=None,
            query=ResumeQuery,
            status=101,
            errors=(NotAuthenticated, Refused),
        ),
        Route(
            method="GET",
            path="ws/playback/{zone_id}",
            handler=playback,
            summary="Follow what one zone plays (WebSocket)",
            description=_HOW % ("the zone's `playback`", ", with the `playback` as it is now"),
            tag="events",
            roles=None,
            query=ResumeQuery,
            status=101,
            errors=(NotAuthenticated, Refused),
        ),
    ]


class _Everything(Conversation):
    """Tells all that one sees."""

    async def state(self, guard: Guard, mark: Mark) -> StateMessage:
        zones = tuple(await self._parts.api.zones.views(guard.principal))
        return EverythingMessage(stream=mark.stream, sequence=mark.sequence, zones=zones)

    async def message(self, guard: Guard, sequence: int, entry: Entry) -> str | None:  # noqa: ARG002
        return entry.told(sequence)


class _OneZone(Conversation):
    """Tells what happens in one zone."""

    @property
    def _zone_id(self) -> UUID:
        return UUID(str(self._request.path["zone_id"]))

    async def look(self, guard: Guard) -> None:
        await self._view(guard)

    async def state(self, guard: Guard, mark: Mark) -> StateMessage:
        playback = await self._view(guard)
        return ZoneMessage(stream=mark.stream, sequence=mark.sequence, playback=playback)

    async def message(self, guard: Guard, sequence: int, entry: Entry) -> str | None:
        event, told = entry.event, entry.told(sequence)
        if not isinstance(event, ZoneEvent) or event.zone_id != self._zone_id:
            return None
        if isinstance(event, ZoneDeleted):
            raise NotFound("zone", self._zone_id)
        if isinstance(event, LevelMeasured):
            return told
        playback = await self._view(guard)
        return f'{told.removesuffix("}")},"playback":{playback.model_dump_json()}}}'

    async def _view(self, guard: Guard) -> PlaybackView:
        try:
            return await self._parts.api.zones.view(guard.principal, self._zone_id)
        except Conflict as error:  # switched off: it plays nothing that could be followed
            raise NotFound("zone that is switched on:", self._zone_id) from error
