"""The tables of channel playlists."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from antiphon.store.base import SoftDeleteModel, TimestampedModel, WallTimeField
from antiphon.tenancy.models import Client, User
from antiphon.types import Band
from antiphon_scheduling.models import Outcome


class ItemType(StrEnum):
    """What an item of a playlist is: a track, a folder with all its tracks, or an announcement."""

    MUSIC = "music"
    FOLDER = "folder"
    ANNOUNCEMENT = "announcement"


class Style(StrEnum):
    """How an announcement is heard: over the music, or between two tracks."""

    OVER = "over"
    BETWEEN = "between"


class ChannelPlaylist(SoftDeleteModel):
    """Music and announcements that zones and floors play.

    `settled_until` is the last instant whose announcements were dealt with, written before a call
    is made; `turn` counts the announcements that took turns. `round_part` is where a round of much
    music is; see `antiphon_scheduling.playlists.parts`.
    """

    client: fields.ForeignKeyRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client", related_name=False
    )
    client_id: UUID
    name = fields.CharField(max_length=200)
    description = fields.TextField(default="")
    shuffle_music = fields.BooleanField(default=True)
    title_gap_min = fields.IntField(default=60)
    crossfade_s = fields.FloatField(default=0.0)
    shuffle_announcements = fields.BooleanField(default=False)
    default_music_interval_min: int | None = fields.IntField(null=True)
    default_announcement_interval_min: int | None = fields.IntField(null=True)
    default_announcement_every_tracks: int | None = fields.IntField(null=True)
    style = fields.CharEnumField(Style, default=Style.OVER, max_length=20)
    band = fields.CharEnumField(Band, default=Band.SPOT, max_length=20)
    quiet_from = WallTimeField(null=True)
    quiet_until = WallTimeField(null=True)
    enabled = fields.BooleanField(default=True)
    settled_until: datetime = fields.DatetimeField()
    turn = fields.IntField(default=0)
    round_part: dict[str, Any] | None = fields.JSONField(null=True)
    created_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "antiphon.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_by_id: UUID | None

    class Meta:
        table = "channel_playlist"
        indexes = (("client_id", "name"),)


class ChannelPlaylistItem(TimestampedModel):
    """One entry. At most one of the three timings is set, and of announcements alone."""

    playlist: fields.ForeignKeyRelation[ChannelPlaylist] = fields.ForeignKeyField(
        "scheduling.ChannelPlaylist", related_name="items"
    )
    playlist_id: UUID
    item_type = fields.CharEnumField(ItemType, max_length=20)
    content_id: UUID = fields.UUIDField()
    order = fields.IntField()
    weight = fields.IntField(default=1)
    interval_min: int | None = fields.IntField(null=True)
    every_tracks: int | None = fields.IntField(null=True)
    fixed_times: list[str] = fields.JSONField(default=list)
    style = fields.CharEnumField(Style, null=True, max_length=20)

    class Meta:
        table = "channel_playlist_item"
        indexes = (("playlist_id", "order"),)


class ChannelAssignment(TimestampedModel):
    """That a playlist is for a floor, or for a zone."""

    playlist: fields.ForeignKeyRelation[ChannelPlaylist] = fields.ForeignKeyField(
        "scheduling.ChannelPlaylist", related_name="assignments"
    )
    playlist_id: UUID
    floor: fields.ForeignKeyNullableRelation[Any] = fields.ForeignKeyField(
        "antiphon.Floor", related_name=False, null=True
    )
    floor_id: UUID | None
    zone: fields.ForeignKeyNullableRelation[Any] = fields.ForeignKeyField(
        "antiphon.Zone", related_name=False, null=True
    )
    zone_id: UUID | None

    class Meta:
        table = "channel_assignment"


class ChannelRecord(TimestampedModel):
    """What became of one time of a playlist, and why.

    Written in one transaction with the playlist's `settled_until`, before anything is played: a
    row that stays `firing` tells of a server that died in between. `blocks` names the zones that
    were left out, `rule` is what names the time.
    """

    client: fields.ForeignKeyRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client", related_name=False
    )
    client_id: UUID
    playlist: fields.ForeignKeyRelation[ChannelPlaylist] = fields.ForeignKeyField(
        "scheduling.ChannelPlaylist", related_name=False
    )
    playlist_id: UUID
    instant: datetime = fields.DatetimeField()
    outcome = fields.CharEnumField(Outcome, max_length=20)
    announcement_id: UUID | None = fields.UUIDField(null=True)
    rule = fields.CharField(max_length=200)
    zones: list[str] = fields.JSONField(default=list)
    blocks: list[dict[str, Any]] = fields.JSONField(default=list)
    call_id: UUID | None = fields.UUIDField(null=True)
    reason: str | None = fields.TextField(null=True)

    class Meta:
        table = "channel_record"
        indexes = (("client_id", "instant"), ("outcome", "instant"))
