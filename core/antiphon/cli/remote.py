"""Commands that talk to the running server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rich.table import Table
from rich.text import Text

from antiphon.cli.console import finish, out, seconds
from antiphon.errors import NotFound
from antiphon.local import LocalServer, admin_token, running_url
from antiphon.settings import load
from antiphon.store import open_database


@asynccontextmanager
async def server() -> AsyncIterator[LocalServer]:
    """The server that runs on this machine. Raises PartAway where none does."""
    settings = load().settings
    url = running_url(settings.data_dir)
    async with open_database(settings.database.url.get_secret_value(), settings.data_dir):
        token = await admin_token(settings)
    async with LocalServer(url, token) as api:
        yield api


def print_zones() -> None:
    """A table of the zones."""
    zones = finish(_zones())
    if not zones:
        out.print("There is no zone yet. Make one on the page or by POST zones.")
        return
    table = Table("Zone", "Music", "Now", "At", "Volume")
    for zone, playing in zones:
        track = playing["track"]
        now = playing["announcement"] or track
        at = f"{seconds(playing['position_s'])} / {seconds(track['duration_s'])}" if track else ""
        title = Text(now["title"] if now else "")
        table.add_row(Text(zone["name"]), playing["playback"], title, at, f"{playing['volume']} %")
    out.print(table)


async def _zones() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    async with server() as api:
        zones = (await api.get("zones", limit="200"))["items"]
        return [(zone, await api.get(f"zones/{zone['id']}/playback")) for zone in zones]


def speak(zone: str, text: str, voice: str | None, *, chime: bool | None) -> None:
    """Speak in one zone, or in all."""
    call = finish(_speak(zone, text, voice, chime=chime))
    out.print(f"Call {call['id']}: spoken in {len(call['zones'])} zone(s).")


async def _speak(zone: str, text: str, voice: str | None, *, chime: bool | None) -> dict[str, Any]:
    async with server() as api:
        where: dict[str, Any] = {"all": True}
        if zone != "all":
            zones = (await api.get("zones", limit="200"))["items"]
            found = [z["id"] for z in zones if zone.casefold() in (z["id"], z["name"].casefold())]
            if not found:
                names = ", ".join(z["name"] for z in zones)
                raise NotFound("zone", f"{zone!r}; there are: {names}")
            where = {"zones": found}
        options = {"voice": voice, "chime": chime}
        given = {name: value for name, value in options.items() if value is not None}
        answer: dict[str, Any] = await api.post("calls", {"text": text, **where, **given})
        return answer
