"""Finding known sounds in a recording: where they are and how loud."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tests.sounds import RATE, Sound, tone_db

Line = NDArray[np.float64]


def line(sound: Sound) -> Line:
    """The left channel, as floats of −1 to 1."""
    result: Line = sound[:, 0].astype(np.float64) / 32768
    return result


def correlation(whole: Sound, part: Sound) -> Line:
    """How well `part` fits at each frame of `whole`, from 0 to 1."""
    a, b = line(whole), line(part)
    size = 1 << (len(a) + len(b)).bit_length()
    product = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    product = product[: len(a) - len(b) + 1]
    energy = np.concatenate(([0.0], np.cumsum(a * a)))
    window = np.sqrt(np.maximum(energy[len(b) :] - energy[: -len(b)], 1e-9))
    fit: Line = np.abs(product) / (window[: len(product)] * np.sqrt(np.sum(b * b) + 1e-12))
    return fit


def find(whole: Sound, part: Sound, least: float = 0.3) -> int:
    """The frame of `whole` at which `part` lies. Raises ValueError where it is not in it."""
    fit = correlation(whole, part)
    at = int(np.argmax(fit))
    if fit[at] < least:
        raise ValueError(f"the sound is not in the recording (best fit {fit[at]:.2f})")
    return at


def gain_db(original: Sound, recorded: Sound) -> float:
    """By how much `original` was changed in `recorded` (aligned), whatever else is heard there."""
    a, b = line(original), line(recorded)
    return 20 * float(np.log10(max(1e-9, np.dot(a, b) / np.dot(a, a))))


def onset(sound: Sound, hertz: float, above_db: float = -35.0) -> int:
    """About where a tone begins, to 10 ms. Raises ValueError where it is not heard."""
    step = RATE // 100
    for start in range(0, len(sound) - 4 * step, step):
        if tone_db(sound[start : start + 4 * step], hertz) > above_db:
            return start
    raise ValueError(f"{hertz:g} Hz is not in the recording")


def has_gap(sound: Sound, seconds: float = 0.005) -> bool:
    """Whether there is digital silence of that length in it."""
    quiet = ~sound.any(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], quiet.astype(np.int8), [0]))))
    runs = edges[1::2] - edges[::2]
    return bool(len(runs)) and int(runs.max()) >= seconds * RATE
