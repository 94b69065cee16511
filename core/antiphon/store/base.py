"""Base models that every table builds on."""

from __future__ import annotations

import uuid

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
    """A row that a user can delete and may want back: deleted rows keep their data."""

    deleted_at = fields.DatetimeField(null=True, db_index=True)

    class Meta:
        abstract = True
