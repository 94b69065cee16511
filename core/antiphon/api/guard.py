"""Sees that a connection ends with the right to have it."""

from __future__ import annotations

import asyncio
import time
from typing import Self

from antiphon.api.authentication import Authenticator
from antiphon.errors import NotAuthenticated
from antiphon.types import Principal, Via

# This process knows at once when people or sessions change; of another one it has to ask.
LOOK_S = 1.0
ASK_S = 10.0


class Guard:
    """Who holds a connection, and whether that is still so."""

    def __init__(self, authenticator: Authenticator, token: str) -> None:
        self._authenticator = authenticator
        self._token = token
        self._expires_at = 0
        self._stamp: object = None
        self._ask_at = 0.0
        self.principal = Principal.system()

    @classmethod
    async def of(cls, authenticator: Authenticator, token: str) -> Self:
        """The guard of a connection that `token` opens. Raises NotAuthenticated."""
        guard = cls(authenticator, token)
        guard.principal = await guard._ask()
        return guard

    async def holds(self) -> bool:
        """Whether the token still counts, for the same person with the same reach."""
        if time.time() >= self._expires_at:
            return False
        is_as_before = self._authenticator.stamp() == self._stamp
        if is_as_before and time.monotonic() < self._ask_at:
            return True
        try:
            return await self._ask() == self.principal
        except NotAuthenticated:
            return False

    async def ended(self) -> None:
        """Returns when the right has ended."""
        while await self.holds():
            left_s = self._expires_at - time.time()
            await asyncio.sleep(max(0.0, min(LOOK_S, left_s)))

    async def _ask(self) -> Principal:
        self._stamp = self._authenticator.stamp()
        self._ask_at = time.monotonic() + ASK_S
        found, self._expires_at = await self._authenticator.principal(self._token, Via.WEBSOCKET)
        return found
