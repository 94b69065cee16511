"""What makes a client of the ORM note what it writes, for every kind of database alike."""

from __future__ import annotations

from typing import Any

from antiphon.store.changes import Changes


class Watched:
    """Stands before a client of the ORM, and notes each statement once it was carried out.

    Also one that failed or was given up: nobody knows how far it came.
    """

    changes: Changes

    async def execute_insert(self, query: str, values: Any) -> Any:
        """See `BaseDBAsyncClient`."""
        try:
            return await super().execute_insert(query, values)  # type: ignore[misc]
        finally:
            self._wrote(query)

    async def execute_many(self, query: str, values: Any) -> Any:
        """See `BaseDBAsyncClient`."""
        try:
            return await super().execute_many(query, values)  # type: ignore[misc]
        finally:
            self._wrote(query)

    async def execute_query(self, query: str, values: Any = None) -> Any:
        """See `BaseDBAsyncClient`."""
        try:
            return await super().execute_query(query, values)  # type: ignore[misc]
        finally:
            self._wrote(query)

    async def execute_query_dict(self, query: str, values: Any = None) -> Any:
        """See `BaseDBAsyncClient`."""
        try:
            return await super().execute_query_dict(query, values)  # type: ignore[misc]
        finally:
            self._wrote(query)

    async def execute_script(self, query: str) -> Any:
        """See `BaseDBAsyncClient`. A script begins with a statement, and anything may follow."""
        try:
            return await super().execute_script(query)  # type: ignore[misc]
        finally:
            self.changes.note(self.changes.written_by("script"))

    def _wrote(self, query: str) -> None:
        if tables := self.changes.written_by(query):
            self.changes.note(tables)


class WatchedTransaction(Watched):
    """The same for a transaction, whose statements count again when it ends."""

    touched: set[str]

    def share(self, parent: Watched) -> None:
        """Note where `parent` does; one transaction within another is a part of it."""
        self.changes = parent.changes
        self.touched = parent.touched if isinstance(parent, WatchedTransaction) else set()

    async def commit(self) -> None:
        """See `TransactionalDBClient`."""
        try:
            await super().commit()  # type: ignore[misc]
        finally:
            self.changes.note(self.touched)

    async def rollback(self) -> None:
        """See `TransactionalDBClient`."""
        try:
            await super().rollback()  # type: ignore[misc]
        finally:
            self.changes.note(self.touched)

    async def savepoint_rollback(self) -> None:
        """See `TransactionalDBClient`."""
        try:
            await super().savepoint_rollback()  # type: ignore[misc]
        finally:
            self.changes.note(self.touched)

    def _wrote(self, query: str) -> None:
        if tables := self.changes.written_by(query):
            self.touched |= tables
            self.changes.note(tables)
