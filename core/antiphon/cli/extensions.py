"""Commands about plugins, and those that plugins bring."""

from __future__ import annotations

import sys
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from antiphon.cli.console import err, finish, out
from antiphon.errors import AntiphonError
from antiphon.plugins.manager import Plugins, load_plugins
from antiphon.plugins.records import PluginStatus
from antiphon.settings import disabled_plugins, load

_COLOURS = {PluginStatus.READY: "green", PluginStatus.DISABLED: "yellow"}


def add_plugin_commands(app: typer.Typer) -> None:
    """Put each plugin's commands under its name. A plugin that fails here is left out."""
    for name, commands in load_plugins(disabled_plugins()).commands().items():
        app.add_typer(commands, name=name)


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
    from antiphon.cli.remote import server

    async with server() as api:
        return list((await api.get("plugins"))["items"])


def _configured() -> Plugins:
    plugins = load_plugins(disabled_plugins())
    plugins.configure(load(sections=plugins.section_models()))
    return plugins
