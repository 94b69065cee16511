"""A small synthesiser: notes with a room around them, and the tape that they are put on.

Every instrument renders one note as stereo float32 at full level. Notes are cached, because a
piece plays the same few hundreds of times; the room is convolved into the single note, which sums
up to the same sound as a room around the whole piece and costs a hundredth of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]
Instrument = Callable[[float, float], Sound]

RATE = 48_000


def pitch(note: float) -> float:
    """The frequency of a MIDI note number; 69 is a' at 440 Hz."""
    return float(440.0 * 2.0 ** ((note - 69.0) / 12.0))


def _time(seconds: float) -> Sound:
    return np.arange(round(seconds * RATE), dtype=np.float32) / np.float32(RATE)


def _wave(frequency: float, seconds: float) -> Sound:
    wave: Sound = np.sin(2.0 * np.pi * frequency * _time(seconds)).astype(np.float32)
    return wave


def _fade(sound: Sound, attack_s: float, release_s: float) -> Sound:
    attack, release = round(attack_s * RATE), round(release_s * RATE)
    sound[:attack] *= np.sin(np.linspace(0, np.pi / 2, attack, dtype=np.float32)) ** 2
    sound[-release:] *= np.cos(np.linspace(0, np.pi / 2, release, dtype=np.float32)) ** 2
    return sound


@lru_cache(maxsize=4)
def _room(seconds: float) -> Sound:
    """The answer of a soft room: noise that fades and darkens, different left and right."""
    random = np.random.default_rng(8)
    tail = random.standard_normal((2, round(seconds * RATE))).astype(np.float32)
    tail = np.cumsum(tail - np.roll(tail, 12, axis=1), axis=1, dtype=np.float32)
    tail *= np.exp(-_time(seconds) * 6.9 / seconds)
    tail /= np.sqrt(np.sum(tail**2, axis=1, keepdims=True))
    return tail


def in_room(dry: Sound, seconds: float, wet: float) -> Sound:
    """`dry` (mono) as stereo, with `wet` of its energy coming back from a room."""
    tail = _room(seconds)
    length = len(dry) + tail.shape[1]
    size = 1 << (length - 1).bit_length()
    spectrum = np.fft.rfft(dry, size) * np.fft.rfft(tail, size, axis=1)
    sound = np.fft.irfft(spectrum, size, axis=1)[:, :length].astype(np.float32) * np.float32(wet)
    sound[:, : len(dry)] += dry
    return sound


@lru_cache(maxsize=256)
def pad(note: float, seconds: float) -> Sound:
    """A slow, wide chord voice: detuned voices, other ones left than right, a few overtones."""
    sides = []
    for voices in ((-6, 1, 9), (-9, -2, 7)):
        dry = np.zeros(round((seconds + 1.5) * RATE), dtype=np.float32)
        for cents in voices:
            base = pitch(note + cents / 100)
            for overtone, level in ((1, 0.5), (2, 0.16), (3, 0.06)):
                dry += np.float32(level) * _wave(base * overtone, seconds + 1.5)
        sides.append(_fade(dry, min(1.4, seconds / 2), 1.5))
    return np.stack(sides) * np.float32(0.5)


@lru_cache(maxsize=256)
def bell(note: float, seconds: float) -> Sound:
    """A soft mallet note: bright for a moment, then almost a sine."""
    time = _time(seconds + 0.8)
    base = 2.0 * np.pi * pitch(note)
    shine = 1.6 * np.exp(-time * 7) * np.sin(3.0 * base * time)
    dry = np.sin(base * time + shine) * np.exp(-time * 2.6)
    return in_room(_fade(dry.astype(np.float32), 0.004, 0.2), 2.0, 0.35)


@lru_cache(maxsize=256)
def keys(note: float, seconds: float) -> Sound:
    """An electric piano."""
    time = _time(seconds + 0.3)
    base = 2.0 * np.pi * pitch(note)
    tine = 0.9 * np.exp(-time * 4) * np.sin(base * time) + 0.12 * np.sin(14 * base * time) * np.exp(
        -time * 18
    )
    dry = np.sin(base * time + tine) * np.exp(-time * 1.1)
    return in_room(_fade(dry.astype(np.float32), 0.006, 0.25), 1.2, 0.22)


@lru_cache(maxsize=64)
def bass(note: float, seconds: float) -> Sound:
    """A round, dry bass."""
    time = _time(seconds)
    base = 2.0 * np.pi * pitch(note)
    dry = np.sin(base * time) + 0.3 * np.sin(2 * base * time) * np.exp(-time * 5)
    return np.stack([_fade((dry * np.exp(-time * 0.9)).astype(np.float32), 0.01, 0.06)] * 2)


def kick(note: float = 45, seconds: float = 0.32) -> Sound:
    """A soft bass drum whose pitch falls to `note` an octave below."""
    time = _time(seconds)
    sweep = pitch(note - 12) * time + 1.1 * (1 - np.exp(-time * 38))
    dry = np.sin(2.0 * np.pi * sweep) * np.exp(-time * 9)
    return np.stack([_fade(dry.astype(np.float32), 0.002, 0.05)] * 2)


@lru_cache(maxsize=8)
def brush(note: float = 0, seconds: float = 0.09) -> Sound:
    """A breath of high noise: a shaker or a brush; a larger `note` is another grain of it."""
    random = np.random.default_rng(int(note))
    noise = random.standard_normal((2, round(seconds * RATE))).astype(np.float32)
    high = np.diff(np.diff(noise, axis=1, prepend=0), axis=1, prepend=0) * np.float32(0.25)
    return np.stack([_fade(side, seconds * 0.3, seconds * 0.6) for side in high])


class Tape:
    """Where notes are added up. Times are in seconds from the start."""

    def __init__(self, seconds: float) -> None:
        self._sound = np.zeros((2, round((seconds + 6) * RATE)), dtype=np.float32)
        self._seconds = seconds

    def put(self, sound: Sound, at_s: float, level: float, pan: float = 0.0) -> None:
        """Add a note; `pan` goes from −1 (left) to 1 (right)."""
        start = round(at_s * RATE)
        length = min(sound.shape[1], self._sound.shape[1] - start)
        if length <= 0:
            return
        for side, gain in enumerate((min(1.0, 1.0 - pan), min(1.0, 1.0 + pan))):
            self._sound[side, start : start + length] += sound[side, :length] * np.float32(
                level * gain
            )

    def duck(self, times: list[float], depth: float, seconds: float) -> None:
        """Let what is on the tape so far breathe: dip by `depth` at each time."""
        dip = np.float32(1.0) - np.float32(depth) * np.linspace(
            1, 0, round(seconds * RATE), dtype=np.float32
        )
        for at_s in times:
            start = round(at_s * RATE)
            part = self._sound[:, start : start + len(dip)]
            part *= dip[: part.shape[1]]

    def finished(self, peak: float = 0.8) -> Sound:
        """The piece with a fade at its end, its loudest sample at `peak`."""
        sound = self._sound[:, : round((self._seconds + 3) * RATE)]
        end = round(4 * RATE)
        sound[:, -end:] *= np.cos(np.linspace(0, np.pi / 2, end, dtype=np.float32)) ** 2
        return sound * np.float32(peak / max(float(np.max(np.abs(sound))), 1e-9))
