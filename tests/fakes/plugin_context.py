"""A plugin's view of a server that is not there: real bus, jobs and folders, zones in memory."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import BaseModel
from tests.fakes.zones import FakeDevices, FakeZones

from antiphon.events import EventBus
from antiphon.plugins import Jobs, MediaRegistry, PluginContext, SpeechRegistry, Zones


def plugin_context(
    name: str,
    settings: BaseModel,
    folder: Path,
    jobs: Jobs,
    *,
    zones: Zones | None = None,
    bus: EventBus | None = None,
) -> PluginContext:
    """The context of plugin `name`; its folders lie in `folder`."""
    bus = bus or EventBus()
    data_dir, media_dir = folder / name, folder / "media"
    data_dir.mkdir()
    media_dir.mkdir()
    return PluginContext(
        name=name,
        settings=settings,
        bus=bus,
        zones=zones or FakeZones(bus),
        devices=FakeDevices(bus),
        media=MediaRegistry(),
        speech=SpeechRegistry(),
        jobs=jobs,
        data_dir=data_dir,
        media_dir=media_dir,
        log=logging.getLogger(name),
    )
