"""A zone that should play music and is silent hears the fallback, until its own is heard again."""

import wave
from pathlib import Path

import numpy as np
import pytest
from tests.core.engine.studio import Studio
from tests.sounds import RATE, level_db, noise, tone, tone_db, write_wav

from antiphon.engine.desired import DesiredState
from antiphon.engine.protocol import (
    Attach,
    Clip,
    Configure,
    LoadProgramme,
    Pause,
    Quiet,
    SetFallback,
    StartCall,
    Track,
    decode,
    encode,
)
from antiphon.engine.survey import survey

AFTER_S = 3.0


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    studio = Studio("lobby")
    spare = write_wav(tmp_path / "spare.wav", tone(1.5, 500.0))
    studio.send(SetFallback((Track("x", str(spare)),), AFTER_S))
    return studio


def seconds(studio: Studio, first: float, last: float) -> np.ndarray:
    return studio.heard()[round(first * RATE) : round(last * RATE)]


def test_silence_in_the_music_falls_back_and_its_end_brings_the_music_back(
    studio: Studio, tmp_path: Path
) -> None:
    silence = np.zeros((6 * RATE, 2), np.int16)
    sound = np.concatenate([tone(1.0, 300.0), silence, tone(4.0, 300.0)])
    studio.play(write_wav(tmp_path / "gap.wav", sound))
    studio.run(11.0)
    assert level_db(seconds(studio, 1.5, 3.5)) < -100
    # It is repeated without a gap, at the level that it has.
    assert tone_db(seconds(studio, 5.5, 6.8), 500.0) == pytest.approx(-20, abs=1)
    assert tone_db(seconds(studio, 8.5, 10.5), 500.0) < -60
    np.testing.assert_array_equal(seconds(studio, 9.0, 10.0), sound[9 * RATE : 10 * RATE])
    told = studio.told(Quiet)
    assert [one.has_fallen_back for one in told][-1] is False
    assert any(one.has_fallen_back and one.seconds >= AFTER_S for one in told)
    assert told[-1].seconds == 0.0


def test_files_that_can_not_be_read_fall_back(studio: Studio, tmp_path: Path) -> None:
    studio.play(tmp_path / "missing.mp3")
    studio.run(6.0)
    assert tone_db(seconds(studio, 4.5, 6.0), 500.0) == pytest.approx(-20, abs=1)


def test_a_programme_without_tracks_falls_back_and_plays_what_comes(
    studio: Studio, tmp_path: Path
) -> None:
    studio.send(LoadProgramme("music", ()), Attach("lobby", "music"))
    studio.run(5.0)
    assert tone_db(seconds(studio, 4.2, 5.0), 500.0) == pytest.approx(-20, abs=1)
    studio.play(write_wav(tmp_path / "own.wav", tone(4.0, 300.0)))
    studio.run(3.0)
    assert tone_db(seconds(studio, 7.0, 8.0), 300.0) == pytest.approx(-20, abs=1)
    assert tone_db(seconds(studio, 7.0, 8.0), 500.0) < -60


def test_a_call_is_heard_over_the_fallback_which_is_ducked(studio: Studio, tmp_path: Path) -> None:
    voice = write_wav(tmp_path / "voice.wav", tone(2.0, 900.0, -16.0))
    studio.send(LoadProgramme("music", ()), Attach("lobby", "music"))
    studio.run(5.0)
    studio.send(StartCall("c", ("lobby",), Clip(str(voice))))
    studio.run(2.0)
    assert tone_db(seconds(studio, 6.0, 7.0), 900.0) > -20
    assert tone_db(seconds(studio, 6.0, 7.0), 500.0) < -27


def test_music_that_is_paused_or_not_asked_for_is_silent(studio: Studio, tmp_path: Path) -> None:
    studio.run(4.0)
    studio.play(write_wav(tmp_path / "own.wav", noise(2.0)))
    studio.run(1.0)
    studio.send(Pause("music"))
    studio.run(6.0)
    assert level_db(seconds(studio, 0.0, 3.9)) < -100
    assert level_db(seconds(studio, 5.5, 11.0)) < -100
    assert not studio.told(Quiet)


def test_a_fallback_that_can_not_be_read_gives_up(tmp_path: Path) -> None:
    studio = Studio("lobby")
    broken = tuple(Track(str(n), str(tmp_path / f"{n}.mp3")) for n in range(3))
    studio.send(SetFallback(broken, 1.0), LoadProgramme("music", ()), Attach("lobby", "music"))
    studio.run(4.0)
    assert level_db(studio.heard()) < -90


def test_a_new_renderer_gets_it() -> None:
    state = DesiredState(Configure())
    command = SetFallback((Track("x", "x.mp3"),), 5.0)
    state.sent(command, 0.0)
    assert command in list(state.commands(1.0))
    assert decode(encode(command)) == command


def test_a_survey_measures_what_is_audio_once(tmp_path: Path) -> None:
    folder, notes = tmp_path / "music", tmp_path / "cache" / "notes.json"
    (folder / "below").mkdir(parents=True)
    write_wav(folder / "below" / "a.wav", tone(2.0, 1000.0, -20.0))
    (folder / "cover.txt").write_text("no audio")
    found = survey(str(folder), str(notes))
    assert [row["path"] for row in found] == [str(folder / "below" / "a.wav")]
    assert found[0]["lufs"] == pytest.approx(-17, abs=0.5)
    notes.write_text(notes.read_text().replace(str(found[0]["lufs"]), "-33.25"))
    assert survey(str(folder), str(notes))[0]["lufs"] == -33.25
    with wave.open(str(folder / "below" / "a.wav")) as file:
        assert file.getnframes() == 2 * RATE
    assert survey(str(tmp_path / "nowhere"), str(notes)) == []
