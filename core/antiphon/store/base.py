"""Base models that every table builds on."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import time
from typing import Any

from tortoise import fields
from tortoise.models import Model


class TimestampedModel(Model):
    """A UUID key and the times of creation and last change (UTC)."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        abstract = True


class SoftDeleteModel(TimestampedModel):
    """A row that a user can delete and may want back: deleted rows keep their data.

    They are gone for good after the setting `trash.keep_days`; see `store.purge`.
    """

    deleted_at = fields.DatetimeField(null=True, db_index=True)

    class Meta:
        abstract = True

    def files(self) -> Iterable[str | None]:
        """What goes with the row when it is purged: paths of files or folders in `media_dir`."""
        return ()


class WallTimeField(fields.Field["time | None"]):
    """A time of day on the wall, without a zone; kept as `HH:MM:SS`.

    Tortoise's own TimeField can not be written to SQLite, and gives a time zone to what has none.
    """

    SQL_TYPE = "VARCHAR(8)"
    field_type = time

    def to_python_value(self, value: Any) -> time | None:
        """A `time`, from what the database holds or a caller gives."""
        return time.fromisoformat(value) if isinstance(value, str) else value

    def to_db_value(self, value: Any, instance: Any) -> str | None:  # noqa: ARG002  as it is called
        """The text that is kept."""
        return value.isoformat("seconds") if isinstance(value, time) else value
