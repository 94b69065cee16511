"""What the API takes and gives for folders and music."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field

from antiphon.plugins import ApiModel, Line, ListQuery, left_out
from antiphon.types import Frozen
from antiphon_music.models import Folder, FolderType, MusicFile
from antiphon_music.text import clean


def _tidy(text: str) -> str:
    return clean(text, len(text))


# A tag: one line that may be empty.
Tag = Annotated[str, Field(max_length=300), AfterValidator(_tidy)]
Order = Annotated[int, Field(ge=0, le=2**31 - 1)]


class FolderView(Frozen):
    """A folder, and how many tracks lie directly in it."""

    id: UUID
    client_id: UUID
    parent_id: UUID | None
    name: str
    description: str
    type: FolderType
    is_system: bool
    music_count: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, folder: Folder, music_count: int = 0) -> Self:
        """The view of a row."""
        names = set(cls.model_fields) - {"music_count"}
        return cls(music_count=music_count, **{name: getattr(folder, name) for name in names})


class FolderCreate(ApiModel):
    """A new folder; `parent_id` nests it. `client_id` is for admin and staff."""

    name: Line
    description: str = Field(default="", max_length=2_000)
    type: FolderType = FolderType.MUSIC
    parent_id: UUID | None = None
    client_id: UUID | None = None


class FolderUpdate(ApiModel):
    """What may be changed of a folder; `parent_id: null` moves it to the top."""

    name: Line = left_out()
    description: str = left_out(max_length=2_000)
    parent_id: UUID | None = None


class FolderQuery(ListQuery):
    """Which folders. `parent_id` is a folder, or `root` for those that lie in none."""

    parent_id: UUID | Literal["root"] | None = None
    type: FolderType | None = None
    search: str = Field(default="", max_length=200)
    client_id: UUID | None = None


class FolderOrder(ApiModel):
    """Tracks of the folder in the order to play them; those left out follow as they were."""

    music_ids: list[UUID] = Field(min_length=1, max_length=10_000)


class MusicView(Frozen):
    """A track. `loudness_lufs` is null until `measured_at`, and for silence."""

    id: UUID
    client_id: UUID
    folder_id: UUID | None
    title: str
    artist: str
    album: str
    genre: str
    composer: str
    isrc: str
    year: int | None
    order: int
    filename: str
    file_size: int
    content_hash: str
    codec: str
    sample_rate: int
    channels: int
    duration_s: float
    has_cover: bool
    loudness_lufs: float | None
    true_peak_db: float | None
    measured_at: datetime | None
    measure_error: str | None
    uploaded_by_id: UUID | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, music: MusicFile) -> Self:
        """The view of a row."""
        names = set(cls.model_fields) - {"has_cover"}
        values = {name: getattr(music, name) for name in names}
        return cls(has_cover=music.cover_art is not None, **values)


class MusicUpdate(ApiModel):
    """What may be changed of a track; `folder_id: null` takes it out of its folder."""

    title: Line = left_out()
    artist: Tag = left_out()
    album: Tag = left_out()
    genre: Annotated[Tag, Field(max_length=100)] = left_out()
    composer: Tag = left_out()
    isrc: Annotated[Tag, Field(max_length=20)] = left_out()
    year: Annotated[int, Field(ge=1, le=9999)] | None = None
    order: Order = left_out()
    folder_id: UUID | None = None


class MusicUpload(ApiModel):
    """Fields of the form, in any order. `client_id` is for admin and staff."""

    file: bytes
    folder_id: UUID | None = None
    client_id: UUID | None = None


class MusicOrder(StrEnum):
    """How a list is sorted; a minus turns it round."""

    ORDER = "order"
    TITLE = "title"
    TITLE_DOWN = "-title"
    ARTIST = "artist"
    ARTIST_DOWN = "-artist"
    ALBUM = "album"
    ALBUM_DOWN = "-album"
    DURATION = "duration_s"
    DURATION_DOWN = "-duration_s"
    CREATED = "created_at"
    CREATED_DOWN = "-created_at"


class MusicQuery(ListQuery):
    """Which tracks. `search` wants all its words, in any tag, whatever their case and accents.

    `folder_id` is a folder, or `root` for tracks that lie in none. The default order is that of
    the folder, or else by title.
    """

    folder_id: UUID | Literal["root"] | None = None
    search: str = Field(default="", max_length=200)
    artist: str = Field(default="", max_length=300)
    order: MusicOrder | None = None
    client_id: UUID | None = None
