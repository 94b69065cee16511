"""The table of schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise import fields

from antiphon.store.base import SoftDeleteModel
from antiphon.tenancy.models import Client, User
from antiphon.types import Band


class Schedule(SoftDeleteModel):
    """When to play which announcements where.

    `kind` repeats the kind in `config`, for filters. `zones` are ids, empty for all zones.
    `settled_until` is the last instant that was dealt with: nothing up to it is ever fired again,
    so it is written before a call is made. `fired_count` chooses the next announcement in turn.
    """

    client: fields.ForeignKeyRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client", related_name=False
    )
    client_id: UUID
    name = fields.CharField(max_length=200)
    kind = fields.CharField(max_length=20)
    config: dict[str, Any] = fields.JSONField()
    zones: list[str] = fields.JSONField(default=list)
    band = fields.CharEnumField(Band, null=True, max_length=20)
    chime = fields.BooleanField(null=True)
    enabled = fields.BooleanField(default=True)
    settled_until: datetime = fields.DatetimeField()
    fired_count = fields.IntField(default=0)
    last_executed_at: datetime | None = fields.DatetimeField(null=True)
    created_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "antiphon.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_by_id: UUID | None

    class Meta:
        table = "schedule"
        indexes = (("client_id", "name"),)
