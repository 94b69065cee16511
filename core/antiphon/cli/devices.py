"""Loudspeakers that join, and accounts of integrators, from the command line."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rich.table import Table
from rich.text import Text

from antiphon.cli.console import finish, out
from antiphon.cli.remote import server
from antiphon.errors import NotFound

_ALL = {"limit": "200"}


def print_pending() -> None:
    """A table of the loudspeakers that ask to join."""
    waiting = finish(_items("devices/pending"))
    if not waiting:
        out.print("No loudspeaker asks to join.")
        return
    table = Table("Id", "Name", "Model", "Agent", "Asks since (UTC)", "")
    for one in waiting:
        note = "its id has an account already" if one["replaces"] else ""
        cells = (one["id"], one["name"], one["model"], one["agent"])
        since = one["asked_at"][:16].replace("T", " ")
        table.add_row(*(Text(cell or "") for cell in cells), since, note)
    out.print(table)
    out.print("Let one in by the code that it shows or speaks: antiphon device confirm CODE")


def confirm(code: str, zone: str | None, name: str | None) -> None:
    """Let a loudspeaker in."""
    device = finish(_confirm(code, zone, name))
    out.print(Text(f"{device['name']} has joined" + (f", in {zone}." if zone else ".")))


async def _confirm(code: str, zone: str | None, name: str | None) -> Any:
    async with server() as api:
        wish: dict[str, Any] = {"code": code}
        if zone is not None:
            zones = (await api.get("zones", **_ALL))["items"]
            wish["zone_id"] = _one(zones, zone, "zone")["id"]
        if name is not None:
            wish["name"] = name
        return await api.post("devices/claim", wish)


def reject(pending: str) -> None:
    """Do not hear a request for an hour."""
    finish(_post(f"devices/pending/{pending}/reject"))
    out.print(Text(f"{pending} is not heard for an hour."))


def revoke(device: str) -> None:
    """Take a loudspeaker's account away."""
    found = finish(_revoke(device))
    out.print(Text(f"{found['name']} is cut off, and would have to ask to join again."))


async def _revoke(device: str) -> Any:
    async with server() as api:
        found = _one((await api.get("devices", **_ALL))["items"], device, "loudspeaker")
        await api.post(f"devices/{found['id']}/revoke")
        return found


def add_integrator(name: str, client_id: UUID | None) -> None:
    """Make an account for a program and print its password."""
    body = {"name": name} | ({"client_id": str(client_id)} if client_id else {})
    made = finish(_post("mqtt-accounts", body))
    out.print(f"User name [bold]{made['username']}[/], password [bold]{made['password']}[/]")
    out.print(f"(shown this once). All of its topics begin with {made['tree']}/")


def list_integrators() -> None:
    """A table of the accounts of programs."""
    table = Table("User name", "For", "Client", "Made (UTC)")
    for one in finish(_items("mqtt-accounts")):
        made = one["created_at"][:16].replace("T", " ")
        table.add_row(one["username"], Text(one["name"]), one["client_id"], made)
    out.print(table)


def revoke_integrator(username: str) -> None:
    """Take a program's account away."""
    finish(_revoke_integrator(username))
    out.print(f"{username} is cut off.")


async def _revoke_integrator(username: str) -> None:
    async with server() as api:
        accounts = (await api.get("mqtt-accounts", **_ALL))["items"]
        found = _one([one | {"name": one["username"]} for one in accounts], username, "account")
        await api.delete(f"mqtt-accounts/{found['id']}")


async def _items(path: str) -> list[dict[str, Any]]:
    async with server() as api:
        items: list[dict[str, Any]] = (await api.get(path, **_ALL))["items"]
        return items


async def _post(path: str, body: dict[str, Any] | None = None) -> Any:
    async with server() as api:
        return await api.post(path, body)


def _one(things: list[dict[str, Any]], wanted: str, what: str) -> dict[str, Any]:
    """The thing with that id or name. Raises NotFound with the names that there are."""
    for thing in things:
        if wanted.casefold() in (thing["id"], thing["name"].casefold()):
            return thing
    names = ", ".join(thing["name"] for thing in things) or "none"
    raise NotFound(what, f"{wanted!r}; there are: {names}")
