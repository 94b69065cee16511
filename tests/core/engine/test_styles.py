"""What becomes of the music while a call is heard: held, or waited for; and where it is after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.core.engine.studio import Studio
from tests.sounds import RATE, first_sound, level_db, noise, tone, tone_db, write_wav

from antiphon.engine.protocol import (
    Attach,
    CallFinished,
    CallStarted,
    Clip,
    HoldNext,
    LoadProgramme,
    Position,
    ProgrammeEnded,
    StartCall,
    StopCall,
    Track,
    TrackFinished,
    TrackStarted,
)

MUSIC_HZ, VOICE_HZ, CHIME_HZ = 500.0, 2000.0, 3000.0
BLOCK = 960
LEAD_S, UP_S = 0.5, 1.0


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return Clip(str(write_wav(tmp_path / "clip.wav", tone(3.0, VOICE_HZ, -19.0))), lufs=-16.0)


@pytest.fixture
def chime(tmp_path: Path) -> Clip:
    return Clip(str(write_wav(tmp_path / "chime.wav", tone(1.0, CHIME_HZ, -24.0))))


# --- pause -------------------------------------------------------------------------------------


def test_pause_goes_on_exactly_where_it_was(tmp_path: Path, clip: Clip) -> None:
    sound = noise(30.0, -30.0)
    studio = Studio("lobby")
    studio.play(write_wav(tmp_path / "noise.wav", sound))
    studio.run(2.0)
    studio.send(StartCall("c", ("lobby",), clip, pause=True))
    studio.run(8.0)
    heard = studio.heard()
    word = studio.told(CallStarted)[0].frame
    assert word == pytest.approx(2.5 * RATE, abs=BLOCK)
    spoken = heard[word + BLOCK : word + 3 * RATE - BLOCK]
    assert tone_db(spoken, VOICE_HZ) == pytest.approx(-19.0, abs=0.3)
    assert level_db(heard[word - 96 : word]) < -60, "the music is gone before the first word"
    later = 8 * RATE  # the music is back by then, and 3 s behind what it would have been
    piece = heard[later : later + RATE // 10]
    held = later - 3 * RATE
    offsets = [
        offset
        for offset in range(-2 * BLOCK, 2 * BLOCK)
        if np.array_equal(sound[held + offset : held + offset + len(piece)], piece)
    ]
    assert len(offsets) == 1
    assert abs(offsets[0]) <= BLOCK


def test_pause_fades_and_does_not_click(tmp_path: Path, clip: Clip) -> None:
    studio = Studio("lobby")
    studio.play(write_wav(tmp_path / "music.wav", tone(30.0, MUSIC_HZ, -12.0)))
    studio.run(2.0)
    studio.send(StartCall("c", ("lobby",), clip, pause=True))
    studio.run(8.0)
    heard = studio.heard().astype(np.int64)
    steps = np.abs(np.diff(heard, axis=0)).max()
    alone = np.abs(np.diff(studio.heard()[RATE : 2 * RATE].astype(np.int64), axis=0)).max()
    assert steps < 2.5 * alone


def test_pause_tells_where_the_music_stands(tmp_path: Path, clip: Clip) -> None:
    studio = Studio("lobby")
    studio.play(write_wav(tmp_path / "noise.wav", noise(30.0, -30.0)))
    studio.run(2.0)
    studio.send(StartCall("c", ("lobby",), clip, pause=True))
    studio.run(2.0)
    at = studio.told(Position)[-1]
    assert not at.playing
    assert at.position_s == pytest.approx(2.5, abs=0.021)
    told = len(studio.told(Position))
    studio.run(1.4)
    assert len(studio.told(Position)) == told, "nothing moves while it is held"
    studio.run(0.2)
    at = studio.told(Position)[-1]
    assert at.playing
    assert at.position_s == pytest.approx(2.5, abs=0.021)
    studio.run(3.0)
    assert studio.told(Position)[-1].position_s == pytest.approx(5.0, abs=1.0)


def test_pause_position_after_several_calls_is_the_time_that_music_was_heard(
    tmp_path: Path, clip: Clip
) -> None:
    studio = Studio("lobby")
    studio.play(write_wav(tmp_path / "noise.wav", noise(60.0, -30.0)))
    for number in range(4):
        studio.run(3.0)
        studio.send(StartCall(str(number), ("lobby",), clip, pause=number % 2 == 0))
        studio.run(5.0)
    lane = studio.renderer._lanes["lobby"]
    assert lane.programme is not None
    at = lane.programme.position()
    assert at is not None
    assert at.position_s == pytest.approx(4 * 8.0 - 2 * 3.0, abs=0.021 * 3)


def test_pause_in_one_of_two_zones_leaves_the_other_alone(tmp_path: Path, clip: Clip) -> None:
    sound = noise(30.0, -30.0)
    studio = Studio("lobby", "bar")
    studio.play(write_wav(tmp_path / "noise.wav", sound))
    studio.send(Attach("bar", "music"))
    studio.run(2.0)
    studio.send(StartCall("c", ("lobby",), clip, pause=True))
    studio.run(8.0)
    np.testing.assert_array_equal(studio.heard("bar")[RATE:], sound[RATE : 10 * RATE])
    np.testing.assert_array_equal(studio.heard("lobby")[-RATE:], studio.heard("bar")[-RATE:])
    assert all(at.playing for at in studio.told(Position))


def test_pause_in_both_zones_of_a_programme_holds_it(tmp_path: Path, clip: Clip) -> None:
    studio = Studio("lobby", "bar")
    studio.play(write_wav(tmp_path / "noise.wav", noise(30.0, -30.0)))
    studio.send(Attach("bar", "music"))
    studio.run(2.0)
    studio.send(StartCall("c", ("lobby", "bar"), clip, pause=True))
    studio.run(8.0)
    np.testing.assert_array_equal(studio.heard("lobby")[RATE:], studio.heard("bar")[RATE:])
    lane = studio.renderer._lanes["lobby"]
    assert lane.programme is not None
    at = lane.programme.position()
    assert at is not None
    assert at.position_s == pytest.approx(10.0 - 3.0, abs=0.021)


def test_pause_that_is_taken_back_lets_the_music_come_at_once(tmp_path: Path, clip: Clip) -> None:
    studio = Studio("lobby")
    studio.play(write_wav(tmp_path / "music.wav", tone(30.0, MUSIC_HZ, -21.0)))
    studio.run(1.0)
    studio.send(StartCall("c", ("lobby",), clip, pause=True))
    studio.run(1.5)
    studio.send(StopCall("c", ("lobby",)))
    studio.run(2.0)
    assert tone_db(studio.heard()[-RATE // 2 :], MUSIC_HZ) == pytest.approx(-21.0, abs=0.1)


def test_pause_without_music_is_heard_at_once(clip: Clip) -> None:
    studio = Studio("lobby")
    studio.send(StartCall("c", ("lobby",), clip, pause=True))
    studio.run(1.0)
    assert first_sound(studio.heard()) < 2 * BLOCK


# --- between -----------------------------------------------------------------------------------


def two_tracks(tmp_path: Path, crossfade_s: float = 0.0) -> Studio:
    studio = Studio("lobby")
    first = write_wav(tmp_path / "one.wav", tone(3.0, MUSIC_HZ, -21.0))
    second = write_wav(tmp_path / "two.wav", tone(6.0, 800.0, -21.0))
    studio.play(first, second, crossfade_s=crossfade_s)
    return studio


@pytest.mark.parametrize("crossfade_s", [0.0, 1.0])
def test_the_music_waits_between_two_tracks(tmp_path: Path, clip: Clip, crossfade_s: float) -> None:
    studio = two_tracks(tmp_path, crossfade_s)
    studio.run(1.0)
    studio.send(HoldNext("music", hold=True))
    studio.run(2.5)
    assert studio.told(TrackFinished)[0].reason == "ended"
    assert len(studio.told(TrackStarted)) == 1
    assert not studio.told(ProgrammeEnded)
    heard = studio.heard()
    assert tone_db(heard[round(2.8 * RATE) : 3 * RATE], MUSIC_HZ) == pytest.approx(-21.0, abs=0.5)
    assert not heard[3 * RATE + 2 * BLOCK :].any(), "no crossfade, no next track"
    studio.send(StartCall("c", ("lobby",), clip, pause=True))
    studio.run(3.2)
    assert studio.told(CallStarted)[0].frame == pytest.approx(3.5 * RATE, abs=BLOCK), "no lead"
    assert studio.told(CallFinished)[0].reason == "completed"
    studio.send(HoldNext("music", hold=False))
    studio.run(1.0)
    begins = studio.told(TrackStarted)[1]
    assert (begins.entry, begins.position_s) == ("1", 0.0)
    tail = studio.heard()[-round(0.9 * RATE) :]
    assert tone_db(tail, 800.0) == pytest.approx(-21.0, abs=0.3), "it comes as it is, at once"


def test_a_crossfade_under_way_is_finished_first(tmp_path: Path) -> None:
    studio = two_tracks(tmp_path, 1.0)
    studio.run(2.5)
    studio.send(HoldNext("music", hold=True))
    studio.run(2.0)
    assert [started.entry for started in studio.told(TrackStarted)] == ["0", "1"]
    assert tone_db(studio.heard()[-RATE:], 800.0) == pytest.approx(-21.0, abs=0.3)


def test_waiting_behind_the_last_track_ends_as_usual(tmp_path: Path) -> None:
    studio = Studio("lobby")
    studio.play(write_wav(tmp_path / "one.wav", tone(1.0, MUSIC_HZ, -21.0)))
    studio.send(HoldNext("music", hold=True))
    studio.run(1.5)
    assert not studio.told(ProgrammeEnded)
    studio.send(HoldNext("music", hold=False))
    studio.run(0.1)
    assert studio.told(ProgrammeEnded)


def test_another_track_is_loaded_while_the_music_waits(tmp_path: Path) -> None:
    studio = two_tracks(tmp_path)
    studio.send(HoldNext("music", hold=True))
    studio.run(3.5)
    other = Track("x", str(write_wav(tmp_path / "x.wav", tone(5.0, 900.0, -21.0))))
    studio.send(LoadProgramme("music", (other,)))
    studio.run(1.0)
    assert tone_db(studio.heard()[-RATE // 2 :], 900.0) == pytest.approx(-21.0, abs=0.3)


# --- chimes, and a stop ------------------------------------------------------------------------


def test_a_chime_behind_the_clip(clip: Clip, chime: Clip) -> None:
    studio = Studio("lobby")
    studio.send(StartCall("c", ("lobby",), clip, chime, chime))
    studio.run(7.0)
    heard = studio.heard()
    assert tone_db(heard[4800 : RATE - 4800], CHIME_HZ) == pytest.approx(-24.0, abs=0.3)
    words = heard[round(1.3 * RATE) : 4 * RATE]
    assert tone_db(words, VOICE_HZ) == pytest.approx(-19.0, abs=0.3)
    behind = heard[round(4.5 * RATE) : 5 * RATE]
    assert tone_db(behind, CHIME_HZ) == pytest.approx(-24.0, abs=0.3)
    assert tone_db(behind, VOICE_HZ) < -60
    done = studio.told(CallFinished)[0]
    assert done.reason == "completed"
    assert done.seconds == pytest.approx(5.0, abs=0.01)


def test_a_chime_behind_that_can_not_be_read_is_left_out(clip: Clip, tmp_path: Path) -> None:
    studio = Studio("lobby")
    missing = Clip(str(tmp_path / "missing.wav"))
    studio.send(StartCall("c", ("lobby",), clip, chime_after=missing))
    studio.run(4.0)
    done = studio.told(CallFinished)[0]
    assert (done.reason, done.seconds) == ("completed", 3.0)


@pytest.mark.parametrize("at_s", [0.5, 2.5, 4.6])
def test_a_stop_takes_20_ms_in_chime_and_clip(clip: Clip, chime: Clip, at_s: float) -> None:
    studio = Studio("lobby")
    studio.send(StartCall("c", ("lobby",), clip, chime, chime))
    studio.run(at_s)
    studio.send(StopCall("c", ("lobby",)))
    studio.run(0.5)
    heard = studio.heard()
    end = round(at_s * RATE)
    assert level_db(heard[end - BLOCK : end]) > -40
    assert np.abs(heard[end + BLOCK :]).max() <= 1, "dither alone"
    fade = np.abs(heard[end : end + BLOCK].astype(float)).max(axis=1)
    halves = fade[: BLOCK // 2].max(), fade[BLOCK // 2 :].max()
    assert halves[1] < 0.6 * halves[0]
    assert studio.told(CallFinished)[0].reason == "stopped"
    assert studio.told(CallFinished)[0].seconds == pytest.approx(
        at_s + 0.02 - 0.15 * (at_s > 1) - 0.15 * (at_s > 4.2), abs=0.03
    )
