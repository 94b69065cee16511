"""The limiter behind every mix: no peak leaves above the ceiling, at samples or between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.engine.protocol import SAMPLE_RATE
from antiphon.engine.ramps import Mix

_Line = NDArray[np.float64]

AHEAD_FRAMES = int(0.0015 * SAMPLE_RATE)
_RELEASE_S = 0.2
_TAPS = 24
_NEAR = 0.7  # between samples a signal can be higher than at them, but hardly by more than 3 dB


def _between(phase: float) -> _Line:
    """Taps that give the signal `phase` of a sample later: a windowed sinc."""
    n = np.arange(_TAPS) - _TAPS / 2 + 1
    taps = np.sinc(n - phase) * np.cos(np.pi * (n - phase) / (_TAPS + 1)) ** 2
    line: _Line = taps / taps.sum()
    return line


# Four times oversampled, as ITU-R BS.1770-4, Annex 2, asks of a true-peak meter.
_PHASES = tuple(_between(phase) for phase in (0.25, 0.5, 0.75))


class Limiter:
    """Keeps the true peak under a ceiling by moving a gain: down in 1.5 ms, up in 200 ms.

    Works on blocks of float samples in s16 units. Given the `AHEAD_FRAMES` that follow a block, the
    gain is down before a peak at the start of the next one. As long as nothing comes near the
    ceiling, a block costs one look at its extremes and passes untouched.
    """

    _FALL_PER_FRAME = 1.0 / AHEAD_FRAMES
    _RISE_PER_FRAME = 1.0 / (_RELEASE_S * SAMPLE_RATE)

    def __init__(self, ceiling_db: float) -> None:
        self._ceiling = 32768.0 * 10 ** (ceiling_db / 20)
        self._gain = 1.0
        self._past: Mix | NDArray[np.int16] = np.zeros((_TAPS, 2), np.float32)

    @property
    def acting(self) -> bool:
        """Whether the gain is still below 1."""
        return self._gain < 1.0

    def passes(self, block: Mix | NDArray[np.int16], at_most: float) -> bool:
        """Whether a block needs no look: neither it nor what follows is louder than `at_most`."""
        if self.acting or at_most > _NEAR * self._ceiling:
            return False
        self._past = block[-_TAPS:]
        return True

    def apply(self, block: Mix, ahead: Mix | None = None) -> None:
        """Limit a block of shape (frames, 2) in place; `ahead` is what follows it, if known."""
        past = self._past
        if self.passes(block, peak(block, ahead)):
            return
        whole = block if ahead is None else np.concatenate((block, ahead))
        self._past = block[-_TAPS:].copy()  # as it was
        peaks = _peaks(np.concatenate((past, whole)))[len(past) :]
        gain = self._gains(np.minimum(1.0, self._ceiling / np.maximum(peaks, 1.0)))
        gain = gain[: len(block)]
        block *= np.repeat(gain.astype(np.float32)[:, None], block.shape[1], axis=1)
        self._gain = float(gain[-1])

    def _gains(self, allowed: _Line) -> _Line:
        steps = np.arange(len(allowed), dtype=np.float64)
        # Rising at most that fast from every earlier gain: a running minimum of gain − rise.
        rise = self._RISE_PER_FRAME * steps
        gain = np.minimum.accumulate(allowed - rise) + rise
        gain = np.minimum(gain, self._gain + rise + self._RISE_PER_FRAME)
        # Falling at most that fast towards every later gain: the same, backwards.
        fall = self._FALL_PER_FRAME * steps
        gain = np.minimum.accumulate((gain - fall[::-1])[::-1])[::-1] + fall[::-1]
        clipped: _Line = np.clip(gain, 0.0, 1.0)
        return clipped


def peak(*parts: NDArray[np.float32] | NDArray[np.int16] | None) -> float:
    """The largest magnitude of all samples; None is silence."""
    most = 0.0
    for part in parts:
        if part is not None and len(part):
            most = max(most, float(part.max()), -float(part.min()))
    return most


def _peaks(block: Mix) -> _Line:
    """The largest magnitude at each frame and between it and its neighbours, of both channels."""
    peaks: _Line = np.abs(block).max(axis=1).astype(np.float64)
    for channel in range(block.shape[1]):
        line = block[:, channel]
        for taps in _PHASES:
            np.maximum(peaks, np.abs(np.convolve(line, taps, "same")), out=peaks)
    # A peak between two frames counts for both of them.
    spread: _Line = peaks.copy()
    np.maximum(spread[1:], peaks[:-1], out=spread[1:])
    np.maximum(spread[:-1], peaks[1:], out=spread[:-1])
    return spread
