"""The ORM's engine for PostgreSQL, which notes what is written."""

from __future__ import annotations

from typing import Any

from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    NestedTransactionContext,
    TransactionContext,
    TransactionContextPooled,
)

from antiphon.store.changes import Changes
from antiphon.store.watched import Watched, WatchedTransaction


class WatchedPostgresql(Watched, AsyncpgDBClient):
    """A pool of connections to one database."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.changes = Changes()

    def _in_transaction(self) -> TransactionContext:
        return TransactionContextPooled(_Transaction(self), self._pool_init_lock)


class _Transaction(WatchedTransaction, TransactionWrapper):
    def __init__(self, connection: WatchedPostgresql | _Transaction) -> None:
        super().__init__(connection)
        self.share(connection)

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(_Transaction(self))


client_class = WatchedPostgresql
