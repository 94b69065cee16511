"""How clean the resampling is: distortion and noise of a tone, and what is left of what must go."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.engine.codec import Reader
from antiphon.engine.protocol import SAMPLE_RATE
from bench.figures import show

Line = NDArray[np.float64]

_LEVEL_DB = -1.0
_SECONDS = 4
_AUDIBLE_HZ = 20_000.0
_NOTCH_HZ = 20.0
_BEST = "the rounding of 16 bits: -97.1 dB"


def _tone(folder: Path, rate: int, hertz: float) -> Path:
    """24-bit FLAC, so that the file's own noise does not count."""
    path = folder / f"{rate}-{hertz:g}.flac"
    amplitude = 10 ** (_LEVEL_DB / 20)
    graph = f"aevalsrc={amplitude}*sin({hertz}*2*PI*t):s={rate}:d={_SECONDS},aformat=s32"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", graph,
         "-sample_fmt", "s32", str(path)],
        check=True,
    )  # fmt: skip
    return path


def _spectrum(path: Path) -> tuple[Line, Line]:
    """Frequencies and powers of the middle of what the renderer decodes."""
    with Reader(path) as reader:
        sound = np.concatenate(list(reader.blocks()))[:, 0].astype(np.float64) / 32768
    middle = sound[SAMPLE_RATE : SAMPLE_RATE * (_SECONDS - 1)]
    # Blackman-Harris: side lobes 92 dB down, below the noise of 16 bits.
    n = np.arange(len(middle)) / len(middle) * 2 * np.pi
    window = 0.35875 - 0.48829 * np.cos(n) + 0.14128 * np.cos(2 * n) - 0.01168 * np.cos(3 * n)
    power = np.abs(np.fft.rfft(middle * window)) ** 2
    frequencies = np.fft.rfftfreq(len(middle), 1 / SAMPLE_RATE)
    return frequencies.astype(np.float64), power.astype(np.float64)


def _thd_n_db(path: Path, hertz: float) -> float:
    """THD+N after AES17: all but the tone, up to 20 kHz, against the tone."""
    frequencies, power = _spectrum(path)
    audible = frequencies <= _AUDIBLE_HZ
    tone = np.abs(frequencies - hertz) <= _NOTCH_HZ
    return float(10 * np.log10(power[audible & ~tone].sum() / power[tone].sum()))


def _left_db(path: Path, reference: Path) -> float:
    """What is heard of a tone above the new band, against one within it."""
    frequencies, power = _spectrum(path)
    _, whole = _spectrum(reference)
    ratio = power[frequencies <= _AUDIBLE_HZ].sum() / whole.sum()
    return float(10 * np.log10(max(ratio, 1e-12)))


def main() -> None:
    """Print THD+N of 44.1 and 96 kHz brought to 48 kHz, and how far aliases are down."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rate in (44_100, 48_000, 96_000):
            for hertz in (997.0, 10_007.0):
                figure = _thd_n_db(_tone(folder, rate, hertz), hertz)
                show(
                    f"thd+n of {hertz:g} Hz at {rate} Hz",
                    figure,
                    "dB",
                    _BEST,
                )
        reference = _tone(folder, 96_000, 997.0)
        for hertz in (26_000.0, 30_000.0, 40_000.0):
            left = _left_db(_tone(folder, 96_000, hertz), reference)
            show(f"alias of {hertz:g} Hz at 96000 Hz", left, "dB", _BEST)
