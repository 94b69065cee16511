"""A speech engine that hums: quick, exact, and it remembers what it was asked."""

from __future__ import annotations

import array
import asyncio
import math
import wave
from collections.abc import Sequence
from pathlib import Path

from antiphon.errors import AntiphonError
from antiphon.plugins import SpeechEngine, Voice

_RATE = 22_050
SECONDS_PER_CHARACTER = 0.05


class ToneEngine(SpeechEngine):
    """Hums each text at 440 Hz for 0.05 s a character.

    `spoken` lists the texts. `gate` holds every text back until it is set. `trouble` is raised
    instead of humming.
    """

    def __init__(self, *names: str) -> None:
        self.offered = [self._voice(name) for name in names or ("low", "high")]
        self.spoken: list[str] = []
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.trouble: AntiphonError | None = None

    @property
    def name(self) -> str:
        return "tone"

    def replace_voices(self, version: str) -> None:
        """The voices are other ones now, under their old names."""
        self.offered = [v.model_copy(update={"version": version}) for v in self.offered]

    async def voices(self) -> Sequence[Voice]:
        return self.offered

    async def speak(self, text: str, voice: Voice, destination: Path) -> None:
        self.spoken.append(text)
        self.asked.set()
        await self.gate.wait()
        if self.trouble is not None:
            raise self.trouble
        write_tone(destination, SECONDS_PER_CHARACTER * len(text))

    def _voice(self, name: str) -> Voice:
        return Voice(id=f"tone:{name}", name=name, language="en", engine=self.name, version="1")


def write_tone(path: Path, seconds: float, peak: float = 0.5, hertz: float = 440.0) -> None:
    """Write a mono WAV file with a sine."""
    frames = int(seconds * _RATE)
    step = 2 * math.pi * hertz / _RATE
    samples = array.array("h", (int(32767 * peak * math.sin(step * n)) for n in range(frames)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(samples.tobytes())
