"""What all WebSockets do: who may listen, where it goes on, what happened, and how it ends."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from aiohttp import WSCloseCode, WSMsgType, web
from pydantic import BaseModel, Field, ValidationError

from antiphon.api.authentication import Authenticator, bearer
from antiphon.api.endless import EndlessAnswers
from antiphon.api.guard import Guard
from antiphon.api.journal import Entry, Journal, Mark, Reader
from antiphon.api.parts import ApiParts
from antiphon.api.problems import Problem, problem_of
from antiphon.api.sight import Sight
from antiphon.errors import AntiphonError, NotAuthenticated, NotFound, Unavailable
from antiphon.plugins.routes import Request
from antiphon.plugins.zones import ApiModel
from antiphon.tasks import end
from antiphon.types import Frozen

_TOKEN_WAIT_S = 10.0
_SEND_S = 10.0
_HEARTBEAT_S = 30.0
_CLOSE_S = 1.0
_MAX_MESSAGE = 1 << 16
_NOT_ALLOWED = 4401
_GONE = 4404
_TOO_SLOW = 4408


class ResumeQuery(ApiModel):
    """Where to go on after a cut, for those who send the token in the header."""

    stream: str | None = Field(
        default=None, max_length=100, description="What the first message named as its `stream`."
    )
    sequence: int | None = Field(
        default=None, ge=0, le=1 << 53, description="The number of the last message."
    )


class FirstMessage(ResumeQuery):
    """The first message of a client that sent no header."""

    token: str = Field(max_length=10_000)


class StateMessage(Frozen):
    """How all is now; what derives from it adds what that is."""

    type: Literal["state"] = "state"
    stream: str
    sequence: int
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class ResumedMessage(Frozen):
    """The first message of the server to somebody who goes on: what was missed follows."""

    type: Literal["resumed"] = "resumed"
    stream: str
    sequence: int


class ProblemMessage(Frozen):
    """The last message before the server closes the connection because of the client."""

    type: Literal["problem"] = "problem"
    problem: Problem


class PingMessage(BaseModel):
    """What any message that is a ping has."""

    type: Literal["ping"]


class PongMessage(Frozen):
    """The answer to `{"type": "ping"}`."""

    type: Literal["pong"] = "pong"


@dataclass(frozen=True, slots=True)
class SocketParts:
    """What the routes of WebSockets are given."""

    api: ApiParts
    authenticator: Authenticator
    endless: EndlessAnswers
    journal: Journal


class Conversation(ABC):
    """One client's connection, from its first message to its last."""

    def __init__(self, parts: SocketParts, request: Request[None, ResumeQuery]) -> None:
        self._parts = parts
        self._request = request
        self._resume = request.query
        self._socket = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_S, timeout=_CLOSE_S, max_msg_size=_MAX_MESSAGE
        )

    async def look(self, guard: Guard) -> None:  # noqa: B027  most have nothing to look for
        """Raise NotFound where there is nothing to listen to."""

    @abstractmethod
    async def state(self, guard: Guard, mark: Mark) -> StateMessage:
        """How all is now. Raises NotFound as `look`."""

    @abstractmethod
    async def message(self, guard: Guard, sequence: int, entry: Entry) -> str | None:
        """What is told of an event, if it is of interest. Raises NotFound when all is over."""

    async def hold(self) -> web.StreamResponse:
        """Talk until somebody ends it.

        Where the token came so early, raises NotAuthenticated and NotFound before it is open.
        """
        raw = self._request.raw
        token = bearer(raw) or raw.query.get("token")
        if token is not None:
            await self.look(await Guard.of(self._parts.authenticator, token))
        await self._socket.prepare(raw)
        with self._parts.endless.one():
            try:
                code = await self._talk(token)
            except asyncio.CancelledError:
                code = WSCloseCode.GOING_AWAY
            except TimeoutError:
                code = _TOO_SLOW
            except ConnectionError:
                code = WSCloseCode.OK
            await self._socket.close(code=code, drain=False)
        return self._socket

    async def _talk(self, token: str | None) -> int:
        try:
            token = token or await self._first_message()
            guard = await Guard.of(self._parts.authenticator, token)
        except NotAuthenticated as error:
            return await self._give_up(error, _NOT_ALLOWED)
        stream = self._parts.journal.stream(guard.principal)
        sight = Sight(guard.principal)
        # Read from here on: what happens while the state is looked up comes as an event.
        with stream.reading() as reader:
            try:
                await sight.refresh()
                mark = await self._begin(guard, sight)
                return await _first_result(
                    self._read(), self._write(guard, sight, reader, mark), _ended(guard)
                )
            except NotFound as error:
                return await self._give_up(error, _GONE)
            except Unavailable as error:
                return await self._give_up(error, WSCloseCode.TRY_AGAIN_LATER)

    async def _begin(self, guard: Guard, sight: Sight) -> Mark:
        """Say how all is, or what was missed. Returns up to where that goes."""
        stream = self._parts.journal.stream(guard.principal)
        now, last = stream.mark, _mark(self._resume)
        missed = stream.since(last) if last is not None else None
        if last is None or missed is None:
            await self._send(await self.state(guard, now))
            return now
        await self.look(guard)
        await self._send(ResumedMessage(stream=now.stream, sequence=last.sequence))
        for sequence, entry in missed:
            await self._tell(guard, sight, sequence, entry)
        return now

    async def _first_message(self) -> str:
        try:
            async with asyncio.timeout(_TOKEN_WAIT_S):
                message = await self._socket.receive()
            first = FirstMessage.model_validate_json(str(message.data))
        except (TimeoutError, ValidationError):
            raise NotAuthenticated(
                'Send {"token": "…"} first: POST auth/login gives one.'
            ) from None
        if first.stream is not None:
            self._resume = first
        return first.token

    async def _read(self) -> int:
        async for message in self._socket:
            if message.type is WSMsgType.TEXT and _is_ping(message.data):
                await self._send(PongMessage())
        return WSCloseCode.OK

    async def _write(self, guard: Guard, sight: Sight, reader: Reader, mark: Mark) -> int:
        async for sequence, entry in reader:
            if reader.overflowed:
                return _TOO_SLOW
            if sequence <= mark.sequence:
                continue
            if not await guard.holds():
                return _NOT_ALLOWED
            await self._tell(guard, sight, sequence, entry)
        return WSCloseCode.OK

    async def _tell(self, guard: Guard, sight: Sight, sequence: int, entry: Entry) -> None:
        if await sight.sees(entry.event):
            text = await self.message(guard, sequence, entry)
            if text is not None:
                await self._send_text(text)

    async def _give_up(self, error: AntiphonError, code: int) -> int:
        await self._send(ProblemMessage(problem=problem_of(error)))
        return code

    async def _send(self, message: BaseModel) -> None:
        await self._send_text(message.model_dump_json())

    async def _send_text(self, text: str) -> None:
        async with asyncio.timeout(_SEND_S):
            await self._socket.send_str(text)


def _mark(resume: ResumeQuery) -> Mark | None:
    if resume.stream is None or resume.sequence is None:
        return None
    return Mark(stream=resume.stream, sequence=resume.sequence)


def _is_ping(text: str) -> bool:
    try:
        return PingMessage.model_validate_json(text).type == "ping"
    except ValidationError:
        return False


async def _ended(guard: Guard) -> int:
    await guard.ended()
    return _NOT_ALLOWED


async def _first_result(*talks: Coroutine[Any, Any, int]) -> int:
    tasks = [asyncio.ensure_future(talk) for talk in talks]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        await end(*tasks)
