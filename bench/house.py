"""A whole server in a process of its own, spoken to over HTTP."""

from __future__ import annotations

import asyncio
import configparser
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from bench.figures import proportional_mb

_PASSWORD = "a long password for the bench"  # noqa: S105  of a server that nobody else reaches


class Refused(Exception):
    """An answer that is no success."""


class Server:
    """The running server, spoken to over HTTP alone."""

    def __init__(self, session: aiohttp.ClientSession, url: str, pid: int) -> None:
        self.session = session
        self.url = url
        self.pid = pid

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        """The decoded answer. Raises Refused where it is no success."""
        async with self.session.request(method, f"/api/v1/{path}", **options) as answer:
            body = await answer.read()
            if answer.status >= 400:
                raise Refused(f"{method} {path}: {answer.status} {body[:500]!r}")
            return json.loads(body) if body else None


@asynccontextmanager
async def server(folder: Path, **settings: str) -> AsyncIterator[Server]:
    """A server with its data in `folder`, logged in to, for as long as this lasts.

    `settings` come as in the environment, without `ANTIPHON_`, on top of ours.
    """
    environ = {name: value for name, value in os.environ.items() if "ANTIPHON_" not in name}
    environ |= {
        "ANTIPHON_DATA_DIR": str(folder),
        "ANTIPHON_HTTP__PORT": "0",
        "ANTIPHON_HTTP__ACCESS_TOKEN_MINUTES": "600",
        "ANTIPHON_SNAPCAST__BIND": "127.0.0.1",
        "ANTIPHON_SNAPCAST__STREAM_PORT": "0",
        "ANTIPHON_SNAPCAST__CONTROL_PORT": "0",
        "ANTIPHON_SNAPCAST__HTTP_PORT": "0",
        "ANTIPHON_SNAPCAST__CODEC": "pcm",
        "ANTIPHON_MQTT__URL": "off",
        "ANTIPHON_AI__WARM_UP": "false",
        "ANTIPHON_ADMIN__PASSWORD": _PASSWORD,
    }
    environ |= {f"ANTIPHON_{name}": value for name, value in settings.items()}
    with (folder / "server.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "antiphon", "run", env=environ, stdout=log, stderr=log
        )
    where = folder / "run" / "server.json"
    while not where.exists():
        if process.returncode is not None:
            raise RuntimeError((folder / "server.log").read_text())
        await asyncio.sleep(0.1)
    try:
        url = json.loads(where.read_text())["url"]
        async with aiohttp.ClientSession(url) as session:
            server = Server(session, url, process.pid)
            login = {"email": "admin@antiphon.local", "password": _PASSWORD}
            token = (await server.ask("POST", "auth/login", json=login))["access_token"]
            session.headers["Authorization"] = f"Bearer {token}"
            yield server
    finally:
        process.send_signal(signal.SIGINT)
        await process.wait()


def loudspeakers_port(data_dir: Path) -> int:
    """Where loudspeakers connect to the snapserver that the server has started."""
    config = configparser.ConfigParser(strict=False)  # each source is a line of its own
    config.read(next((data_dir / "run").rglob("snapserver.conf")))
    return config.getint("stream", "port")


def memory_mb(pid: int) -> tuple[float, float]:
    """Proportional memory of the server and of its renderers."""
    renderers = 0.0
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if b"antiphon.engine" in Path(f"/proc/{child}/cmdline").read_bytes():
            renderers += proportional_mb(child)
    return proportional_mb(pid), renderers
