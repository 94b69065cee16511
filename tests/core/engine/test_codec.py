"""Files of all formats decode to the same sound; what is no audio is refused with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.sounds import RATE, Sound, convert, level_db, noise, tone, tone_db, write_wav

from antiphon.engine.codec import Reader, Unplayable, measure, probe


def decoded(path: Path, gain_db: float = 0.0, position_s: float = 0.0) -> Sound:
    with Reader(path, gain_db) as reader:
        if position_s:
            reader.seek(position_s)
        return np.concatenate(list(reader.blocks()))


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wav(tmp_path_factory.mktemp("codec") / "tone.wav", tone(3.0, 1000.0))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp3", ["-ar", "44100", "-b:a", "192k"]),
        ("a.flac", []),
        ("a.ogg", ["-c:a", "libvorbis"]),
        ("a.opus", ["-c:a", "libopus"]),
        ("a.m4a", ["-c:a", "aac"]),
        ("a.wav", ["-ar", "22050"]),
        ("mono.mp3", ["-ac", "1"]),
        ("low.wav", ["-ar", "8000", "-ac", "1"]),
        ("eight.flac", ["-ac", "8", "-ar", "192000"]),
    ],
)
def test_every_format_becomes_48_khz_stereo(
    wav: Path, tmp_path: Path, name: str, options: list[str]
) -> None:
    path = convert(wav, tmp_path / name, *options)
    sound = decoded(path)
    assert abs(len(sound) / RATE - 3.0) < 0.06
    # LAME scales by 0.95. Mono is played 3 dB down in two channels, which is as loud.
    expected_db = -23.0 if "1" in options else -20.0
    if "8" not in options:
        assert tone_db(sound[RATE : 2 * RATE], 1000.0) == pytest.approx(expected_db, abs=0.5)
    measured, played = measure(path), tmp_path / "played.wav"
    assert measured.integrated_lufs == pytest.approx(
        measure(write_wav(played, sound)).integrated_lufs, abs=0.2
    )
    assert probe(path).duration_s == pytest.approx(3.0, abs=0.1)


def test_a_recording_that_changes_its_format_midway_is_played_to_its_end(
    wav: Path, tmp_path: Path
) -> None:
    one = convert(wav, tmp_path / "one.aac", "-ar", "44100")
    two = convert(wav, tmp_path / "two.aac", "-ar", "48000")
    both = tmp_path / "both.aac"
    both.write_bytes(one.read_bytes() + two.read_bytes() + one.read_bytes())
    sound = decoded(both)
    assert len(sound) / RATE == pytest.approx(9.0, abs=0.2)
    levels_db = [
        tone_db(sound[start : start + RATE], 1000.0) for start in (RATE, 4 * RATE, -2 * RATE)
    ]
    assert levels_db == pytest.approx([-20.0] * 3, abs=0.5)
    assert measure(both).duration_s == pytest.approx(9.0, abs=0.2)


@pytest.mark.parametrize("gain_db", [-12.0, 3.0])
@pytest.mark.parametrize("suffix", [".wav", ".mp3"])
def test_the_static_gain_is_applied_while_resampling(
    wav: Path, tmp_path: Path, suffix: str, gain_db: float
) -> None:
    path = convert(wav, tmp_path / f"tone{suffix}")
    plain_db = level_db(decoded(path)[RATE:-RATE])
    loud_db = level_db(decoded(path, gain_db)[RATE:-RATE])
    assert loud_db - plain_db == pytest.approx(gain_db, abs=0.05)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_lossless_files_seek_to_the_sample(tmp_path: Path, suffix: str) -> None:
    whole = noise(4.0)
    path = convert(write_wav(tmp_path / "noise.wav", whole), tmp_path / f"seek{suffix}")
    rest = decoded(path, position_s=1.5)
    np.testing.assert_array_equal(rest, whole[round(1.5 * RATE) :])


def test_mp3_seeks_close_to_the_sample(wav: Path, tmp_path: Path) -> None:
    path = convert(wav, tmp_path / "tone.mp3")
    assert abs(len(decoded(path, position_s=1.0)) - (len(decoded(path)) - RATE)) <= 2


def test_loudness_of_a_known_tone(tmp_path: Path) -> None:
    # EBU Tech 3341, case 1: a 1 kHz stereo sine at −23 dBFS peak in both channels reads −23 LUFS.
    path = write_wav(tmp_path / "tone.wav", tone(20.0, 1000.0, level_db=-23.0 - 3.01))
    loudness = measure(path)
    assert loudness.integrated_lufs == pytest.approx(-23.0, abs=0.1)
    assert loudness.true_peak_db == pytest.approx(-23.0, abs=0.3)
    assert loudness.duration_s == pytest.approx(20.0, abs=0.01)


def test_silence_has_no_loudness(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "silence.wav", np.zeros((RATE, 2), np.int16))
    loudness = measure(path)
    assert loudness.integrated_lufs is None
    assert loudness.true_peak_db == -120.0


def test_measuring_tells_its_progress(tmp_path: Path) -> None:
    steps: list[float] = []
    measure(write_wav(tmp_path / "long.wav", noise(45.0)), steps.append)
    assert len(steps) >= 3
    assert steps == sorted(steps)
    assert steps[-1] <= 1.0


@pytest.mark.parametrize("name", ["empty.mp3", "text.mp3", "header.wav", "missing.flac"])
def test_what_is_no_audio_is_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "text.mp3":
        path.write_text("This is not music, whatever its name says. " * 200)
    elif name == "header.wav":
        write_wav(path, np.zeros((0, 2), np.int16))
    elif name == "empty.mp3":
        path.touch()
    with pytest.raises(Unplayable, match=name):
        probe(path)


def test_a_truncated_mp3_plays_as_far_as_it_goes(wav: Path, tmp_path: Path) -> None:
    path = convert(wav, tmp_path / "cut.mp3")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 1.0 < len(decoded(path)) / RATE < 2.0


def test_damage_in_the_middle_is_passed_over(tmp_path: Path) -> None:
    path = convert(write_wav(tmp_path / "long.wav", tone(10.0)), tmp_path / "hurt.mp3")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = b"\x00" * 3000
    path.write_bytes(data)
    assert len(decoded(path)) / RATE > 9.0
