"""Access tokens: signed statements that a user logged in, which last for an hour or so."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from antiphon.errors import Misconfigured, NotAuthenticated

_ALGORITHM = "HS256"
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a valid token says: who logged in, and until when (Unix time) it counts."""

    user_id: UUID
    expires_at: int


class Tokens:
    """Issues and reads access tokens with the server's secret key.

    One algorithm alone is accepted: a token that names another, or none, is refused.
    """

    def __init__(
        self, secret_key: bytes, lifetime_s: int, now: Callable[[], float] = time.time
    ) -> None:
        self._key = OctKey.import_key(secret_key)
        self._lifetime_s = lifetime_s
        self._now = now
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(now()),
            iss={"essential": True, "value": "antiphon"},
            use={"essential": True, "value": "access"},
            sub={"essential": True},
            exp={"essential": True},
        )

    def issue(self, user_id: UUID) -> tuple[str, int]:
        """A new token, and the seconds for which it is valid."""
        issued = int(self._now())
        claims = {
            "iss": "antiphon",
            "use": "access",
            "sub": str(user_id),
            "iat": issued,
            "exp": issued + self._lifetime_s,
        }
        return jwt.encode({"alg": _ALGORITHM}, claims, self._key), self._lifetime_s

    def read(self, token: str) -> AccessToken:
        """What `token` says. Raises NotAuthenticated unless it is ours, whole and not expired."""
        try:
            claims = jwt.decode(token, self._key, algorithms=[_ALGORITHM]).claims
            self._claims.validate(claims)
            return AccessToken(UUID(claims["sub"]), int(claims["exp"]))
        except (JoseError, ValueError, TypeError):
            raise NotAuthenticated from None


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
