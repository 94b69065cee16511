"""What the renderer is told of a file: its path, the gain that normalises it, its loudness then."""

from __future__ import annotations

from uuid import UUID

from antiphon.engine.gains import normalising_gain
from antiphon.engine.protocol import Clip, Track
from antiphon.plugins.media import Media, MediaRef
from antiphon.plugins.zones import TrackView
from antiphon.settings.models import AudioSettings

VOICE_LIMITED_DB = 8.0


def track(entry: str, media: Media, audio: AudioSettings) -> Track:
    """A file as music."""
    gain_db, lufs = _levels(media, audio.music_lufs, audio.true_peak_db)
    return Track(entry, str(media.path), gain_db, lufs)


def spoken_track(entry: str, media: Media, audio: AudioSettings) -> Track:
    """A voice, or its chime, as an item of a programme."""
    gain_db, lufs = _levels(media, audio.voice_lufs, audio.true_peak_db)
    return Track(entry, str(media.path), gain_db, lufs, blends=False)


def clip(media: Media, audio: AudioSettings) -> Clip:
    """A file as the voice of a call, or its chime.

    Speech has peaks far above its loudness. Its gain lets the limiter behind the mix take some of
    them: kept below the ceiling by the gain alone, most voices would be softer than the music.
    """
    gain_db, lufs = _levels(media, audio.voice_lufs, audio.true_peak_db + VOICE_LIMITED_DB)
    return Clip(str(media.path), gain_db, lufs)


def track_view(media: Media, duration_s: float) -> TrackView:
    """A file as listeners know it."""
    return TrackView(
        music_id=music_id(media.ref),
        title=media.title,
        artist=media.artist,
        album=media.album,
        duration_s=duration_s,
        art=media.art,
    )


def music_id(ref: MediaRef) -> UUID | None:
    """The id in the music library, for what comes from there."""
    try:
        return UUID(ref.value) if ref.kind == "music" else None
    except ValueError:
        return None


def _levels(media: Media, target_lufs: float, ceiling_db: float) -> tuple[float, float]:
    """Gain in dB and loudness behind it. What was not measured is taken to be right as it is."""
    gain_db = normalising_gain(media.loudness_lufs, media.true_peak_db, target_lufs, ceiling_db)
    if media.loudness_lufs is None:
        return gain_db, target_lufs
    return gain_db, media.loudness_lufs + gain_db
