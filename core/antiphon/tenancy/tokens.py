"""Signed statements: access tokens, which last for an hour or so, and links to a new password."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from antiphon.errors import Misconfigured, NotAuthenticated

_ALGORITHM = "HS256"
_KEY_BYTES = 32
_ACCESS = "access"
_PASSWORD = "password"  # noqa: S105  what a token is for, not a password


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a valid token says: who logged in, and until when (Unix time) it counts.

    `version` is the user's at that time. `session_id` is the family of the refresh token that it
    belongs to, if there is one. `acting_for` is the client whom a member of staff impersonates.
    """

    user_id: UUID
    expires_at: int
    version: int = 0
    session_id: UUID | None = None
    acting_for: UUID | None = None


class Tokens:
    """Issues and reads tokens with the server's secret key.

    One algorithm alone is accepted: a token that names another, or none, is refused.
    """

    def __init__(
        self, secret_key: bytes, lifetime_s: int, now: Callable[[], float] = time.time
    ) -> None:
        self._key = OctKey.import_key(secret_key)
        self._lifetime_s = lifetime_s
        self._now = now

    def issue(
        self,
        user_id: UUID,
        version: int = 0,
        *,
        session_id: UUID | None = None,
        acting_for: UUID | None = None,
    ) -> tuple[str, int]:
        """A new access token, and the seconds for which it is valid."""
        named = {"sid": session_id, "acting_for": acting_for}
        claims = {name: str(value) for name, value in named.items() if value is not None}
        token = self._sign(_ACCESS, user_id, version, self._lifetime_s, claims)
        return token, self._lifetime_s

    def read(self, token: str) -> AccessToken:
        """What `token` says. Raises NotAuthenticated unless it is ours, whole and not expired."""
        return self._read(_ACCESS, token)

    def issue_link(self, user_id: UUID, version: int, lifetime_s: int) -> str:
        """What opens the way to a new password; it ends with the user's version."""
        return self._sign(_PASSWORD, user_id, version, lifetime_s, {})

    def read_link(self, token: str) -> AccessToken:
        """What a token of `issue_link` says. Raises NotAuthenticated as `read` does."""
        return self._read(_PASSWORD, token)

    def _sign(
        self, use: str, user_id: UUID, version: int, lifetime_s: int, more: dict[str, str]
    ) -> str:
        issued = int(self._now())
        claims: dict[str, Any] = {
            "iss": "antiphon",
            "use": use,
            "sub": str(user_id),
            "ver": version,
            "iat": issued,
            "exp": issued + lifetime_s,
            **more,
        }
        return jwt.encode({"alg": _ALGORITHM}, claims, self._key)

    def _read(self, use: str, token: str) -> AccessToken:
        registry = jwt.JWTClaimsRegistry(
            now=lambda: int(self._now()),
            iss={"essential": True, "value": "antiphon"},
            use={"essential": True, "value": use},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            claims = jwt.decode(token, self._key, algorithms=[_ALGORITHM]).claims
            registry.validate(claims)
            return AccessToken(
                UUID(claims["sub"]),
                int(claims["exp"]),
                int(claims.get("ver", 0)),
                _uuid(claims.get("sid")),
                _uuid(claims.get("acting_for")),
            )
        except (JoseError, ValueError, TypeError):
            raise NotAuthenticated from None


def _uuid(value: str | None) -> UUID | None:
    return None if value is None else UUID(value)


def load_secret_key(path: Path) -> bytes:
    """The server's secret key in `path`, made on the first call; readable by the owner alone."""
    if not path.exists():
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_bytes(secrets.token_bytes(_KEY_BYTES))
        fresh.rename(path)
    key = path.read_bytes()
    if len(key) < _KEY_BYTES:
        raise Misconfigured([f"{path}: the secret key is damaged; delete it to make a new one"])
    return key
