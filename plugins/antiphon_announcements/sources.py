"""What calls can play: stored announcements, texts, and the chime around them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from tortoise.functions import Count, Sum

from antiphon.errors import Invalid, NotFound
from antiphon.plugins import (
    Jobs,
    Media,
    MediaRef,
    MediaSource,
    MediaTotals,
    SpeechRegistry,
    Voice,
)
from antiphon_announcements.clips import WORKER, Clip, ClipStore
from antiphon_announcements.models import Announcement
from antiphon_announcements.settings import CHIME_NAMES

MAX_TEXT_CHARACTERS = 5_000
_TITLE_CHARACTERS = 80
_CHIME_DESIGN = 1  # part of the file's name: when `chime.write` sounds different, count up


class AnnouncementSource(MediaSource):
    """Stored announcements, by id."""

    def __init__(self, media_dir: Path) -> None:
        self._media_dir = media_dir

    @property
    def kinds(self) -> frozenset[str]:
        """See `MediaSource.kinds`."""
        return frozenset({"announcement"})

    async def resolve(self, client_id: UUID, ref: MediaRef) -> Media:
        """See `MediaSource.resolve`. Raises Conflict where it may not be played now."""
        try:
            identity = UUID(ref.value)
        except ValueError:
            raise NotFound("announcement", ref.value) from None
        row = await Announcement.get_or_none(
            id=identity, client_id=client_id, deleted_at__isnull=True
        )
        if row is None:
            raise NotFound("announcement", identity)
        row.require_playable(datetime.now(UTC))
        return Media(
            ref=ref,
            path=self._media_dir / str(client_id) / row.file,
            title=row.title,
            duration_s=row.duration_s,
            loudness_lufs=row.loudness_lufs,
            true_peak_db=row.true_peak_db,
            band=row.band,
            chime=row.chime,
            chime_after=row.chime_after,
            style=row.style,
        )

    async def totals(self, client_id: UUID | None) -> Mapping[str, Mapping[UUID, MediaTotals]]:
        """See `MediaSource.totals`."""
        rows = Announcement.filter(deleted_at__isnull=True)
        if client_id is not None:
            rows = rows.filter(client_id=client_id)
        sums = rows.annotate(n=Count("id"), seconds=Sum("duration_s"), size=Sum("file_size"))
        found = await sums.group_by("client_id").values_list("client_id", "n", "seconds", "size")
        return {
            "announcement": {
                UUID(str(key)): MediaTotals(count=n, seconds=seconds, bytes=int(size))
                for key, n, seconds, size in found
            }
        }


class TextSource(MediaSource):
    """Texts, spoken when they are first asked for; the same text and voice is the same clip."""

    def __init__(
        self, speech: SpeechRegistry, clips: ClipStore, folder: Path, limit_bytes: int
    ) -> None:
        self._speech = speech
        self._clips = clips
        self._folder = folder
        self._limit_bytes = limit_bytes

    @property
    def kinds(self) -> frozenset[str]:
        """See `MediaSource.kinds`."""
        return frozenset({"text"})

    async def resolve(self, client_id: UUID, ref: MediaRef) -> Media:
        """See `MediaSource.resolve`. Raises Invalid on `text` or `voice`."""
        text = " ".join(ref.value.split())
        if len(text) > MAX_TEXT_CHARACTERS:
            raise Invalid.field("text", f"it has more than {MAX_TEXT_CHARACTERS:,} characters")
        voice = await self._speech.voice(ref.voice)
        clip = await self._clip(client_id, text, voice)
        title = text if len(text) <= _TITLE_CHARACTERS else text[: _TITLE_CHARACTERS - 1] + "…"
        return _media(ref, clip, title)

    async def _clip(self, client_id: UUID, text: str, voice: Voice) -> Clip:
        content = json.dumps([voice.id, voice.version, text])
        folder = self._folder / str(client_id)
        path = folder / f"{hashlib.sha256(content.encode()).hexdigest()}.wav"

        async def make(destination: Path) -> None:
            await self._speech.speak(text, voice, destination)
            await self._clips.trim(folder, self._limit_bytes)

        return await self._clips.get(path, make)


class ChimeSource(MediaSource):
    """The chime before a call: `default` is the one of the settings, or a chime's own name."""

    def __init__(
        self,
        jobs: Jobs,
        clips: ClipStore,
        folder: Path,
        default: str,
    ) -> None:
        self._jobs = jobs
        self._clips = clips
        self._folder = folder
        self._default = default

    @property
    def kinds(self) -> frozenset[str]:
        """See `MediaSource.kinds`."""
        return frozenset({"chime"})

    async def resolve(self, client_id: UUID, ref: MediaRef) -> Media:  # noqa: ARG002  for everyone
        """See `MediaSource.resolve`. Raises NotFound where the settings want no chime."""
        name = self._default if ref.value == "default" else ref.value
        if name not in CHIME_NAMES:
            raise NotFound("chime", name)

        async def make(destination: Path) -> None:
            await self._jobs.run(
                "antiphon_announcements.chime:write",
                {"chime": name, "destination": str(destination)},
                worker=WORKER,
            )

        clip = await self._clips.get(self._folder / f"{name}-{_CHIME_DESIGN}.wav", make)
        return _media(ref, clip, "Chime")


def _media(ref: MediaRef, clip: Clip, title: str) -> Media:
    return Media(
        ref=ref,
        path=clip.path,
        title=title,
        duration_s=clip.duration_s,
        loudness_lufs=clip.loudness_lufs,
        true_peak_db=clip.true_peak_db,
    )
