"""What happens, as it happens, over a WebSocket."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from aiohttp import WSCloseCode, WSMsgType, web
from pydantic import BaseModel, Field, ValidationError

from antiphon.api.authentication import Authenticator, bearer
from antiphon.api.endless import EndlessAnswers
from antiphon.api.parts import ApiParts
from antiphon.api.problems import Problem, problem_of
from antiphon.audit import CommandGiven
from antiphon.building.models import Zone
from antiphon.errors import NotAuthenticated
from antiphon.events import (
    DeviceChanged,
    DeviceEvent,
    Event,
    EventStream,
    ZoneChanged,
    ZoneCreated,
    ZoneEvent,
)
from antiphon.plugins.routes import Request, Route
from antiphon.plugins.zones import ApiModel, PlaybackView
from antiphon.tenancy.scope import scoped, sees_client
from antiphon.types import Frozen, Principal, Role, Via

_TOKEN_WAIT_S = 10.0
_SEND_S = 10.0
_HEARTBEAT_S = 30.0
_CLOSE_S = 1.0
_BACKLOG = 1_000
_MAX_MESSAGE = 1 << 16
_RECHECK_S = 60.0
_CLOSE_NOT_ALLOWED = 4401
_CLOSE_TOO_SLOW = 4408


class TokenMessage(ApiModel):
    """The first message of a client that sent no header."""

    token: str = Field(max_length=10_000)


class StateMessage(Frozen):
    """The first message of the server: all zones that are visible."""

    type: Literal["state"] = "state"
    sequence: int = 0
    at: datetime
    zones: tuple[PlaybackView, ...]


class ProblemMessage(Frozen):
    """The last message before the server closes the connection because of the client."""

    type: Literal["problem"] = "problem"
    problem: Problem


class PongMessage(Frozen):
    """The answer to `{"type": "ping"}`."""

    type: Literal["pong"] = "pong"


def event_routes(
    parts: ApiParts, authenticator: Authenticator, endless: EndlessAnswers
) -> list[Route]:
    """The route `ws/events`."""

    async def events(request: Request[None, None]) -> web.StreamResponse:
        token = bearer(request.raw) or request.raw.query.get("token")
        if token is not None:
            await authenticator.principal(token)
        socket = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_S, timeout=_CLOSE_S, max_msg_size=_MAX_MESSAGE
        )
        await socket.prepare(request.raw)
        with endless.one():
            try:
                code = await _Conversation(parts, authenticator, socket).hold(token)
            except asyncio.CancelledError:
                code = WSCloseCode.GOING_AWAY
            await socket.close(code=code, drain=False)
        return socket

    return [
        Route(
            method="GET",
            path="ws/events",
            handler=events,
            summary="Follow what happens (WebSocket)",
            description=(
                "Send the token in the header or as the parameter `token`, or send "
                '`{"token": "…"}` as the first message. The server\'s first message has the type '
                "`state` and all zones that you see. Then there is a message for each event: its "
                "name as `type`, a `sequence` that counts up by one, and what the event tells. "
                '`{"type": "ping"}` is answered by `{"type": "pong"}`. Close codes: 4401 for a '
                "token that is not or no longer valid, 4408 for a reader that is too slow."
            ),
            tag="events",
            roles=None,
            status=101,
            errors=(NotAuthenticated,),
        )
    ]


class _Conversation:
    """One client's connection, from its first message to its last."""

    def __init__(
        self, parts: ApiParts, authenticator: Authenticator, socket: web.WebSocketResponse
    ) -> None:
        self._parts = parts
        self._authenticator = authenticator
        self._socket = socket

    async def hold(self, token: str | None) -> int:
        """Talk until somebody ends it. Returns the code to close with."""
        try:
            token = token or await self._first_message()
            principal, expires_at = await self._authenticator.principal(token, Via.WEBSOCKET)
        except NotAuthenticated as error:
            await self._send(ProblemMessage(problem=problem_of(error)))
            return _CLOSE_NOT_ALLOWED
        # The stream opens before the state is read: what happens in between comes as an event.
        with self._parts.bus.stream(size=_BACKLOG) as stream:
            zones = tuple(await self._parts.zones.views(principal))
            await self._send(StateMessage(at=datetime.now(UTC), zones=zones))
            return await _first_result(
                self._read(),
                self._write(principal, stream),
                self._watch(token, principal, expires_at),
            )

    async def _first_message(self) -> str:
        try:
            async with asyncio.timeout(_TOKEN_WAIT_S):
                message = await self._socket.receive()
            return TokenMessage.model_validate_json(str(message.data)).token
        except (TimeoutError, ValidationError):
            raise NotAuthenticated(
                'Send {"token": "…"} first: POST auth/login gives one.'
            ) from None

    async def _read(self) -> int:
        async for message in self._socket:
            if message.type is WSMsgType.TEXT and '"ping"' in message.data:
                await self._send(PongMessage())
        return WSCloseCode.OK

    async def _write(self, principal: Principal, stream: EventStream) -> int:
        sight = _Sight(principal)
        await sight.refresh()
        sequence = 0
        try:
            async for event in stream:
                if stream.overflowed:
                    return _CLOSE_TOO_SLOW
                if not await sight.sees(event):
                    continue
                sequence += 1
                told = {"type": type(event).__name__, "sequence": sequence}
                await self._send_text(json.dumps(told | event.model_dump(mode="json")))
        except TimeoutError:
            return _CLOSE_TOO_SLOW
        except ConnectionError:
            pass
        return WSCloseCode.OK

    async def _watch(self, token: str, principal: Principal, expires_at: int) -> int:
        """Ends when the token does, or when the user may no longer do what it could."""
        while True:
            await asyncio.sleep(min(_RECHECK_S, max(0.0, expires_at - time.time()) + 0.1))
            try:
                now, expires_at = await self._authenticator.principal(token, Via.WEBSOCKET)
            except NotAuthenticated:
                return _CLOSE_NOT_ALLOWED
            if now != principal:
                return _CLOSE_NOT_ALLOWED

    async def _send(self, message: BaseModel) -> None:
        await self._send_text(message.model_dump_json())

    async def _send_text(self, text: str) -> None:
        async with asyncio.timeout(_SEND_S):
            await self._socket.send_str(text)


async def _first_result(*talks: Any) -> int:
    tasks = [asyncio.ensure_future(talk) for talk in talks]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return int(done.pop().result())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Sight:
    """Which events a principal may see."""

    def __init__(self, principal: Principal) -> None:
        self._principal = principal
        self._of_floor = principal.role is Role.FLOOR_USER
        self._zones: set[UUID] = set()

    async def refresh(self) -> None:
        """Look up which zones lie on a floor user's floor."""
        if self._of_floor:
            ids = await scoped(Zone, self._principal).values_list("id", flat=True)
            self._zones = {UUID(str(zone_id)) for zone_id in ids}

    async def sees(self, event: Event) -> bool:
        """Whether `event` may be told."""
        if isinstance(event, CommandGiven) or not sees_client(self._principal, event.client_id):
            return False
        if not self._of_floor:
            return True
        match event:
            case ZoneEvent():
                known = event.zone_id in self._zones
                if isinstance(event, ZoneCreated | ZoneChanged):
                    await self.refresh()
                return known or event.zone_id in self._zones
            case DeviceChanged():
                return event.zone_id in self._zones
            case DeviceEvent():
                return False
        return True
