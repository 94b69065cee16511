"""What lets zones play tracks, folders and the whole library."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from tortoise.functions import Count, Sum

from antiphon.errors import Invalid, NotFound
from antiphon.plugins import Media, MediaChoice, MediaRef, MediaSource, MediaTotals
from antiphon.store import Memo
from antiphon.types import Band
from antiphon_music.art import ArtKeys
from antiphon_music.folders import descendants, parents_of
from antiphon_music.models import Folder, FolderType, MusicFile

_PAGE = 2_000
MUSIC, FOLDER, LIBRARY = "music", "folder", "library"
_TOTALS_S = 60.0
_KNOWN = ("file", "title", "artist", "album", "duration_s", "loudness_lufs", "true_peak_db")

Totals = Mapping[str, Mapping[UUID, MediaTotals]]


class MusicSource(MediaSource):
    """`music` and `folder` by id, `library` with any value: all music that the client has."""

    def __init__(self, media_dir: Path, art: ArtKeys) -> None:
        self._media_dir = media_dir
        self._totals: Memo[Totals] = Memo(MusicFile, seconds=_TOTALS_S)
        self._art = art

    @property
    def kinds(self) -> frozenset[str]:
        """See `MediaSource.kinds`."""
        return frozenset({MUSIC, FOLDER, LIBRARY})

    async def resolve(self, client_id: UUID, ref: MediaRef) -> Media:
        """One track. Raises Invalid for a folder or library: expand those first."""
        if ref.kind != MUSIC:
            raise Invalid.field("kind", f"a {ref.kind} is no single track")
        key = _key(ref)
        music = await MusicFile.get_or_none(id=key, client_id=client_id, deleted_at=None)
        if music is None:
            raise NotFound("track", key)
        media = self._media(ref, [getattr(music, name) for name in _KNOWN])
        if not await asyncio.to_thread(media.path.is_file):
            raise NotFound("audio file of the track", f"{music.title!r} ({key})")
        return media

    def _media(self, ref: MediaRef, known: Sequence[Any]) -> Media:
        file, title, artist, album, duration_s, loudness_lufs, true_peak_db = known
        return Media(
            ref=ref,
            path=self._media_dir / file,
            title=title,
            artist=artist or None,
            album=album or None,
            duration_s=duration_s,
            loudness_lufs=loudness_lufs,
            true_peak_db=true_peak_db,
            band=Band.MUSIC,
            art=f"music-art/{self._art.key(_key(ref))}",
        )

    async def describe(self, client_id: UUID, refs: Sequence[MediaRef]) -> Mapping[MediaRef, Media]:
        """See `MediaSource.describe`: a few queries, however many tracks."""
        by_key: dict[UUID, MediaRef] = {}
        for ref in refs:
            with suppress(NotFound):
                by_key[_key(ref)] = ref
        found: dict[MediaRef, Media] = {}
        for keys in _batches(list(by_key)):
            rows = MusicFile.filter(id__in=keys, client_id=client_id, deleted_at=None)
            # Plain tuples, as in `_tracks`: objects would take many times as long.
            for key, *values in await rows.values_list("id", *_KNOWN):
                found[by_key[key]] = self._media(by_key[key], values)
        return found

    async def expand(self, client_id: UUID, ref: MediaRef) -> Sequence[MediaRef]:
        """The tracks: a folder's own in their order, then those of its sub-folders by name."""
        if ref.kind == MUSIC:
            return [ref]
        parents = await parents_of(client_id)
        if ref.kind == FOLDER:
            key = _key(ref)
            if key not in parents:
                raise NotFound("folder", key)
            return await _tracks(client_id, descendants(parents, [key]))
        roots = [key for key, parent in parents.items() if parent is None]
        return await _tracks(client_id, [None, *descendants(parents, roots)])

    async def choices(self, client_id: UUID) -> Sequence[MediaChoice]:
        """The folders for music."""
        rows = Folder.filter(client_id=client_id, deleted_at=None, type=FolderType.MUSIC)
        return [
            MediaChoice(ref=MediaRef(kind=FOLDER, value=str(key)), name=name)
            for key, name in await rows.order_by("name", "id").values_list("id", "name")
        ]

    async def totals(self, client_id: UUID | None) -> Totals:
        """See `MediaSource.totals`. Adding up a large library takes a while, so it is kept."""
        return await self._totals.get(client_id, lambda: self._add_up(client_id))

    async def _add_up(self, client_id: UUID | None) -> Totals:
        rows = MusicFile.filter(deleted_at__isnull=True)
        if client_id is not None:
            rows = rows.filter(client_id=client_id)
        # Of columns that an index holds: the rows themselves would take twenty times as long.
        sums = rows.annotate(n=Count("file_size"), seconds=Sum("duration_s"), size=Sum("file_size"))
        found = await sums.group_by("client_id").values_list("client_id", "n", "seconds", "size")
        return {
            MUSIC: {
                UUID(str(key)): MediaTotals(count=n, seconds=seconds, bytes=int(size))
                for key, n, seconds, size in found
            }
        }


async def _tracks(client_id: UUID, folders: Sequence[UUID | None]) -> list[MediaRef]:
    place = {key: index for index, key in enumerate(folders)}
    query = MusicFile.filter(client_id=client_id, deleted_at=None).order_by("order", "title", "id")
    # Plain tuples: making objects of 20,000 rows would hold the loop for most of a second.
    rows: list[Any] = []
    for start in count(0, _PAGE):
        # A page at a time: all at once would keep everybody else from the loop.
        page = await query.offset(start).limit(_PAGE).values_list("id", "folder_id")
        rows += [row for row in page if row[1] in place]
        if len(page) < _PAGE:
            break
    rows.sort(key=lambda row: place[row[1]])
    refs: list[MediaRef] = []
    for some in _batches([row[0] for row in rows], _PAGE):
        refs += [MediaRef(kind=MUSIC, value=str(key)) for key in some]
        await asyncio.sleep(0)
    return refs


def _batches(keys: list[UUID], size: int = 500) -> Iterator[list[UUID]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


def _key(ref: MediaRef) -> UUID:
    try:
        return UUID(ref.value)
    except ValueError:
        raise NotFound(ref.kind, repr(ref.value[:80])) from None
