"""The ORM's engine for SQLite, which notes what is written, and reads beside what writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tortoise.backends.base.client import NestedTransactionContext, TransactionContext
from tortoise.backends.sqlite.client import (
    SqliteClient,
    SqliteTransactionContext,
    SqliteTransactionWrapper,
)

from antiphon.store.changes import Changes
from antiphon.store.watched import Watched, WatchedTransaction

_READS = re.compile(r"\s*SELECT\b", re.IGNORECASE)


class _Pair(SqliteClient):
    """Two connections to one file in write-ahead mode: one that writes, and one that reads.

    A question outside a transaction waits neither for one nor for the disk behind it. It sees all
    that was committed when it was asked, as it would in PostgreSQL.
    """

    def __init__(self, file_path: str, **kwargs: Any) -> None:
        super().__init__(file_path, **kwargs)
        self._reader = SqliteClient(file_path, **kwargs)
        self._reader.pragmas["query_only"] = "ON"

    async def close(self) -> None:
        """See `BaseDBAsyncClient`. The one that writes is the last, to tidy the log away."""
        await self._reader.close()
        await super().close()

    async def execute_query(
        self, query: str, values: list[Any] | None = None
    ) -> tuple[int, Sequence[Any]]:
        """See `BaseDBAsyncClient`."""
        ask = self._reader.execute_query if _READS.match(query) else super().execute_query
        answer: tuple[int, Sequence[Any]] = await ask(query, values)
        return answer

    async def execute_query_dict(
        self, query: str, values: list[Any] | None = None
    ) -> list[dict[str, Any]]:
        """See `BaseDBAsyncClient`."""
        reads = _READS.match(query)
        ask = self._reader.execute_query_dict if reads else super().execute_query_dict
        rows: list[dict[str, Any]] = await ask(query, values)
        return rows


class WatchedSqlite(Watched, _Pair):
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
