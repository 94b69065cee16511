"""The level that a loudspeaker really plays."""

from __future__ import annotations

import array
import asyncio
import math
import shlex
import sys
from pathlib import Path

from antiphon_devices.speaker import programs
from antiphon_devices.speaker.settings import SpeakerSettings

_FULL_SCALE = 32768.0
_WINDOW_BYTES = 4 * 48_000 // 2
_TIMEOUT_S = 3.0


class Meter:
    """Reads what snapclient's file player writes, or listens to what `meter_command` prints.

    That is a program that gives samples of what comes out, 16 bit with sign, in little-endian
    order: a monitor of the sound card, or a microphone before it.
    """

    def __init__(self, settings: SpeakerSettings) -> None:
        self._command = shlex.split(settings.meter_command)
        self._recording = recording_of(settings.player)

    async def read(self) -> float | None:
        """The level of half a second, RMS in dB of full scale; None where it is not known."""
        if self._command:
            return level_of(await self._listen())
        if self._recording is not None:
            return level_of(_end_of(self._recording))
        return None

    async def _listen(self) -> bytes:
        pipe = asyncio.subprocess.PIPE
        try:
            async with (
                asyncio.timeout(_TIMEOUT_S),
                programs.running(*self._command, stdout=pipe) as process,
            ):
                if process.stdout is None:
                    raise AssertionError("the output was asked for")
                return await process.stdout.readexactly(_WINDOW_BYTES)
        except asyncio.IncompleteReadError as ended:
            return ended.partial
        except OSError:  # a TimeoutError is one too
            return b""


def level_of(data: bytes) -> float | None:
    """RMS in dB of full scale; None where there are no samples."""
    samples = array.array("h", data[: len(data) // 2 * 2])
    if not samples:
        return None
    if sys.byteorder == "big":
        samples.byteswap()
    mean = sum(sample * sample for sample in samples) / len(samples)
    return round(10 * math.log10(max(mean, 1e-3) / _FULL_SCALE**2), 1)


def recording_of(player: str) -> Path | None:
    """The file that snapclient's file player writes."""
    name, _, options = player.partition(":")
    if name != "file":
        return None
    for option in options.split(","):
        key, _, value = option.partition("=")
        if key == "filename" and value:
            return Path(value)
    return None


def _end_of(recording: Path) -> bytes:
    try:
        with recording.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _WINDOW_BYTES) // 4 * 4)
            return file.read(_WINDOW_BYTES)
    except OSError:
        return b""
