"""Changes users and their passwords. Everybody who does, does it here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from antiphon.errors import Conflict, Invalid, NotFound
from antiphon.tenancy.models import User
from antiphon.tenancy.passwords import check_password, generate_password, hash_password
from antiphon.tenancy.scope import check_grant, scoped, writable_client
from antiphon.tenancy.sessions import end_all_sessions
from antiphon.tenancy.users import (
    check_email_is_free,
    check_place,
    create_user,
    is_of_tenant,
    normal_email,
    save_user,
)
from antiphon.tenancy.views import ProfileUpdate, UserCreate, UserQuery, UserUpdate
from antiphon.types import Principal, Role

# What takes a user's reach away, or changes it: whoever is logged in has to log in again.
_REACH = ("role", "client_id", "floor_id", "is_active")


def find_users(principal: Principal, query: UserQuery) -> QuerySet[User]:
    """The users that `query` asks for, of those that `principal` sees, by e-mail."""
    rows = scoped(User, principal).order_by("email", "id")
    wanted = query.model_dump(include={"client_id", "role", "is_active"}, exclude_none=True)
    rows = rows.filter(**wanted)
    if query.search:
        rows = rows.filter(Q(name__icontains=query.search) | Q(email__icontains=query.search))
    return rows


async def get_user(principal: Principal, user_id: UUID) -> User:
    """One user. Raises NotFound where `principal` does not reach so far."""
    if (found := await scoped(User, principal).get_or_none(id=user_id)) is None:
        raise NotFound("user", user_id)
    return found


async def add_user(principal: Principal, new: UserCreate) -> User:
    """Add a user. Raises NotAllowed, Invalid, or Conflict where the e-mail is taken."""
    check_grant(principal, new.role)
    client_id = new.client_id
    if is_of_tenant(new.role) or principal.client_id is not None:
        client_id = await writable_client(principal, client_id)
    user = await create_user(
        new.email,
        new.password or generate_password(),
        new.role,
        client_id=client_id,
        floor_id=new.floor_id,
        name=new.name,
    )
    if new.phone or new.timezone:
        user.phone, user.timezone = new.phone, new.timezone
        await save_user(user)
    return user


async def change_user(principal: Principal, user_id: UUID, change: UserUpdate) -> User:
    """Change a user; where its reach changes, its sessions end.

    Raises NotFound, NotAllowed, Invalid, and Conflict where the e-mail is taken or somebody
    changes his own reach: so there is always an admin.
    """
    user = await get_user(principal, user_id)
    changes = change.model_dump(exclude_unset=True)
    old = _reach(user)
    if "email" in changes:
        changes["email"] = normal_email(changes["email"])
        await check_email_is_free(changes["email"], but=user.id)
    if "role" in changes and changes["role"] is not user.role:
        check_grant(principal, changes["role"])
    if changes.get("client_id") is not None:
        await writable_client(principal, changes["client_id"])
    user.update_from_dict(changes)
    if _reach(user) != old:
        _not_oneself(principal, user, "change your own role, place or activity")
        await check_place(user.role, user.client_id, user.floor_id)
    await save_user(user)
    if _reach(user) != old:
        await end_all_sessions(user)
    return user


async def remove_user(principal: Principal, user_id: UUID) -> None:
    """Delete a user, whose e-mail is free again; the row is kept. Raises NotFound, Conflict."""
    user = await get_user(principal, user_id)
    _not_oneself(principal, user, "delete yourself")
    user.deleted_at = datetime.now(UTC)
    user.email = f"{user.id.hex}:{user.email}"[:254]
    await save_user(user)
    await end_all_sessions(user)


async def change_profile(user: User, change: ProfileUpdate) -> User:
    """What people may change of themselves."""
    return await save_user(user.update_from_dict(change.model_dump(exclude_unset=True)))


async def set_password(user: User, password: str) -> None:
    """Give `user` a new password and end all its sessions. Raises Invalid on `password`."""
    hashed = await hash_password(password)
    user.password_hash = hashed
    await user.save(update_fields=["password_hash", "updated_at"])
    await end_all_sessions(user)


async def change_password(user: User, current: str, new: str) -> None:
    """The same, for those who know the password that they have. Raises Invalid."""
    if not await check_password(current, user.password_hash):
        raise Invalid.field("current_password", "this is not the password")
    await set_password(user, new)


def _reach(user: User) -> tuple[Any, ...]:
    return tuple(getattr(user, name) for name in _REACH)


def _not_oneself(principal: Principal, user: User, action: str) -> None:
    if principal.user_id == user.id:
        raise Conflict(f"You can not {action}; another {Role(user.role)} may do that.")
