"""The real API over real HTTP, with the routes of one plugin and the zones of a fake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from aiohttp import ClientResponse, ClientSession

from antiphon.api import serve
from antiphon.api.parts import ApiParts, Live
from antiphon.building.service import Building
from antiphon.jobs import JobRunner
from antiphon.plugins import PluginContext, Route
from antiphon.settings.models import HttpSettings
from antiphon.tenancy.models import User
from antiphon.tenancy.tokens import Tokens
from antiphon.types import Role

_KEY = bytes(32)


@dataclass(frozen=True)
class Answer:
    """What came back. `json` is None where it was no JSON."""

    status: int
    json: Any
    body: bytes
    headers: dict[str, str]

    @property
    def wrong_fields(self) -> list[str]:
        return [error["field"] for error in self.json["errors"]]


class Caller:
    """Sends requests below `/api/v1` as one user."""

    def __init__(self, session: ClientSession, base: str, user: User) -> None:
        token, _ = Tokens(_KEY, 600).issue(user.id)
        self._session = session
        self._base = base
        self._headers = {"Authorization": f"Bearer {token}"}
        self.user = user

    async def __call__(self, method: str, path: str, json: Any = None, **more: Any) -> Answer:
        headers = self._headers | more.pop("headers", {})
        url = f"{self._base}/api/v1/{path}"
        async with self._session.request(
            method, url, json=json, headers=headers, **more
        ) as response:
            return await _answer(response)


async def _answer(response: ClientResponse) -> Answer:
    is_json = response.content_type.endswith("json")
    return Answer(
        status=response.status,
        json=await response.json(content_type=None) if is_json else None,
        body=await response.read(),
        headers=dict(response.headers),
    )


class PluginApi:
    """An open API; `caller` makes a user and logs them in."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def caller(
        self, role: Role, client_id: UUID | None, floor_id: UUID | None = None
    ) -> Caller:
        number = await User.all().count()
        user = await User.create(
            email=f"user{number}@example.org",
            role=role,
            client_id=client_id,
            floor_id=floor_id,
            password_hash="none",
        )
        return Caller(self._session, self._url, user)


@asynccontextmanager
async def plugin_api(
    context: PluginContext, jobs: JobRunner, routes: Sequence[Route]
) -> AsyncIterator[PluginApi]:
    """Open the API. The database must be open already."""
    parts = ApiParts(
        http=HttpSettings(port=0),
        secret_key=_KEY,
        bus=context.bus,
        building=Building(context.bus),
        zones=context.zones,
        devices=context.devices,
        speech=context.speech,
        live=cast(Live, None),
        jobs=jobs,
        routes=routes,
        media_dir=context.media_dir,
    )
    async with serve(parts) as server, ClientSession() as session:
        yield PluginApi(session, server.url)
