"""Twenty pairs of a voice and a track: how far the music sits under the voice, by EBU R128."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.core.engine.studio import Studio
from tests.sounds import RATE, Sound, noise, write_wav

from antiphon.demo.music import PIECES
from antiphon.engine.codec import measure
from antiphon.engine.protocol import Attach, CallStarted, Clip, LoadProgramme, StartCall, Track
from antiphon.playback import levels
from antiphon.plugins import Media, MediaRef
from antiphon.settings.models import AudioSettings
from antiphon_ai.piper_worker import speak
from antiphon_ai.voices import VoiceLibrary

AUDIO = AudioSettings()
SENTENCES = (
    "Good evening. The shop closes in fifteen minutes. Please bring your purchases to the till.",
    "Would the owner of the red car in front of the entrance please come to the reception desk.",
    "Attention please. The swimming pool on the second floor is closed for cleaning until noon.",
    "Fresh bread, every hour: visit our bakery next to the main entrance, and taste the bread.",
)
TRACKS = 5
LONGEST_S = 10.0


def media(path: Path) -> Media:
    """A file as a library knows it: measured once."""
    found = measure(path)
    return Media(
        ref=MediaRef(kind="test", value=path.stem),
        path=path,
        title=path.stem,
        duration_s=found.duration_s,
        loudness_lufs=found.integrated_lufs,
        true_peak_db=found.true_peak_db,
    )


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    folder = tmp_path_factory.mktemp("voices")
    voice = next(iter(VoiceLibrary(folder).voices().values()))
    clips = []
    for number, text in enumerate(SENTENCES):
        path = folder / f"{number}.wav"
        speak(text, str(voice.model), str(voice.config), "1", 1, str(path))
        clips.append(levels.clip(media(path), AUDIO))
    return clips


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    folder = tmp_path_factory.mktemp("tracks")
    sounds: list[Sound] = [noise(40.0, -30.0)]
    sounds += [
        np.rint(piece.compose().T[: 40 * RATE] * 32767).astype(np.int16)
        for piece in PIECES[: TRACKS - 1]
    ]
    paths = [write_wav(folder / f"{number}.wav", sound) for number, sound in enumerate(sounds)]
    return [levels.track(path.stem, media(path), AUDIO) for path in paths]


def heard(voice: Clip, track: Track | None) -> tuple[Sound, int]:
    """What a zone hears of a call, over music or none, and where the voice begins in it."""
    studio = Studio("lobby")
    if track is not None:
        studio.send(LoadProgramme("music", (track,), 5.0), Attach("lobby", "music"))
    studio.run(2.0)
    studio.send(StartCall("call", ("lobby",), voice))
    studio.run(2.0 + LONGEST_S)
    return studio.heard(), studio.told(CallStarted)[0].frame


@pytest.fixture(scope="module")
def speeches(voices: list[Clip]) -> list[Sound]:
    """Each voice by itself, from its first sound to its last."""
    return [trimmed(*heard(voice, None)) for voice in voices]


def trimmed(sound: Sound, at: int) -> Sound:
    return sound[at : int(np.flatnonzero(sound.any(axis=1))[-1]) + 1]


@pytest.mark.parametrize("track", range(TRACKS))
@pytest.mark.parametrize("voice", range(len(SENTENCES)))
def test_the_music_sits_the_wanted_gap_under_the_voice(
    voices: list[Clip],
    tracks: list[Track],
    speeches: list[Sound],
    tmp_path: Path,
    voice: int,
    track: int,
) -> None:
    def lufs(sound: Sound) -> float:
        found = measure(write_wav(tmp_path / "part.wav", sound)).integrated_lufs
        assert found is not None
        return found

    mixed, at = heard(voices[voice], tracks[track])
    during = slice(at, at + len(speeches[voice]))
    bed = mixed[during].astype(np.int32) - speeches[voice]  # nothing but the music is left
    bed_lufs = lufs(bed.astype(np.int16))
    voice_lufs = lufs(speeches[voice])
    assert voice_lufs == pytest.approx(AUDIO.voice_lufs, abs=1.5)
    assert voice_lufs - bed_lufs == pytest.approx(AUDIO.duck_gap_lu, abs=1.5)
    peak_db = measure(write_wav(tmp_path / "mixed.wav", mixed)).true_peak_db
    assert peak_db <= AUDIO.true_peak_db + 0.1
