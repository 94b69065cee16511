"""Users, as those see and change them who may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from antiphon.api.accounts import AccountParts
from antiphon.api.authentication import bearer
from antiphon.errors import Conflict, NotAllowed
from antiphon.plugins.lists import Page
from antiphon.plugins.pictures import Pictured, Pictures, picture_routes
from antiphon.plugins.routes import Everyone, Managers, Request, Route, restore_route
from antiphon.tenancy.models import User
from antiphon.tenancy.people import (
    add_user,
    change_user,
    find_users,
    get_user,
    remove_user,
    restore_user,
    set_avatar,
)
from antiphon.tenancy.views import UserCreate, UserQuery, UserUpdate, UserView
from antiphon.types import Effect, Frozen


class PasswordLink(Frozen):
    """A link to the page where the user chooses a password. It counts once."""

    url: str
    expires_at: datetime


def user_routes(parts: AccountParts, pictures: Pictures) -> list[Route]:
    """The routes under `users`."""

    async def index(request: Request[None, UserQuery]) -> Page[UserView]:
        users, total = await request.query.fetch(find_users(request.principal, request.query))
        return Page[UserView](items=tuple(map(UserView.of, users)), total=total)

    async def create(request: Request[UserCreate, None]) -> UserView:
        return UserView.of(await add_user(request.principal, request.body))

    async def show(request: Request[None, None]) -> UserView:
        return UserView.of(await get_user(request.principal, request.path["user_id"]))

    async def update(request: Request[UserUpdate, None]) -> UserView:
        user_id = request.path["user_id"]
        return UserView.of(await change_user(request.principal, user_id, request.body))

    async def delete(request: Request[None, None]) -> None:
        await remove_user(request.principal, request.path["user_id"])

    async def restore(request: Request[None, None]) -> UserView:
        return UserView.of(await restore_user(request.principal, request.path["user_id"]))

    async def password_link(request: Request[None, None]) -> PasswordLink:
        user = await get_user(request.principal, request.path["user_id"])
        url = parts.password_link(user, parts.base_url(request.raw))
        lifetime = timedelta(seconds=parts.link_lifetime_s)
        return PasswordLink(url=url, expires_at=datetime.now(UTC) + lifetime)

    one: dict[str, Any] = {"path": "users/{user_id}", "tag": "users", "roles": Managers}
    every: dict[str, Any] = {"path": "users", "tag": "users", "roles": Managers}
    return [
        Route(method="GET", handler=index, summary="List users", query=UserQuery,
              description="Staff see no admins; a client sees its own users.",
              response=Page[UserView], **every),
        Route(method="POST", handler=create, summary="Add a user", body=UserCreate,
              response=UserView, status=201, errors=(Conflict, NotAllowed),
              example={"email": "anna@hotel.example", "role": "client", "name": "Anna"}, **every),
        Route(method="GET", handler=show, summary="See a user", response=UserView, **one),
        Route(method="PATCH", handler=update, summary="Change a user", body=UserUpdate,
              description="A new role or place, or switching the user off, ends its sessions.",
              response=UserView, errors=(Conflict, NotAllowed), example={"is_active": False},
              **one),
        Route(method="DELETE", handler=delete, summary="Delete a user", status=204,
              errors=(Conflict,), **one),
        restore_route("users/{user_id}", restore, what="a user", response=UserView,
                      errors=(NotAllowed,)),
        *_avatar_routes(parts, pictures),
        Route(method="POST", path="users/{user_id}/password-link", handler=password_link,
              summary="Make a link by which a user chooses a new password",
              description="It counts once. Hand it to the user yourself.", tag="users",
              roles=Managers, effect=Effect.ACCOUNT, response=PasswordLink),
    ]  # fmt: skip


def _avatar_routes(parts: AccountParts, pictures: Pictures) -> list[Route]:
    """The pictures of users: one's own, and those of the users whom one looks after."""

    async def theirs(request: Request[Any, Any]) -> User:
        return await get_user(request.principal, request.path["user_id"])

    async def mine(request: Request[Any, Any]) -> User:
        return (await parts.authenticator.identity(bearer(request.raw))).user

    async def keep(user: User, avatar: str | None) -> UserView:
        return UserView.of(await set_avatar(user, avatar))

    common: dict[str, Any] = {"column": "avatar", "view": UserView, "keep": keep}
    return [
        *picture_routes(pictures, Pictured(
            path="users/{user_id}/avatar", what="a user", tag="users", find=theirs,
            readers=Managers, **common)),
        *picture_routes(pictures, Pictured(
            path="auth/me/avatar", what="oneself", tag="auth", find=mine, writers=Everyone,
            effect=Effect.ACCOUNT, **common)),
    ]  # fmt: skip
