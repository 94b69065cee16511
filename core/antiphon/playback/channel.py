"""One zone as the controller knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from antiphon import events
from antiphon.building.models import Zone
from antiphon.engine.protocol import AddZone
from antiphon.playback import levels
from antiphon.playback.keeper import Snapshot, parse
from antiphon.playback.models import PlaybackState
from antiphon.playback.programme import Programme
from antiphon.playback.queue import Queue
from antiphon.plugins.media import MediaRef
from antiphon.plugins.zones import AnnouncementView, PlaybackView
from antiphon.types import Playback


@dataclass(eq=False, slots=True)
class Channel:
    """A zone: what it is called, how loud it is, where its sound goes and what it plays."""

    zone_id: UUID
    client_id: UUID
    floor_id: UUID
    name: str
    sink: str
    volume: int
    background_percent: int | None
    programme: Programme
    dead_air: str | None = None
    muted: bool = False
    schedules_enabled: bool = True

    @classmethod
    def of(cls, zone: Zone, state: PlaybackState, sink: str, programme: Programme) -> Channel:
        """A zone as the database knows it."""
        return cls(
            zone_id=zone.id,
            client_id=zone.client_id,
            floor_id=zone.floor_id,
            name=zone.name,
            sink=sink,
            volume=state.volume,
            background_percent=zone.background_volume_percent,
            programme=programme,
            muted=state.muted,
            schedules_enabled=zone.schedules_enabled,
        )

    @property
    def audible_volume(self) -> int:
        """The volume that the renderer is to give the zone."""
        return 0 if self.muted else self.volume

    def added(self) -> AddZone:
        """The zone as the renderer knows it."""
        return AddZone(str(self.zone_id), self.sink, self.audible_volume, self.background_percent)

    def changed(self) -> events.PlaybackChanged:
        """The event that tells what the zone was asked to play."""
        return events.PlaybackChanged(
            zone_id=self.zone_id,
            client_id=self.client_id,
            playback=self.programme.playback,
            volume=self.volume,
            muted=self.muted,
        )

    def view(self, announcement: AnnouncementView | None) -> PlaybackView:
        """All that the zone plays at this moment."""
        programme, item = self.programme, self.programme.current
        is_stopped = programme.playback is Playback.STOPPED
        if item is not None and item.spoken is not None:
            announcement, item = item.spoken.record.announcement(self.zone_id), None
        track = levels.track_view(item.media, item.duration_s) if item is not None else None
        return PlaybackView(
            zone_id=self.zone_id,
            client_id=self.client_id,
            floor_id=self.floor_id,
            name=self.name,
            playback=programme.playback,
            volume=self.volume,
            muted=self.muted,
            track=None if is_stopped else track,
            position_s=programme.position_s,
            position_at=datetime.now(UTC),
            announcement=announcement,
            queue_length=len(programme.queue),
            queue_position=programme.queue.place,
            shuffle=programme.queue.shuffle,
            repeat=programme.queue.repeat,
            source=programme.queue.source or programme.queue.origin,
            schedules_enabled=self.schedules_enabled,
            shared_with=tuple(zone for zone in programme.zones if zone != self.zone_id),
            problems=tuple(filter(None, (programme.problem, self.dead_air))),
        )

    def snapshot(self, announcement: AnnouncementView | None) -> Snapshot:
        """What has to be kept to go on after a restart."""
        programme, item = self.programme, self.programme.current
        position_s = programme.position_s
        if item is not None and item.spoken is not None:  # a restart goes on behind it
            item, position_s = None, 0.0
        track = levels.track_view(item.media, item.duration_s) if item is not None else None
        return Snapshot(
            {
                "programme_id": programme.id,
                "playback": programme.playback,
                "position_s": position_s,
                "queue_position": programme.queue.cursor - programme.queue.base,
                "current_playlists": saved_source(programme.queue),
                "shuffle": programme.queue.shuffle,
                "repeat": programme.queue.repeat,
                "volume": self.volume,
                "muted": self.muted,
                "fade_duration_s": programme.crossfade_s,
                "current_track": track.model_dump(mode="json") if track is not None else None,
                "current_announcement_id": announcement.announcement_id if announcement else None,
            },
            programme.queue.refs,
        )


def saved_queue(state: PlaybackState) -> Queue:
    """The queue of a saved state, at its place and in its order."""
    return Queue(
        parse(state.queue),
        str(state.programme_id),
        max(0, state.queue_position),
        shuffle=state.shuffle,
        repeat=state.repeat,
        source=_source(state.current_playlists, 0),
        origin=_source(state.current_playlists, 1),
    )


def saved_source(queue: Queue) -> list[str]:
    """Where an endless queue gets its tracks from, or else what it was made of, as it is kept."""
    if queue.source is not None:
        return [_written(queue.source)]
    return ["", _written(queue.origin)] if queue.origin is not None else []


def _written(ref: MediaRef) -> str:
    return f"{ref.kind}:{ref.value}"


def _source(saved: Sequence[str], place: int) -> MediaRef | None:
    kind, _, value = saved[place].partition(":") if len(saved) > place else ("", "", "")
    return MediaRef(kind=kind, value=value) if kind else None
