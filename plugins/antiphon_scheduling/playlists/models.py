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


class ItemType(StrEnum):
    """What an item of a playlist is: a track, a folder with all its tracks, or an announcement."""

    MUSIC = "music"
    FOLDER = "folder"
    ANNOUNCEMENT = "announcement"


class ChannelPlaylist(SoftDeleteModel):
    """Music and announcements that zones and floors play.

    `settled_until` is the last instant whose announcements were dealt with, written before a call
    is made; `turn` counts the announcements that took turns.
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
    default_announcement_interval_min: int | None = fields.IntField(null=True)
    default_announcement_every_tracks: int | None = fields.IntField(null=True)
    band = fields.CharEnumField(Band, default=Band.SPOT, max_length=20)
    quiet_from = WallTimeField(null=True)
    quiet_until = WallTimeField(null=True)
    enabled = fields.BooleanField(default=True)
    settled_until: datetime = fields.DatetimeField()
    turn = fields.IntField(default=0)
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
