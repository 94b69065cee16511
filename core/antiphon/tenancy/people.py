"""Changes users and their passwords. Everybody who does, does it here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from antiphon.errors import Conflict, Invalid, NotFound, RestoreRefused
from antiphon.plugins.lists import ordered
from antiphon.tenancy.models import Client, User
from antiphon.tenancy.passwords import check_password, generate_password, hash_password
from antiphon.tenancy.scope import check_grant, scoped, writable_client
from antiphon.tenancy.sessions import end_all_sessions
from antiphon.tenancy.trash import bring_back, deleted_row, put_away
from antiphon.tenancy.users import (
    check_email_is_free,
    check_place,
    create_user,
    email_of,
    freed_email,
    is_cut,
    is_of_tenant,
    normal_email,
    save_user,
)
from antiphon.tenancy.views import ProfileUpdate, UserCreate, UserQuery, UserUpdate
from antiphon.types import Principal, Role

# What takes a user's reach away, or changes it: whoever is logged in has to log in again.
_REACH = ("role", "client_id", "floor_id", "is_active")


def find_users(principal: Principal, query: UserQuery) -> QuerySet[User]:
    """The users that `query` asks for, of those that `principal` sees, in its order."""
    rows = ordered(scoped(User, principal, deleted=query.deleted), query.ordering)
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
    user.email = freed_email(user)
    await put_away(user, "email")
    await end_all_sessions(user)


async def restore_user(principal: Principal, user_id: UUID) -> User:
    """Bring a deleted user back, who logs in as before. Raises NotFound, NotAllowed.

    Raises RestoreRefused where the e-mail was taken, or the user's floor or client is gone.
    """
    user = await deleted_row(User, "user", principal, user_id)
    check_grant(principal, user.role)
    email, what = email_of(user), f"The user {email_of(user)}"
    if is_cut(user):
        raise RestoreRefused(what, "the end of the e-mail was lost; make a new user")
    if await User.exists(email=email):
        raise RestoreRefused(what, "another user has the e-mail by now")
    if await Client.exists(id=user.client_id, deleted_at__isnull=False):
        raise RestoreRefused(what, "the client was deleted; restore that first")
    try:
        await check_place(user.role, user.client_id, user.floor_id)
    except Invalid as error:
        raise RestoreRefused(what, "its floor was deleted; restore that first") from error
    user.email = email
    return await bring_back(user, what, "another user has the e-mail by now")


async def set_avatar(user: User, avatar: str | None) -> User:
    """Note where the picture of a user lies; None for a user without."""
    user.avatar = avatar
    await user.save(update_fields=["avatar", "updated_at"])
    return user


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
