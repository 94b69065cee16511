"""Blocks at gains that do not move: what is mixed ahead, and who shares it."""

from __future__ import annotations

import gc
from collections.abc import Hashable

import numpy as np
import pytest
from tests.sounds import Sound, noise

from antiphon.engine.limiter import AHEAD_FRAMES
from antiphon.engine.still import Block, Stretch, still_block

FRAMES = 960


class Tape:
    """A source that plays an array, and counts how often somebody looked ahead."""

    def __init__(self, sound: Sound) -> None:
        self.sound = sound
        self.kept: dict[Hashable, Stretch] = {}
        self.looks = 0
        self.at = 0

    def advance(self, frame: int, frames: int) -> bool:
        return self.render(frame, frames) is not None

    def render(self, frame: int, frames: int) -> Sound | None:
        self.at = frame
        block = self.sound[frame : frame + frames]
        return block if len(block) else None

    def at_hand(self, frames: int) -> Sound:
        self.looks += 1
        return self.sound[self.at : self.at + frames]


def blocks(*parts: tuple[Tape, float], times: int) -> list[Block]:
    return [still_block(n * FRAMES, FRAMES, parts) for n in range(times)]


def joined(heard: list[Block]) -> Sound:
    return np.concatenate([block.samples for block in heard])


def test_parts_are_added_at_their_gains() -> None:
    music, voice = Tape(noise(2.0, seed=1)), Tape(noise(2.0, seed=2))
    heard = joined(blocks((music, 0.25), (voice, 0.5), times=100))
    exact = music.sound * np.float32(0.25) + voice.sound * np.float32(0.5)
    assert np.abs(heard - exact).max() <= 1.5  # rounding and dither
    assert abs(float((heard - exact).mean())) < 0.05


def test_the_whole_sound_passes_untouched_at_full_gain() -> None:
    music = Tape(noise(2.0))
    np.testing.assert_array_equal(joined(blocks((music, 1.0), times=100)), music.sound)


def test_what_is_sure_to_follow_is_mixed_with_a_block() -> None:
    music = Tape(noise(2.0))
    blocks((music, 0.5), times=100)
    assert music.looks <= 6


def test_at_no_gain_a_source_goes_on_and_is_not_heard() -> None:
    music, voice = Tape(noise(1.0, seed=1)), Tape(noise(1.0, seed=2))
    silent = blocks((music, 0.0), times=10)
    assert music.at == 9 * FRAMES
    assert not joined(silent).any()
    heard = joined(blocks((music, 0.0), (voice, 0.5), times=10))
    np.testing.assert_array_equal(heard, joined(blocks((Tape(voice.sound), 0.5), times=10)))


def test_zones_in_one_state_get_one_block_and_others_their_own() -> None:
    music = Tape(noise(1.0))
    for frame in range(0, 10 * FRAMES, FRAMES):
        block = still_block(frame, FRAMES, ((music, 0.5),))
        assert still_block(frame, FRAMES, ((music, 0.5),)) is block
        assert still_block(frame, FRAMES, ((music, 0.25),)) is not block
    assert music.looks == 2


def test_after_a_change_of_course_nothing_that_was_mixed_ahead_is_heard() -> None:
    music = Tape(noise(1.0, seed=1))
    blocks((music, 0.5), times=3)
    music.sound = noise(1.0, seed=2)
    music.kept.clear()
    heard = still_block(3 * FRAMES, FRAMES, ((music, 0.5),)).samples
    np.testing.assert_allclose(heard, music.sound[3 * FRAMES : 4 * FRAMES] * 0.5, atol=1.5)


@pytest.mark.parametrize("seconds", [0.1, 0.52, 1.0])
def test_a_block_knows_how_loud_it_is_at_most_and_so_what_follows_it(seconds: float) -> None:
    music, voice = Tape(noise(seconds, seed=1)), Tape(noise(seconds, seed=2))
    heard = blocks((music, 0.25), (voice, 0.5), times=int(seconds * 50))
    whole = np.abs(joined(heard).astype(np.int32))
    for number, block in enumerate(heard):
        start = number * FRAMES
        assert block.at_most >= whole[start : start + FRAMES + AHEAD_FRAMES].max()
    assert heard[-1].at_most == np.inf  # what follows is not known: the limiter has to look


def test_what_is_over_is_not_kept() -> None:
    music = Tape(noise(3.0))
    for number in range(150):
        still_block(number * FRAMES, FRAMES, ((music, 0.5 + number / 1000),))
    assert len(music.kept) <= 26  # those that reach beyond this block: half a second's


def test_what_is_over_is_given_back_at_once_without_a_search_for_cycles() -> None:
    music = Tape(noise(3.0))
    gc.collect()
    before = there()
    gc.disable()
    try:
        blocks((music, 0.5), times=150)
        assert there() <= before + 2
    finally:
        gc.enable()


def there() -> int:
    return sum(isinstance(one, Stretch) for one in gc.get_objects())


def test_silence_is_shared_and_has_no_power() -> None:
    silent = still_block(0, FRAMES, ((Tape(noise(0.0)), 1.0),))
    assert silent is still_block(960, FRAMES, ())
    assert silent.power == (0.0, 0.0)


@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_power_is_that_of_all_that_was_mixed_in_one_step(gain: float) -> None:
    music = Tape(noise(0.1))
    heard = blocks((music, gain), times=5)
    whole = joined(heard).astype(np.float64)
    for block in heard:
        assert block.power.mean_square == pytest.approx((whole**2).mean(), rel=1e-4)
        assert block.power.peak == np.abs(whole).max()


def test_power_of_a_block_of_its_own_is_that_of_its_samples() -> None:
    samples = noise(0.02)
    power = Block.of(samples).power
    assert power.mean_square == pytest.approx((samples.astype(np.float64) ** 2).mean(), rel=1e-4)
    assert power.peak == np.abs(samples.astype(np.int32)).max()
