"""What brings the accounts to a broker."""

from __future__ import annotations

from abc import ABC, abstractmethod

from antiphon_devices.accounts.book import Account


class Keeper(ABC):
    """Makes a broker know the accounts. The methods run on the main loop, one at a time.

    They raise Unavailable where the broker does not answer: it is brought up to date by `sync`
    when it is back.
    """

    @abstractmethod
    async def put(self, account: Account, password: str) -> None:
        """Let this account log in from now on; one of that name before it is cut off."""

    @abstractmethod
    async def remove(self, username: str) -> None:
        """Let nobody log in by that name any more, and cut off who has."""

    @abstractmethod
    async def sync(self) -> None:
        """Bring the broker up to date with the book; called whenever it has become reachable."""
