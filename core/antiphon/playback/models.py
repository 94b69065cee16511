"""What zones play, and the receipts of what was played."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from antiphon.building.models import Device, Zone
from antiphon.store.base import TimestampedModel
from antiphon.tenancy.models import Client, User
from antiphon.types import Playback, Repeat


class PlaybackMode(StrEnum):
    """What a zone may play."""

    MUSIC = "music"
    MUSIC_AND_ANNOUNCEMENTS = "music+announcements"
    ANNOUNCEMENTS = "announcements"


class PlayEventType(StrEnum):
    """What made the call."""

    INSTANT = "instant"
    SCHEDULED = "scheduled"


class PlayEventStatus(StrEnum):
    """How far a call got in a zone. `unheard` is no call: a schedule's time when none was made."""

    PENDING = "pending"
    DELIVERED = "delivered"
    PLAYING = "playing"
    COMPLETED = "completed"
    FAILED = "failed"
    UNHEARD = "unheard"


class PlaybackState(TimestampedModel):
    """What one zone plays, read at start so that a building goes on where it was.

    `commanded_at` is when its music was last started, paused or stopped by other than a schedule.
    """

    zone: fields.OneToOneRelation[Zone] = fields.OneToOneField(
        "antiphon.Zone", related_name="playback_state"
    )
    zone_id: UUID
    current_track: dict[str, Any] | None = fields.JSONField(null=True)
    current_announcement_id = fields.UUIDField(null=True)
    queue: list[dict[str, Any]] = fields.JSONField(default=list)
    queue_position = fields.IntField(default=0)
    playback = fields.CharEnumField(Playback, default=Playback.STOPPED, max_length=10)
    position_s = fields.FloatField(default=0.0)
    volume = fields.IntField(default=70)
    muted = fields.BooleanField(default=False)
    programme_id = fields.UUIDField(null=True)
    current_playlists: list[str] = fields.JSONField(default=list)
    mode = fields.CharEnumField(
        PlaybackMode, default=PlaybackMode.MUSIC_AND_ANNOUNCEMENTS, max_length=30
    )
    shuffle = fields.BooleanField(default=False)
    repeat = fields.CharEnumField(Repeat, default=Repeat.ALL, max_length=10)
    announcement_interval_min = fields.IntField(null=True)
    fade_duration_s = fields.FloatField(default=0.0)
    background_volume_percent = fields.IntField(null=True)
    commanded_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "playback_state"


class OpenCall(TimestampedModel):
    """A call that is not over in all its zones, with what it takes to go on after a restart.

    How far it is in a zone is told by its play event: `zones` has that row's id for each zone.
    """

    client: fields.ForeignKeyRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client", related_name=False
    )
    client_id: UUID
    request: dict[str, Any] = fields.JSONField()
    principal: dict[str, Any] = fields.JSONField()
    zones: dict[str, str] = fields.JSONField()
    title = fields.CharField(max_length=300, default="")
    arrival = fields.BigIntField()
    accepted_at: datetime = fields.DatetimeField()
    expires_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "open_call"


class PlayEvent(TimestampedModel):
    """The receipt: what happened to a call in one zone, or with `device` on one loudspeaker.

    Without a `call_id` there was no call: a rule kept the time of a schedule, `due_at`, out of the
    zone, or it was missed. `times_due` is how many such times the row stands for.
    """

    client: fields.ForeignKeyRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client", related_name="play_events"
    )
    client_id: UUID
    zone: fields.ForeignKeyRelation[Zone] = fields.ForeignKeyField(
        "antiphon.Zone", related_name="play_events"
    )
    zone_id: UUID
    device: fields.ForeignKeyNullableRelation[Device] = fields.ForeignKeyField(
        "antiphon.Device", related_name="play_events", null=True, on_delete=fields.SET_NULL
    )
    device_id: UUID | None
    call_id: UUID | None = fields.UUIDField(null=True, db_index=True)
    schedule_id: UUID | None = fields.UUIDField(null=True)
    due_at: datetime | None = fields.DatetimeField(null=True)
    times_due = fields.IntField(default=1)
    announcement_id = fields.UUIDField(null=True)
    title = fields.CharField(max_length=300, default="")
    event_type = fields.CharEnumField(PlayEventType, default=PlayEventType.INSTANT, max_length=20)
    status = fields.CharEnumField(PlayEventStatus, default=PlayEventStatus.PENDING, max_length=20)
    outcome = fields.CharField(max_length=20, default="")
    delivered_at = fields.DatetimeField(null=True)
    completed_at = fields.DatetimeField(null=True)
    seconds_heard = fields.FloatField(default=0.0)
    times_heard = fields.IntField(default=0)
    error_message = fields.TextField(null=True)
    created_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "antiphon.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )

    class Meta:
        table = "play_event"
        indexes = (
            ("client_id", "created_at"),
            ("zone_id", "created_at"),
            ("schedule_id", "created_at"),
        )
