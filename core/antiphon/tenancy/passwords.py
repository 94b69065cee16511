"""Passwords: argon2id, away from the main loop, and as slow for users that do not exist."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from antiphon.errors import Invalid

P_ = ParamSpec("P_")
R_ = TypeVar("R_")

MIN_LENGTH = 10
MAX_LENGTH = 200

_hasher = PasswordHasher()
# Each hash takes 64 MiB by design: few at a time, so that a crowd at the door costs no more.
_threads = ThreadPoolExecutor(2, thread_name_prefix="passwords")


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
    return await _in_thread(_hasher.hash, password)


async def check_password(password: str, stored: str | None) -> bool:
    """Whether `password` belongs to the hash `stored`; None stands for a user who is not there."""
    matches = await _in_thread(_verify, password[: MAX_LENGTH + 1], stored)
    return matches and stored is not None


async def _in_thread(work: Callable[P_, R_], *arguments: P_.args, **options: P_.kwargs) -> R_:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, partial(work, *arguments, **options))


def _verify(password: str, stored: str | None) -> bool:
    nobody = _nobody()  # made at the first login of all, whoever that is
    try:
        return _hasher.verify(stored or nobody, password)
    except (VerificationError, InvalidHashError):
        return False
