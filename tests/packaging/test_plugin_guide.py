"""The plugin of the guide works as the guide says, and is the code that the guide shows."""

from __future__ import annotations

import logging
import re
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
from aiohttp import web
from tests.fakes.zones import FakeZones, zone_view

from antiphon.events import EventBus
from antiphon.plugins import (
    CallRequest,
    Devices,
    Jobs,
    MediaRegistry,
    PluginContext,
    Request,
    SpeechRegistry,
)
from antiphon.plugins.manager import Plugins, load_plugins
from antiphon.settings import load
from antiphon.types import Band, CallState, Principal

GUIDE = Path(__file__).parents[2] / "docs" / "plugins"
POINT = EntryPoint("doorbell", "antiphon_doorbell", "antiphon.plugins")


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Plugins:
    monkeypatch.syspath_prepend(str(GUIDE / "doorbell"))
    plugins = load_plugins(points=[POINT])
    environ = {"ANTIPHON_DOORBELL__TEXT": "A visitor, please."}
    (tmp_path / "development.toml").touch()
    plugins.configure(load(environ, tmp_path, sections=plugins.section_models()))
    return plugins


async def test_the_doorbell_speaks_in_every_zone_and_reports_who_missed_it(
    plugins: Plugins, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert plugins.ready == ["doorbell"]
    bus = EventBus()
    client_id = uuid4()
    zones = FakeZones(bus, zone_view(client_id, "Lobby"), zone_view(client_id, "Bar"))
    context = PluginContext(
        name="doorbell",
        settings=plugins.settings("doorbell"),
        bus=bus,
        zones=zones,
        devices=cast(Devices, None),
        media=MediaRegistry(),
        speech=SpeechRegistry(),
        jobs=cast(Jobs, None),
        data_dir=tmp_path,
        media_dir=tmp_path,
        log=logging.getLogger("antiphon.plugin.doorbell"),
    )
    (route,) = plugins.routes("doorbell", context)
    (service,) = plugins.services("doorbell", context)
    principal = Principal.system(client_id)
    request: Request[Any, Any] = Request(principal, None, None, {}, cast(web.Request, None))
    async with service:
        call = cast(Any, await route.handler(request))
        asked = CallRequest(text="A visitor, please.", chime=True, all=True, band=Band.PAGE)
        assert [value for _, _, value in zones.asked] == [asked, asked]
        zones.call_becomes(call.id, CallState.FAILED, "no voice")
    assert [record.message for record in caplog.records] == [
        f"Zone {zone_id} did not hear the bell: no voice" for zone_id in zones.by_id
    ]


def test_the_guide_shows_the_code_that_runs() -> None:
    code = (GUIDE / "doorbell" / "antiphon_doorbell.py").read_text()
    shown = re.findall(r"```python\n(.*?)```", (GUIDE / "README.md").read_text(), re.DOTALL)
    assert len(shown) == 3
    assert all(part in code for part in shown)
