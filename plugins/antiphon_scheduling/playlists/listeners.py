"""Which zones a playlist is heard in now: what is in force, what plays, when it is quiet there."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from antiphon.plugins import PlaybackView, Zones
from antiphon.types import Playback, Principal, Via
from antiphon_scheduling.places import Places
from antiphon_scheduling.playlists.decide import Listener
from antiphon_scheduling.playlists.force import winner
from antiphon_scheduling.playlists.music import CHANNEL
from antiphon_scheduling.playlists.tables import assigned
from antiphon_scheduling.rules import Quiets


class Listeners:
    """A client's zones at one moment."""

    def __init__(
        self,
        views: Sequence[PlaybackView],
        force: dict[UUID, UUID],
        quiets: dict[UUID, Quiets],
    ) -> None:
        self._views = {view.zone_id: view for view in views}
        self.force = force
        self._quiets = quiets

    @classmethod
    async def read(cls, zones: Zones, client_id: UUID) -> Listeners:
        """How it is now."""
        principal = Principal.system(client_id, Via.SCHEDULE)
        views = await zones.views(principal)
        playlists = await assigned(client_id)
        places = Places(zones)
        await places.refresh(client_id)
        found = {view.zone_id: winner(view.zone_id, view.floor_id, playlists) for view in views}
        force = {zone: playlist for zone, playlist in found.items() if playlist is not None}
        return cls(views, force, {one.zone_id: one.quiets for one in places(client_id)})

    def of(self, playlist_id: UUID) -> list[Listener]:
        """The zones where a playlist is in force."""
        return [
            Listener(
                zone_id=zone_id,
                silence=silence_of(view.playback),
                hears=hears(view, playlist_id),
                quiets=self._quiets.get(zone_id, ()),
            )
            for zone_id, view in self._views.items()
            if self.force.get(zone_id) == playlist_id
        ]

    def together(self, zone_id: UUID) -> frozenset[UUID]:
        """The zones that share a programme with this one, and itself."""
        view = self._views.get(zone_id)
        return frozenset({zone_id} if view is None else {zone_id, *view.shared_with})

    def programmes(self, zones: Sequence[UUID]) -> list[frozenset[UUID]]:
        """The programmes of some zones, each with all its zones."""
        return list(dict.fromkeys(self.together(zone_id) for zone_id in zones))

    def knows(self, zone_id: UUID) -> bool:
        """Whether there is such a zone."""
        return zone_id in self._views


def silence_of(playback: Playback) -> str | None:
    """Why no music is heard; None where it is."""
    return None if playback is Playback.PLAYING else f"the zone's music is {playback}"


def hears(view: PlaybackView, playlist_id: UUID) -> bool:
    """Whether a zone's music is that of a playlist."""
    source = view.source
    return source is not None and (source.kind, source.value) == (CHANNEL, str(playlist_id))
