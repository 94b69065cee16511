"""The plugin behind the real API: real database, files and workers, a voice that hums."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import Migrated
from tests.fakes.plugin_api import Caller, PluginApi, plugin_api
from tests.fakes.plugin_context import plugin_context
from tests.fakes.speech import ToneEngine
from tests.fakes.zones import FakeZones, zone_view

from antiphon.events import EventBus
from antiphon.jobs import JobRunner
from antiphon.plugins import PluginContext
from antiphon.store import Tables, open_database
from antiphon.tenancy.models import Client
from antiphon.types import Role
from antiphon_announcements import plugin
from antiphon_announcements.settings import AnnouncementsSettings

TABLES = Tables(("antiphon_announcements.models",), "antiphon_announcements.migrations")
FOLDERS = Tables(("antiphon_music.models",), "antiphon_music.migrations")


@dataclass
class Shop:
    """A client with a zone, its owner at the API, and what the plugin was given."""

    client: Client
    owner: Caller
    api: PluginApi
    context: PluginContext
    zones: FakeZones
    voice: ToneEngine


@pytest.fixture
def settings() -> AnnouncementsSettings:
    return AnnouncementsSettings(max_upload_mb=1)


@pytest.fixture
async def shop(
    tmp_path: Path, settings: AnnouncementsSettings, migrated: Migrated
) -> AsyncIterator[Shop]:
    migrated(tmp_path / "data")
    bus = EventBus()
    async with (
        open_database(
            "", tmp_path / "data", {"announcements": TABLES, "music": FOLDERS}
        ) as database,
        JobRunner(bus) as jobs,
    ):
        assert not database.failed
        client = await Client.create(name="Shop")
        zones = FakeZones(bus, zone_view(client.id))
        context = plugin_context("announcements", settings, tmp_path, jobs, zones=zones, bus=bus)
        voice = ToneEngine()
        context.speech.add(voice)
        for source in plugin.antiphon_media_sources(context):
            context.media.add(source)
        async with plugin_api(context, jobs, plugin.antiphon_routes(context)) as api:
            owner = await api.caller(Role.CLIENT, client.id)
            yield Shop(client, owner, api, context, zones, voice)
