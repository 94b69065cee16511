"""The tables of schedules, of their calendars, and of what became of each of their times."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from antiphon.store.base import SoftDeleteModel, TimestampedModel
from antiphon.tenancy.models import Client, User
from antiphon.types import Band


class Schedule(SoftDeleteModel):
    """When to play which announcements, or which music, where.

    `kind` repeats the kind in `config`, for filters. `zones`, `floors` and `devices` are ids; if
    all three are empty it is for all zones. `rules` are those of `antiphon_scheduling.rules`, none
    for the defaults; config and rules are in force since `in_force_since`. `settled_until` is the
    last instant that was dealt with: nothing up to it is ever fired again, so it is written before
    a call is made and never goes back. Nothing is to be decided before `rests_until`: until then
    the scheduler need not know of the schedule; without it, it must. `fired_count` chooses the next
    announcement in turn. `opening_zone_id` is the zone whose opening hours this is a half of.
    """

    client: fields.ForeignKeyRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client", related_name=False
    )
    client_id: UUID
    name = fields.CharField(max_length=200)
    kind = fields.CharField(max_length=20)
    config: dict[str, Any] = fields.JSONField()
    rules: dict[str, Any] | None = fields.JSONField(null=True)
    zones: list[str] = fields.JSONField(default=list)
    floors: list[str] | None = fields.JSONField(null=True)
    devices: list[str] | None = fields.JSONField(null=True)
    opening_zone_id: UUID | None = fields.UUIDField(null=True)
    band = fields.CharEnumField(Band, null=True, max_length=20)
    chime = fields.BooleanField(null=True)
    enabled = fields.BooleanField(default=True)
    in_force_since: datetime | None = fields.DatetimeField(null=True)
    settled_until: datetime = fields.DatetimeField()
    rests_until: datetime | None = fields.DatetimeField(null=True)
    fired_count = fields.IntField(default=0)
    last_executed_at: datetime | None = fields.DatetimeField(null=True)
    created_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "antiphon.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_by_id: UUID | None

    class Meta:
        table = "schedule"
        indexes = (("client_id", "name"), ("deleted_at", "rests_until"))


class ScheduleCalendar(TimestampedModel):
    """Days that schedules keep to or leave out: a country's holidays, or `days` of a file.

    `days` holds pairs of an ISO date and a name. A file that comes from `url` was fetched at
    `fetched_at`; `problem` says why a later attempt, at `tried_at`, failed.
    """

    client: fields.ForeignKeyRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client", related_name=False
    )
    client_id: UUID
    name = fields.CharField(max_length=200)
    country = fields.CharField(max_length=10, null=True)
    subdivision = fields.CharField(max_length=50, null=True)
    days: list[list[str]] | None = fields.JSONField(null=True)
    url = fields.CharField(max_length=2_000, null=True)
    fetched_at: datetime | None = fields.DatetimeField(null=True)
    tried_at: datetime | None = fields.DatetimeField(null=True)
    problem: str | None = fields.TextField(null=True)

    class Meta:
        table = "schedule_calendar"
        indexes = (("client_id", "name"),)


class Outcome(StrEnum):
    """What became of a schedule's time. `firing` is not over yet."""

    FIRING = "firing"
    FIRED = "fired"
    SUPPRESSED = "suppressed"
    MISSED = "missed"


class ScheduleRecord(TimestampedModel):
    """What became of one time of a schedule, and why.

    The row is written in one transaction with the schedule's `settled_until`, before anything is
    played: a row that stays `firing` tells of a server that died in between. `blocks` names the
    zones that were left out, `by_hand` tells that a person asked for it.
    """

    client: fields.ForeignKeyRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client", related_name=False
    )
    client_id: UUID
    schedule: fields.ForeignKeyRelation[Schedule] = fields.ForeignKeyField(
        "scheduling.Schedule", related_name=False
    )
    schedule_id: UUID
    instant: datetime = fields.DatetimeField()
    outcome = fields.CharEnumField(Outcome, max_length=20)
    announcement_id: UUID | None = fields.UUIDField(null=True)
    music = fields.CharField(max_length=10, null=True)
    zones: list[str] = fields.JSONField(default=list)
    blocks: list[dict[str, Any]] = fields.JSONField(default=list)
    deferred_from: datetime | None = fields.DatetimeField(null=True)
    by_hand = fields.BooleanField(default=False)
    call_id: UUID | None = fields.UUIDField(null=True)
    reason: str | None = fields.TextField(null=True)

    class Meta:
        table = "schedule_record"
        unique_together = (("schedule_id", "instant"),)
        indexes = (("client_id", "instant"), ("outcome", "instant"))
