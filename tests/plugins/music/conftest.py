"""A library with two clients that must not see each other, behind the real API."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientResponse, FormData, web
from aiohttp.test_utils import TestClient, TestServer
from tests.conftest import Migrated

from antiphon.api.authentication import Authenticator
from antiphon.api.dispatch import mount
from antiphon.api.problems import problems
from antiphon.events import EventBus
from antiphon.jobs import JobRunner
from antiphon.plugins import Pictures
from antiphon.store import Tables, open_database
from antiphon.tenancy.models import Client, User
from antiphon.tenancy.tokens import Tokens
from antiphon.types import Principal, Role
from antiphon_music.art import ArtKeys
from antiphon_music.art_route import art_route
from antiphon_music.folder_routes import folder_routes
from antiphon_music.folders import Folders
from antiphon_music.library import Library
from antiphon_music.measuring import Measurer
from antiphon_music.models import MusicFile
from antiphon_music.routes import music_routes
from antiphon_music.settings import MusicSettings

MUSIC = Tables(("antiphon_music.models",), "antiphon_music.migrations")
ART_SECRET = b"secret"
LIMIT_MB = 40


@dataclass
class Shop:
    """A client, its owner, and the API as the owner has it."""

    client_id: UUID
    http: TestClient[web.Request, web.Application]
    token: str

    @property
    def principal(self) -> Principal:
        return Principal(role=Role.CLIENT, client_id=self.client_id)

    async def ask(self, method: str, path: str, **options: Any) -> ClientResponse:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return await self.http.request(method, f"/api/v1/{path}", headers=headers, **options)

    async def json(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        answer = await self.ask(method, path, **options)
        assert answer.status == status, await answer.text()
        return await answer.json() if status != 204 else None

    async def upload(self, file: Path | bytes, name: str = "x.mp3", **fields: str) -> Any:
        """Status and body of the answer. Fields named `after_…` are sent behind the file."""
        form = FormData()
        for key, value in fields.items():
            if not key.startswith("after_"):
                form.add_field(key, value)
        name = file.name if isinstance(file, Path) else name
        content = file if isinstance(file, bytes) else await asyncio.to_thread(file.read_bytes)
        form.add_field("file", content, filename=name)
        for key, value in fields.items():
            if key.startswith("after_"):
                form.add_field(key.removeprefix("after_"), value)
        answer = await self.ask("POST", "music", data=form)
        return answer.status, await answer.json()


@dataclass
class World:
    library: Library
    folders: Folders
    measurer: Measurer
    jobs: JobRunner
    bus: EventBus
    media_dir: Path
    bakery: Shop
    gym: Shop
    admin: Shop

    async def add(self, file: Path, shop: Shop | None = None, **more: Any) -> MusicFile:
        """Into the library without the API."""
        async with self.library.receive_file(file) as incoming:
            found = await self.library.inspect(incoming)
            client_id = (shop or self.bakery).client_id
            return await self.library.keep(incoming, found, client_id, **more)

    def files(self) -> list[Path]:
        """What lies in the media directory, whatever it is."""
        return sorted(path for path in self.media_dir.rglob("*") if path.is_file())


@pytest.fixture
def data_dir(tmp_path: Path, migrated: Migrated) -> Path:
    """A data directory of this test's own."""
    migrated(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
async def world(data_dir: Path) -> AsyncIterator[World]:
    settings = MusicSettings(max_upload_mb=LIMIT_MB)
    bus = EventBus()
    async with open_database("", data_dir, {"music": MUSIC}), JobRunner(bus) as jobs:
        media_dir = data_dir / "media"
        library = Library(media_dir, jobs, settings, bus)
        folders = Folders(library.changing)
        measurer = Measurer(library, jobs, bus, logging.getLogger("music"))
        tokens = Tokens(b"k" * 32, 600)
        app = web.Application(middlewares=[problems])
        pictures = Pictures(media_dir, jobs)
        routes = [
            *music_routes(library, folders, pictures),
            *folder_routes(folders, pictures),
        ]
        routes.append(art_route(library, ArtKeys(ART_SECRET)))
        mount(app, routes, Authenticator(tokens), 500 << 20)
        async with TestClient(TestServer(app)) as http:

            async def shop(name: str, role: Role = Role.CLIENT) -> Shop:
                client = await Client.create(name=name)
                owner = client.id if role is Role.CLIENT else None
                user = await User.create(
                    email=f"{name}@example.org", role=role, client_id=owner, password_hash="-"
                )
                return Shop(client.id, http, tokens.issue(user.id)[0])

            bakery, gym = await shop("bakery"), await shop("gym")
            admin = await shop("head-office", Role.ADMIN)
            yield World(library, folders, measurer, jobs, bus, media_dir, bakery, gym, admin)
