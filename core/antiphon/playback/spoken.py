"""Announcements that are items of a programme: between two tracks, without a gap.

All zones of the programme hear the same sample of it. It leaves the receipts of a call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from antiphon import events
from antiphon.playback.clips import prepare
from antiphon.playback.loudspeakers import Loudspeakers
from antiphon.playback.receipts import Receipts
from antiphon.playback.record import Part, Record, provisional_title
from antiphon.plugins.media import Media, MediaRegistry
from antiphon.plugins.zones import CallRequest
from antiphon.types import Band, CallState, Principal

KEPT = 100


@dataclass(eq=False, slots=True)
class Spoken:
    """One announcement in one programme. `left` counts its items (a chime, the clip) to come."""

    record: Record
    zones: Callable[[], Iterable[UUID]]
    left: int = 0
    has_begun: bool = False

    @property
    def items(self) -> tuple[Media, ...]:
        """What is played, in order."""
        there = (self.record.chime, self.record.media, self.record.chime_after)
        return tuple(media for media in there if media is not None)


class SpokenBetween:
    """Follows what is spoken between tracks, from the request to the receipts."""

    def __init__(
        self,
        bus: events.EventBus,
        media: MediaRegistry,
        receipts: Receipts,
        loudspeakers: Loudspeakers,
    ) -> None:
        self._bus = bus
        self._media = media
        self._receipts = receipts
        self._loudspeakers = loudspeakers
        self._recent: deque[Spoken] = deque(maxlen=KEPT)

    def newest_first(self) -> Iterator[Record]:
        """The last of them."""
        return (spoken.record for spoken in reversed(self._recent))

    def find(self, call_id: UUID) -> Spoken | None:
        """One of the last."""
        return next((one for one in self._recent if one.record.id == call_id), None)

    async def prepare(
        self,
        principal: Principal,
        client_id: UUID,
        zones: Callable[[], Iterable[UUID]],
        request: CallRequest,
    ) -> Spoken:
        """Find the clip and its chime. Raises AntiphonError where there is no clip."""
        record = Record(
            client_id=client_id,
            request=request,
            principal=principal,
            parts={},
            title=provisional_title(request),
            band=request.band or Band.SPOT,
        )
        await prepare(record, self._media)
        spoken = Spoken(record, zones)
        spoken.left = len(spoken.items)
        return spoken

    def queued(self, spoken: Spoken) -> None:
        """It stands in the programme."""
        self._recent.append(spoken)
        for zone_id in spoken.zones():
            part = spoken.record.parts.setdefault(zone_id, Part())
            part.delivered_at = datetime.now(UTC)
            self._tell(spoken, zone_id, CallState.QUEUED, "it waits for the end of the track")

    def started(self, spoken: Spoken) -> None:
        """The first sample of one of its items went out."""
        loop = asyncio.get_running_loop()
        spoken.has_begun = True
        for zone_id in spoken.zones():
            part = spoken.record.parts.setdefault(zone_id, Part())
            if part.state is not CallState.PLAYING and not part.state.final:
                part.started_at, part.began = datetime.now(UTC), loop.time()
                part.delivered_at = part.delivered_at or part.started_at
                part.duration_s = spoken.record.length_s
                self._tell(spoken, zone_id, CallState.PLAYING)

    def finished(self, spoken: Spoken, seconds: float, *, is_whole: bool) -> None:
        """The last sample of one of its items went out; a part of it that is cut is all over."""
        spoken.left = max(0, spoken.left - 1) if is_whole else 0
        for zone_id, part in self._open(spoken):
            part.seconds_heard = part.seconds_before + seconds
            self._loudspeakers.credit(zone_id, part, seconds)
            part.seconds_before = part.seconds_heard
            part.by_device_before = dict(part.by_device)
        if not spoken.left:
            state = CallState.COMPLETED if is_whole else CallState.CUT
            self.end(spoken, state, None if is_whole else "somebody went to another track")

    def end(self, spoken: Spoken, state: CallState, reason: str | None = None) -> None:
        """It is over, heard or not."""
        there = set(spoken.zones())
        for zone_id, part in self._open(spoken):
            if zone_id in there:
                self._tell(spoken, zone_id, state, reason)
            else:
                was_heard = part.state is CallState.PLAYING
                left = CallState.CUT if was_heard else CallState.FAILED
                self._tell(spoken, zone_id, left, "the zone left the programme")
        spoken.record.over.set()

    @staticmethod
    def _open(spoken: Spoken) -> list[tuple[UUID, Part]]:
        parts = spoken.record.parts.items()
        return [(zone_id, part) for zone_id, part in parts if not part.state.final]

    def _tell(
        self, spoken: Spoken, zone_id: UUID, state: CallState, reason: str | None = None
    ) -> None:
        record = spoken.record
        part = record.parts[zone_id]
        part.state, part.reason = state, reason
        if state.final:
            part.finished_at = datetime.now(UTC)
            heard = self._loudspeakers.heard(zone_id, part)
            self._receipts.note_devices(record, zone_id, heard)
        self._receipts.note(record, zone_id)
        self._bus.publish(
            events.CallChanged(
                zone_id=zone_id,
                client_id=record.client_id,
                call_id=record.id,
                state=state,
                announcement_id=record.request.announcement_id,
                title=record.title,
                reason=reason or record.note,
            )
        )
