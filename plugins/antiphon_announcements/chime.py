"""Chimes made of partials, by our own formula. Runs in a job's process (it needs numpy)."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_RATE = 48_000
_PEAK = 0.5

Samples = NDArray[np.float64]


class _Stroke(NamedTuple):
    """A struck bar: when, how high, and how long until it has faded to a thousandth."""

    at_s: float
    hertz: float
    ring_s: float


# Falling and rising thirds and fourths of the major chord: calm, and heard through music.
_CHIMES: dict[str, Sequence[_Stroke]] = {
    "two_tone": (_Stroke(0.0, 659.26, 1.6), _Stroke(0.55, 523.25, 2.0)),
    "three_tone": (
        _Stroke(0.0, 523.25, 1.4),
        _Stroke(0.40, 659.26, 1.4),
        _Stroke(0.80, 783.99, 2.0),
    ),
}

# A bar's partials: multiple of the pitch, strength, and how much faster than the pitch it fades.
_PARTIALS = ((1.0, 1.0, 1.0), (2.0, 0.22, 1.8), (2.76, 0.12, 3.0), (5.4, 0.04, 6.0))


def write(chime: str, destination: str) -> None:
    """Write the chime of that name as a WAV file."""
    strokes = _CHIMES[chime]
    tones = [(round(stroke.at_s * _RATE), _tone(stroke)) for stroke in strokes]
    sound = np.zeros(max(start + len(tone) for start, tone in tones))
    for start, tone in tones:
        sound[start : start + len(tone)] += tone
    sound *= _PEAK / np.max(np.abs(sound))
    with wave.open(destination, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes((sound * 32767).astype("<i2").tobytes())


def _tone(stroke: _Stroke) -> Samples:
    seconds = np.arange(round(stroke.ring_s * _RATE)) / _RATE
    fade = np.log(1000) / stroke.ring_s
    tone = np.zeros_like(seconds)
    for multiple, strength, haste in _PARTIALS:
        swing = np.sin(2 * np.pi * stroke.hertz * multiple * seconds)
        tone += strength * swing * np.exp(-fade * haste * seconds)
    attack = np.minimum(1.0, seconds / 0.004)
    release = np.minimum(1.0, (stroke.ring_s - seconds) / 0.05)
    return tone * attack * release
