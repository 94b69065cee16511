"""Tells who sends a request."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from aiohttp import web

from antiphon.errors import NotAllowed, NotAuthenticated
from antiphon.plugins.routes import Route
from antiphon.store import Memo
from antiphon.tenancy.identity import Identity, identify
from antiphon.tenancy.models import ApiToken, Client, RefreshToken, User
from antiphon.tenancy.tokens import Tokens
from antiphon.types import Principal, Role, Via

# Who calls what is open to anyone: reaches nothing.
ANYONE = Principal(role=Role.FLOOR_USER)


def _memo() -> Memo[Identity]:
    return Memo(User, Client, RefreshToken, ApiToken)


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Turns tokens into principals, and keeps out whoever may not call; see `identify`.

    Who a token belongs to is remembered until this process changes anything about people, their
    sessions or their clients. What another process changes counts after `store.ELSEWHERE_S`.
    """

    tokens: Tokens
    _known: Memo[Identity] = field(default_factory=_memo)

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
        identity = await self._remembered(token, Via.REST)
        role = identity.principal.role
        if role not in route.roles:
            raise NotAllowed(role, route.summary[:1].lower() + route.summary[1:])
        identity.require(route.needs)
        return identity.principal

    async def identity(self, token: str | None, via: Via = Via.REST) -> Identity:
        """Whose `token` is, and what it is good for. Raises NotAuthenticated.

        The user is read anew, so that whoever asks may change it.
        """
        if not token:
            raise NotAuthenticated
        return await identify(self.tokens, token, via)

    async def principal(self, token: str, via: Via = Via.REST) -> tuple[Principal, int]:
        """Who `token` belongs to, and until when (Unix time). Raises NotAuthenticated."""
        identity = await self._remembered(token, via)
        return identity.principal, identity.expires_at

    def stamp(self) -> object:
        """What is another one as soon as this process changes people, sessions or clients."""
        return self._known.stamp()

    async def _remembered(self, token: str | None, via: Via) -> Identity:
        if not token:
            raise NotAuthenticated
        identity = await self._known.get((token, via), lambda: identify(self.tokens, token, via))
        if identity.expires_at <= time.time():
            raise NotAuthenticated
        return identity


def bearer(request: web.Request) -> str | None:
    """The token in the header, if there is one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def takes_token_in_query(route: Route) -> bool:
    """Whether an `<audio>` or `<img>` element, which can send no header, may fetch it."""
    return route.method == "GET" and any(
        kind.startswith(("audio/", "image/")) for kind in route.produces
    )
