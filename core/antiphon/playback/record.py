"""What is kept in memory of a call, and how it is shown."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from antiphon.plugins.media import Media
from antiphon.plugins.zones import AnnouncementView, CallRequest, CallView, CallZoneView, Routing
from antiphon.types import Band, CallState, CallStyle, Principal

_TITLE_LENGTH = 80


@dataclass(slots=True)
class Part:
    """A call in one zone. `launch` is the renderer's name for what it plays there.

    `is_noted`: its receipt was there before a restart. `times_heard` counts to its end.
    `by_device`: the seconds that each loudspeaker played. What ends with `_before` was heard of
    earlier repeats. `began` is on the loop's clock.
    """

    receipt_id: UUID = field(default_factory=uuid4)
    state: CallState = CallState.PREPARING
    delivered_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    seconds_heard: float = 0.0
    seconds_before: float = 0.0
    times_heard: int = 0
    by_device: dict[UUID, float] = field(default_factory=dict)
    by_device_before: dict[UUID, float] = field(default_factory=dict)
    began: float = 0.0
    duration_s: float = 0.0
    reason: str | None = None
    launch: str | None = None
    watch: asyncio.TimerHandle | None = None
    limit: asyncio.TimerHandle | None = None
    busy_times: int = 0
    is_noted: bool = False

    def let_go(self) -> None:
        """Cancel its timers."""
        for handle in (self.watch, self.limit):
            if handle is not None:
                handle.cancel()
        self.watch = self.limit = None


@dataclass(slots=True)
class Record:
    """A call. `note` is what listeners should know although it was played, such as no chime.

    `arrival` orders calls, over restarts too. Events: `known` once it is accepted or refused,
    `admitted` once its clip is there or can not be, `stored` once a restart can not lose it.
    """

    client_id: UUID
    request: CallRequest
    principal: Principal
    parts: dict[UUID, Part]
    title: str
    band: Band
    id: UUID = field(default_factory=uuid4)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    expires_at: datetime | None = None
    starts_at: datetime | None = None
    media: Media | None = None
    chime: Media | None = None
    chime_after: Media | None = None
    arrival: int = 0
    note: str | None = None
    work: set[asyncio.Task[None]] = field(default_factory=set)
    expiry: asyncio.TimerHandle | None = None
    known: asyncio.Event = field(default_factory=asyncio.Event)
    admitted: asyncio.Event = field(default_factory=asyncio.Event)
    stored: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def priority(self) -> int:
        """What decides between calls."""
        asked = self.request.priority
        return self.band.priority if asked is None else asked

    @property
    def is_over(self) -> bool:
        """Whether the call has its final state in every zone."""
        return all(part.state.final for part in self.parts.values())

    @property
    def length_s(self) -> float:
        """How long the call takes, chime included, as far as is known."""
        played = (self.chime, self.media, self.chime_after)
        return sum(media.duration_s for media in played if media is not None)

    @property
    def style(self) -> CallStyle:
        """What becomes of the music: as asked, or as the announcement wishes.

        Who wants all zones at once can not wait for the end of each zone's own track.
        """
        style = self.request.style or (self.media.style if self.media else None) or CallStyle.OVER
        if style is CallStyle.BETWEEN and self.request.routing is not Routing.PARTIAL:
            return CallStyle.PAUSE
        return style

    @property
    def open_zones(self) -> tuple[UUID, ...]:
        """The zones in which it is not over."""
        return tuple(zone_id for zone_id, part in self.parts.items() if not part.state.final)

    def add_work(self, task: asyncio.Task[None]) -> None:
        """Cancel this task when the call is over."""
        self.work.add(task)
        task.add_done_callback(self.work.discard)

    def release(self) -> None:
        """Let go of timers and tasks."""
        if self.expiry is not None:
            self.expiry.cancel()
        for part in self.parts.values():
            part.let_go()
        for task in tuple(self.work):
            task.cancel()

    def view(self) -> CallView:
        """The call as the API shows it."""
        return CallView(
            id=self.id,
            client_id=self.client_id,
            announcement_id=self.request.announcement_id,
            title=self.title,
            band=self.band,
            priority=self.priority,
            created_at=self.created_at,
            expires_at=self.expires_at,
            starts_at=self.starts_at,
            dedupe_key=self.request.dedupe_key,
            style=self.style,
            is_stored=self.stored.is_set() or self.is_over,
            zones=tuple(
                CallZoneView(
                    zone_id=zone_id,
                    state=part.state,
                    started_at=part.started_at,
                    finished_at=part.finished_at,
                    seconds_heard=part.seconds_heard,
                    reason=part.reason or self.note,
                )
                for zone_id, part in self.parts.items()
            ),
        )

    def announcement(self, zone_id: UUID) -> AnnouncementView | None:
        """What a zone's listeners hear of the call now."""
        part = self.parts.get(zone_id)
        if part is None or part.state is not CallState.PLAYING or part.started_at is None:
            return None
        return AnnouncementView(
            call_id=self.id,
            announcement_id=self.request.announcement_id,
            title=self.title,
            band=self.band,
            started_at=part.started_at,
            duration_s=part.duration_s,
        )


def request_band(request: CallRequest) -> Band | None:
    """The band that a call asks for, by its name or by a priority in it."""
    return request.band if request.priority is None else Band.of(request.priority)


def provisional_title(request: CallRequest) -> str:
    """What a call is called until its media tells."""
    if request.text is None:
        return "Announcement"
    text = " ".join(request.text.split())
    return text if len(text) <= _TITLE_LENGTH else f"{text[: _TITLE_LENGTH - 1]}…"
