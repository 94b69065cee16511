"""Accounts at the broker as people and loudspeakers get them."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Sequence
from uuid import UUID

from antiphon.errors import AntiphonError, Conflict, NotFound, Unavailable
from antiphon.types import Principal
from antiphon_devices.accounts.book import Account, Book
from antiphon_devices.accounts.keeper import Keeper
from antiphon_devices.accounts.models import AccountKind
from antiphon_devices.accounts.passwords import hashed, matches
from antiphon_devices.accounts.rights import INTEGRATOR_ACCOUNT, RESERVED


class Accounts:
    """Makes and revokes accounts. Without a keeper they are managed elsewhere, and not here.

    The book is written first: a broker that is away is brought up to date when it is back.
    """

    def __init__(self, book: Book, keeper: Keeper | None, log: logging.Logger) -> None:
        self._book = book
        self._keeper = keeper
        self._log = log
        self._lock = asyncio.Lock()

    @property
    def are_ours(self) -> bool:
        """Whether accounts are made here."""
        return self._keeper is not None

    async def sync(self) -> None:
        """The broker has become reachable: bring it up to date."""
        if self._keeper is None:
            return
        async with self._lock:
            try:
                await self._keeper.sync()
            except AntiphonError as error:
                self._log.error("MQTT: the accounts at the broker are not up to date: %s", error)

    # --- loudspeakers ------------------------------------------------------------------------

    async def knows(self, key: str, secret: str) -> bool | None:
        """Whether this is the secret of the loudspeaker; None where it has no account."""
        account = await self._book.named(key)
        if account is None or account.kind is not AccountKind.DEVICE:
            return None
        return matches(secret, account.password_hash)

    async def admit(self, key: str, secret: str) -> None:
        """Let the loudspeaker log in with this secret, and with no other any more."""
        async with self._lock:
            before = await self._book.named(key)
            if key in RESERVED or (before and before.kind is not AccountKind.DEVICE):
                raise Conflict(f"No loudspeaker can have the id {key}: an account is called so.")
            account = Account(AccountKind.DEVICE, key, hashed(secret))
            if before is not None and matches(secret, before.password_hash):
                account = before
            await self._put(account, secret)

    async def revoke(self, key: str) -> bool:
        """Cut a loudspeaker off; whether it had an account."""
        async with self._lock:
            account = await self._book.named(key)
            if account is None or account.kind is not AccountKind.DEVICE:
                return False
            await self._remove(key)
            return True

    # --- integrators -------------------------------------------------------------------------

    async def integrators(self, principal: Principal) -> Sequence[Account]:
        """Those that the principal sees."""
        return await self._book.integrators(principal)

    async def add_integrator(self, client_id: UUID, name: str) -> tuple[Account, str]:
        """Make an account that sees one client; returns it with the password."""
        self.check()
        password = secrets.token_urlsafe(18)
        readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or INTEGRATOR_ACCOUNT
        username = f"{readable}-{secrets.token_hex(4)}"
        async with self._lock:
            kept = hashed(password)
            account = Account(AccountKind.INTEGRATOR, username, kept, name, client_id)
            await self._put(account, password)
        return account, password

    async def remove_integrator(self, principal: Principal, account_id: UUID) -> Account:
        """Revoke an account. Raises NotFound where the principal does not see it."""
        async with self._lock:
            for account in await self._book.integrators(principal):
                if account.id == account_id:
                    await self._remove(account.username)
                    return account
        raise NotFound("MQTT account", account_id)

    def check(self) -> None:
        """Raise Conflict where accounts are not made here."""
        if self._keeper is None:
            raise Conflict(
                "No account can be made here: MQTT is off, or the broker's accounts are managed "
                "elsewhere, as [mqtt] accounts says."
            )

    # -----------------------------------------------------------------------------------------

    async def _put(self, account: Account, password: str) -> None:
        self.check()
        await self._book.put(account)
        if self._keeper is not None:
            try:
                await self._keeper.put(account, password)
            except Unavailable:
                # Its password is known now and never again: what is not done now, is not done.
                await self._book.remove(account.username)
                raise

    async def _remove(self, username: str) -> None:
        await self._book.remove(username)
        if self._keeper is not None:
            try:
                await self._keeper.remove(username)
            except Unavailable as error:
                self._log.warning(
                    "MQTT: %s is cut off when the broker is back: %s", username, error
                )
