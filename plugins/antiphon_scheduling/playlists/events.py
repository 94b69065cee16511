"""What happens to channel playlists, and what they do."""

from __future__ import annotations

from uuid import UUID

from antiphon.events import Event


class ChannelEvent(Event):
    """Something about one channel playlist."""

    playlist_id: UUID


class ChannelPlaylistChanged(ChannelEvent):
    """A playlist, its items or its zones changed, or it was deleted."""


class ChannelRoundDrawn(ChannelEvent):
    """The order of the next round of music was made; how often a rule had to be broken in it.

    `example` tells of the first time.
    """

    songs: int
    titles_too_soon: int
    artists_in_a_row: int
    example: str | None


class ChannelAnnounced(ChannelEvent):
    """A call was made for a playlist's announcement."""

    call_id: UUID
    announcement_id: UUID
    zones: tuple[UUID, ...]


class ChannelSilent(ChannelEvent):
    """What a playlist should have played was not played; `reason` says why."""

    reason: str
