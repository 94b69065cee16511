"""Calls: mixed over the music, ducked by what the loudness says, in sync over zones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.core.engine.studio import Studio
from tests.sounds import RATE, first_sound, level_db, noise, tone, tone_db, write_wav

from antiphon.engine.protocol import (
    AddZone,
    Attach,
    CallFinished,
    CallStarted,
    Clip,
    Level,
    LoadProgramme,
    Position,
    RemoveZone,
    SetVolume,
    StartCall,
    Starved,
    StopCall,
    Track,
)

MUSIC_HZ, VOICE_HZ, CHIME_HZ = 500.0, 2000.0, 3000.0


@pytest.fixture
def music(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "music.wav", tone(60.0, MUSIC_HZ, -21.0))


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return Clip(str(write_wav(tmp_path / "clip.wav", tone(3.0, VOICE_HZ, -19.0))), lufs=-16.0)


@pytest.fixture
def studio(music: Path) -> Studio:
    studio = Studio("lobby")
    studio.send(
        LoadProgramme("music", (Track("1", str(music), lufs=-18.0),)), Attach("lobby", "music")
    )
    studio.run(2.0)
    return studio


def test_the_level_is_told_each_second_and_silence_once(clip: Clip) -> None:
    studio = Studio("lobby")
    studio.run(5.0)
    began, silent = [level.peak_db for level in studio.told(Level)]
    assert began < -90.0, "dither, while the volume moved to where it is"
    assert silent == -120.0
    studio.send(StartCall("c", ("lobby",), clip))
    studio.run(6.0)
    *told, last = [level.peak_db for level in studio.told(Level)[2:]]
    assert len([level for level in told if level > -20.0]) in (3, 4)
    assert (told.count(-120.0), last) == (0, -120.0)


@pytest.mark.parametrize(
    ("music_lufs", "expected_db"), [(-18.0, -10.0), (-25.0, -3.0), (-30.0, 0.0)]
)
def test_the_bed_sits_the_wanted_gap_under_the_voice(
    music: Path, clip: Clip, music_lufs: float, expected_db: float
) -> None:
    studio = Studio("lobby")
    track = Track("1", str(music), lufs=music_lufs)
    studio.send(LoadProgramme("music", (track,)), Attach("lobby", "music"))
    studio.run(2.0)
    studio.send(StartCall("c", ("lobby",), clip))
    studio.run(2.5)
    bed = studio.heard()[round(3.0 * RATE) : round(4.0 * RATE)]
    assert tone_db(bed, MUSIC_HZ) == pytest.approx(-21.0 + expected_db, abs=0.1)
    assert tone_db(bed, VOICE_HZ) == pytest.approx(-19.0, abs=0.1)


def test_the_duck_is_complete_before_the_first_word_and_undone_after(
    studio: Studio, clip: Clip
) -> None:
    studio.send(StartCall("c", ("lobby",), clip))
    studio.run(6.0)
    heard = studio.heard()
    word = studio.told(CallStarted)[0].frame
    assert word == pytest.approx(2.5 * RATE, abs=960)
    assert tone_db(heard[word - 2400 : word], VOICE_HZ) < -70
    assert tone_db(heard[word - 960 : word], MUSIC_HZ) == pytest.approx(-31.0, abs=1.0)
    assert tone_db(heard[word + 4800 : word + 9600], VOICE_HZ) == pytest.approx(-19.0, abs=0.3)
    after = round((2.5 + 3.0 + 1.1) * RATE)
    assert tone_db(heard[after : after + RATE], MUSIC_HZ) == pytest.approx(-21.0, abs=0.1)
    done = studio.told(CallFinished)[0]
    assert (done.reason, done.seconds) == ("completed", 3.0)


def test_the_music_never_stops_under_calls(tmp_path: Path, clip: Clip) -> None:
    sound = noise(30.0, -30.0)
    studio = Studio("lobby")
    studio.play(write_wav(tmp_path / "noise.wav", sound))
    for number in range(4):
        studio.run(1.0)
        studio.send(StartCall(str(number), ("lobby",), clip))
        studio.run(4.5)
    studio.run(2.0)
    assert studio.told(Position)[-1].position_s == pytest.approx(24.0, abs=0.021)
    heard = studio.heard()
    np.testing.assert_array_equal(heard[-RATE:], sound[23 * RATE : 24 * RATE])


def test_the_music_goes_on_while_a_zone_is_silent(tmp_path: Path, clip: Clip) -> None:
    music = noise(30.0)
    studio = Studio("lobby")
    studio.play(write_wav(tmp_path / "music.wav", music))
    studio.run(2.0)
    studio.send(SetVolume("lobby", 0))
    studio.run(3.0)
    studio.send(StartCall("c", ("lobby",), clip))
    studio.run(5.0)
    silent = studio.heard()[3 * RATE :]
    assert np.abs(silent).max() <= 1, "dither, while gains moved"
    assert not silent[:RATE].any()
    studio.send(SetVolume("lobby", 100))
    studio.run(2.0)
    np.testing.assert_array_equal(studio.heard()[-RATE:], music[11 * RATE : 12 * RATE])


def test_music_that_is_not_heard_under_a_call_goes_on(tmp_path: Path, clip: Clip) -> None:
    music = noise(30.0)
    studio = Studio()
    studio.add("lobby", background_percent=0)
    studio.play(write_wav(tmp_path / "music.wav", music))
    studio.run(2.0)
    studio.send(StartCall("c", ("lobby",), clip))
    studio.run(8.0)
    np.testing.assert_array_equal(studio.heard()[-RATE:], music[9 * RATE : 10 * RATE])


def test_without_music_the_voice_comes_at_once(clip: Clip) -> None:
    studio = Studio("lobby")
    studio.send(StartCall("c", ("lobby",), clip))
    studio.run(1.0)
    assert first_sound(studio.heard()) < 2 * 960


def test_a_call_starts_on_the_same_sample_in_all_zones(studio: Studio, clip: Clip) -> None:
    studio.add("bar")
    studio.add("gym")
    studio.run(0.5)
    studio.send(StartCall("c", ("lobby", "bar", "gym"), clip))
    studio.run(1.0)
    frames = {report.frame for report in studio.told(CallStarted)}
    assert len(frames) == 1
    start = first_sound(studio.heard("gym"))
    assert start == first_sound(studio.heard("bar"))
    assert len(studio.heard("lobby")) - len(studio.heard("gym")) == 2 * RATE
    assert start + 2 * RATE == pytest.approx(frames.pop(), abs=60)


def test_a_chime_sounds_at_once_and_the_clip_follows(
    studio: Studio, clip: Clip, tmp_path: Path
) -> None:
    chime = Clip(str(write_wav(tmp_path / "chime.wav", tone(1.0, CHIME_HZ, -24.0))))
    studio.send(StartCall("c", ("lobby",), clip, chime))
    studio.run(5.0)
    heard = studio.heard()[2 * RATE :]
    assert tone_db(heard[4800 : RATE - 4800], CHIME_HZ) == pytest.approx(-24.0, abs=0.3)
    assert tone_db(heard[: round(1.14 * RATE)], VOICE_HZ) < -60
    assert tone_db(heard[round(1.3 * RATE) : 2 * RATE], VOICE_HZ) == pytest.approx(-19.0, abs=0.3)
    assert studio.told(CallFinished)[0].seconds == pytest.approx(4.0, abs=0.01)


@pytest.mark.parametrize("with_chime", [False, True])
def test_a_call_with_a_time_starts_on_its_sample(
    studio: Studio, clip: Clip, tmp_path: Path, with_chime: bool
) -> None:
    chime = Clip(str(write_wav(tmp_path / "chime.wav", tone(1.0, CHIME_HZ, -24.0))))
    studio.add("bar")
    due = 3 * RATE + 1_234
    studio.send(
        StartCall("c", ("lobby", "bar"), clip, chime if with_chime else None, at=due / RATE)
    )
    studio.run(3.0)
    assert {report.frame for report in studio.told(CallStarted)} == {due}
    # The bar was added after two seconds. Its clip has an edge fade: the very first are tiny.
    assert first_sound(studio.heard("bar")) + 2 * RATE == pytest.approx(due, abs=60)
    lobby = studio.heard("lobby")
    assert tone_db(lobby[due - RATE : due - round(0.55 * RATE)], MUSIC_HZ) == pytest.approx(
        -21.0, abs=0.1
    )
    assert tone_db(lobby[due - 2400 : due], CHIME_HZ if with_chime else VOICE_HZ) < -70


def test_a_call_whose_time_is_over_starts_at_once_and_one_to_come_can_be_stopped(
    clip: Clip,
) -> None:
    studio = Studio("lobby", "bar")
    studio.run(1.0)
    studio.send(StartCall("late", ("lobby",), clip, at=0.5))
    studio.send(StartCall("never", ("bar",), clip, at=1.5))
    studio.run(0.2)
    studio.send(StopCall("never", ("bar",)))
    studio.run(1.0)
    assert first_sound(studio.heard("lobby")) < RATE + 2 * 960
    assert level_db(studio.heard("bar")) < -80  # dither alone
    assert [(one.call, one.reason) for one in studio.told(CallFinished)] == [("never", "stopped")]


def test_stopping_a_call_fades_it_in_that_zone_alone(studio: Studio, clip: Clip) -> None:
    studio.add("bar")
    studio.send(StartCall("c", ("lobby", "bar"), clip))
    studio.run(1.5)
    studio.send(StopCall("c", ("lobby",)))
    studio.run(1.0)
    assert tone_db(studio.heard()[round(3.6 * RATE) :], VOICE_HZ) < -60
    assert tone_db(studio.heard("bar")[-9600:], VOICE_HZ) == pytest.approx(-19.0, abs=0.3)
    stopped = studio.told(CallFinished)[0]
    assert (stopped.zone, stopped.reason) == ("lobby", "stopped")
    assert stopped.seconds == pytest.approx(1.02, abs=0.05)
    studio.run(2.0)
    assert [(r.zone, r.reason) for r in studio.told(CallFinished)][1:] == [("bar", "completed")]


def test_a_clip_that_is_gone_fails_and_the_music_is_untouched(studio: Studio) -> None:
    before = len(studio.heard())
    studio.send(StartCall("c", ("lobby", "nowhere"), Clip("/nowhere/clip.wav")))
    studio.run(1.0)
    failed = studio.told(CallFinished)
    assert {(r.zone, r.reason) for r in failed} == {("lobby", "failed"), ("nowhere", "failed")}
    assert "clip.wav" in (failed[0].message or "")
    assert tone_db(studio.heard()[before:], MUSIC_HZ) == pytest.approx(-21.0, abs=0.1)


def test_a_second_call_in_a_speaking_zone_is_refused_as_busy(studio: Studio, clip: Clip) -> None:
    studio.send(StartCall("c", ("lobby",), clip))
    studio.run(1.0)
    studio.send(StartCall("d", ("lobby",), clip))
    studio.run(0.1)
    assert [(r.call, r.reason) for r in studio.told(CallFinished)] == [("d", "busy")]


def test_a_removed_zone_ends_its_part_of_the_call(studio: Studio, clip: Clip) -> None:
    studio.add("bar")
    studio.send(StartCall("c", ("lobby", "bar"), clip))
    studio.run(1.0)
    studio.send(RemoveZone("bar"))
    studio.run(4.0)
    assert [(r.zone, r.reason) for r in studio.told(CallFinished)] == [
        ("bar", "failed"),
        ("lobby", "completed"),
    ]


def test_volume_moves_without_zipper_noise(studio: Studio) -> None:
    for volume in (0, 100, 30, 80, 50):
        studio.send(SetVolume("lobby", volume))
        studio.run(0.2)
    steps = np.abs(np.diff(studio.heard()[:, 0].astype(int)))
    largest = np.abs(np.diff(tone(1.0, MUSIC_HZ, -21.0)[:, 0].astype(int))).max()
    assert steps.max() <= 1.1 * largest
    assert level_db(studio.heard()[-4800:]) == pytest.approx(-21.0 - 12.04, abs=0.1)


def test_nothing_leaves_above_the_ceiling(tmp_path: Path) -> None:
    loud = write_wav(tmp_path / "loud.wav", noise(10.0, -9.0))
    clip = Clip(str(write_wav(tmp_path / "clip.wav", noise(3.0, -8.0, seed=5))), lufs=-4.0)
    studio = Studio("lobby")
    studio.send(LoadProgramme("m", (Track("1", str(loud), lufs=-9.0),)), Attach("lobby", "m"))
    studio.run(1.0)
    studio.send(StartCall("c", ("lobby",), clip))
    studio.run(3.5)
    spoken = studio.heard()[round(1.1 * RATE) :]
    assert np.abs(spoken).max() <= 32768 * 10 ** (-1.5 / 20) + 2  # what dither may add


def test_a_sink_that_can_not_be_opened_is_told_and_harms_nobody(studio: Studio) -> None:
    studio.send(AddZone("bad", "fifo:/nowhere/at/all"), AddZone("worse", "gopher:1"))
    studio.run(1.0)
    assert tone_db(studio.heard()[-RATE // 2 :], MUSIC_HZ) == pytest.approx(-21.0, abs=0.1)


def test_losses_are_told_where_something_was_to_be_heard(studio: Studio) -> None:
    studio.add("silent")
    for tape in studio.tapes.values():
        tape.lost_bytes = 48_000
    studio.renderer.late(0.5)
    studio.run(1.0)
    assert {(r.zone, r.reason) for r in studio.told(Starved)} == {
        ("lobby", "late"),
        ("lobby", "sink"),
    }
