"""Passwords in the form that mosquitto 2 reads, in its files and in dynamic security."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import NamedTuple

_ROUNDS = 101
_SALT_BYTES = 12


class Parts(NamedTuple):
    """A hash taken apart; salt and key in base64."""

    rounds: int
    salt: str
    key: str


def hashed(password: str) -> str:
    """PBKDF2 with SHA-512 and mosquitto's few rounds: our passwords are long and random."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"$7${_ROUNDS}${_base64(salt)}${_base64(_key(password, salt, _ROUNDS))}"


def matches(password: str, kept: str) -> bool:
    """Whether `kept` is the hash of `password`."""
    rounds, salt, key = parts(kept)
    return hmac.compare_digest(
        _base64(_key(password, base64.b64decode(salt), rounds)).encode(), key.encode()
    )


def parts(kept: str) -> Parts:
    """What a hash consists of."""
    _, _, rounds, salt, key = kept.split("$")
    return Parts(int(rounds), salt, key)


def _key(password: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
