"""Answers of the database that are asked for again with every request, remembered for a moment."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast
from weakref import WeakKeyDictionary

from tortoise.backends.base.client import TransactionalDBClient
from tortoise.context import get_current_context

P_ = ParamSpec("P_")
R_ = TypeVar("R_")

# Another process on the same database (a command of `antiphon`) is noticed after so long.
FRESH_S = 1.0
_MOST = 2_048

_Kept = OrderedDict[Hashable, tuple[int, float, Any]]


def remembered(
    look: Callable[P_, Awaitable[R_]],
) -> Callable[P_, Coroutine[Any, Any, R_]]:
    """Let `look` answer from memory until this process writes anything to the database.

    `look` reads the database and nothing else, takes hashable arguments by position, and its
    result must not be changed by whoever gets it. What it raises is not remembered. With
    PostgreSQL, or within a transaction, it is asked each time.
    """
    memory: WeakKeyDictionary[Any, _Kept] = WeakKeyDictionary()

    @wraps(look)
    async def asked(*arguments: P_.args, **options: P_.kwargs) -> R_:
        connection = None if options else _own_connection()
        if connection is None:
            return await look(*arguments, **options)
        kept = memory.setdefault(connection, OrderedDict())
        # A count that the driver keeps of all rows that were ever written over this connection.
        written, now = connection.total_changes, time.monotonic()
        found = kept.get(arguments)
        if found is not None and found[0] == written and now < found[1]:
            return cast(R_, found[2])
        result = await look(*arguments, **options)
        kept[arguments] = (written, now + FRESH_S, result)
        kept.move_to_end(arguments)
        if len(kept) > _MOST:
            kept.popitem(last=False)
        return result

    return asked


def _own_connection() -> Any:
    """The connection to SQLite that all reads and writes of this process go through, if any."""
    if (context := get_current_context()) is None:
        return None
    client = context.db()
    if client.capabilities.dialect != "sqlite" or isinstance(client, TransactionalDBClient):
        return None
    return getattr(client, "_connection", None)
