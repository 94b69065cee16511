"""The accounts that there are: the one truth, from which every broker is brought up to date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

from antiphon.tenancy.scope import scoped
from antiphon.types import Principal
from antiphon_devices.accounts.models import AccountKind, MqttAccount
from antiphon_devices.accounts.rights import Rights, of_device, of_integrator


@dataclass(frozen=True, slots=True)
class Account:
    """One account. That of a loudspeaker is called as it is in topics, and has no client."""

    kind: AccountKind
    username: str
    password_hash: str = field(repr=False)
    name: str = ""
    client_id: UUID | None = None
    id: UUID = field(default_factory=uuid4)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def rights(self, root: str) -> Rights:
        """What it reaches."""
        if self.kind is AccountKind.DEVICE:
            return of_device(root, self.username)
        return of_integrator(root, str(self.client_id))


class Book(Protocol):
    """Where accounts are kept."""

    async def all(self) -> Sequence[Account]:
        """All of them."""

    async def named(self, username: str) -> Account | None:
        """The one with that name."""

    async def integrators(self, principal: Principal) -> Sequence[Account]:
        """Those of integrators that the principal sees, newest first."""

    async def put(self, account: Account) -> None:
        """Keep it, in the place of the one with its name if there is one."""

    async def remove(self, username: str) -> None:
        """Forget it; nothing happens where there is none."""


class MemoryBook:
    """A book that nobody finds again: for a broker by itself, and for tests."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}

    async def all(self) -> Sequence[Account]:
        """See `Book`."""
        return list(self._accounts.values())

    async def named(self, username: str) -> Account | None:
        """See `Book`."""
        return self._accounts.get(username)

    async def integrators(self, principal: Principal) -> Sequence[Account]:
        """See `Book`."""
        return [
            account
            for account in reversed(self._accounts.values())
            if account.kind is AccountKind.INTEGRATOR
            and principal.client_id in (None, account.client_id)
        ]

    async def put(self, account: Account) -> None:
        """See `Book`."""
        self._accounts[account.username] = account

    async def remove(self, username: str) -> None:
        """See `Book`."""
        self._accounts.pop(username, None)


class DatabaseBook:
    """The book of the server."""

    async def all(self) -> Sequence[Account]:
        """See `Book`. Those of clients that were removed are left out."""
        rows = await MqttAccount.all().select_related("client")
        return [_account(row) for row in rows if row.client is None or not row.client.deleted_at]

    async def named(self, username: str) -> Account | None:
        """See `Book`."""
        row = await MqttAccount.get_or_none(username=username)
        return _account(row) if row else None

    async def integrators(self, principal: Principal) -> Sequence[Account]:
        """See `Book`."""
        rows = scoped(MqttAccount.filter(kind=AccountKind.INTEGRATOR), principal)
        return [_account(row) for row in await rows.order_by("-created_at")]

    async def put(self, account: Account) -> None:
        """See `Book`."""
        values: dict[str, Any] = {
            "kind": account.kind,
            "name": account.name,
            "client_id": account.client_id,
            "password_hash": account.password_hash,
        }
        if not await MqttAccount.filter(username=account.username).update(**values):
            await MqttAccount.create(id=account.id, username=account.username, **values)

    async def remove(self, username: str) -> None:
        """See `Book`."""
        await MqttAccount.filter(username=username).delete()


def _account(row: MqttAccount) -> Account:
    return Account(
        kind=row.kind,
        username=row.username,
        password_hash=row.password_hash,
        name=row.name,
        client_id=row.client_id,
        id=row.id,
        created_at=row.created_at,
    )
