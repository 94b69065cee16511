"""Slows down whoever guesses passwords."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable

from antiphon.errors import TooManyRequests

WINDOW_S = 300
PER_ACCOUNT = 8
PER_ADDRESS = 40
_MAX_KEYS = 20_000


class LoginLimiter:
    """Counts attempts to log in, per account from one address and per address.

    One account is never locked for everybody: that would let a stranger shut its owner out. An
    attempt counts before its password is checked, so that many at once do not slip through, and
    a success clears the account's count and is not held against the address.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        *,
        what: str = "attempts to log in",
        per_account: int | None = None,
    ) -> None:
        self._now = now
        self._what = what
        self._per_account = per_account
        self._attempts: OrderedDict[str, deque[float]] = OrderedDict()

    def attempt(self, email: str, address: str) -> None:
        """Count an attempt. Raises TooManyRequests, with the seconds to wait."""
        keys = (
            (_account(email, address), self._per_account or PER_ACCOUNT),
            (address, PER_ADDRESS),
        )
        for key, limit in keys:
            made = self._recent(key)
            if len(made) >= limit:
                wait_s = int(made[0] + WINDOW_S - self._now()) + 1
                raise TooManyRequests(self._what, wait_s)
        for key, _ in keys:
            self._attempts.setdefault(key, deque()).append(self._now())
            self._attempts.move_to_end(key)
        while len(self._attempts) > _MAX_KEYS:
            self._attempts.popitem(last=False)

    def succeeded(self, email: str, address: str) -> None:
        """The password was right: the account's count starts anew."""
        self._attempts.pop(_account(email, address), None)
        if made := self._attempts.get(address):
            made.pop()

    def _recent(self, key: str) -> deque[float]:
        made = self._attempts.get(key, deque())
        while made and made[0] <= self._now() - WINDOW_S:
            made.popleft()
        return made


def _account(email: str, address: str) -> str:
    return f"{address} {email.strip().casefold()[:254]}"
