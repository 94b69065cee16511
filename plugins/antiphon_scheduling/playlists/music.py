"""A playlist's music: what is in it, and the order of its next round."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from antiphon.errors import Invalid, NotFound
from antiphon.events import EventBus
from antiphon.plugins import Media, MediaChoice, MediaRef, MediaRegistry, MediaSource
from antiphon_scheduling.playlists.events import ChannelRoundDrawn
from antiphon_scheduling.playlists.models import ChannelPlaylist, ChannelPlaylistItem, ItemType
from antiphon_scheduling.playlists.ordering import Broken, Round, Rule, Song, next_round

CHANNEL = "channel"
MAX_WEIGHT = 10
_A_FEW = 20


class ChannelSource(MediaSource):
    """`channel`, by the playlist's id: its music for ever, each round in an order of its own."""

    def __init__(
        self,
        media: MediaRegistry,
        bus: EventBus,
        seed: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._media = media
        self._bus = bus
        self._seed = seed

    @property
    def kinds(self) -> frozenset[str]:
        """See `MediaSource.kinds`."""
        return frozenset({CHANNEL})

    @property
    def endless_kinds(self) -> frozenset[str]:
        """See `MediaSource.endless_kinds`."""
        return self.kinds

    async def resolve(self, client_id: UUID, ref: MediaRef) -> Media:  # noqa: ARG002
        """A playlist is no single track: raises Invalid."""
        raise Invalid.field("kind", "a channel playlist is no single track")

    async def expand(self, client_id: UUID, ref: MediaRef) -> Sequence[MediaRef]:
        """The first round. Raises Invalid where the playlist has no music or is switched off."""
        return await self.follow(client_id, ref, ())

    async def choices(self, client_id: UUID) -> Sequence[MediaChoice]:
        """The playlists that are switched on."""
        rows = ChannelPlaylist.filter(
            client_id=client_id, deleted_at__isnull=True, enabled=True
        ).order_by("name", "id")
        return [
            MediaChoice(ref=MediaRef(kind=CHANNEL, value=str(row.id)), name=row.name)
            for row in await rows
        ]

    async def follow(
        self, client_id: UUID, ref: MediaRef, played: Sequence[MediaRef]
    ) -> Sequence[MediaRef]:
        """The round after `played`."""
        row = await _row(client_id, ref)
        if not row.enabled:
            raise Invalid.field("playlist_id", f"“{row.name}” is switched off")
        found = await draw(self._media, row, played, self._seed())
        if not found.songs:
            raise Invalid.field("playlist_id", f"“{row.name}” has no music that can be played")
        titles, artists = found.badness
        self._bus.publish(
            ChannelRoundDrawn(
                client_id=client_id,
                playlist_id=row.id,
                songs=len(found.songs),
                titles_too_soon=titles,
                artists_in_a_row=artists,
                example=sentence(found.broken[0], row) if found.broken else None,
            )
        )
        return [song.ref for song in found.songs]


async def draw(
    media: MediaRegistry, row: ChannelPlaylist, played: Sequence[MediaRef], seed: str
) -> Round:
    """The next round of a playlist; without songs where there is no music."""
    weights = await _weights(media, row)
    known = await media.describe(row.client_id, {*weights, *played})
    # In a thread: thousands of songs take longer than the loop may be held.
    return await asyncio.to_thread(
        next_round,
        [_song(known[ref], weight) for ref, weight in weights.items() if ref in known],
        [_song(known[ref]) for ref in played if ref in known],
        shuffle=row.shuffle_music,
        title_gap_s=row.title_gap_min * 60.0,
        seed=seed,
    )


async def has_music(media: MediaRegistry, row: ChannelPlaylist) -> bool:
    """Whether there is anything to play."""
    refs = list(await _weights(media, row))
    # A few are enough nearly always, and all of them may be many thousands.
    for some in (refs[:_A_FEW], refs[_A_FEW:]):
        if some and await media.describe(row.client_id, some):
            return True
    return False


def sentence(broken: Broken, row: ChannelPlaylist) -> str:
    """What rule was broken by which song."""
    song = broken.song
    if broken.rule is Rule.TITLE_GAP:
        return f"“{song.title}” comes again within {row.title_gap_min} minutes"
    return f"“{song.title}” is {song.artist} twice in a row"


async def _row(client_id: UUID, ref: MediaRef) -> ChannelPlaylist:
    try:
        key = UUID(ref.value)
    except ValueError:
        raise NotFound("channel playlist", repr(ref.value[:80])) from None
    row = await ChannelPlaylist.get_or_none(id=key, client_id=client_id, deleted_at__isnull=True)
    if row is None:
        raise NotFound("channel playlist", key)
    return row


async def _weights(media: MediaRegistry, row: ChannelPlaylist) -> dict[MediaRef, int]:
    """Every track in the playlist's order; one that is in it twice weighs more."""
    weights: dict[MediaRef, int] = {}
    items = ChannelPlaylistItem.filter(
        playlist_id=row.id, item_type__in=[ItemType.MUSIC, ItemType.FOLDER]
    )
    for item in await items.order_by("order", "id"):
        for ref in await _tracks(media, row.client_id, item):
            weights[ref] = min(MAX_WEIGHT, weights.get(ref, 0) + item.weight)
    return weights


async def _tracks(
    media: MediaRegistry, client_id: UUID, item: ChannelPlaylistItem
) -> Iterable[MediaRef]:
    ref = MediaRef(kind=item.item_type.value, value=str(item.content_id))
    try:
        return await media.expand(client_id, ref)
    except NotFound:  # the folder was deleted since
        return []


def _song(media: Media, weight: int = 1) -> Song:
    return Song(media.ref, media.title, media.artist, media.duration_s, weight)
