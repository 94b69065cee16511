"""Gains that move in straight lines, and the noise that hides rounding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.engine.protocol import CHANNELS, SAMPLE_RATE

Mix = NDArray[np.float32]  # shape (frames, 2)
Gains = Mix  # one for each sample: a column that numpy spreads over two channels costs eight times


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

    @property
    def most(self) -> float:
        """The largest value from here to the target."""
        return max(self.value, self.target)

    def to(self, target: float, seconds: float) -> None:
        """Head for a target and be there after `seconds`."""
        self.target = target
        frames = max(1.0, seconds * SAMPLE_RATE)
        self._step = (target - self.value) / frames

    def jump(self, value: float) -> None:
        """Be there at once."""
        self.value = self.target = value

    def block(self, frames: int) -> Gains:
        """The values of the next frames, at most `DITHERED_AT_MOST`; moves on."""
        line = count(1, frames)
        line *= np.float32(self._step)
        line += np.float32(self.value)
        limit = np.minimum if self._step > 0 else np.maximum
        limit(line, np.float32(self.target), out=line)
        end = self.value + self._step * frames
        arrived = end >= self.target if self._step >= 0 else end <= self.target
        self.value = self.target if arrived else end
        return line


def count(start: int, frames: int) -> Gains:
    """The numbers of frames from `start` on, for both channels; at most `DITHERED_AT_MOST`."""
    return _COUNT[:frames] + np.float32(start)


def to_s16(mixed: Mix, frame: int) -> NDArray[np.int16]:
    """Round float samples in s16 units with dither, in place too; they must not exceed the range.

    At most `DITHERED_AT_MOST` frames at a time.

    Triangular noise of ±1 LSB makes the rounding error independent of the signal (Lipshitz,
    Wannamaker and Vanderkooy 1992). It is taken from a table by the frame number, so that zones
    that hear the same get the same samples.
    """
    start = frame * 31 % DITHERED_AT_MOST
    mixed += _DITHER[start : start + len(mixed)]
    np.rint(mixed, out=mixed)
    return mixed.astype(np.int16)


DITHERED_AT_MOST = SAMPLE_RATE // 2
_COUNT: Gains = np.repeat(np.arange(DITHERED_AT_MOST, dtype=np.float32)[:, None], CHANNELS, axis=1)
_random = np.random.default_rng(1)
_DITHER: Mix = np.sum(_random.random((2, SAMPLE_RATE, 2), np.float32) - 0.5, axis=0)
