"""Clients and users as such: making them, what may be said of them, and who logs in."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import available_timezones

from antiphon.errors import Conflict, FieldError, Invalid, NotAuthenticated
from antiphon.store import IntegrityError
from antiphon.tenancy.models import Client, User
from antiphon.tenancy.passwords import check_password, generate_password, hash_password
from antiphon.types import Principal, Role, Via

_MAX_EMAIL = 254
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_OF_TENANT = frozenset({Role.CLIENT, Role.FLOOR_USER})


def normal_email(email: str) -> str:
    """The form in which an address is stored and compared. Raises Invalid on `email`."""
    normal = email.strip().casefold()
    if len(normal) > _MAX_EMAIL or not normal.isprintable() or not _EMAIL.fullmatch(normal):
        raise Invalid.field("email", f"{email[:80]!r} is not an e-mail address")
    return normal


def freed_email(user: User) -> str:
    """What stands in the place of a deleted user's address, which others may take."""
    return f"{user.id.hex}:{user.email}"[:_MAX_EMAIL]


def email_of(user: User) -> str:
    """The address of a user, also of a deleted one. Of a very long one, the end is lost then."""
    mark = f"{user.id.hex}:"
    return user.email.removeprefix(mark) if user.deleted_at is not None else user.email


def is_cut(user: User) -> bool:
    """Whether the end of a deleted user's address was lost."""
    return user.deleted_at is not None and len(user.email) >= _MAX_EMAIL


async def create_client(name: str, *, timezone: str = "UTC", email: str = "") -> Client:
    """Add a tenant. Raises Invalid on `name` or `timezone`."""
    name = name.strip()
    if not 1 <= len(name) <= 200:
        raise Invalid.field("name", "use 1 to 200 characters")
    try:
        known_timezone(timezone)
    except ValueError as error:
        raise Invalid.field("timezone", str(error)) from None
    return await Client.create(name=name, timezone=timezone, email=email)


def known_timezone(name: str) -> str:
    """`name`, if it is a time zone. Raises ValueError."""
    if name not in available_timezones():
        raise ValueError(f"{name[:80]!r} is not a time zone, such as Europe/Berlin")
    return name


async def create_user(
    email: str,
    password: str,
    role: Role,
    *,
    client_id: UUID | None = None,
    floor_id: UUID | None = None,
    name: str = "",
) -> User:
    """Add a user. Whether whoever asks may do so is for the caller to know.

    Raises Invalid where e-mail, password or the role's place in a building are wrong, Conflict
    where the e-mail is taken.
    """
    user = await new_user(email, password, role, client_id=client_id, floor_id=floor_id, name=name)
    return await save_user(user, create=True)


async def new_user(
    email: str,
    password: str,
    role: Role,
    *,
    client_id: UUID | None = None,
    floor_id: UUID | None = None,
    name: str = "",
) -> User:
    """What `create_user` writes, checked but not written yet: hashing takes its time."""
    email = normal_email(email)
    await check_place(role, client_id, floor_id)
    hashed = await hash_password(password)
    await check_email_is_free(email)
    return User(
        email=email,
        password_hash=hashed,
        role=role,
        client_id=client_id,
        floor_id=floor_id,
        name=name.strip()[:200],
    )


async def check_place(role: Role, client_id: UUID | None, floor_id: UUID | None) -> None:
    """Raise Invalid unless a user of `role` has the client and the floor that it needs."""
    wrong = []
    if (client_id is not None) != is_of_tenant(role):
        wrong.append(FieldError("client_id", f"a user of role {role} {_needs(is_of_tenant(role))}"))
    on_floor = role is Role.FLOOR_USER
    if (floor_id is not None) != on_floor:
        wrong.append(FieldError("floor_id", f"a user of role {role} {_needs(on_floor)}"))
    elif floor_id is not None and not await _has_floor(client_id, floor_id):
        wrong.append(FieldError("floor_id", f"there is no floor {floor_id}"))
    if wrong:
        raise Invalid(wrong)


def is_of_tenant(role: Role) -> bool:
    """Whether users of `role` belong to a client."""
    return role in _OF_TENANT


async def check_email_is_free(email: str, but: UUID | None = None) -> None:
    """Raise Conflict where another user than `but` logs in with `email`."""
    if await User.filter(email=email).exclude(id=but).exists():
        raise Conflict(f"There is a user {email} already.")


async def save_user(user: User, *, create: bool = False) -> User:
    """Write a user. Raises Conflict where somebody else was quicker to take the e-mail."""
    try:
        await user.save(force_create=create)
    except IntegrityError as error:
        raise Conflict(f"There is a user {user.email} already.") from error
    return user


async def _has_floor(client_id: UUID | None, floor_id: UUID) -> bool:
    # Floors are a layer above; the way there is the relation that they have with their client.
    return await Client.exists(id=client_id, floors__id=floor_id, floors__deleted_at__isnull=True)


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
