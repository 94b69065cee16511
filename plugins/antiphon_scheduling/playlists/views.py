"""What the API takes and gives."""

from __future__ import annotations

from datetime import datetime, time
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from antiphon.plugins import (
    ApiModel,
    DeletableQuery,
    Line,
    ListQuery,
    PlaybackView,
    SortedBy,
    left_out,
)
from antiphon.types import Band, Frozen
from antiphon_scheduling.playlists.force import Candidate
from antiphon_scheduling.playlists.models import (
    ChannelPlaylist,
    ChannelPlaylistItem,
    ItemType,
    Style,
)
from antiphon_scheduling.playlists.music import MAX_WEIGHT
from antiphon_scheduling.playlists.ordering import Rule


def _local(at: time) -> time:
    if at.tzinfo is not None:
        raise ValueError("is local time: leave the zone out")
    return at.replace(microsecond=0)


WallTime = Annotated[time, AfterValidator(_local)]
Spoken = Literal[Band.SPOT, Band.ANNOUNCEMENT]
Places = Annotated[list[UUID], Field(max_length=1_000)]
Minutes = Annotated[int, Field(ge=1, le=1_440)]
Tracks = Annotated[int, Field(ge=1, le=100)]
Weight = Annotated[int, Field(ge=1, le=MAX_WEIGHT)]
Times = Annotated[list[WallTime], Field(max_length=100)]
Gap = Annotated[int, Field(ge=0, le=240)]
MAX_ITEMS = 50_000
Fade = Annotated[float, Field(ge=0, le=12)]


class NewPlaylist(ApiModel):
    """A new channel playlist. Its items are added afterwards.

    Announcements without times of their own take turns, by one of the two defaults.
    """

    name: Line
    description: str = Field(default="", max_length=2_000)
    zones: Places = Field(default_factory=list)
    floors: Places = Field(default_factory=list)
    shuffle_music: bool = True
    title_gap_min: Gap = 60
    crossfade_s: Fade = 0.0
    shuffle_announcements: bool = False
    default_music_interval_min: Minutes | None = Field(
        default=None, description="One track every so many minutes; else music plays on."
    )
    default_announcement_interval_min: Minutes | None = None
    default_announcement_every_tracks: Tracks | None = None
    style: Style = Field(
        default=Style.OVER, description="Announcements over the music, or between two tracks."
    )
    band: Spoken = Band.SPOT
    quiet_from: WallTime | None = None
    quiet_until: WallTime | None = None
    enabled: bool = True
    client_id: UUID | None = Field(default=None, description="For admin and staff: whose it is.")


class ChangePlaylist(ApiModel):
    """What to change; keys that are left out stay. Takes effect at once."""

    name: Line = left_out()
    description: str = left_out(max_length=2_000)
    zones: Places = left_out()
    floors: Places = left_out()
    shuffle_music: bool = left_out()
    title_gap_min: Gap = left_out()
    crossfade_s: Fade = left_out()
    shuffle_announcements: bool = left_out()
    default_music_interval_min: Minutes | None = None
    default_announcement_interval_min: Minutes | None = None
    default_announcement_every_tracks: Tracks | None = None
    style: Style = left_out()
    band: Spoken = left_out()
    quiet_from: WallTime | None = None
    quiet_until: WallTime | None = None
    enabled: bool = left_out()


class PlaylistView(Frozen):
    """A channel playlist; its items are a list of their own."""

    id: UUID
    client_id: UUID
    name: str
    description: str
    zones: tuple[UUID, ...]
    floors: tuple[UUID, ...]
    shuffle_music: bool
    title_gap_min: int
    crossfade_s: float
    shuffle_announcements: bool
    default_music_interval_min: int | None
    default_announcement_interval_min: int | None
    default_announcement_every_tracks: int | None
    style: Style
    band: Band
    quiet_from: time | None
    quiet_until: time | None
    enabled: bool
    timezone: str
    items: int
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    @classmethod
    def of(
        cls,
        row: ChannelPlaylist,
        places: tuple[list[UUID], list[UUID]],
        timezone: str,
        items: int,
    ) -> Self:
        """The view of a row; `places` are its zones and its floors."""
        same = cls.model_fields.keys() - {"zones", "floors", "timezone", "items", "created_by"}
        return cls(
            zones=tuple(places[0]),
            floors=tuple(places[1]),
            timezone=timezone,
            items=items,
            created_by=row.created_by_id,
            **{name: getattr(row, name) for name in same},
        )


class PlaylistQuery(DeletableQuery):
    """Which playlists to list."""

    ordering: Annotated[str, SortedBy("name", "enabled", "created_at", "updated_at")] = "name"
    client_id: UUID | None = Field(default=None, description="Those of this client alone.")
    search: str | None = Field(default=None, max_length=200)
    enabled: bool | None = None


class NewItem(ApiModel):
    """One more entry, at the end.

    `weight` is for music: how often a track is played in each round. An announcement has at most
    one of `interval_min`, `every_tracks` and `fixed_times` (local, every day); without any it takes
    turns with the others.
    """

    item_type: ItemType
    content_id: UUID
    weight: Weight = 1
    interval_min: Minutes | None = None
    every_tracks: Tracks | None = None
    fixed_times: Times = Field(default_factory=list)
    style: Style | None = Field(default=None, description="Another one than the playlist's.")


class NewItems(ApiModel):
    """Several more entries at once."""

    items: list[NewItem] = Field(min_length=1, max_length=MAX_ITEMS)


class ItemsAdded(Frozen):
    """How many entries were added, and how many there are now."""

    added: int
    total: int


class ChangeItem(ApiModel):
    """What to change of an item."""

    weight: Weight = left_out()
    interval_min: Minutes | None = None
    every_tracks: Tracks | None = None
    fixed_times: Times = left_out()
    style: Style | None = None


class ItemQuery(ListQuery):
    """Which page of a playlist's items."""

    ordering: Annotated[str, SortedBy("order", "item_type", "weight")] = "order"


class ItemView(Frozen):
    """An entry of a playlist."""

    id: UUID
    playlist_id: UUID
    item_type: ItemType
    content_id: UUID
    order: int
    weight: int
    interval_min: int | None
    every_tracks: int | None
    fixed_times: tuple[time, ...]
    style: Style | None

    @classmethod
    def of(cls, row: ChannelPlaylistItem) -> Self:
        """The view of a row."""
        return cls.model_validate({name: getattr(row, name) for name in cls.model_fields})


class Order(ApiModel):
    """All items of a playlist, in their new order."""

    item_ids: list[UUID] = Field(max_length=MAX_ITEMS)

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len(set(self.item_ids)) < len(self.item_ids):
            raise ValueError("an item is named twice")
        return self


class PreviewQuery(ApiModel):
    """Which order to show: the same seed gives the same."""

    seed: str = Field(default="", max_length=100)
    limit: int = Field(default=100, ge=1, le=1_000)


class PreviewSong(Frozen):
    """A song in the order. `broken` is the rule that had to be broken for it."""

    music_id: UUID
    title: str
    artist: str | None
    duration_s: float
    broken: Rule | None


class PreviewView(Frozen):
    """How a round of the playlist's music could go, and how often a rule had to be broken.

    Much music is drawn in parts of about 150 songs: then one of them is shown. `total` is all.
    """

    songs: tuple[PreviewSong, ...]
    total: int
    titles_too_soon: int
    artists_in_a_row: int


class UpcomingView(Frozen):
    """An announcement to come: at a time, or counted in tracks. `held_back` says if it is not."""

    announcement_id: UUID
    at: datetime | None
    every_tracks: int | None
    style: Style
    held_back: str | None


class RulesView(Frozen):
    """How the last round of music that was drawn from a playlist kept the rules."""

    drawn_at: datetime
    songs: int
    titles_too_soon: int
    artists_in_a_row: int
    example: str | None


class ZoneChannelView(Frozen):
    """The playlist that is in force in a zone, and why; `plays` is whether its music is heard."""

    zone_id: UUID
    playlist_id: UUID | None
    name: str | None
    reason: str
    plays: bool
    quiet: bool
    upcoming: tuple[UpcomingView, ...]
    rules: RulesView | None
    candidates: tuple[Candidate, ...]


class ChannelPlayView(Frozen):
    """The zones in which a playlist's music was started, as one programme, or stopped."""

    zones: tuple[PlaybackView, ...]
