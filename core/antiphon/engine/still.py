"""What zones hear while no gain moves: mixed ahead, and once for all zones that hear the same."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import cache
from typing import NamedTuple, Protocol

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

    def advance(self, frame: int, frames: int) -> bool:
        """Go on to the block that starts at `frame`; False where it is silent."""

    def render(self, frame: int, frames: int) -> Samples | Mix | None:
        """Go on to that block and give it, the same for everybody; None for silence."""

    def at_hand(self, frames: int) -> Samples:
        """The block that it has come to and what is sure to follow it, up to `frames` in all.

        Nothing, where that is not known.
        """


Part = tuple[Source, float]  # with its gain


class Block:
    """What goes out of one zone, or of many, at one time, as 16-bit stereo: `data` in bytes.

    No magnitude in it, or in a limiter's look-ahead behind it, is larger than `at_most`.
    """

    __slots__ = ("_power", "at_most", "data")

    def __init__(
        self, data: memoryview, power: Power | None = None, at_most: float = math.inf
    ) -> None:
        self.data = data
        self.at_most = at_most
        self._power = power

    @classmethod
    def of(cls, samples: Samples) -> Block:
        """A block that stands for itself."""
        return cls(samples.data.cast("B"))

    @property
    def samples(self) -> Samples:
        """The same, shape (frames, 2): never write into it."""
        return np.frombuffer(self.data, np.int16).reshape(-1, 2)

    @property
    def power(self) -> Power:
        """Of this block, or of all that was mixed with it."""
        if self._power is None:
            samples = self.samples
            self._power = Power.of(samples, samples.astype(np.float32))
        return self._power


class Power(NamedTuple):
    """The mean of the squares of some samples, and their largest magnitude."""

    mean_square: float
    peak: float

    @classmethod
    def of(cls, samples: Samples, same: Mix) -> Power:
        """Measure samples; `same` are the same, as floats."""
        flat = same.reshape(-1)
        return cls(float(np.dot(flat, flat)) / len(flat), peak(samples))


class Stretch:
    """Frames from `start` on, which were mixed in one step; `same` are the same, as floats."""

    __slots__ = ("_block", "_bytes", "_frame", "_power", "_start", "_sure_end", "end")

    def __init__(self, start: int, samples: Samples, same: Mix) -> None:
        self.end = start + len(samples)
        self._start = start
        self._sure_end = self.end - AHEAD_FRAMES  # behind it, nobody knows what a limiter sees
        self._bytes = samples.data.cast("B")
        self._power = Power.of(samples, same)  # now, while they lie in the processor's cache
        self._frame = -1
        self._block: Block | None = None

    def block(self, frame: int, frames: int) -> Block | None:
        """The block that starts at `frame`; None where it ends before."""
        if frame != self._frame:
            after = frame + frames
            if after > self.end:
                return None
            at = (frame - self._start) * _FRAME_BYTES
            data = self._bytes[at : at + frames * _FRAME_BYTES]
            at_most = self._power.peak if after <= self._sure_end else math.inf
            self._frame = frame
            self._block = Block(data, self._power, at_most)
        return self._block


def still_block(frame: int, frames: int, parts: Sequence[Part]) -> Block:
    """The block of `parts` that starts at `frame`; all go on to it, at a gain of 0 too.

    One large step of arithmetic costs far less than many small ones, so what is sure to follow is
    mixed with the block that is asked for. When a gain moves, or a source takes another course,
    nothing has to be taken back: whoever asks in another state gets other samples.
    """
    heard = [part for part in parts if part[0].advance(frame, frames) and part[1]]
    if not heard:
        return _silence(frames)
    first, gain = heard[0]
    kept = first.kept
    state = gain if len(heard) == 1 else (gain, *heard[1:])  # without `first`, which keeps it
    stretch = kept.get(state)
    block = stretch.block(frame, frames) if stretch is not None else None
    if block is None:
        for over in [other for other, stretch in kept.items() if stretch.end <= frame]:
            del kept[over]
        stretch = kept[state] = _mix(frame, frames, heard)
        block = stretch.block(frame, frames)
        assert block is not None  # noqa: S101  it begins with it
    return block


@cache
def _silence(frames: int) -> Block:
    return Block(memoryview(bytes(frames * _FRAME_BYTES)))


def _mix(frame: int, frames: int, heard: Sequence[Part]) -> Stretch:
    """Mix a block, and with it what is sure to follow in all that is heard."""
    longer = [source.at_hand(DITHERED_AT_MOST) for source, _ in heard]
    sure = min(len(samples) for samples in longer)
    parts: Sequence[Samples | Mix] = longer
    if sure < frames:
        rendered = [source.render(frame, frames) for source, _ in heard]
        parts, sure = [samples for samples in rendered if samples is not None], frames
    mixed = _MIX[:sure]
    if heard[0][1] == 1.0 and len(heard) == 1 and parts[0].dtype == np.int16:
        untouched = parts[0].astype(np.int16, copy=False)
        np.copyto(mixed, untouched)
        return Stretch(frame, untouched, mixed)
    np.multiply(parts[0][:sure], np.float32(heard[0][1]), out=mixed)
    for part, (_, gain) in zip(parts[1:], heard[1:], strict=True):
        mixed += np.multiply(part[:sure], np.float32(gain), dtype=np.float32)
    return Stretch(frame, to_s16(mixed, frame), mixed)


_MIX: Mix = np.empty((DITHERED_AT_MOST, 2), np.float32)  # of the mixing thread, for `_mix` alone
