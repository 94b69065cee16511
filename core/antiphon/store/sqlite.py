"""The ORM's engine for SQLite, which notes what is written."""

from __future__ import annotations

from typing import Any

from tortoise.backends.base.client import NestedTransactionContext, TransactionContext
from tortoise.backends.sqlite.client import (
    SqliteClient,
    SqliteTransactionContext,
    SqliteTransactionWrapper,
)

from antiphon.store.changes import Changes
from antiphon.store.watched import Watched, WatchedTransaction


class WatchedSqlite(Watched, SqliteClient):
    """A database of its own."""

    def __init__(self, file_path: str, **kwargs: Any) -> None:
        super().__init__(file_path, **kwargs)
        self.changes = Changes()

    def _in_transaction(self) -> TransactionContext:
        return SqliteTransactionContext(_Transaction(self), self._lock)


class _Transaction(WatchedTransaction, SqliteTransactionWrapper):
    def __init__(self, connection: WatchedSqlite | _Transaction) -> None:
        super().__init__(connection)
        self.share(connection)

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(_Transaction(self))


client_class = WatchedSqlite
