"""The limiter and the rounding: nothing above the ceiling, nothing added to what is below."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.sounds import RATE, noise, write_wav

from antiphon.engine.codec import measure
from antiphon.engine.limiter import AHEAD_FRAMES, Limiter
from antiphon.engine.ramps import to_s16

Mix = NDArray[np.float32]
BLOCK = 960


def limited(sound: Mix, ceiling_db: float = -1.5) -> Mix:
    """A whole sound through the limiter, block by block, as a lane does it."""
    limiter, result = Limiter(ceiling_db), sound.copy()
    for start in range(0, len(result), BLOCK):
        ahead = sound[start + BLOCK : start + BLOCK + AHEAD_FRAMES]
        limiter.apply(result[start : start + BLOCK], ahead if len(ahead) == AHEAD_FRAMES else None)
    return result


def between_samples(seconds: float, peak: float) -> Mix:
    """A sine at a quarter of the sample rate with its crests between samples (EBU Tech 3341)."""
    n = np.arange(round(seconds * RATE))
    line = 32768 * peak * np.sin(np.pi / 2 * n + np.pi / 4)
    line[:4800] *= np.linspace(0, 1, 4800)
    return np.stack([line, line], axis=1).astype(np.float32)


def true_peak_db(sound: Mix, path: Path) -> float:
    return measure(write_wav(path, np.rint(sound).astype(np.int16))).true_peak_db


def test_what_is_below_the_ceiling_is_not_touched() -> None:
    sound = noise(0.5, -20.0).astype(np.float32)
    np.testing.assert_array_equal(limited(sound), sound)


@pytest.mark.parametrize("seed", range(5))
def test_no_true_peak_leaves_above_the_ceiling(tmp_path: Path, seed: int) -> None:
    harsh = noise(2.0, -6.0, seed=seed).astype(np.float32) * 1.6
    # Clipped white noise: the worst there is, with its peaks up to half the sample rate.
    assert true_peak_db(limited(harsh), tmp_path / "harsh.wav") <= -1.0
    loud = (harsh[:-2] + 2 * harsh[1:-1] + harsh[2:]) / 3
    assert np.abs(loud).max() > 45_000
    assert true_peak_db(limited(loud), tmp_path / "loud.wav") <= -1.4


def test_peaks_between_samples_are_seen(tmp_path: Path) -> None:
    sine = between_samples(1.0, 1.0)
    assert np.abs(sine).max() < 32768 * 10 ** (-1.5 / 20)  # no sample is above the ceiling
    assert true_peak_db(limited(sine), tmp_path / "out.wav") <= -1.4


def test_the_gain_is_down_before_a_peak_at_the_start_of_a_block() -> None:
    sound = np.full((3 * BLOCK, 2), 8000.0, np.float32)
    sound[BLOCK] = 60_000.0
    gains = limited(sound)[:, 0] / sound[:, 0]
    assert gains[BLOCK] <= 32768 * 10 ** (-1.5 / 20) / 60_000 + 1e-6
    assert np.abs(np.diff(gains)).max() <= 1.5 / AHEAD_FRAMES
    assert gains[-1] > gains[BLOCK]


def test_rounding_adds_no_tone_and_no_offset() -> None:
    quiet: Mix = np.zeros((RATE, 2), np.float32)
    n = np.arange(RATE)
    quiet[:, 0] = 0.4 * np.sin(2 * np.pi * 997 * n / RATE)  # less than half a step
    blocks = [to_s16(quiet[i : i + BLOCK].copy(), i) for i in range(0, RATE, BLOCK)]
    heard = np.concatenate(blocks)[:, 0].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(RATE))) / (RATE / 4)
    assert spectrum[997] == pytest.approx(0.4, abs=0.05)  # undithered it would be gone
    assert max(spectrum[3 * 997 - 3 : 3 * 997 + 4]) < 0.05  # and its harmonics would be there
    assert abs(heard.mean()) < 0.02
