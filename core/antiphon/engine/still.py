"""What zones hear while no gain moves: mixed ahead, and once for all zones that hear the same."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import cache
from typing import Protocol

import numpy as np

from antiphon.engine.codec import Samples
from antiphon.engine.limiter import AHEAD_FRAMES, peak
from antiphon.engine.protocol import CHANNELS
from antiphon.engine.ramps import DITHERED_AT_MOST, Mix, to_s16

_FRAME_BYTES = 2 * CHANNELS


class Source(Protocol):
    """Something that is heard: a programme or a voice.

    `kept` holds what was mixed ahead with it; a change of course empties it.
    """

    kept: dict[Hashable, Stretch]

    def render(self, frame: int, frames: int) -> Samples | Mix | None:
        """The block that starts at `frame`, the same for everybody; None for silence."""

    def at_hand(self, frames: int) -> Samples:
        """The block that was rendered last and what is sure to follow it, up to `frames` in all.

        Nothing, where that is not known.
        """


Part = tuple[Source, float]  # with its gain


class Block:
    """What goes out of one zone, or of many, at one time, as 16-bit stereo: `data` in bytes."""

    __slots__ = ("_loudest", "_power", "data")

    def __init__(self, data: memoryview, loudest: Loudest | None = None) -> None:
        self.data = data
        self._loudest = loudest
        self._power: tuple[float, float] | None = None

    @classmethod
    def of(cls, samples: Samples) -> Block:
        """A block that stands for itself."""
        return cls(samples.data.cast("B"))

    @property
    def samples(self) -> Samples:
        """The same, shape (frames, 2): never write into it."""
        return np.frombuffer(self.data, np.int16).reshape(-1, 2)

    @property
    def at_most(self) -> float:
        """No magnitude in it, or in a limiter's look-ahead behind it, is larger."""
        return self._loudest.magnitude if self._loudest else math.inf

    @property
    def power(self) -> tuple[float, float]:
        """The sum of the squares of all samples, and the largest magnitude; computed once."""
        if self._power is None:
            flat = np.frombuffer(self.data, np.int16).astype(np.float32)
            self._power = float(np.dot(flat, flat)), float(np.abs(flat).max())
        return self._power


class Loudest:
    """The largest magnitude of some samples, found out when somebody asks."""

    __slots__ = ("_magnitude", "_samples")

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._magnitude: float | None = None

    @property
    def magnitude(self) -> float:
        """In units of s16."""
        if self._magnitude is None:
            self._magnitude = peak(self._samples)
        return self._magnitude


class Stretch:
    """Frames from `start` on, at least `frames`, and what a limiter sees behind them if known."""

    __slots__ = ("_block", "_bytes", "_frame", "_loudest", "_start", "end")

    def __init__(self, start: int, samples: Samples, frames: int) -> None:
        sure = len(samples) - AHEAD_FRAMES
        self.end = start + max(frames, sure)
        self._start = start
        self._bytes = samples.data.cast("B")
        self._loudest = Loudest(samples) if sure >= frames else None
        self._frame = -1
        self._block: Block | None = None

    def block(self, frame: int, frames: int) -> Block | None:
        """The block that starts at `frame`; None where it ends before."""
        if frame != self._frame:
            if frame + frames > self.end:
                return None
            at = (frame - self._start) * _FRAME_BYTES
            self._frame = frame
            self._block = Block(self._bytes[at : at + frames * _FRAME_BYTES], self._loudest)
        return self._block


def still_block(frame: int, frames: int, parts: Sequence[Part]) -> Block:
    """The block of `parts` that starts at `frame`; all of them are rendered.

    One large step of arithmetic costs far less than many small ones, so what is sure to follow is
    mixed with the block that is asked for. When a gain moves, or a source takes another course,
    nothing has to be taken back: whoever asks in another state gets other samples.
    """
    heard = []
    key: Hashable = None
    for source, gain in parts:
        samples = source.render(frame, frames)
        if samples is not None:
            heard.append((source, samples, gain))
            key = gain if key is None else (key, source, gain)
    if not heard:
        return _silence(frames)
    kept = heard[0][0].kept
    stretch = kept.get(key)
    block = stretch.block(frame, frames) if stretch is not None else None
    if block is None:
        for over in [state for state, stretch in kept.items() if stretch.end <= frame]:
            del kept[over]
        stretch = kept[key] = _mix(frame, frames, heard)
        block = stretch.block(frame, frames)
        assert block is not None  # noqa: S101  it begins with it
    return block


@cache
def _silence(frames: int) -> Block:
    return Block(memoryview(bytes(frames * _FRAME_BYTES)))


def _mix(frame: int, frames: int, heard: list[tuple[Source, Samples | Mix, float]]) -> Stretch:
    """Mix a block, and with it what is sure to follow in all that is heard."""
    longer = [source.at_hand(DITHERED_AT_MOST) for source, _, _ in heard]
    sure = min(len(samples) for samples in longer)
    parts: Sequence[Samples | Mix] = longer
    if sure < frames:
        parts, sure = [samples for _, samples, _ in heard], frames
    if heard[0][2] == 1.0 and len(heard) == 1 and parts[0].dtype == np.int16:
        return Stretch(frame, parts[0].astype(np.int16, copy=False), frames)  # untouched
    mixed = np.multiply(parts[0][:sure], np.float32(heard[0][2]), out=_MIX[:sure])
    for part, (_, _, gain) in zip(parts[1:], heard[1:], strict=True):
        mixed += np.multiply(part[:sure], np.float32(gain), dtype=np.float32)
    return Stretch(frame, to_s16(mixed, frame), frames)


_MIX: Mix = np.empty((DITHERED_AT_MOST, 2), np.float32)  # of the mixing thread, for `_mix` alone
