"""Gains that move: straight ramps, and the limiter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.engine.protocol import SAMPLE_RATE

Gains = NDArray[np.float32]
Mix = NDArray[np.float32]


class Ramp:
    """A value that moves in a straight line to its target, frame by frame."""

    __slots__ = ("_step", "target", "value")

    def __init__(self, value: float) -> None:
        self.value = value
        self.target = value
        self._step = 0.0

    @property
    def moving(self) -> bool:
        """Whether the target is not reached yet."""
        return self.value != self.target

    def to(self, target: float, seconds: float) -> None:
        """Head for a target and be there after `seconds`."""
        self.target = target
        frames = max(1.0, seconds * SAMPLE_RATE)
        self._step = (target - self.value) / frames

    def jump(self, value: float) -> None:
        """Be there at once."""
        self.value = self.target = value

    def block(self, frames: int) -> Gains:
        """The values of the next frames; moves on."""
        line: Gains = np.arange(1, frames + 1, dtype=np.float32)
        line *= np.float32(self._step)
        line += np.float32(self.value)
        limit = np.minimum if self._step > 0 else np.maximum
        limit(line, np.float32(self.target), out=line)
        end = self.value + self._step * frames
        arrived = end >= self.target if self._step >= 0 else end <= self.target
        self.value = self.target if arrived else end
        return line


class Limiter:
    """Keeps samples under a ceiling by moving a gain, fast down and slowly up.

    Works on blocks of float samples in s16 units and looks ahead within the block: the gain falls
    in a straight line over 1.5 ms before a peak and rises over 200 ms after it. As long as
    nothing is above the ceiling, a block costs one look at its maximum and passes untouched.
    """

    _FALL_PER_FRAME = 1.0 / (0.0015 * SAMPLE_RATE)
    _RISE_PER_FRAME = 1.0 / (0.2 * SAMPLE_RATE)

    def __init__(self, ceiling_db: float) -> None:
        self._ceiling = np.float32(32768.0 * 10 ** (ceiling_db / 20))
        self._gain = 1.0

    @property
    def acting(self) -> bool:
        """Whether the gain is still below 1."""
        return self._gain < 1.0

    def apply(self, block: Mix) -> None:
        """Limit a block of shape (frames, 2) in place."""
        if not self.acting and max(block.max(), -block.min()) <= self._ceiling:
            return
        peaks = np.abs(block).max(axis=1)
        allowed = np.minimum(1.0, self._ceiling / np.maximum(peaks, 1.0))
        steps = np.arange(len(block), dtype=np.float64)
        # Rising at most that fast from every earlier gain: a running minimum of gain − rise.
        rise = self._RISE_PER_FRAME * steps
        gain = np.minimum.accumulate(allowed - rise) + rise
        gain = np.minimum(gain, self._gain + rise + self._RISE_PER_FRAME)
        # Falling at most that fast towards every later gain: the same, backwards.
        fall = self._FALL_PER_FRAME * steps
        gain = np.minimum.accumulate((gain - fall[::-1])[::-1])[::-1] + fall[::-1]
        gain = np.clip(gain, 0.0, 1.0)
        block *= gain.astype(np.float32)[:, None]
        self._gain = float(gain[-1])
