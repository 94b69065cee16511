"""A code as speech, from ten short clips: there is no server yet that could speak it.

`config/make-digits.sh` made the clips with the voice that the server speaks with.
"""

from __future__ import annotations

import array
import io
import sys
import wave
from importlib.resources import files

_CLIP_RATE = 16_000
_RATE = 48_000
_PEAK = 0.4
_GAP_S = 0.35
_PAUSE_S = 1.2


def spoken(code: str) -> tuple[bytes, float]:
    """The digits of `code`, said twice, as a WAV file in stereo, and how many seconds it lasts."""
    samples = array.array("h")
    for _ in range(2):
        for digit in code:
            samples.extend(_clip(digit))
            samples.extend(_silence(_GAP_S))
        samples.extend(_silence(_PAUSE_S))
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(_RATE)
        out.writeframes(_bytes(samples))
    return file.getvalue(), len(samples) / 2 / _RATE


def _clip(digit: str) -> array.array[int]:
    """One digit, as loud as the others, at the rate and in the channels that cards like."""
    with wave.open(io.BytesIO((files(__package__) / f"{digit}.wav").read_bytes())) as clip:
        mono = array.array("h", clip.readframes(clip.getnframes()))
    if sys.byteorder == "big":
        mono.byteswap()
    gain = _PEAK * 32767 / max(1, *(abs(sample) for sample in mono))
    steps = _RATE // _CLIP_RATE
    out = array.array("h")
    for one, after in zip(mono, [*mono[1:], 0], strict=True):
        for step in range(steps):
            value = round(gain * (one + (after - one) * step / steps))
            out.extend((value, value))
    return out


def _silence(seconds: float) -> array.array[int]:
    return array.array("h", bytes(4 * round(seconds * _RATE)))


def _bytes(samples: array.array[int]) -> bytes:
    if sys.byteorder == "big":
        samples = array.array("h", samples)
        samples.byteswap()
    return samples.tobytes()
