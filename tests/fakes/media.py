"""Media sources without files: tracks by name, a voice that takes its time, a chime."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID, uuid4

from antiphon.errors import Invalid, NotFound
from antiphon.plugins import Media, MediaRef, MediaRegistry, MediaSource
from antiphon.types import Band


class FakeMusic(MediaSource):
    """Each client's tracks and folders. `raises` and `hangs` make trouble for chosen tracks.

    With `describes` it knows of tracks without a look at their files, as the music library does.
    """

    def __init__(self) -> None:
        self.tracks: dict[UUID, tuple[UUID, Media]] = {}
        self.folders: dict[UUID, list[UUID]] = {}
        self.raises: dict[UUID, Exception] = {}
        self.hangs: set[UUID] = set()
        self.waits: dict[UUID, asyncio.Event] = {}
        self.describes = False

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset({"music", "folder"})

    def add(
        self,
        client_id: UUID,
        title: str,
        *,
        duration_s: float = 100.0,
        lufs: float | None = -12.0,
        peak_db: float | None = -1.0,
    ) -> UUID:
        key = uuid4()
        media = Media(
            ref=MediaRef(kind="music", value=str(key)),
            path=Path(f"/music/{title}.flac"),
            title=title,
            duration_s=duration_s,
            artist="The Band",
            loudness_lufs=lufs,
            true_peak_db=peak_db,
        )
        self.tracks[key] = (client_id, media)
        return key

    async def resolve(self, client_id: UUID, ref: MediaRef) -> Media:
        key = UUID(ref.value)
        if key in self.hangs:
            await asyncio.Event().wait()
        if key in self.waits:
            await self.waits[key].wait()
        if key in self.raises:
            raise self.raises[key]
        owner, media = self.tracks.get(key, (None, None))
        if media is None or owner != client_id:
            raise NotFound("track", key)
        return media

    async def describe(self, client_id: UUID, refs: Sequence[MediaRef]) -> Mapping[MediaRef, Media]:
        if not self.describes:
            return await super().describe(client_id, refs)
        known = {ref: self.tracks.get(UUID(ref.value)) for ref in refs}
        return {ref: one[1] for ref, one in known.items() if one and one[0] == client_id}

    async def expand(self, client_id: UUID, ref: MediaRef) -> Sequence[MediaRef]:
        if ref.kind == "music":
            return [ref]
        if UUID(ref.value) not in self.folders:
            raise NotFound("folder", ref.value)
        return [MediaRef(kind="music", value=str(key)) for key in self.folders[UUID(ref.value)]]


class FakeSpeech(MediaSource):
    """Speaks any text at once, or when `spoken` is set. One stored announcement may be asked for.

    The voice `nobody` does not exist; a text with "crash" raises what is no error of ours.
    """

    def __init__(self) -> None:
        self.spoken = asyncio.Event()
        self.spoken.set()
        self.stored: dict[UUID, Media] = {}

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset({"text", "announcement"})

    async def resolve(self, client_id: UUID, ref: MediaRef) -> Media:
        if ref.kind == "announcement":
            if UUID(ref.value) not in self.stored:
                raise NotFound("announcement", ref.value)
            return self.stored[UUID(ref.value)]
        if ref.voice == "nobody":
            raise Invalid.field("voice", "there is no voice 'nobody'")
        await self.spoken.wait()
        if "crash" in ref.value:
            raise RuntimeError("out of breath")
        return spoken(ref)


class FakeChime(MediaSource):
    @property
    def kinds(self) -> frozenset[str]:
        return frozenset({"chime"})

    async def resolve(self, client_id: UUID, ref: MediaRef) -> Media:
        return Media(ref=ref, path=Path("/chime.wav"), title="Chime", duration_s=1.0)


def spoken(ref: MediaRef, band: Band = Band.ANNOUNCEMENT, *, chime: bool | None = None) -> Media:
    return Media(
        ref=ref,
        path=Path(f"/clips/{ref.value}.wav"),
        title=ref.value,
        duration_s=2.0,
        loudness_lufs=-20.0,
        true_peak_db=-10.0,
        band=band,
        chime=chime,
    )


class FakeMedia(MediaRegistry):
    def __init__(self, *, chime: bool = True) -> None:
        super().__init__()
        self.music = FakeMusic()
        self.speech = FakeSpeech()
        self.add(self.music)
        self.add(self.speech)
        if chime:
            self.add(FakeChime())
