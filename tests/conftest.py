"""Fixtures that many tests use: settings with free ports, a fresh database, a real PostgreSQL."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from tests.devices.contract import published
from tests.fakes.empty_database import put_empty_database

from antiphon.settings import HttpSettings, Loaded, Settings, SnapcastSettings
from antiphon.store import Database, open_database
from antiphon.store.database import FILE_NAME
from antiphon.tenancy import passwords
from antiphon_devices.outbox import Outbox, Outgoing

SettingsFor = Callable[[Path], Settings]
LoadedFor = Callable[..., Loaded]
Migrated = Callable[[Path], None]

# Files that take half a minute and more, the longest first: see `pytest_collection_modifyitems`.
LONG = (
    "test_schema.py",
    "test_walk.py",
    "test_commands.py",
    "test_discovery.py",
    "test_pairs.py",
    "test_storm.py",
    "test_piper.py",
    "test_listeners.py",
    "test_speakers.py",
    "test_speaker_agent.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files start first: one that is the last to start would keep a single core busy."""
    rank = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path.name, len(LONG)))


@pytest.fixture(scope="session", autouse=True)
def full_hasher() -> PasswordHasher:
    """What the product hashes passwords with; in this process that costs next to nothing now."""
    full = passwords._hasher
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    return full


@pytest.fixture
def settings_for() -> SettingsFor:
    """Settings that touch nothing outside the given folder: port 0 everywhere, no children."""

    def make(data_dir: Path) -> Settings:
        return Settings(
            environment="test",
            data_dir=data_dir,
            http=HttpSettings(port=0),
            snapcast=SnapcastSettings(
                mode="off", bind="127.0.0.1", stream_port=0, control_port=0, http_port=0
            ),
        )

    return make


@pytest.fixture
def loaded_for(settings_for: SettingsFor, migrated: Migrated) -> LoadedFor:
    """The same, as `app.running` takes it: MQTT is off, no voice is warmed up, tables are made."""

    def make(data_dir: Path, **sections: dict[str, object]) -> Loaded:
        if not (data_dir / FILE_NAME).exists():
            migrated(data_dir)
        off: dict[str, dict[str, object]] = {"mqtt": {"url": "off"}, "ai": {"warm_up": False}}
        return Loaded(settings_for(data_dir), {**off, **sections}, {})

    return make


@pytest.fixture(scope="session")
def migrated() -> Migrated:
    """Puts a database with all tables and no rows into a data directory, which is made."""
    return put_empty_database


@pytest.fixture
async def database(tmp_path: Path, migrated: Migrated) -> AsyncIterator[Database]:
    """A fresh SQLite database with the core's tables, open for this test."""
    migrated(tmp_path / "data")
    async with open_database("", tmp_path / "data") as opened:
        yield opened


@pytest.fixture(autouse=True)
def _contract(request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing is published by MQTT, in any test, that docs/reference/asyncapi.yaml does not know.

    Servers and agents in processes of their own are heard at their broker instead.
    """
    faults: list[Exception] = []

    def judge(message: Outgoing) -> None:
        if message.topic.startswith("$"):
            return  # the broker's own: how it is told of accounts
        try:
            published(message.topic, message.payload, retain=message.retain)
        except Exception as error:
            faults.append(error)

    if "any_topic" in request.keywords:
        yield
        return
    Outbox.witnesses.append(judge)
    yield
    Outbox.witnesses.remove(judge)
    if faults:
        raise ExceptionGroup("Messages that break the contract", faults)


def free_port() -> int:
    """A TCP port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[str]:
    """A private cluster, ended with the session; yields the URL of its first database."""
    if not (bins := sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))):
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="antiphon-pg-"))
    as_postgres: list[str] = []
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        as_postgres = ["runuser", "-u", "postgres", "--"]
        shutil.chown(folder, "postgres")
    tools, data, port = bins[-1].parent, folder / "data", free_port()

    def run(*command: str) -> None:
        subprocess.run(
            [*as_postgres, *command], check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=60
        )

    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
    log = str(folder / "log")
    run(str(tools / "initdb"), "-D", str(data), "-A", "trust", "-U", "antiphon", "-N")
    run(str(tools / "pg_ctl"), "-D", str(data), "-w", "-l", log, "-o", options, "start")
    try:
        yield f"postgres://antiphon@127.0.0.1:{port}"
    finally:
        run(str(tools / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture
async def postgres_url(_postgres_server: str) -> str:
    """The URL of an empty PostgreSQL database of this test's own."""
    import asyncpg  # type: ignore[import-untyped]

    name = f"t_{secrets.token_hex(6)}"
    connection = await asyncpg.connect(f"{_postgres_server}/postgres")
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return f"{_postgres_server}/{name}"
