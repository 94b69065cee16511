"""Counts what is written to the database, so that whoever remembers a row knows when it is old."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tortoise.fields.relational import ForeignKeyFieldInstance, ManyToManyFieldInstance
from tortoise.models import Model
from tortoise.queryset import QuerySet

T = TypeVar("T")
M_ = TypeVar("M_", bound=Model)

# For so long at most something is remembered that another process may have changed meanwhile.
ELSEWHERE_S = 2.0
_TOTAL_ELSEWHERE_S = 10.0  # counting takes longer than reading a page, and matters less

_READS = re.compile(r"\s*(SELECT|PRAGMA|EXPLAIN|SET)\b", re.IGNORECASE)
_WRITES = re.compile(r'\s*(?:INSERT\s+INTO|UPDATE)\s+"(\w+)"', re.IGNORECASE)
_DELETES = re.compile(r'\s*DELETE\s+FROM\s+"(\w+)"', re.IGNORECASE)
_READ_FROM = re.compile(r'\b(?:FROM|JOIN) "(\w+)"')
_EVERY_TABLE = ""
_REFERENCES = (ForeignKeyFieldInstance, ManyToManyFieldInstance)

Stamp = tuple[int, ...]


class Changes:
    """How often this process has written to each table of one database.

    `leaves` are tables to whose rows no other row refers.
    """

    def __init__(self) -> None:
        self.leaves: frozenset[str] = frozenset()
        self._counts: Counter[str] = Counter()
        self.totals: dict[tuple[str, ...], Memo[int]] = {}

    def note(self, tables: set[str]) -> None:
        """These were written to; what a statement of `written_by` gave."""
        self._counts.update(tables)

    def written_by(self, statement: str) -> set[str]:
        """The tables that a statement of SQL writes to.

        It counts for all tables unless it is known to read, or to write to one: what is deleted
        may take rows of others along.
        """
        if found := _WRITES.match(statement):
            return {found[1]}
        if (found := _DELETES.match(statement)) and found[1] in self.leaves:
            return {found[1]}
        return set() if _READS.match(statement) else {_EVERY_TABLE}

    def stamp(self, tables: tuple[str, ...]) -> Stamp:
        """What is another one as soon as one of `tables` has been written to."""
        return (self._counts[_EVERY_TABLE], *(self._counts[table] for table in tables))


def leaves_of(models: Iterable[type[Model]]) -> frozenset[str]:
    """The tables of `models` to whose rows no row of `models` refers."""
    models = list(models)
    fields = (field for model in models for field in model._meta.fields_map.values())
    referred = {field.related_model for field in fields if isinstance(field, _REFERENCES)}
    return frozenset(str(model._meta.db_table) for model in models if model not in referred)


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    value: T
    changes: Changes
    stamp: Stamp
    until: float


class Memo(Generic[T]):
    """Remembers what was read of `models` until this process writes to one of their tables.

    What another process writes is seen after `seconds`. Only for values that nobody changes.
    The database has to be one of `open_database`: of another, nothing is remembered.
    """

    def __init__(
        self,
        *models: type[Model],
        tables: tuple[str, ...] = (),
        seconds: float = ELSEWHERE_S,
        at_most: int = 10_000,
    ) -> None:
        self._model = models[0]
        self._tables = tables or tuple(str(model._meta.db_table) for model in models)
        self._seconds = seconds
        self._at_most = at_most
        self._kept: dict[Hashable, _Kept[T]] = {}

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` gave for `key`. What it raises is not remembered."""
        if (changes := _changes_of(self._model)) is None:
            return await ask()
        kept, now = self._kept.get(key), time.monotonic()
        # Taken before the question: what is written while it is being answered makes it old.
        stamp = changes.stamp(self._tables)
        if kept is not None and kept.until > now and (kept.changes, kept.stamp) == (changes, stamp):
            return kept.value
        value = await ask()
        self._kept.pop(key, None)
        self._kept[key] = _Kept(value, changes, stamp, now + self._seconds)
        if len(self._kept) > self._at_most:
            del self._kept[next(iter(self._kept))]
        return value

    def stamp(self) -> Stamp | None:
        """What is another one as soon as what is remembered has become old."""
        changes = _changes_of(self._model)
        return None if changes is None else changes.stamp(self._tables)


async def total(rows: QuerySet[M_]) -> int:
    """How many `rows` there are; counted anew when this process wrote to one of their tables.

    What another process writes counts after ten seconds.
    """
    if (changes := _changes_of(rows.model)) is None:
        return await rows.count()
    # Of a query of its own: one that was written down once can not be asked any more.
    statement = rows.count().sql(params_inline=True)
    tables = tuple(dict.fromkeys(_READ_FROM.findall(statement)))
    if (memo := changes.totals.get(tables)) is None:
        memo = Memo(rows.model, tables=tables, seconds=_TOTAL_ELSEWHERE_S, at_most=1_000)
        changes.totals[tables] = memo

    async def ask() -> int:
        return await rows.count()

    return await memo.get(statement, ask)


def _changes_of(model: type[Model]) -> Changes | None:
    return getattr(model._meta.db, "changes", None)
