"""Lists as CSV, for a spreadsheet: all rows, sent as they are read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel
from tortoise.expressions import Q
from tortoise.models import Model
from tortoise.queryset import QuerySet

CSV = "text/csv"
_AT_ONCE = 1_000
# A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

M_ = TypeVar("M_", bound=Model)


async def send_table(
    request: web.Request,
    name: str,
    rows: QuerySet[M_],
    view: Callable[[M_], BaseModel],
    kind: type[BaseModel],
) -> web.StreamResponse:
    """Send all `rows`, newest first, with a heading; `kind` is the type that `view` gives."""
    response = web.StreamResponse(
        headers={
            "Content-Type": f"{CSV}; charset=utf-8; header=present",
            "Content-Disposition": f'attachment; filename="{name}.csv"',
        }
    )
    await response.prepare(request)
    await response.write(_lines([list(kind.model_fields)]))
    async for some in _newest_first(rows):
        shown = [view(row).model_dump(mode="json").values() for row in some]
        await response.write(_lines([[_cell(value) for value in row] for row in shown]))
    await response.write_eof()
    return response


async def _newest_first(rows: QuerySet[M_]) -> AsyncIterator[list[M_]]:
    """The rows in pieces; each begins behind the last row of the one before, by an index."""
    rows = rows.order_by("-created_at", "-id").limit(_AT_ONCE)
    some = await rows
    while some:
        yield some
        if len(some) < _AT_ONCE:
            return
        last: Any = some[-1]
        older = Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, id__lt=last.id)
        some = await rows.filter(older)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return json.dumps(value, ensure_ascii=False)


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    content = io.StringIO()
    csv.writer(content).writerows(rows)
    return content.getvalue().encode()
