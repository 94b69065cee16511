"""Log in, and see who one is."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from antiphon.api.limits import LoginLimiter
from antiphon.errors import NotAuthenticated, TooManyRequests
from antiphon.plugins.routes import Request, Route
from antiphon.plugins.zones import ApiModel
from antiphon.tenancy.models import User
from antiphon.tenancy.tokens import Tokens
from antiphon.tenancy.users import authenticate, current_user
from antiphon.types import Frozen, Role


class Login(ApiModel):
    """Who logs in."""

    email: str = Field(min_length=1, max_length=254)
    password: str = Field(min_length=1, max_length=1_000)


class UserView(Frozen):
    """A user. `client_id` is null for admin and staff; `floor_id` is for floor users alone."""

    id: UUID
    email: str
    name: str
    role: Role
    client_id: UUID | None
    floor_id: UUID | None
    last_seen: datetime | None


class LoggedIn(Frozen):
    """An access token; send it as `Authorization: Bearer …` until it expires."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  the name of a scheme
    expires_in: int = Field(description="Seconds for which the token is valid.")
    user: UserView


def auth_routes(tokens: Tokens, limiter: LoginLimiter) -> list[Route]:
    """The routes under `auth/`."""

    async def login(request: Request[Login, None]) -> LoggedIn:
        address = request.raw.remote or ""
        limiter.attempt(request.body.email, address)
        user = await authenticate(request.body.email, request.body.password)
        limiter.succeeded(request.body.email, address)
        token, lifetime_s = tokens.issue(user.id)
        return LoggedIn(access_token=token, expires_in=lifetime_s, user=_view(user))

    async def me(request: Request[None, None]) -> UserView:
        if request.principal.user_id is None:
            raise NotAuthenticated
        return _view(await current_user(request.principal.user_id))

    return [
        Route(
            method="POST",
            path="auth/login",
            handler=login,
            summary="Log in",
            description="Attempts are limited per account and per address.",
            tag="auth",
            roles=None,
            body=Login,
            response=LoggedIn,
            errors=(NotAuthenticated, TooManyRequests),
            max_body_bytes=10_000,
            example={"email": "admin@antiphon.local", "password": "the password"},
        ),
        Route(
            method="GET",
            path="auth/me",
            handler=me,
            summary="See who one is",
            tag="auth",
            response=UserView,
        ),
    ]


def _view(user: User) -> UserView:
    return UserView(
        id=user.id,
        email=user.email,
        name=user.name,
        role=user.role,
        client_id=user.client.id if user.client is not None else None,
        floor_id=user.floor_id,
        last_seen=user.last_seen,
    )
