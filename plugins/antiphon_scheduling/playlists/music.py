"""A playlist's music: what is in it, and the order of its next round."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from antiphon.errors import Invalid, NotFound
from antiphon.events import EventBus
from antiphon.plugins import REST, Media, MediaChoice, MediaRef, MediaRegistry, MediaSource
from antiphon_scheduling.playlists.events import ChannelRoundDrawn
from antiphon_scheduling.playlists.models import ChannelPlaylist, ChannelPlaylistItem, ItemType
from antiphon_scheduling.playlists.ordering import Broken, Round, Rule, Song, next_round
from antiphon_scheduling.playlists.parts import PART, Key, Part, in_order, left_of, place_behind

CHANNEL = "channel"
MAX_WEIGHT = 10
_A_FEW = 20
_PAGE = 1_000


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
        """What comes after `played`: the next round, or of much music the next part of one."""
        row = await _row(client_id, ref)
        if not row.enabled:
            raise Invalid.field("playlist_id", f"“{row.name}” is switched off")
        drawn = await draw(self._media, row, played, self._seed())
        found = drawn.round
        if not found.songs:
            raise Invalid.field("playlist_id", f"“{row.name}” has no music that can be played")
        await _keep(row, drawn.part)
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
        rests = [REST] if row.default_music_interval_min else []
        return [one for song in found.songs for one in (song.ref, *rests)]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What comes next of a playlist's music, which part of a round it is, and all that is in it."""

    round: Round
    part: Part
    total: int


async def draw(
    media: MediaRegistry, row: ChannelPlaylist, played: Sequence[MediaRef], seed: str
) -> Drawn:
    """What comes next of a playlist; no songs where there are none.

    What costs time for each track is done for a part alone; see `playlists.parts`.
    """
    weights = await weights_of(media, row)
    past = [(one.kind, one.value) for one in played if one != REST]
    # In a thread, as all that looks at every track: the loop is not to be held for so long.
    part, chosen = await asyncio.to_thread(_choose, row, weights, past, seed)
    refs = {key: MediaRef(kind=key[0], value=key[1]) for key in {*past, *(k for k, _ in chosen)}}
    known = await media.describe(row.client_id, refs.values())
    least_s = (row.default_music_interval_min or 0) * 60.0
    songs = {key: song for key, ref in refs.items() if (song := _song(known.get(ref), least_s))}
    found = await asyncio.to_thread(
        next_round,
        [replace(songs[key], weight=weight) for key, weight in chosen if key in songs],
        [songs[key] for key in past if key in songs],
        shuffle=row.shuffle_music,
        title_gap_s=row.title_gap_min * 60.0,
        seed=seed,
    )
    return Drawn(found, part, sum(weights.values()))


def _choose(
    row: ChannelPlaylist, weights: dict[Key, int], past: Sequence[Key], seed: str
) -> tuple[Part, list[tuple[Key, int]]]:
    """The part of a round that comes now, and which tracks of it are to be played how often."""
    part = Part.first(seed, sum(weights.values()))
    if row.shuffle_music:
        part, copies = _shuffled(row, weights, past, part)
        return part, list(copies.items())
    listed = in_order(weights)
    place = place_behind(listed, past)
    return part, [(key, 1) for key in listed[place : place + PART]]


def _shuffled(
    row: ChannelPlaylist, weights: dict[Key, int], past: Sequence[Key], fresh: Part
) -> tuple[Part, dict[Key, int]]:
    """The part of a round that comes now, and what of it is to be played."""
    part = Part.model_validate(row.round_part) if row.round_part else None
    if part is None or part.of == 1 or fresh.of == 1:
        return fresh, fresh.copies(weights)
    if past:
        copies = part.copies(weights)
        left = left_of(copies, past, weights)
        if left:
            return part, left
    # A start of the music goes on with another part than the one before it began with.
    while True:
        part = part.following(fresh.seed, sum(weights.values()))
        if copies := part.copies(weights):
            return part, copies


async def _keep(row: ChannelPlaylist, part: Part) -> None:
    kept = part.model_dump() if part.of > 1 else None
    if kept != row.round_part:
        await ChannelPlaylist.filter(id=row.id).update(round_part=kept)


async def has_music(media: MediaRegistry, row: ChannelPlaylist) -> bool:
    """Whether there is anything to play."""
    keys = list(await weights_of(media, row))
    # A few are enough nearly always, and all of them may be many thousands.
    for some in (keys[:_A_FEW], keys[_A_FEW:]):
        refs = [MediaRef(kind=kind, value=value) for kind, value in some]
        if refs and await media.describe(row.client_id, refs):
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


async def weights_of(media: MediaRegistry, row: ChannelPlaylist) -> dict[Key, int]:
    """Every track in the playlist's order; one that is in it twice weighs more."""
    weights: dict[Key, int] = {}
    async for kind, content_id, weight in _music_items(row):
        if kind == ItemType.MUSIC:
            keys: Iterable[Key] = ((ItemType.MUSIC.value, str(content_id)),)
        else:
            keys = await _in_folder(media, row.client_id, content_id)
        for key in keys:
            weights[key] = min(MAX_WEIGHT, weights.get(key, 0) + weight)
    return weights


async def _music_items(row: ChannelPlaylist) -> AsyncIterator[tuple[str, UUID, int]]:
    """Type, content and weight, a page at a time: all at once would hold the loop for too long."""
    items = ChannelPlaylistItem.filter(playlist_id=row.id).exclude(item_type=ItemType.ANNOUNCEMENT)
    pages, start = items.order_by("order", "id"), 0
    while True:
        page: Sequence[Any] = (
            await pages.offset(start).limit(_PAGE).values_list("item_type", "content_id", "weight")
        )
        for one in page:
            yield one
        if len(page) < _PAGE:
            return
        start += _PAGE


async def _in_folder(media: MediaRegistry, client_id: UUID, folder_id: UUID) -> Iterable[Key]:
    try:
        refs = await media.expand(client_id, MediaRef(kind="folder", value=str(folder_id)))
    except NotFound:  # the folder was deleted since
        return ()
    return ((ref.kind, ref.value) for ref in refs)


def _song(media: Media | None, least_s: float) -> Song | None:
    """A track as the rules see it; `least_s` is the time until the next one begins at least."""
    if media is None:
        return None
    return Song(media.ref, media.title, media.artist, max(media.duration_s, least_s))
