from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr
from tests.conftest import LoadedFor
from tests.core.plugins.strangers import Write, forget, writer

from antiphon.app import Antiphon, prepare, running
from antiphon.errors import Misconfigured
from antiphon.logs import configure_logging
from antiphon.plugins.manager import load_plugins
from antiphon.settings import DatabaseSettings, HttpSettings, Loaded, LogSettings
from antiphon.store import open_database
from antiphon.tenancy.models import User


async def get(server: Antiphon, path: str, token: str = "") -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{server.url}/api/v1/{path}") as answer,
    ):
        return await answer.json()


async def post(server: Antiphon, path: str, body: object, token: str = "") -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{server.url}/api/v1/{path}", json=body) as answer,
    ):
        return await answer.json()


async def log_in(server: Antiphon) -> str:
    who = {"email": "admin@antiphon.local", "password": server.admin_password}
    return str((await post(server, "auth/login", who))["access_token"])


def children() -> dict[int, str]:
    """The processes that this one has started and that still run: what they are, by their id."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            for pid in (task / "children").read_text().split():
                state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
                found[int(pid)] = state + " " + Path(f"/proc/{pid}/cmdline").read_text()
    return found


def with_host(loaded: Loaded, host: str) -> Loaded:
    settings = loaded.settings.model_copy(update={"http": HttpSettings(host=host, port=0)})
    return Loaded(settings, loaded.sections, {})


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


async def test_the_first_start_and_the_second(
    loaded_for: LoadedFor, tmp_path: Path, url: str
) -> None:
    loaded = loaded_for(tmp_path)
    update = {"database": DatabaseSettings(url=SecretStr(url))}
    loaded = Loaded(loaded.settings.model_copy(update=update), loaded.sections, {})
    async with running(loaded) as server:
        health = await get(server, "health")
        assert health["status"] == "ok", health
        own = {part for part in health["parts"] if not part.startswith("plugin ")}
        assert own == {"database", "renderer", "disk"}
        assert health["parts"]["plugin music"]["is_up"]
        assert health["parts"]["database"]["message"] == ("postgres" if url else "sqlite")
        found = json.loads((tmp_path / "run" / "server.json").read_text())
        assert (found["url"], found["pid"]) == (server.url, os.getpid())
        token = await log_in(server)
        await post(server, "zones", {"name": "Bar"}, token)
    assert not (tmp_path / "run" / "server.json").exists()
    assert (tmp_path / "secret.key").stat().st_mode & 0o077 == 0
    async with running(loaded) as server:
        assert server.admin_password is None
        # The old token still counts.
        assert [zone["name"] for zone in (await get(server, "zones", token))["items"]] == ["Bar"]


async def test_a_second_server_in_the_same_place_is_refused(
    loaded_for: LoadedFor, tmp_path: Path
) -> None:
    async with running(loaded_for(tmp_path)) as first:
        with pytest.raises(Misconfigured, match=f"process {os.getpid()}"):
            async with running(loaded_for(tmp_path)):
                raise AssertionError
        assert (await get(first, "health"))["status"] == "ok"
        assert (tmp_path / "run" / "server.json").exists()


async def test_half_started_is_half_unwound(loaded_for: LoadedFor, tmp_path: Path) -> None:
    loaded = loaded_for(tmp_path)
    before, tasks = children(), asyncio.all_tasks()
    with pytest.raises(Misconfigured, match=r"http\.host"):
        async with running(with_host(loaded, "192.0.2.1")):
            raise AssertionError
    assert children() == before
    assert asyncio.all_tasks() == tasks
    async with running(loaded) as server:
        assert (await get(server, "health"))["status"] == "ok"


async def test_a_start_that_is_interrupted_leaves_nothing(
    loaded_for: LoadedFor, tmp_path: Path
) -> None:
    before = children()

    async def start() -> None:
        async with running(loaded_for(tmp_path)):
            raise AssertionError

    starting = asyncio.create_task(start())
    async with asyncio.timeout(20):
        while children().keys() <= before.keys():  # noqa: ASYNC110  until the renderer is being started
            await asyncio.sleep(0.005)
    starting.cancel()
    await asyncio.wait([starting])
    assert starting.cancelled()
    assert children().keys() <= before.keys(), children()


async def test_music_goes_on_without_a_broken_plugin(
    loaded_for: LoadedFor, tmp_path: Path, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "antiphon")
    late = """
    @asynccontextmanager
    async def service():
        raise OSError("no such bridge")
        yield
    async def handler(request): ...
    @hookimpl
    def antiphon_routes(context):
        return [Route(method="GET", path="bridge", handler=handler, summary="", tag="x")]
    @hookimpl
    def antiphon_services(context):
        return [service()]
    """
    greedy = """
    async def handler(request): ...
    @hookimpl
    def antiphon_routes(context):
        return [Route(method="GET", path="zones/{mine}", handler=handler, summary="", tag="x")]
    """
    points = [write("bridge", late), write("boom", "1 / 0"), write("greedy", greedy)]
    plugins = load_plugins(points=points)
    async with running(loaded_for(tmp_path), plugins) as server:
        health = await get(server, "health")
        assert health["status"] == "degraded"
        assert "no such bridge" in health["parts"]["plugin bridge"]["message"]
        token = await log_in(server)
        rows = (await get(server, "plugins", token))["items"]
        assert {row["name"]: row["status"] for row in rows} == {
            "boom": "failed_to_load",
            "bridge": "failed_to_start",
            "greedy": "failed_to_start",
        }
        assert (await get(server, "bridge", token))["code"] == "not_found"


def test_settings_and_plugins_are_read_together(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text("[mqtt]\nurll = 'x'\n[http]\nport = 'x'")
    with pytest.raises(Misconfigured) as caught:
        prepare({}, tmp_path)
    assert len(caught.value.mistakes) == 2
    assert "Did you mean url?" in caught.value.mistakes[1]
    (tmp_path / "base.toml").write_text("[mqtt]\nurll = 'x'")
    _, plugins = prepare({"ANTIPHON_DISABLED_PLUGINS": "ai"}, tmp_path)
    assert {row.name: row.status.value for row in plugins.records} | {"music": "ready"} == {
        "ai": "disabled",
        "announcements": "ready",
        "homeassistant": "ready",
        "mqtt": "bad_settings",
        "music": "ready",
        "scheduling": "ready",
    }


async def test_the_database_is_reached_by_everything_that_runs(
    loaded_for: LoadedFor, tmp_path: Path
) -> None:
    async with running(loaded_for(tmp_path)):
        assert await User.all().count() == 1
    async with open_database("", tmp_path):
        assert await User.all().count() == 1


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_logs(log_format: str) -> None:
    script = (
        "import logging, sys\n"
        "from antiphon.logs import configure_logging\n"
        "from antiphon.settings import LogSettings\n"
        f"configure_logging(LogSettings(format='{log_format}', level='info'))\n"
        "log = logging.getLogger('antiphon.x')\n"
        "log.debug('hidden')\n"
        "log.info('%s sounds', 'Café', extra={'zone': 'bar'})\n"
        "def fail(secret):\n"
        "    raise ValueError('no')\n"
        "try:\n    fail('hunter' + '2')\n"
        "except ValueError:\n    log.exception('failed')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, encoding="utf-8"
    )
    assert run.stdout == ""
    assert "hidden" not in run.stderr
    assert "hunter2" not in run.stderr
    if log_format == "json":
        first, second = map(json.loads, run.stderr.splitlines())
        assert (first["message"], first["level"], first["zone"]) == ("Café sounds", "info", "bar")
        assert first["logger"] == "antiphon.x"
        assert "ValueError: no" in second["exception"]
    else:
        assert "Café sounds" in run.stderr
        assert "ValueError: no" in run.stderr


def test_logging_is_set_up_anew_not_twice() -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure_logging(LogSettings())
        configure_logging(LogSettings())
        assert len(root.handlers) == 1
    finally:
        root.handlers[:] = before
        root.setLevel(level)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    yield writer(tmp_path / "site", monkeypatch)
    forget()
