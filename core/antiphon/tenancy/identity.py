"""Tells whose a token is, and what may be done with it: the one gate of every operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from antiphon.errors import NotAuthenticated, ScopeMissing
from antiphon.tenancy.models import ApiToken, Client, User
from antiphon.tenancy.scope import sees_every_tenant
from antiphon.tenancy.sessions import secret_hash, session_is_alive
from antiphon.tenancy.subscriptions import require_active
from antiphon.tenancy.tokens import Tokens
from antiphon.tenancy.users import current_user, principal_of
from antiphon.types import Effect, Principal, Role, Via

API_TOKEN_PREFIX = "antiphon_"  # noqa: S105  how tokens begin, so that people know one when they see it
_NEVER = 1 << 40
_USE_IS_NOTED_EVERY = timedelta(minutes=1)
_SCOPES = (Effect.READ, Effect.CONTROL, Effect.MANAGE)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls, until when (Unix time) that counts, and what the token may be used for.

    `client` is the one that the principal belongs to or acts for.
    """

    principal: Principal
    user: User
    client: Client | None
    expires_at: int
    session_id: UUID | None = None
    allowed: frozenset[Effect] = frozenset(Effect)

    def require(self, effect: Effect) -> None:
        """Raise ScopeMissing or SubscriptionInactive where this may not be done now."""
        if effect not in self.allowed:
            may = ", ".join(scope for scope in _SCOPES if scope in self.allowed)
            raise ScopeMissing(f"This token may be used to {may}, not for {_NAMES[effect]}.")
        if effect in (Effect.CONTROL, Effect.MANAGE) and self.client is not None:
            require_active(self.client)


_NAMES = {
    Effect.READ: "reading",
    Effect.CONTROL: "playing",
    Effect.MANAGE: "changing things",
    Effect.ACCOUNT: "the account of a person: log in for that",
}


async def identify(tokens: Tokens, token: str, via: Via = Via.REST) -> Identity:
    """Whose `token` is. Raises NotAuthenticated.

    The user is looked up each time, so a new role, a new password, or a user who was switched off
    counts from the next request on.
    """
    if token.startswith(API_TOKEN_PREFIX):
        return await _of_api_token(token, via)
    said = tokens.read(token)
    user = await current_user(said.user_id)
    if said.version != user.token_version:
        raise NotAuthenticated
    if said.session_id is not None and not await session_is_alive(said.session_id):
        raise NotAuthenticated
    identity = Identity(
        principal_of(user, via), user, user.client, said.expires_at, said.session_id
    )
    if said.acting_for is not None:
        return await _acting(identity, said.acting_for)
    return identity


def effects_of(scopes: Sequence[str]) -> frozenset[Effect]:
    """What a token with these scopes may be used for: each includes those before it."""
    widest = max((_SCOPES.index(Effect(scope)) for scope in scopes), default=-1)
    return frozenset(_SCOPES[: widest + 1])


async def _of_api_token(token: str, via: Via) -> Identity:
    row = await ApiToken.get_or_none(token_hash=secret_hash(token))
    now = datetime.now(UTC)
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        raise NotAuthenticated
    user = await current_user(row.user_id)
    if row.last_used_at is None or now - row.last_used_at >= _USE_IS_NOTED_EVERY:
        await ApiToken.filter(id=row.id).update(last_used_at=now)
    until = _NEVER if row.expires_at is None else int(row.expires_at.timestamp())
    allowed = effects_of(row.scopes)
    return Identity(principal_of(user, via), user, user.client, until, None, allowed)


async def _acting(identity: Identity, client_id: UUID) -> Identity:
    """The same person, who acts as a client and reaches no further than that client does."""
    client = await Client.get_or_none(id=client_id, deleted_at__isnull=True)
    if client is None or not sees_every_tenant(identity.principal):
        raise NotAuthenticated
    principal = identity.principal.model_copy(
        update={
            "role": Role.CLIENT,
            "client_id": client_id,
            "impersonator_id": identity.user.id,
        }
    )
    allowed = identity.allowed - {Effect.ACCOUNT}
    return replace(identity, principal=principal, client=client, allowed=allowed)
