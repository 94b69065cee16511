"""Removes for good what was deleted long ago: rows of every table, and their files."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tortoise import Tortoise
from tortoise.fields.relational import ForeignKeyFieldInstance
from tortoise.models import Model

from antiphon.store.base import SoftDeleteModel
from antiphon.tasks import end

_log = logging.getLogger(__name__)
_AT_ONCE = 500
_EVERY_S = 24 * 3600.0


async def purge(media_dir: Path, before: datetime) -> int:
    """Remove all rows deleted before then, with their files; returns how many there were.

    A row goes before what it belongs to, and before its files do: one that was restored in that
    moment keeps them.
    """
    gone = 0
    for model in _deletable():
        while (
            rows := await model.filter(deleted_at__lt=before).order_by("deleted_at").limit(_AT_ONCE)
        ):
            for row in rows:
                if await model.filter(id=row.id, deleted_at__lt=before).delete():
                    await asyncio.to_thread(_remove, media_dir, list(row.files()))
                    gone += 1
    return gone


@asynccontextmanager
async def purging(media_dir: Path, keep_days: int) -> AsyncIterator[None]:
    """Do so now and once a day, while entered."""
    task = asyncio.create_task(_purge_daily(media_dir, timedelta(days=keep_days)), name="purge")
    try:
        yield
    finally:
        await end(task)


async def _purge_daily(media_dir: Path, keep: timedelta) -> None:
    while True:
        try:
            if gone := await purge(media_dir, datetime.now(UTC) - keep):
                _log.info("Removed %d things that were deleted long ago, with their files", gone)
        except Exception:
            _log.exception("What was deleted could not be purged; it is tried again tomorrow")
        await asyncio.sleep(_EVERY_S)


def _deletable() -> list[type[SoftDeleteModel]]:
    """The tables whose rows can be restored, each before those that it points to."""
    models = [model for app in (Tortoise.apps or {}).values() for model in app.values()]
    found = [model for model in models if issubclass(model, SoftDeleteModel)]
    return sorted(found, key=_depth, reverse=True)


def _depth(model: type[Model]) -> int:
    above = (
        field.related_model
        for field in model._meta.fields_map.values()
        if isinstance(field, ForeignKeyFieldInstance)
    )
    return 1 + max((_depth(one) for one in above if one is not model), default=0)


def _remove(media_dir: Path, names: Iterable[str | None]) -> None:
    for name in filter(None, names):
        path = media_dir / name
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s could not be removed: %s", path, error)
