"""The events that tell of a programme's tracks, one for each zone that hears it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from antiphon import events
from antiphon.playback.levels import music_id
from antiphon.playback.window import Item, Miss


class News:
    """Publishes what becomes of tracks."""

    def __init__(self, bus: events.EventBus, client_id: UUID) -> None:
        self._bus = bus
        self._client_id = client_id

    def started(self, zones: Iterable[UUID], item: Item, position_s: float) -> None:
        """The first sample of a track went out."""
        self._publish(
            zones,
            lambda zone_id: events.TrackStarted(
                zone_id=zone_id,
                client_id=self._client_id,
                music_id=music_id(item.media.ref),
                title=item.media.title,
                artist=item.media.artist,
                duration_s=item.duration_s,
                position_s=position_s,
            ),
        )

    def finished(self, zones: Iterable[UUID], item: Item, played_s: float) -> None:
        """The last sample of a track went out."""
        self._publish(
            zones,
            lambda zone_id: events.TrackFinished(
                zone_id=zone_id,
                client_id=self._client_id,
                music_id=music_id(item.media.ref),
                title=item.media.title,
                played_s=played_s,
            ),
        )

    def failed(self, zones: Iterable[UUID], item: Item, reason: str) -> None:
        """The renderer could not read a track."""
        self._skipped(zones, music_id(item.media.ref), item.media.title, reason)

    def missed(self, zones: Iterable[UUID], miss: Miss) -> None:
        """No source had the track."""
        title = f"{miss.ref.kind} {miss.ref.value}"
        self._skipped(zones, music_id(miss.ref), title, str(miss.error))

    def _skipped(
        self, zones: Iterable[UUID], track_id: UUID | None, title: str, reason: str
    ) -> None:
        self._publish(
            zones,
            lambda zone_id: events.TrackSkipped(
                zone_id=zone_id,
                client_id=self._client_id,
                music_id=track_id,
                title=title,
                reason=reason,
            ),
        )

    def _publish(self, zones: Iterable[UUID], event: Callable[[UUID], events.Event]) -> None:
        for zone_id in tuple(zones):
            self._bus.publish(event(zone_id))
