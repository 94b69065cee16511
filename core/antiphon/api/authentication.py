"""Tells who sends a request."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from antiphon.errors import NotAllowed, NotAuthenticated
from antiphon.plugins.routes import Route
from antiphon.tenancy.tokens import Tokens
from antiphon.tenancy.users import current_user, principal_of
from antiphon.types import Principal, Role, Via

# Who calls what is open to anyone: reaches nothing.
ANYONE = Principal(role=Role.FLOOR_USER)


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Turns access tokens into principals. The user is looked up each time.

    So a change of role, or a user who was switched off, counts from the next request on.
    """

    tokens: Tokens

    async def check(self, route: Route, request: web.Request) -> Principal:
        """Who calls `route`. Raises NotAuthenticated, or NotAllowed by the route's roles."""
        if route.roles is None:
            return ANYONE
        token = bearer(request)
        if token is None and takes_token_in_query(route):
            token = request.query.get("token")
        if not token:
            raise NotAuthenticated
        principal, _ = await self.principal(token)
        if principal.role not in route.roles:
            raise NotAllowed(principal.role, route.summary[:1].lower() + route.summary[1:])
        return principal

    async def principal(self, token: str, via: Via = Via.REST) -> tuple[Principal, int]:
        """Who `token` belongs to, and until when (Unix time). Raises NotAuthenticated."""
        said = self.tokens.read(token)
        return principal_of(await current_user(said.user_id), via), said.expires_at


def bearer(request: web.Request) -> str | None:
    """The token in the header, if there is one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def takes_token_in_query(route: Route) -> bool:
    """Whether an `<audio>` or `<img>` element, which can send no header, may fetch it."""
    return route.method == "GET" and any(
        kind.startswith(("audio/", "image/")) for kind in route.produces
    )
