"""Sounds by which a person finds a loudspeaker, or hears that it works."""

from __future__ import annotations

import array
import asyncio
import io
import math
import shlex
import shutil
import sys
import wave
from collections.abc import Sequence

from antiphon_devices.speaker import programs

_RATE = 48_000
_PEAK_DB = -20.0
_EDGE_S = 0.01

Notes = Sequence[tuple[float, float]]
IDENTIFY: Notes = ((880.0, 0.15), (0.0, 0.1), (880.0, 0.15), (0.0, 0.1), (1320.0, 0.4))


def wav(notes: Notes, volume: int) -> bytes:
    """Notes of frequency (0: a pause) and seconds as a WAV file in stereo, with soft edges."""
    peak = 32767 * 10 ** (_PEAK_DB / 20) * volume / 100
    samples = array.array("h")
    for frequency, seconds in notes:
        count = round(seconds * _RATE)
        edge = min(count / 2, _EDGE_S * _RATE)
        for index in range(count):
            soft = min(1.0, index / edge, (count - index) / edge)
            value = round(peak * soft * math.sin(2 * math.pi * frequency * index / _RATE))
            samples.extend((value, value))
    if sys.byteorder == "big":
        samples.byteswap()
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(_RATE)
        out.writeframes(samples.tobytes())
    return file.getvalue()


def can_play(command: str) -> bool:
    """Whether the program that plays tones is there."""
    words = shlex.split(command)
    return bool(words) and shutil.which(words[0]) is not None


async def play(command: str, sound: bytes, timeout_s: float) -> bool:
    """Hand a WAV file to `command`; whether that played it."""
    pipe = asyncio.subprocess.PIPE
    try:
        async with (
            asyncio.timeout(timeout_s),
            programs.running(*shlex.split(command), stdin=pipe) as process,
        ):
            await process.communicate(sound)
    except OSError:  # a TimeoutError is one too
        return False
    return process.returncode == 0
