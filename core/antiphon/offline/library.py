"""The database and the media sources of all plugins, whether or not the server runs."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from pydantic import BaseModel

from antiphon.events import EventBus
from antiphon.jobs import JobRunner
from antiphon.plugins import Devices, MediaRegistry, PluginContext, SpeechRegistry, Zones
from antiphon.plugins.manager import Plugins, load_plugins
from antiphon.settings import Loaded, Settings, disabled_plugins, load
from antiphon.store import open_database

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Library:
    """What there is to play. A plugin that fails here is left out."""

    settings: Settings
    media: MediaRegistry
    plugins: Plugins

    def section(self, plugin: str) -> BaseModel | None:
        """A plugin's settings."""
        return self.plugins.settings(plugin)


@asynccontextmanager
async def open_library(environ: Mapping[str, str] = os.environ) -> AsyncIterator[Library]:
    """Open it, for as long as this lasts. Raises Misconfigured."""
    plugins = load_plugins(disabled_plugins(environ))
    loaded = load(environ, sections=plugins.section_models())
    plugins.configure(loaded)
    url = loaded.settings.database.url.get_secret_value()
    bus = EventBus()
    async with (
        open_database(url, loaded.settings.data_dir, plugins.tables()),
        JobRunner(bus) as jobs,
    ):
        media = MediaRegistry()
        for name in plugins.ready:
            context = _context(loaded, plugins, name, bus, jobs, media)
            try:
                for source in plugins.media_sources(name, context):
                    media.add(source)
            except Exception:
                _log.exception("The media of the plugin %s are not there", name)
        yield Library(loaded.settings, media, plugins)


def _context(
    loaded: Loaded,
    plugins: Plugins,
    name: str,
    bus: EventBus,
    jobs: JobRunner,
    media: MediaRegistry,
) -> PluginContext:
    data_dir = loaded.settings.data_dir / "plugins" / name
    data_dir.mkdir(parents=True, exist_ok=True)
    return PluginContext(
        name=name,
        settings=plugins.settings(name),
        bus=bus,
        zones=cast(Zones, _Nobody()),
        devices=cast(Devices, _Nobody()),
        media=media,
        speech=SpeechRegistry(),
        jobs=jobs,
        data_dir=data_dir,
        media_dir=loaded.settings.data_dir / "media",
        log=logging.getLogger(f"antiphon.plugin.{name}"),
    )


class _Nobody:
    """Stands where a server's zones and loudspeakers would be: a media source asks neither."""
