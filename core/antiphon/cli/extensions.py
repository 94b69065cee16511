"""Commands about plugins, and those that plugins bring."""

from __future__ import annotations

import json
import os
import sys
from contextlib import AbstractAsyncContextManager
from tempfile import TemporaryDirectory
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from antiphon.cli.console import err, finish, out
from antiphon.errors import AntiphonError
from antiphon.local import LocalServer
from antiphon.plugins.manager import Plugins, load_plugins
from antiphon.plugins.records import PluginStatus
from antiphon.settings import disabled_plugins, load

_COLOURS = {PluginStatus.READY: "green", PluginStatus.DISABLED: "yellow"}


def add_plugin_commands(app: typer.Typer) -> None:
    """Put each plugin's commands under its name, or the one that they have themselves.

    A plugin that fails here is left out.
    """
    for name, commands in load_plugins(disabled_plugins()).commands().items():
        own = commands.info.name
        app.add_typer(commands, name=own if isinstance(own, str) and own else name)


def print_plugins() -> None:
    """What became of each plugin: in the running server, or by loading them here."""
    rows = _of_server()
    if rows is None:
        err.print("The server is not running; this is what loading the plugins says.")
        plugins = _configured()
        rows = [record.model_dump(mode="json") for record in plugins.records]
    table = Table("Plugin", "From", "Status", "Reason")
    for row in rows:
        status = Text(row["status"], style=_COLOURS.get(row["status"], "bold red"))
        source = f"{row['distribution']} {row['version']}"
        table.add_row(row["name"], source, status, Text(row.get("reason") or ""))
    out.print(table)


def _of_server() -> list[dict[str, Any]] | None:
    try:
        return finish(_ask_server())
    except AntiphonError:
        return None


async def _ask_server() -> list[dict[str, Any]]:
    async with _server() as api:
        return list((await api.get("plugins"))["items"])


def _server() -> AbstractAsyncContextManager[LocalServer]:
    from antiphon.cli.remote import server

    return server()


def _configured() -> Plugins:
    plugins = load_plugins(disabled_plugins())
    plugins.configure(load(sections=plugins.section_models()))
    return plugins


def print_openapi() -> None:
    """The document of the running server, or of one that is started for this alone."""
    sys.stdout.write(finish(_document()) + "\n")


async def _document() -> str:
    from antiphon.app import prepare, running

    try:
        async with _server() as api:
            return json.dumps(await api.get("openapi.json"), indent=1, ensure_ascii=False)
    except AntiphonError:
        pass
    with TemporaryDirectory(prefix="antiphon-") as scratch:
        environ = {
            **os.environ,
            "ANTIPHON_DATA_DIR": scratch,
            "ANTIPHON_DATABASE__URL": "",
            "ANTIPHON_HTTP__PORT": "0",
            "ANTIPHON_SNAPCAST__MODE": "off",
        }
        async with running(*prepare(environ)) as server, LocalServer(server.url, "") as api:
            return json.dumps(await api.get("openapi.json"), indent=1, ensure_ascii=False)
