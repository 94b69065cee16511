"""Clients and users: making them, and telling who logs in."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import available_timezones

from antiphon.errors import Conflict, Invalid, NotAuthenticated
from antiphon.tenancy.models import Client, User
from antiphon.tenancy.passwords import check_password, generate_password, hash_password
from antiphon.types import Principal, Role, Via

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_OF_TENANT = frozenset({Role.CLIENT, Role.FLOOR_USER})


def normal_email(email: str) -> str:
    """The form in which an address is stored and compared. Raises Invalid on `email`."""
    normal = email.strip().casefold()
    if len(normal) > 254 or not normal.isprintable() or not _EMAIL.fullmatch(normal):
        raise Invalid.field("email", f"{email[:80]!r} is not an e-mail address")
    return normal


async def create_client(name: str, *, timezone: str = "UTC", email: str = "") -> Client:
    """Add a tenant. Raises Invalid on `name` or `timezone`."""
    name = name.strip()
    if not 1 <= len(name) <= 200:
        raise Invalid.field("name", "use 1 to 200 characters")
    if timezone not in available_timezones():
        raise Invalid.field("timezone", f"{timezone!r} is not a time zone, such as Europe/Berlin")
    return await Client.create(name=name, timezone=timezone, email=email)


async def create_user(
    email: str,
    password: str,
    role: Role,
    *,
    client_id: UUID | None = None,
    floor_id: UUID | None = None,
    name: str = "",
) -> User:
    """Add a user. Whether the floor is the client's is for the caller to know.

    Raises Invalid where e-mail, password or the role's place in a building are wrong, Conflict
    where the e-mail is taken.
    """
    email = normal_email(email)
    if (client_id is not None) != (role in _OF_TENANT):
        raise Invalid.field("client_id", f"a user of role {role} {_needs(role in _OF_TENANT)}")
    if (floor_id is not None) != (role is Role.FLOOR_USER):
        raise Invalid.field("floor_id", f"a user of role {role} {_needs(role is Role.FLOOR_USER)}")
    hashed = await hash_password(password)
    if await User.exists(email=email):
        raise Conflict(f"There is a user {email} already.")
    return await User.create(
        email=email,
        password_hash=hashed,
        role=role,
        client_id=client_id,
        floor_id=floor_id,
        name=name.strip()[:200],
    )


def _needs(needed: bool) -> str:  # noqa: FBT001  one word of a sentence
    return "needs one" if needed else "has none"


async def ensure_admin(email: str, password: str = "") -> str | None:
    """Make the first admin unless there is one. Returns the password if it was generated."""
    if await User.exists(role=Role.ADMIN, deleted_at__isnull=True):
        return None
    generated = None if password else generate_password()
    await create_user(email, password or generated or "", Role.ADMIN, name="Administrator")
    return generated


async def authenticate(email: str, password: str) -> User:
    """Who logs in. Raises NotAuthenticated, after the same time and in the same words always."""
    user = await User.get_or_none(email=email.strip().casefold()).select_related("client")
    usable = user is not None and _active(user)
    if not await check_password(password, user.password_hash if user and usable else None):
        raise NotAuthenticated("E-mail or password is wrong.")
    assert user is not None  # noqa: S101  a password was checked against its hash
    user.last_seen = datetime.now(UTC)
    await user.save(update_fields=["last_seen", "updated_at"])
    return user


async def current_user(user_id: UUID) -> User:
    """The user of a token, as it is now. Raises NotAuthenticated for one who may no longer act."""
    user = await User.get_or_none(id=user_id).select_related("client")
    if user is None or not _active(user):
        raise NotAuthenticated
    return user


def principal_of(user: User, via: Via = Via.REST) -> Principal:
    """The principal that `user` is."""
    client = user.client
    return Principal(
        user_id=user.id,
        role=user.role,
        client_id=client.id if client is not None else None,
        floor_id=user.floor_id,
        via=via,
    )


def _active(user: User) -> bool:
    client = user.client
    if client is not None and (client.deleted_at is not None or not client.is_active):
        return False
    return user.is_active and user.deleted_at is None
