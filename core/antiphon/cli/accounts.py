"""Users, made and helped from the command line."""

from __future__ import annotations

from uuid import UUID

from rich.table import Table
from rich.text import Text

from antiphon.cli.console import finish, out
from antiphon.errors import Invalid, NotFound
from antiphon.settings import load
from antiphon.store import open_database
from antiphon.tenancy.models import Client, User
from antiphon.tenancy.passwords import generate_password
from antiphon.tenancy.people import set_password
from antiphon.tenancy.users import create_user, normal_email
from antiphon.types import Role


def add_user(email: str, role: str, *, name: str, client_id: UUID | None) -> None:
    """Add a user and print the password."""
    password = finish(_add(email, Role(role), name, client_id))
    out.print(f"{email} can log in with the password [bold]{password}[/]  (shown this once)")


async def _add(email: str, role: Role, name: str, client_id: UUID | None) -> str:
    password = generate_password()
    settings = load().settings
    async with open_database(settings.database.url.get_secret_value(), settings.data_dir):
        if role is Role.CLIENT and client_id is None:
            client_id = await _only_client()
        elif client_id is not None and not await Client.exists(id=client_id):
            raise NotFound("client", client_id)
        await create_user(email, password, role, client_id=client_id, name=name)
    return password


async def _only_client() -> UUID:
    clients = await Client.filter(deleted_at__isnull=True).order_by("created_at")
    if len(clients) != 1:
        known = "; ".join(f"{client.id} is {client.name}" for client in clients) or "none yet"
        raise Invalid.field("client", f"say which one with --client: {known}")
    return clients[0].id


def new_password(email: str) -> None:
    """Change a user's password and print it."""
    password = finish(_change(email))
    out.print(f"The new password of {email} is [bold]{password}[/]  (shown this once)")


async def _change(email: str) -> str:
    password = generate_password()
    settings = load().settings
    async with open_database(settings.database.url.get_secret_value(), settings.data_dir):
        user = await User.get_or_none(email=normal_email(email), deleted_at__isnull=True)
        if user is None:
            raise NotFound("user", email)
        await set_password(user, password)
    return password


def list_users() -> None:
    """Print a table of the users."""
    table = Table("E-mail", "Role", "Name", "Client", "Active", "Last seen (UTC)")
    for user in finish(_users()):
        client = user.client
        table.add_row(
            Text(user.email),
            user.role.value,
            Text(user.name),
            Text(client.name if client else ""),
            "yes" if user.is_active else "no",
            f"{user.last_seen:%Y-%m-%d %H:%M}" if user.last_seen else "never",
        )
    out.print(table)


async def _users() -> list[User]:
    settings = load().settings
    async with open_database(settings.database.url.get_secret_value(), settings.data_dir):
        rows = User.filter(deleted_at__isnull=True).order_by("role", "email")
        return await rows.select_related("client")
