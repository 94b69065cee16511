"""Passwords: argon2id, away from the main loop, and as slow for users that do not exist."""

from __future__ import annotations

import asyncio
import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from antiphon.errors import Invalid

MIN_LENGTH = 10
MAX_LENGTH = 200

_hasher = PasswordHasher()


@cache
def _nobody() -> str:
    """What a login for an unknown user is checked against, so that it takes just as long."""
    return _hasher.hash(secrets.token_urlsafe())


def generate_password() -> str:
    """A password that nobody can guess, made of signs that are easy to copy."""
    return secrets.token_urlsafe(15)


async def hash_password(password: str) -> str:
    """The hash to store. Raises Invalid on `password` where it is too short or too long."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise Invalid.field("password", f"use {MIN_LENGTH} to {MAX_LENGTH} characters")
    return await asyncio.to_thread(_hasher.hash, password)


async def check_password(password: str, stored: str | None) -> bool:
    """Whether `password` belongs to the hash `stored`; None stands for a user who is not there."""
    matches = await asyncio.to_thread(_verify, password[: MAX_LENGTH + 1], stored)
    return matches and stored is not None


def _verify(password: str, stored: str | None) -> bool:
    try:
        return _hasher.verify(stored or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False
