"""Announcements that are counted in tracks."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from uuid import UUID

from antiphon_scheduling.playlists.timetable import Slot, Timetable


class TrackCounter:
    """Counts tracks for each timing of each playlist, `where` a programme of it is heard."""

    def __init__(self) -> None:
        self._counts: dict[tuple[UUID, UUID | None, Hashable], int] = {}

    def full(self, table: Timetable, where: Hashable) -> Iterator[Slot]:
        """Count a track, and say which timings it completes."""
        for slot in table.slots:
            if slot.every_tracks is not None:
                key = (table.playlist_id, slot.item_id, where)
                self._counts[key] = self._counts.get(key, 0) + 1
                if self._counts[key] >= slot.every_tracks:
                    del self._counts[key]
                    yield slot
