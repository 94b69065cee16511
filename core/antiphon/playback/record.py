"""What is kept in memory of a call, and how it is shown."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from antiphon.plugins.media import Media
from antiphon.plugins.zones import AnnouncementView, CallRequest, CallView, CallZoneView
from antiphon.types import Band, CallState, Principal

_TITLE_LENGTH = 80


@dataclass(slots=True)
class Part:
    """A call in one zone. `launch` is the renderer's name for what it plays there."""

    receipt_id: UUID = field(default_factory=uuid4)
    state: CallState = CallState.PREPARING
    delivered_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    seconds_heard: float = 0.0
    duration_s: float = 0.0
    reason: str | None = None
    launch: str | None = None
    watch: asyncio.TimerHandle | None = None
    busy_times: int = 0


@dataclass(slots=True)
class Record:
    """A call. `note` is what listeners should know although it was played, such as no chime."""

    client_id: UUID
    request: CallRequest
    principal: Principal
    parts: dict[UUID, Part]
    title: str
    band: Band
    id: UUID = field(default_factory=uuid4)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    expires_at: datetime | None = None
    media: Media | None = None
    chime: Media | None = None
    note: str | None = None
    work: asyncio.Task[None] | None = None
    expiry: asyncio.TimerHandle | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_over(self) -> bool:
        """Whether the call has its final state in every zone."""
        return all(part.state.final for part in self.parts.values())

    @property
    def length_s(self) -> float:
        """How long the call takes, chime included, as far as is known."""
        return sum(media.duration_s for media in (self.chime, self.media) if media is not None)

    def release(self) -> None:
        """Let go of timers and tasks."""
        for handle in (self.expiry, *(part.watch for part in self.parts.values())):
            if handle is not None:
                handle.cancel()
        if self.work is not None:
            self.work.cancel()

    def view(self) -> CallView:
        """The call as the API shows it."""
        return CallView(
            id=self.id,
            client_id=self.client_id,
            announcement_id=self.request.announcement_id,
            title=self.title,
            band=self.band,
            priority=self.band.priority,
            created_at=self.created_at,
            expires_at=self.expires_at,
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


def provisional_title(request: CallRequest) -> str:
    """What a call is called until its media tells."""
    if request.text is None:
        return "Announcement"
    text = " ".join(request.text.split())
    return text if len(text) <= _TITLE_LENGTH else f"{text[: _TITLE_LENGTH - 1]}…"
