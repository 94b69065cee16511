"""Tells who sends a request."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from antiphon.errors import NotAllowed, NotAuthenticated
from antiphon.plugins.routes import Route
from antiphon.tenancy.identity import Identity, identify
from antiphon.tenancy.tokens import Tokens
from antiphon.types import Principal, Role, Via

# Who calls what is open to anyone: reaches nothing.
ANYONE = Principal(role=Role.FLOOR_USER)


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Turns tokens into principals, and keeps out whoever may not call; see `identify`."""

    tokens: Tokens

    async def check(self, route: Route, request: web.Request) -> Principal:
        """Who calls `route`.

        Raises NotAuthenticated, NotAllowed by the route's roles, and by what the route does
        ScopeMissing and SubscriptionInactive.
        """
        if route.roles is None:
            return ANYONE
        token = bearer(request)
        if token is None and takes_token_in_query(route):
            token = request.query.get("token")
        identity = await self.identity(token)
        role = identity.principal.role
        if role not in route.roles:
            raise NotAllowed(role, route.summary[:1].lower() + route.summary[1:])
        identity.require(route.needs)
        return identity.principal

    async def identity(self, token: str | None, via: Via = Via.REST) -> Identity:
        """Whose `token` is, and what it is good for. Raises NotAuthenticated."""
        if not token:
            raise NotAuthenticated
        return await identify(self.tokens, token, via)

    async def principal(self, token: str, via: Via = Via.REST) -> tuple[Principal, int]:
        """Who `token` belongs to, and until when (Unix time). Raises NotAuthenticated."""
        identity = await self.identity(token, via)
        return identity.principal, identity.expires_at


def bearer(request: web.Request) -> str | None:
    """The token in the header, if there is one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def takes_token_in_query(route: Route) -> bool:
    """Whether an `<audio>` or `<img>` element, which can send no header, may fetch it."""
    return route.method == "GET" and any(
        kind.startswith(("audio/", "image/")) for kind in route.produces
    )
