"""The tables of announcements and of the scripts to make them from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tortoise import fields

from antiphon.errors import Conflict
from antiphon.store.base import SoftDeleteModel
from antiphon.tenancy.models import Client, User
from antiphon.types import Band, CallStyle


class AnnouncementType(StrEnum):
    """Where an announcement's sound came from."""

    TTS = "tts"
    RECORDED = "recorded"
    UPLOADED = "uploaded"


class Announcement(SoftDeleteModel):
    """A stored clip: spoken from a text, recorded or uploaded.

    `file` is a name, not a path. `search_text` holds title and text as searches compare them.
    """

    client: fields.ForeignKeyRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client", related_name=False
    )
    client_id: UUID
    folder_id: UUID | None = fields.UUIDField(null=True)
    title = fields.CharField(max_length=200)
    file = fields.CharField(max_length=60)
    file_size = fields.BigIntField()
    duration_s = fields.FloatField()
    is_tts = fields.BooleanField(default=False)
    tts_text: str | None = fields.TextField(null=True)
    tts_voice = fields.CharField(max_length=100, null=True)
    tts_provider = fields.CharField(max_length=50, null=True)
    is_recording = fields.BooleanField(default=False)
    enabled = fields.BooleanField(default=True)
    category = fields.CharField(max_length=100, default="")
    band = fields.CharEnumField(Band, default=Band.ANNOUNCEMENT, max_length=20)
    chime = fields.BooleanField(null=True)
    chime_after = fields.BooleanField(null=True)
    style = fields.CharEnumField(CallStyle, null=True, max_length=20)
    loudness_lufs: float | None = fields.FloatField(null=True)
    true_peak_db: float | None = fields.FloatField(null=True)
    content_hash = fields.CharField(max_length=64)
    valid_from: datetime | None = fields.DatetimeField(null=True)
    valid_until: datetime | None = fields.DatetimeField(null=True)
    search_text = fields.TextField(default="")
    created_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "antiphon.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_by_id: UUID | None

    class Meta:
        table = "announcement"
        indexes = (("client_id", "title"),)

    @property
    def type(self) -> AnnouncementType:
        """How the clip was made."""
        if self.is_tts:
            return AnnouncementType.TTS
        return AnnouncementType.RECORDED if self.is_recording else AnnouncementType.UPLOADED

    def files(self) -> Iterable[str | None]:
        """See `SoftDeleteModel.files`."""
        return (f"{self.client_id}/{self.file}",)

    def require_playable(self, now: datetime) -> None:
        """Raise Conflict where this announcement may not be played now."""
        reason = None
        if not self.enabled:
            reason = "it is switched off"
        elif self.valid_from and now < self.valid_from:
            reason = f"it is valid from {self.valid_from:%Y-%m-%d %H:%M} UTC"
        elif self.valid_until and now >= self.valid_until:
            reason = f"it was valid until {self.valid_until:%Y-%m-%d %H:%M} UTC"
        if reason:
            raise Conflict(f"The announcement {self.title!r} can not be played: {reason}.")


class AnnouncementTemplate(SoftDeleteModel):
    """A script with placeholders to make announcements from. `defaults` are values for them."""

    client: fields.ForeignKeyRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client", related_name=False
    )
    client_id: UUID
    folder_id: UUID | None = fields.UUIDField(null=True)
    name = fields.CharField(max_length=200)
    text = fields.TextField()
    defaults: dict[str, str] = fields.JSONField(default=dict)
    language = fields.CharField(max_length=35, default="en")
    category = fields.CharField(max_length=100, default="")
    voice = fields.CharField(max_length=100, null=True)
    band = fields.CharEnumField(Band, default=Band.ANNOUNCEMENT, max_length=20)
    chime = fields.BooleanField(null=True)
    search_text = fields.TextField(default="")
    created_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "antiphon.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_by_id: UUID | None

    class Meta:
        table = "announcement_template"
        indexes = (("client_id", "name"),)
