"""A real server on a free port with SQLite behind it; what zones play is a fake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from tests.fakes.database import Tenant, fresh_database, make_tenant
from tests.fakes.live import FakeLive
from tests.fakes.zones import FakeZones, zone_view

from antiphon.api import ApiParts, Server, serve
from antiphon.building.devices import DeviceService
from antiphon.building.service import Building
from antiphon.events import EventBus
from antiphon.jobs.runner import JobRunner
from antiphon.plugins import SpeechRegistry
from antiphon.settings.models import HttpSettings, SnapcastSettings
from antiphon.streams import Snapcast
from antiphon.tenancy.models import User
from antiphon.tenancy.tokens import Tokens
from antiphon.types import Role

KEY = b"k" * 32


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    json: Any
    body: bytes


class Caller:
    """Sends requests as one user, or as nobody."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str | None = None) -> None:
        self._session = session
        self.base = f"{url}/api/v1/"
        self.token = token

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        headers = dict(options.pop("headers", {}))
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        url = path if path.startswith("http") else self.base + path
        async with self._session.request(method, url, headers=headers, **options) as answer:
            body = await answer.read()
            is_json = answer.content_type.endswith("json")
            return Answer(
                answer.status,
                answer.headers,
                await answer.json(content_type=None) if is_json else None,
                body,
            )

    async def get(self, path: str, **query: str) -> Answer:
        return await self.ask("GET", path, params=query)

    async def post(self, path: str, body: Any = None) -> Answer:
        return await self.ask("POST", path, json=body)

    async def patch(self, path: str, body: Any) -> Answer:
        return await self.ask("PATCH", path, json=body)

    async def delete(self, path: str) -> Answer:
        return await self.ask("DELETE", path)

    def socket(self, path: str = "ws/events", **options: Any) -> Any:
        return self._session.ws_connect(self.base + path, **options)


@dataclass(frozen=True)
class Stage:
    """The server with two tenants, and a caller for each kind of user."""

    server: Server
    parts: ApiParts
    bus: EventBus
    zones: FakeZones
    live: FakeLive
    ours: Tenant
    theirs: Tenant
    nobody: Caller
    admin: Caller
    staff: Caller
    owner: Caller
    cellar_user: Caller
    stranger: Caller
    stop: Callable[[], Awaitable[None]]


async def token_of(role: Role, tenant: Tenant | None = None, floor: UUID | None = None) -> str:
    user = await User.create(
        email=f"{role}.{tenant.client.name if tenant else ''}@x.example".lower(),
        role=role,
        client=tenant.client if tenant else None,
        floor_id=floor,
        password_hash="-",
    )
    return Tokens(KEY, 3600).issue(user.id)[0]


@asynccontextmanager
async def open_stage(**changes: Any) -> AsyncIterator[Stage]:
    bus, here = EventBus(), Path()
    ours, theirs = await make_tenant("Ours"), await make_tenant("Theirs")
    zones, live = FakeZones(bus), FakeLive()
    for tenant in (ours, theirs):
        for row in (tenant.shop, tenant.bar):
            zones.add(zone_view(tenant.client.id, row.name, zone_id=row.id, floor_id=row.floor_id))
    parts = ApiParts(
        http=HttpSettings(port=0, max_upload_mb=20),
        secret_key=KEY,
        bus=bus,
        building=Building(bus),
        zones=zones,
        devices=DeviceService(bus, Snapcast(SnapcastSettings(mode="off"), here, here, bus)),
        speech=SpeechRegistry(),
        live=live,
        jobs=JobRunner(bus),
    )
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session,
        AsyncExitStack() as stack,
    ):
        server = await stack.enter_async_context(serve(replace(parts, **changes)))

        def caller(token: str | None) -> Caller:
            return Caller(session, server.url, token)

        yield Stage(
            server=server,
            parts=parts,
            bus=bus,
            zones=zones,
            live=live,
            ours=ours,
            theirs=theirs,
            nobody=caller(None),
            admin=caller(await token_of(Role.ADMIN)),
            staff=caller(await token_of(Role.STAFF)),
            owner=caller(await token_of(Role.CLIENT, ours)),
            cellar_user=caller(await token_of(Role.FLOOR_USER, ours, ours.cellar.id)),
            stranger=caller(await token_of(Role.CLIENT, theirs)),
            stop=stack.aclose,
        )


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with fresh_database(), open_stage(media_dir=tmp_path / "media") as opened:
        yield opened
