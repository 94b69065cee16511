"""The zones as plugins see them: what to read and what to command."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated, Protocol, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from antiphon.plugins.media import MediaRef
from antiphon.types import Band, CallState, Frozen, Playback, Principal, Repeat

Percent = Annotated[int, Field(ge=0, le=100)]


class TrackView(Frozen):
    """A track as listeners know it."""

    music_id: UUID | None
    title: str
    artist: str | None = None
    album: str | None = None
    duration_s: float


class AnnouncementView(Frozen):
    """The call that is heard in a zone right now."""

    call_id: UUID
    announcement_id: UUID | None
    title: str
    band: Band
    started_at: datetime
    duration_s: float


class PlaybackView(Frozen):
    """All that a zone plays at one moment. `position_s` was true at `position_at`."""

    zone_id: UUID
    client_id: UUID
    floor_id: UUID
    name: str
    playback: Playback
    volume: int
    track: TrackView | None
    position_s: float
    position_at: datetime
    announcement: AnnouncementView | None
    queue_length: int
    queue_position: int
    shuffle: bool
    repeat: Repeat
    shared_with: tuple[UUID, ...] = ()
    problems: tuple[str, ...] = ()


class PlayRequest(Frozen):
    """Start music. Exactly one of the sources; without any, the zone's own queue goes on.

    `zones` names further zones that join: they share one programme and hear the same sample.
    """

    music_ids: list[UUID] | None = Field(default=None, min_length=1, max_length=10_000)
    folder_ids: list[UUID] | None = Field(default=None, min_length=1, max_length=1_000)
    shuffle: bool = False
    repeat: Repeat = Repeat.ALL
    crossfade_s: float = Field(default=0.0, ge=0, le=12)
    zones: list[UUID] = Field(default_factory=list, max_length=1_000)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.music_ids and self.folder_ids:
            raise ValueError("give music_ids or folder_ids, not both")
        return self


class CallRequest(Frozen):
    """Play an announcement: a stored one, or a text that is spoken, in some zones or in all."""

    announcement_id: UUID | None = None
    text: str | None = Field(default=None, min_length=1, max_length=5_000)
    voice: str | None = Field(default=None, max_length=100)
    zones: list[UUID] | None = Field(default=None, min_length=1, max_length=1_000)
    all: bool = False
    band: Band | None = None
    chime: bool | None = None
    expires_in_s: float | None = Field(default=None, gt=0, le=86_400)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.announcement_id is None) == (self.text is None):
            raise ValueError("give either announcement_id or text")
        if (self.zones is None) == (not self.all):
            raise ValueError("give either zones, or all: true")
        return self


class CallZoneView(Frozen):
    """How far a call got in one zone."""

    zone_id: UUID
    state: CallState
    started_at: datetime | None = None
    finished_at: datetime | None = None
    seconds_heard: float = 0.0
    reason: str | None = None


class CallView(Frozen):
    """A call and its state in each of its zones."""

    id: UUID
    client_id: UUID
    announcement_id: UUID | None
    title: str
    band: Band
    priority: int
    created_at: datetime
    expires_at: datetime | None
    zones: tuple[CallZoneView, ...]


class Zones(Protocol):
    """The one door for commands, whoever sends them. All methods run on the main loop.

    Zones that the principal does not reach raise NotFound, as if they did not exist.
    """

    async def views(
        self, principal: Principal, only: Collection[UUID] | None = None
    ) -> Sequence[PlaybackView]:
        """What plays in every zone that the principal sees, or in those of `only` that it sees."""

    async def view(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        """What plays in one zone."""

    async def play(self, principal: Principal, zone_id: UUID, request: PlayRequest) -> PlaybackView:
        """Start music in a zone; see `PlayRequest`."""

    async def play_refs(
        self,
        principal: Principal,
        zone_id: UUID,
        refs: Sequence[MediaRef],
        *,
        shuffle: bool = False,
    ) -> PlaybackView:
        """Start a queue of any media, such as a plugin's own."""

    async def pause(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        """Hold the music at its position."""

    async def resume(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        """Go on from where the music was held."""

    async def stop(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        """End the music in this zone; the queue is kept."""

    async def next(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        """Go to the next track."""

    async def previous(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        """Go to the start of the track, or, within its first 3 s, to the one before."""

    async def seek(self, principal: Principal, zone_id: UUID, position_s: float) -> PlaybackView:
        """Go to a position in the track. Raises Invalid beyond its end."""

    async def set_volume(self, principal: Principal, zone_id: UUID, volume: int) -> PlaybackView:
        """Set the zone's volume in percent."""

    async def call(self, principal: Principal, request: CallRequest) -> CallView:
        """Play an announcement. Returns as soon as the call is accepted."""

    async def calls(self, principal: Principal) -> Sequence[CallView]:
        """Calls that are open, and the last finished ones, newest first."""

    async def get_call(self, principal: Principal, call_id: UUID) -> CallView:
        """One call. Raises NotFound for one that is unknown or long gone."""

    async def revoke(self, principal: Principal, call_id: UUID) -> CallView:
        """Take a call back: queued or playing, with a short fade."""


class ApiModel(BaseModel):
    """Base of bodies and queries of the API: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")
