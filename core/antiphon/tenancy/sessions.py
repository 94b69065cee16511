"""Sessions: what a log-in gives, how it is prolonged, and how it ends."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

from tortoise.expressions import F

from antiphon.errors import NotAuthenticated
from antiphon.store import in_transaction
from antiphon.tenancy.models import RefreshToken, User
from antiphon.tenancy.tokens import Tokens
from antiphon.tenancy.users import current_user


def _now() -> datetime:
    return datetime.now(UTC)


def secret_hash(secret: str) -> str:
    """How a long random secret is kept: no slow hash is needed for what nobody can guess."""
    return sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Granted:
    """What a log-in gives: both tokens, with the seconds for which each is valid."""

    access_token: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


class Sessions:
    """Begins, prolongs and ends sessions."""

    def __init__(
        self, tokens: Tokens, lifetime: timedelta, now: Callable[[], datetime] = _now
    ) -> None:
        self._tokens = tokens
        self._lifetime = lifetime
        self._now = now

    async def begin(self, user: User) -> Granted:
        """A new session of `user`. What expired long ago is forgotten on the way."""
        await RefreshToken.filter(expires_at__lt=self._now()).delete()
        return await self._grant(user, uuid4())

    async def prolong(self, refresh_token: str) -> tuple[User, Granted]:
        """The next tokens of a session, in exchange for its last refresh token.

        Raises NotAuthenticated. A refresh token that comes a second time was stolen, now or the
        first time: its session ends for both.
        """
        row = await RefreshToken.get_or_none(token_hash=secret_hash(refresh_token))
        if row is None or row.revoked_at is not None or row.expires_at <= self._now():
            raise _OVER
        user = await current_user(row.user_id)
        async with in_transaction():
            unused = RefreshToken.filter(id=row.id, used_at__isnull=True, revoked_at__isnull=True)
            if await unused.update(used_at=self._now()):
                return user, await self._grant(user, row.family)
        await self.end(row.family)
        raise _OVER

    async def end(self, session_id: UUID) -> None:
        """End one session; its access tokens no longer count either."""
        rows = RefreshToken.filter(family=session_id, revoked_at__isnull=True)
        await rows.update(revoked_at=self._now())

    async def _grant(self, user: User, family: UUID) -> Granted:
        secret = secrets.token_urlsafe(32)
        await RefreshToken.create(
            user_id=user.id,
            family=family,
            token_hash=secret_hash(secret),
            expires_at=self._now() + self._lifetime,
        )
        access, expires_in = self._tokens.issue(user.id, user.token_version, session_id=family)
        return Granted(access, expires_in, secret, int(self._lifetime.total_seconds()))


_OVER = NotAuthenticated("This session is over. Log in again.")


async def end_all_sessions(user: User) -> None:
    """Whatever `user` logged in with so far no longer counts; API tokens stay."""
    await User.filter(id=user.id).update(token_version=F("token_version") + 1)
    await RefreshToken.filter(user_id=user.id, revoked_at__isnull=True).update(revoked_at=_now())
    await user.refresh_from_db(fields=["token_version"])


async def session_is_alive(session_id: UUID) -> bool:
    """Whether a session was not ended."""
    return await RefreshToken.exists(
        family=session_id, used_at__isnull=True, revoked_at__isnull=True
    )
