from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urljoin
from uuid import uuid4

import pytest
from tests.core.api.conftest import Stage, open_stage
from tests.fakes.database import fresh_database

from antiphon.api import PartHealth, PartsTold, PluginView
from antiphon.api.health import check_health
from antiphon.errors import Misconfigured
from antiphon.events import EventBus, PartChanged
from antiphon.jobs.runner import JobRunner
from antiphon.plugins import Request, Route, SpeechEngine, SpeechRegistry, Voice
from antiphon.settings.models import HttpSettings
from antiphon.types import Frozen


async def up() -> PartHealth:
    return PartHealth(is_up=True)


async def away() -> PartHealth:
    return PartHealth(is_up=False, message="No server answers on port 1705.")


async def broken() -> PartHealth:
    raise RuntimeError("a secret")


async def inessential() -> PartHealth:
    return PartHealth(is_up=False, is_essential=False, message="The broker is away.")


async def test_health_tells_of_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.api.health.CHECK_TIMEOUT_S", 0.05)

    async def hangs() -> PartHealth:
        await asyncio.Event().wait()
        raise AssertionError

    for checks, status, code in (
        ({"database": up}, "ok", 200),
        ({"database": up, "broker": inessential}, "degraded", 200),
        ({"database": up, "snapserver": away, "x": broken, "y": hangs}, "down", 503),
    ):
        async with fresh_database(), open_stage(checks=checks) as stage:
            answer = await stage.nobody.get("health")
            assert (answer.status, answer.json["status"]) == (code, status)
            assert answer.json["parts"].keys() == checks.keys()
            assert b"secret" not in answer.body
            assert (await stage.nobody.get("health/live")).json == {"status": "ok"}


async def test_health_shows_what_parts_without_a_check_told_last() -> None:
    bus = EventBus()
    told = PartsTold(bus)
    bus.publish(PartChanged(part="broker", is_up=True))
    bus.publish(PartChanged(part="broker", is_up=False, message="It refuses us."))
    bus.publish(PartChanged(part="database", is_up=False))
    found = await check_health({"database": up}, told(), "1")
    assert found.status == "degraded"
    assert found.parts["broker"].message == "It refuses us."
    assert found.parts["database"].is_up  # a check knows better than the last message


async def test_a_port_that_is_taken_is_replaced_and_told(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        async with fresh_database(), open_stage(http=HttpSettings(port=port)) as stage:
            assert stage.server.port != port
            assert f"Port {port} is taken" in caplog.text
            assert str(stage.server.port) in caplog.text
            assert (await stage.nobody.get("health/live")).status == 200


async def test_an_address_of_another_machine_is_a_wrong_setting() -> None:
    with pytest.raises(Misconfigured, match=r"http\.host"):
        async with fresh_database(), open_stage(http=HttpSettings(host="192.0.2.1", port=0)):
            pass


async def test_the_pages_come_from_here_alone(stage: Stage) -> None:
    for path in ("/", "/api/v1/docs"):
        page = await stage.nobody.get(stage.server.url + path)
        assert page.status == 200
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert page.headers["Cache-Control"] == "no-cache"
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        text = page.body.decode()
        # The policy forbids these, so the page would be broken.
        assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|https?://", text)
        links = re.findall(r'(?:src|href)="(?!data:)([^"#]+)"', text)
        assert links
        for link in links:
            asset = await stage.nobody.get(urljoin(stage.server.url + path, link))
            assert asset.status == 200, link


async def test_nothing_but_the_assets_is_served(stage: Stage) -> None:
    for name in ("..%2Fserver.py", "%2e%2e/server.py", "index.html%00", ".hidden.js", "server.py"):
        answer = await stage.nobody.get(f"{stage.server.url}/static/{name}")
        assert answer.status == 404, name
    for type_, name in (("text/javascript", "app.js"), ("text/css", "style.css")):
        answer = await stage.nobody.get(f"{stage.server.url}/static/{name}")
        assert answer.headers["Content-Type"].startswith(type_)


class Tone(SpeechEngine):
    @property
    def name(self) -> str:
        return "tone"

    async def voices(self) -> Sequence[Voice]:
        return [
            Voice(id=f"tone:{language}", name="Tone", language=language, engine="tone")
            for language in ("en_US", "en_GB", "de_DE")
        ]

    async def speak(self, text: str, voice: Voice, destination: Path) -> None:
        raise AssertionError


async def test_voices_plugins_and_jobs_are_listed() -> None:
    speech = SpeechRegistry()
    speech.add(Tone())
    plugin = PluginView(
        name="x", distribution="x", version="1", status="failed to load", reason="SyntaxError"
    )
    bus = EventBus()
    async with (
        fresh_database(),
        JobRunner(bus) as jobs,
        open_stage(speech=speech, plugins=lambda: [plugin], jobs=jobs) as stage,
    ):
        english = await stage.cellar_user.get("voices", language="EN", limit="1")
        assert (english.json["items"][0]["id"], english.json["total"]) == ("tone:en_US", 2)
        plugins = (await stage.staff.get("plugins")).json
        assert plugins["items"] == [plugin.model_dump()]
        for client_id in (stage.ours.client.id, stage.theirs.client.id, None):
            jobs.start("Do nothing", "no.such.module:function", {}, client_id=client_id)
        assert (await stage.owner.get("jobs")).json["total"] == 1
        assert (await stage.admin.get("jobs")).json["total"] == 3
        assert (await stage.admin.get("jobs", state="sleeping")).status == 422


class Echo(Frozen):
    name: str
    client: str


async def test_a_plugins_route_is_served_like_the_cores_own() -> None:
    async def echo(request: Request[None, None]) -> Echo:
        return Echo(name=request.path["name"], client=str(request.principal.client_id))

    route = Route(
        method="GET", path="echo/{name}", handler=echo, summary="Echo", tag="x", response=Echo
    )
    async with fresh_database(), open_stage(routes=[route]) as stage:
        answer = await stage.owner.get("echo/Zo%C3%AB")
        assert answer.json == {"name": "Zoë", "client": str(stage.ours.client.id)}
        assert (await stage.nobody.get("echo/x")).status == 401
        document = (await stage.nobody.get("openapi.json")).json
        assert "/echo/{name}" in document["paths"]
        assert (await stage.owner.get(f"zones/{uuid4()}")).status == 404


async def test_the_log_has_what_operators_look_for(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bug(_: Request[None, None]) -> None:
        raise RuntimeError("x")

    def lines() -> list[tuple[int, str]]:
        found = [row for row in caplog.records if row.name == "aiohttp.access"]
        return [(row.levelno, row.getMessage().split(" ms")[0].rpartition(" ")[0]) for row in found]

    caplog.set_level(logging.DEBUG, "aiohttp.access")
    route = Route(method="GET", path="bug", handler=bug, summary="x", tag="x", roles=None)
    async with fresh_database(), open_stage(routes=[route]) as stage:
        await stage.nobody.get("health/live", token="geheim")
        await stage.nobody.get("bug")
        monkeypatch.setattr("antiphon.api.server._SLOW_S", 0.0)
        await stage.nobody.get("health/live")
        await stage.stop()  # what was answered is in the log by then
    path = "127.0.0.1 GET /api/v1/"
    assert lines() == [
        (logging.DEBUG, f"{path}health/live 200"),
        (logging.WARNING, f"{path}bug 500"),
        (logging.INFO, f"{path}health/live 200"),
    ]
    assert "geheim" not in caplog.text
