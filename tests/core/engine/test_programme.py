"""Music: gapless, crossfaded, skipped, paused, and never stopped by a bad file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.core.engine.studio import Studio
from tests.sounds import RATE, convert, first_sound, level_db, noise, tone, tone_db, write_wav

from antiphon.engine import deck
from antiphon.engine.codec import Reader
from antiphon.engine.protocol import (
    Attach,
    LoadProgramme,
    Pause,
    Position,
    ProgrammeEnded,
    Resume,
    SetUpcoming,
    Track,
    TrackFailed,
    TrackFinished,
    TrackStarted,
)


def test_two_halves_of_a_sound_are_played_without_a_gap(tmp_path: Path) -> None:
    whole = noise(5.0)
    cut = 2 * RATE + 123
    first = convert(write_wav(tmp_path / "1.wav", whole[:cut]), tmp_path / "1.flac")
    second = write_wav(tmp_path / "2.wav", whole[cut:])
    studio = Studio("lobby")
    studio.play(first, second)
    studio.run(6.0)
    heard = studio.heard()
    faded_in = round(0.05 * RATE)
    np.testing.assert_array_equal(heard[faded_in : len(whole)], whole[faded_in:])
    assert [r.entry for r in studio.told(TrackStarted)] == ["0", "1"]
    assert studio.told(TrackFinished)[-1].played_s == pytest.approx(5.0 - cut / RATE, abs=0.001)
    assert len(studio.told(ProgrammeEnded)) == 1


def test_a_crossfade_keeps_the_power(tmp_path: Path) -> None:
    first = write_wav(tmp_path / "1.wav", noise(6.0, seed=1))
    second = write_wav(tmp_path / "2.wav", noise(6.0, seed=2))
    studio = Studio("lobby")
    studio.play(first, second, crossfade_s=3.0)
    studio.run(10.0)
    heard = studio.heard()
    for start_s in np.arange(0.5, 8.0, 0.5):
        part = heard[round(start_s * RATE) : round((start_s + 0.5) * RATE)]
        assert level_db(part) == pytest.approx(-20.0, abs=0.5), start_s
    assert len(studio.told(ProgrammeEnded)) == 1
    assert first_sound(heard[::-1]) == pytest.approx(RATE, abs=1000)  # 6 + 6 − 3 s of music


def test_the_window_of_the_queue_can_be_extended_while_it_plays(tmp_path: Path) -> None:
    files = [write_wav(tmp_path / f"{i}.wav", tone(1.0, 400.0 + 200 * i)) for i in range(3)]
    studio = Studio("lobby")
    studio.play(files[0])
    studio.run(0.5)
    studio.send(SetUpcoming("music", (Track("2", str(files[2])),)))
    studio.run(1.2)
    assert tone_db(studio.heard()[round(1.2 * RATE) :], 800.0) == pytest.approx(-20.0, abs=1.0)


def test_a_track_that_has_begun_is_not_played_again(tmp_path: Path) -> None:
    """The window is told by somebody who has not heard yet that the next track began."""
    files = [write_wav(tmp_path / f"{i}.wav", tone(1.0, 400.0 + 200 * i)) for i in range(3)]
    studio = Studio("lobby")
    studio.play(*files[:2])
    studio.run(1.5)
    late = tuple(Track(str(n), str(files[n])) for n in (1, 2))
    studio.send(SetUpcoming("music", late))
    studio.run(3.0)
    assert [r.entry for r in studio.told(TrackStarted)] == ["0", "1", "2"]


@pytest.mark.parametrize("broken", ["missing.mp3", "empty.mp3", "text.mp3"])
def test_an_unreadable_track_is_passed_over(tmp_path: Path, broken: str) -> None:
    bad = tmp_path / broken
    if broken == "empty.mp3":
        bad.touch()
    if broken == "text.mp3":
        bad.write_text("not music " * 1000)
    first = write_wav(tmp_path / "1.wav", tone(1.0, 440.0))
    last = write_wav(tmp_path / "2.wav", tone(1.0, 880.0))
    studio = Studio("lobby")
    studio.play(first, bad, last)
    studio.run(1.9)
    failed = studio.told(TrackFailed)
    assert [r.entry for r in failed] == ["1"]
    assert broken in failed[0].message
    heard = studio.heard()
    assert tone_db(heard[round(1.2 * RATE) : round(1.8 * RATE)], 880.0) == pytest.approx(-20, abs=1)
    quiet = np.abs(heard[2000 : round(1.9 * RATE)]).max(axis=1) < 5
    assert not np.convolve(quiet, np.ones(500), "valid").max() >= 500  # no gap of 10 ms


def test_a_queue_of_nothing_but_bad_files_ends(tmp_path: Path) -> None:
    studio = Studio("lobby")
    studio.play(tmp_path / "a.mp3", tmp_path / "b.mp3")
    studio.run(0.5)
    assert len(studio.told(TrackFailed)) == 2
    assert not studio.told(TrackStarted)


def test_pause_holds_the_position_and_resume_goes_on(tmp_path: Path) -> None:
    music = noise(5.0)
    studio = Studio("lobby")
    studio.play(write_wav(tmp_path / "1.wav", music))
    studio.run(1.0)
    studio.send(Pause("music"))
    studio.run(1.0)
    held = studio.told(Position)[-1]
    assert not held.playing
    assert 1.0 < held.position_s < 1.2
    assert level_db(studio.heard()[round(1.3 * RATE) :]) < -100
    studio.send(Resume("music"))
    studio.run(1.0)
    np.testing.assert_array_equal(
        studio.heard()[round(2.2 * RATE) : round(2.9 * RATE)],
        music[round((1.2 - 1.0 + held.position_s) * RATE) :][: round(0.7 * RATE)],
    )


def test_a_skip_fades_without_a_click(tmp_path: Path) -> None:
    first = write_wav(tmp_path / "1.wav", tone(5.0, 300.0))
    second = write_wav(tmp_path / "2.wav", tone(5.0, 300.0))
    studio = Studio("lobby")
    studio.play(first)
    studio.run(1.01)
    studio.send(LoadProgramme("music", (Track("b", str(second)),), position_s=2.345))
    studio.run(1.0)
    steps = np.abs(np.diff(studio.heard()[:, 0].astype(int)))
    largest = np.abs(np.diff(tone(1.0, 300.0)[:, 0].astype(int))).max()
    assert steps.max() <= 1.6 * largest
    assert studio.told(TrackFinished)[0].reason == "replaced"
    assert studio.told(TrackStarted)[1].position_s == pytest.approx(2.345)


def test_zones_that_share_a_programme_decode_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []

    class CountingReader(Reader):
        def __init__(self, path: str | Path, gain_db: float = 0.0) -> None:
            opened.append(path)
            super().__init__(path, gain_db)

    monkeypatch.setattr(deck, "Reader", CountingReader)
    music = noise(3.0)
    studio = Studio("lobby", "bar")
    studio.play(write_wav(tmp_path / "1.wav", music))
    studio.send(Attach("bar", "music"))
    studio.run(1.0)
    studio.add("gym")
    studio.send(Attach("gym", "music"))
    studio.run(1.0)
    assert len(opened) == 1
    tail = round(0.5 * RATE)
    np.testing.assert_array_equal(studio.heard("lobby")[-tail:], studio.heard("bar")[-tail:])
    np.testing.assert_array_equal(studio.heard("lobby")[-tail:], studio.heard("gym")[-tail:])


def test_what_does_not_blend_is_heard_whole_between_crossfaded_tracks(tmp_path: Path) -> None:
    studio = Studio("lobby")
    song, voice = write_wav(tmp_path / "a.wav", tone(2.0)), write_wav(tmp_path / "v.wav", tone(1.0))
    tracks = (Track("1", str(song)), Track("v", str(voice), blends=False), Track("2", str(song)))
    studio.send(LoadProgramme("music", tracks, crossfade_s=0.5), Attach("lobby", "music"))
    studio.run(4.0)
    starts = [report.entry for report in studio.told(TrackStarted)]
    ends = [round(report.played_s, 2) for report in studio.told(TrackFinished)]
    assert (starts, ends) == (["1", "v", "2"], [2.0, 1.0])
