"""What the API takes and gives for folders and music."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field

from antiphon.plugins import ApiModel, DeletableQuery, Line, SortedBy, left_out
from antiphon.text import one_line
from antiphon.types import Frozen
from antiphon_music.models import Folder, FolderType, MusicFile


def _tidy(text: str) -> str:
    return one_line(text, len(text))


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
    has_cover: bool = False
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    @classmethod
    def of(cls, folder: Folder, music_count: int = 0) -> Self:
        """The view of a row."""
        names = set(cls.model_fields) - {"music_count", "has_cover"}
        values = {name: getattr(folder, name) for name in names}
        has_cover = folder.cover_image is not None
        return cls(music_count=music_count, has_cover=has_cover, **values)


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


class FolderQuery(DeletableQuery):
    """Which folders. `parent_id` is a folder, or `root` for those that lie in none."""

    ordering: Annotated[str, SortedBy("name", "type", "created_at", "updated_at")] = "name"

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
    deleted_at: datetime | None = None

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


class MusicPlace(ApiModel):
    """Fields of the form beside the file, in any order. `client_id` is for admin and staff."""

    folder_id: UUID | None = None
    client_id: UUID | None = None


class MusicUpload(MusicPlace):
    """A new track."""

    file: bytes


class MusicChoice(ApiModel):
    """Which tracks, all of one client."""

    music_ids: list[UUID] = Field(min_length=1, max_length=1_000)


class MusicMove(MusicChoice):
    """Where they go, in this order; null is the top of the library."""

    folder_id: UUID | None


class MusicCount(Frozen):
    """To how many tracks it was done."""

    count: int


class MusicQuery(DeletableQuery):
    """Which tracks. `search` wants all its words, in any tag, whatever their case and accents.

    `folder_id` is a folder, or `root` for tracks that lie in none. The default order is that of
    the folder, or else by title.
    """

    folder_id: UUID | Literal["root"] | None = None
    search: str = Field(default="", max_length=200)
    artist: str = Field(default="", max_length=300)
    ordering: (
        Annotated[
            str,
            SortedBy("order", "title", "artist", "album", "genre", "duration_s", "created_at"),
        ]
        | None
    ) = None
    client_id: UUID | None = None
