"""Users, as those see and change them who may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from antiphon.api.accounts import AccountParts
from antiphon.errors import Conflict, NotAllowed
from antiphon.plugins.lists import Page
from antiphon.plugins.routes import Managers, Request, Route
from antiphon.tenancy.people import add_user, change_user, find_users, get_user, remove_user
from antiphon.tenancy.views import UserCreate, UserQuery, UserUpdate, UserView
from antiphon.types import Effect, Frozen


class PasswordLink(Frozen):
    """A link to the page where the user chooses a password. It counts once."""

    url: str
    expires_at: datetime


def user_routes(parts: AccountParts) -> list[Route]:
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
        Route(method="POST", path="users/{user_id}/password-link", handler=password_link,
              summary="Make a link by which a user chooses a new password",
              description="It counts once. Hand it to the user yourself.", tag="users",
              roles=Managers, effect=Effect.ACCOUNT, response=PasswordLink),
    ]  # fmt: skip
