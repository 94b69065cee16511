"""Every command of the core, with its options; what it does stands in the module that it calls."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

app = typer.Typer(
    name="antiphon",
    help="Music and announcements in every zone of a building.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
users = typer.Typer(help="People who can log in.", no_args_is_help=True)
app.add_typer(users, name="user")
devices = typer.Typer(help="Loudspeakers that join.", no_args_is_help=True)
app.add_typer(devices, name="device")
integrators = typer.Typer(help="Accounts at the MQTT broker.", no_args_is_help=True)
app.add_typer(integrators, name="integrator")


class UserRole(StrEnum):
    """Roles that `user add` can give; a floor's users are made over the API."""

    ADMIN = "admin"
    STAFF = "staff"
    CLIENT = "client"


def known(group: typer.Typer) -> Iterator[str]:
    """The names of the commands and groups of commands in `group`."""
    yield from (command.name for command in group.registered_commands if command.name)
    yield from (inner.name for inner in group.registered_groups if inner.name)


def _version(wanted: bool) -> None:  # noqa: FBT001  typer hands over a flag
    if wanted:
        from antiphon import __version__

        typer.echo(f"antiphon {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Music and announcements in every zone of a building."""


@app.command("run")
def run(
    *,
    demo: Annotated[
        bool, typer.Option("--demo", help="Fill an empty server with three zones that play.")
    ] = False,
) -> None:
    """Start the server; Ctrl-C or SIGTERM ends it."""
    gc.disable()  # a start makes nothing but what stays; `serve` turns it on again
    from antiphon.cli.serve import serve

    serve(demo=demo)


@app.command("init")
def init() -> None:
    """Make the data directory, the database, and the first client and admin."""
    from antiphon.cli.serve import init as initialise

    initialise()


@app.command("backup")
def backup(
    folder: Annotated[Path, typer.Argument(help="Where to; it must not exist yet.")],
) -> None:
    """Copy the data directory, also while the server runs."""
    from antiphon.cli.backup import back_up

    back_up(folder)


@app.command("doctor")
def doctor() -> None:
    """Say what is there, what is missing, and how to get it."""
    from antiphon.cli.doctor import examine

    raise typer.Exit(examine())


@app.command("plugins")
def plugins() -> None:
    """List the plugins and say what became of each."""
    from antiphon.cli.extensions import print_plugins

    print_plugins()


@app.command("zones")
def zones() -> None:
    """List the zones of the running server and what they play."""
    from antiphon.cli.remote import print_zones

    print_zones()


@app.command("say")
def say(
    zone: Annotated[str, typer.Argument(help="A zone's name or id, or `all`.")],
    text: Annotated[str, typer.Argument(help="What to say.")],
    voice: Annotated[str | None, typer.Option(help="Another voice than the first.")] = None,
    chime: Annotated[
        bool | None, typer.Option("--chime/--no-chime", help="Whether a chime comes first.")
    ] = None,
) -> None:
    """Speak a text in a zone of the running server, over its music."""
    from antiphon.cli.remote import speak

    speak(zone, text, voice, chime=chime)


@users.command("add")
def user_add(
    email: Annotated[str, typer.Argument(help="What the user logs in with.")],
    role: Annotated[UserRole, typer.Option(help="What the user may do.")] = UserRole.CLIENT,
    name: Annotated[str, typer.Option(help="The user's name.")] = "",
    client: Annotated[
        UUID | None, typer.Option(help="The client of a `client` user, where there are several.")
    ] = None,
) -> None:
    """Add a user with a generated password, which is printed once."""
    from antiphon.cli.accounts import add_user

    add_user(email, role.value, name=name, client_id=client)


@users.command("list")
def user_list() -> None:
    """List the people who can log in."""
    from antiphon.cli.accounts import list_users

    list_users()


@users.command("password")
def user_password(
    email: Annotated[str, typer.Argument(help="Whose password was lost.")],
) -> None:
    """Give a user a new generated password, which is printed once."""
    from antiphon.cli.accounts import new_password

    new_password(email)


@devices.command("pending")
def device_pending() -> None:
    """List the loudspeakers that ask to join."""
    from antiphon.cli.devices import print_pending

    print_pending()


@devices.command("confirm")
def device_confirm(
    code: Annotated[str, typer.Argument(help="The six digits that it shows or speaks.")],
    zone: Annotated[str | None, typer.Option(help="Where it stands: a zone's name or id.")] = None,
    name: Annotated[str | None, typer.Option(help="What to call it.")] = None,
) -> None:
    """Let a loudspeaker join."""
    from antiphon.cli.devices import confirm

    confirm(code, zone, name)


@devices.command("reject")
def device_reject(
    pending: Annotated[str, typer.Argument(help="Its id, as `device pending` lists it.")],
) -> None:
    """Do not hear a loudspeaker's request for an hour."""
    from antiphon.cli.devices import reject

    reject(pending)


@devices.command("revoke")
def device_revoke(
    device: Annotated[str, typer.Argument(help="A loudspeaker's name or id.")],
) -> None:
    """Cut a loudspeaker off: its account is taken away, and it leaves its zone."""
    from antiphon.cli.devices import revoke

    revoke(device)


@integrators.command("add")
def integrator_add(
    name: Annotated[str, typer.Argument(help="What uses it, such as `Home Assistant`.")],
    client: Annotated[
        UUID | None, typer.Option(help="What it sees, where there are several clients.")
    ] = None,
) -> None:
    """Make an account that sees one client; its password is printed once."""
    from antiphon.cli.devices import add_integrator

    add_integrator(name, client)


@integrators.command("list")
def integrator_list() -> None:
    """List the accounts of programs at the MQTT broker."""
    from antiphon.cli.devices import list_integrators

    list_integrators()


@integrators.command("revoke")
def integrator_revoke(
    username: Annotated[str, typer.Argument(help="The account's user name.")],
) -> None:
    """Take an account away; whoever is logged in with it is cut off."""
    from antiphon.cli.devices import revoke_integrator

    revoke_integrator(username)


@app.command("openapi")
def openapi() -> None:
    """Print the API's OpenAPI document as JSON."""
    from antiphon.cli.extensions import print_openapi

    print_openapi()
