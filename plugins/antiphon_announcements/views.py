"""What the API takes and gives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from antiphon.plugins import (
    ApiModel,
    CallOptions,
    CallRequest,
    DeletableQuery,
    Line,
    SortedBy,
    left_out,
)
from antiphon.types import Band, CallStyle, Frozen
from antiphon_announcements.models import Announcement, AnnouncementType
from antiphon_announcements.sources import MAX_TEXT_CHARACTERS

Category = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)]
SpokenText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT_CHARACTERS)
]
VoiceId = Annotated[str, StringConstraints(min_length=1, max_length=100)]


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_in_utc)]


class StoredAnnouncement(Frozen):
    """An announcement of the library."""

    id: UUID
    client_id: UUID
    folder_id: UUID | None
    title: str
    type: AnnouncementType
    text: str | None
    voice: str | None
    enabled: bool
    category: str
    band: Band
    chime: bool | None
    chime_after: bool | None
    style: CallStyle | None
    duration_s: float
    file_size: int
    loudness_lufs: float | None
    true_peak_db: float | None
    content_hash: str
    valid_from: datetime | None
    valid_until: datetime | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    @classmethod
    def of(cls, row: Announcement) -> Self:
        """The view of a row."""
        return cls(
            id=row.id,
            client_id=row.client_id,
            folder_id=row.folder_id,
            title=row.title,
            type=row.type,
            text=row.tts_text,
            voice=row.tts_voice,
            enabled=row.enabled,
            category=row.category,
            band=row.band,
            chime=row.chime,
            chime_after=row.chime_after,
            style=row.style,
            duration_s=row.duration_s,
            file_size=row.file_size,
            loudness_lufs=row.loudness_lufs,
            true_peak_db=row.true_peak_db,
            content_hash=row.content_hash,
            valid_from=row.valid_from,
            valid_until=row.valid_until,
            created_by=row.created_by_id,
            created_at=row.created_at,
            updated_at=row.updated_at,
            deleted_at=row.deleted_at,
        )


class Described(ApiModel):
    """What every new announcement may say of itself. A naive time is taken as UTC."""

    folder_id: UUID | None = None
    enabled: bool = True
    category: Category = ""
    band: Band = Band.ANNOUNCEMENT
    chime: bool | None = None
    chime_after: bool | None = None
    style: CallStyle | None = None
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    client_id: UUID | None = Field(default=None, description="For admin and staff: whose it is.")

    @model_validator(mode="after")
    def _valid_at_all(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise ValueError("valid_until must be later than valid_from")
        return self


class SpeakAnnouncement(Described):
    """A new announcement from text; without `voice` the first one there is speaks it."""

    title: Line
    text: SpokenText
    voice: VoiceId | None = None


class UploadFields(Described):
    """What may stand beside the file of an upload; without `title` it is the file's name."""

    title: Line | None = None
    is_recording: bool = False


class UploadAnnouncement(UploadFields):
    """A new announcement from a file."""

    file: bytes


class ChangeAnnouncement(ApiModel):
    """What to change; keys that are left out stay. A new `text` or `voice` is spoken at once."""

    title: Line = left_out()
    text: SpokenText = left_out()
    voice: VoiceId = left_out()
    folder_id: UUID | None = None
    enabled: bool = left_out()
    category: Category = left_out()
    band: Band = left_out()
    chime: bool | None = None
    chime_after: bool | None = None
    style: CallStyle | None = None
    valid_from: Moment | None = None
    valid_until: Moment | None = None


class AnnouncementQuery(DeletableQuery):
    """Which announcements to list. `search` looks into titles and texts."""

    ordering: Annotated[
        str,
        SortedBy("title", "category", "band", "duration_s", "enabled", "created_at", "updated_at"),
    ] = "-created_at"
    client_id: UUID | None = Field(default=None, description="Those of this client alone.")

    search: str | None = Field(default=None, max_length=200)
    category: str | None = Field(default=None, max_length=100)
    folder_id: UUID | None = None
    enabled: bool | None = None


class PlayAnnouncement(CallOptions):
    """Where and how to play an announcement: see the call's own description."""

    def call(self, announcement_id: UUID) -> CallRequest:
        """The call that plays that announcement so."""
        return CallRequest(announcement_id=announcement_id, **self.model_dump())
