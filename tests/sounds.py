"""Sounds that tests make and measure: tones, noise, levels of one frequency."""

from __future__ import annotations

import subprocess
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
Sound = NDArray[np.int16]


def tone(seconds: float, hertz: float = 440.0, level_db: float = -20.0) -> Sound:
    """A stereo sine of shape (frames, 2); `level_db` is its RMS in dBFS."""
    t = np.arange(round(seconds * RATE)) / RATE
    amplitude = 32768 * 10 ** (level_db / 20) * 2**0.5
    line = np.rint(amplitude * np.sin(2 * np.pi * hertz * t)).astype(np.int16)
    return np.stack([line, line], axis=1)


def noise(seconds: float, level_db: float = -20.0, seed: int = 1) -> Sound:
    """White stereo noise with that RMS."""
    line = np.random.default_rng(seed).standard_normal((round(seconds * RATE), 2))
    return np.clip(line * 32768 * 10 ** (level_db / 20), -32768, 32767).astype(np.int16)


def write_wav(path: Path, sound: Sound) -> Path:
    """Write 48 kHz stereo samples as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.tobytes())
    return path


def convert(source: Path, target: Path, *options: str) -> Path:
    """Let ffmpeg write another format; the target's suffix says which."""
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(source), *options, str(target)]
    subprocess.run(command, check=True)
    return target


def level_db(sound: Sound) -> float:
    """RMS in dBFS; −200 for silence."""
    rms = float(np.sqrt(np.mean((sound.astype(np.float64) / 32768) ** 2)))
    return 20 * float(np.log10(rms)) if rms > 0 else -200.0


def tone_db(sound: Sound, hertz: float) -> float:
    """The level of one frequency in dBFS, as the RMS of a sine that would measure the same."""
    line = sound[:, 0].astype(np.float64) / 32768
    window = np.hanning(len(line))
    t = np.arange(len(line)) / RATE
    part = np.abs(np.sum(line * window * np.exp(-2j * np.pi * hertz * t))) / np.sum(window)
    rms = float(part) * 2**0.5
    return 20 * float(np.log10(rms)) if rms > 0 else -200.0


def first_sound(sound: Sound, above_db: float = -60.0) -> int:
    """The index of the first frame louder than a threshold. Raises ValueError for silence."""
    loud = np.flatnonzero(np.abs(sound).max(axis=1) > 32768 * 10 ** (above_db / 20))
    if not len(loud):
        raise ValueError("there is no sound in it")
    return int(loud[0])
