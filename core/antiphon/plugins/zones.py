"""The zones as plugins see them: what to read and what to command."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from antiphon.plugins.lists import Page
from antiphon.plugins.media import MediaRef
from antiphon.types import Band, CallState, CallStyle, Frozen, Playback, Principal, Repeat

Percent = Annotated[int, Field(ge=0, le=100)]


class TrackView(Frozen):
    """A track as listeners know it. `art` is the path of its picture, behind `/api/v1/`."""

    music_id: UUID | None
    title: str
    artist: str | None = None
    album: str | None = None
    duration_s: float
    art: str | None = None


class AnnouncementView(Frozen):
    """The call that is heard in a zone right now."""

    call_id: UUID
    announcement_id: UUID | None
    title: str
    band: Band
    started_at: datetime
    duration_s: float


class PlaybackView(Frozen):
    """All that a zone plays at one moment. `position_s` was true at `position_at`.

    `source` is what the queue was made of, where that was one thing: a folder, or something
    endless such as a channel playlist. A zone that is muted keeps its volume. Without
    `schedules_enabled` no schedule does anything here.
    """

    zone_id: UUID
    client_id: UUID
    floor_id: UUID
    name: str
    playback: Playback
    volume: int
    muted: bool = False
    track: TrackView | None
    position_s: float
    position_at: datetime
    announcement: AnnouncementView | None
    queue_length: int
    queue_position: int
    shuffle: bool
    repeat: Repeat
    source: MediaRef | None = None
    schedules_enabled: bool = True
    shared_with: tuple[UUID, ...] = ()
    problems: tuple[str, ...] = ()


class QueuedTrack(Frozen):
    """A place in a queue, from 0. `track` is empty where it is there no more, or is a rest."""

    place: int
    track: TrackView | None


class QueueView(Frozen):
    """A part of a queue, in the order in which this round plays; `position` is where it is now."""

    items: tuple[QueuedTrack, ...]
    total: int
    position: int


class PlayRequest(Frozen):
    """Start music. Exactly one of the sources; without any, the zone's own queue goes on.

    `zones` names further zones that join: they share one programme and hear the same sample.
    """

    music_ids: list[UUID] | None = Field(default=None, min_length=1, max_length=10_000)
    folder_ids: list[UUID] | None = Field(default=None, min_length=1, max_length=1_000)
    playlist_id: UUID | None = Field(
        default=None, description="A channel playlist, whose music goes on for ever."
    )
    shuffle: bool = False
    repeat: Repeat = Repeat.ALL
    crossfade_s: float = Field(default=0.0, ge=0, le=12)
    zones: list[UUID] = Field(default_factory=list, max_length=1_000)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(map(bool, (self.music_ids, self.folder_ids, self.playlist_id))) > 1:
            raise ValueError("give one of music_ids, folder_ids and playlist_id")
        return self


class CallStart(StrEnum):
    """What a call does in a zone where another one sounds."""

    CUT_IN = "cut_in"
    MAKE_NEXT = "make_next"
    WAIT = "wait"


class Routing(StrEnum):
    """What a call does where only some of its zones are free."""

    PARTIAL = "partial"
    ALL_OR_NOTHING = "all_or_nothing"
    TOGETHER = "together"


class WhenCut(StrEnum):
    """What becomes of a call that a higher one cut."""

    RESTART = "restart"
    DROP = "drop"


class WhenQuiet(StrEnum):
    """What becomes of a call in a zone that has its quiet hours."""

    DROP = "drop"
    DEFER = "defer"


class CallOptions(Frozen):
    """Where, when and how a call is played; all but the zones may be left out.

    Zones are named by themselves, by their floors, or by a loudspeaker in them: all that hear that
    zone hear the call. `expires_in_s` counts from `at`, or else from now.
    """

    zones: list[UUID] | None = Field(default=None, min_length=1, max_length=1_000)
    floors: list[UUID] | None = Field(default=None, min_length=1, max_length=1_000)
    devices: list[UUID] | None = Field(default=None, min_length=1, max_length=1_000)
    all: bool = False
    band: Band | None = None
    priority: int | None = Field(
        default=None, ge=0, le=255, description="Within the band, if that is given too."
    )
    start: CallStart = Field(
        default=CallStart.CUT_IN,
        description="Cut in on a call of a lower band, come next in its band, or wait in turn.",
    )
    when_cut: WhenCut = Field(
        default=WhenCut.RESTART, description="Play it again if a higher call cut it, or drop it."
    )
    routing: Routing = Field(
        default=Routing.PARTIAL,
        description="Play where it can; in all zones at once or not at all; or wait for all.",
    )
    when_quiet: WhenQuiet = Field(
        default=WhenQuiet.DROP,
        description="In a zone's quiet hours spots and announcements are dropped, or deferred.",
    )
    style: CallStyle | None = Field(
        default=None,
        description="Over the music, with the music paused, or between two tracks. "
        "Without it the announcement's own style, or else over.",
    )
    chime: bool | None = Field(
        default=None, description="Before the call; if left out, as the announcement says."
    )
    chime_after: bool | None = Field(
        default=None, description="Behind the call; if left out, as the announcement says."
    )
    repeat: int = Field(default=1, ge=1, le=100, description="How many times it is played.")
    repeat_gap_s: float = Field(default=0.0, ge=0, le=3_600)
    max_duration_s: float | None = Field(
        default=None,
        gt=0,
        le=86_400,
        description="Having sounded this long in a zone, it is ended.",
    )
    expires_in_s: float | None = Field(default=None, gt=0, le=86_400)
    at: AwareDatetime | None = Field(default=None, description="When it is heard; within a year.")
    dedupe_key: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="While a call with this key is open, it is answered and no second one made.",
    )

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if any((self.zones, self.floors, self.devices)) == self.all:
            raise ValueError("give zones, floors or devices, or all: true")
        if self.band is not None and self.priority is not None:
            within = self.band.priorities
            if self.priority not in within:
                raise ValueError(
                    f"priority: must be from {within[0]} to {within[-1]} in the band {self.band}"
                )
        if self.style is CallStyle.BETWEEN and self.routing is not Routing.PARTIAL:
            raise ValueError("style: between waits in each zone by itself; routing must be partial")
        return self


class CallRequest(CallOptions):
    """Play an announcement: a stored one, a text that is spoken, or a file, in zones or in all."""

    announcement_id: UUID | None = None
    text: str | None = Field(default=None, min_length=1, max_length=5_000)
    url: str | None = Field(
        default=None,
        min_length=1,
        max_length=2_000,
        description="A file to fetch, from a host that [announcements] url_hosts names.",
    )
    voice: str | None = Field(default=None, max_length=100)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if sum(given is not None for given in (self.announcement_id, self.text, self.url)) != 1:
            raise ValueError("give either announcement_id or text, or a url")
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
    starts_at: datetime | None = None
    dedupe_key: str | None = None
    style: CallStyle = CallStyle.OVER
    is_stored: bool = Field(
        default=True,
        description="Whether it survives a restart of the server: not while the database is away.",
    )
    zones: tuple[CallZoneView, ...]


class Zones(Protocol):
    """The one door for commands, whoever sends them. All methods run on the main loop.

    Zones that the principal does not reach raise NotFound, as if they did not exist.
    """

    @property
    def latency_s(self) -> float:
        """How long sound takes from here until it is heard."""

    @property
    def notice_s(self) -> float:
        """How long before its `at` a call has to be made so that it is heard in time."""

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

    async def queue(
        self, principal: Principal, zone_id: UUID, *, offset: int, limit: int
    ) -> QueueView:
        """A part of the queue that the zone plays, or goes on with."""

    async def set_queue(
        self, principal: Principal, zone_id: UUID, music_ids: Sequence[UUID]
    ) -> PlaybackView:
        """Let these be the zone's queue, in this order. The track that plays goes on.

        If it is not among them it comes before them. What stands still stays so. Raises Invalid
        with all that the client does not have.
        """

    async def redraw(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        """Ask the zone's endless source anew for what follows the current track.

        For a source whose content has changed. Any other queue stays as it is.
        """

    async def go_on(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        """End a rest that the zone's endless source wanted (`REST`); else nothing happens."""

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

    async def set_muted(self, principal: Principal, zone_id: UUID, *, muted: bool) -> PlaybackView:
        """Silence the zone, announcements included, or let it be heard again."""

    async def switch_schedules(
        self, principal: Principal, zone_id: UUID, *, enabled: bool
    ) -> PlaybackView:
        """Let schedules act in the zone, or not. Kept until somebody says otherwise."""

    async def call(self, principal: Principal, request: CallRequest) -> CallView:
        """Play an announcement. Returns as soon as the call is accepted."""

    async def call_between(self, principal: Principal, request: CallRequest) -> CallView:
        """Play an announcement after the current track, as an item of the programme.

        It is gapless, and one sample for all zones of the programme. Of the request `zones`, what
        is said, `band` and `chime` count. Raises Conflict where the zones are not all those of one
        programme, or no music plays.
        """

    async def calls(
        self,
        principal: Principal,
        *,
        zone_id: UUID | None = None,
        ordering: str = "-created_at",
        offset: int = 0,
        limit: int = 50,
    ) -> Page[CallView]:
        """Calls that are open, and the last finished ones: those in one zone, or all.

        They can be ordered by `created_at`, `priority` and `title`, downwards with a minus.
        """

    async def get_call(self, principal: Principal, call_id: UUID) -> CallView:
        """One call. Raises NotFound for one that is unknown or long gone."""

    async def revoke(self, principal: Principal, call_id: UUID) -> CallView:
        """Take a call back: queued or playing, with a short fade."""


class ApiModel(BaseModel):
    """Base of bodies and queries of the API: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", defer_build=True)
