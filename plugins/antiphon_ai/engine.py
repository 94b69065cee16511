"""Piper as a speech engine: finds voices here, speaks in the speech worker's process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from antiphon.errors import Invalid
from antiphon.plugins import Jobs, SpeechEngine, Voice
from antiphon_ai.parts import join, remove
from antiphon_ai.text import pieces, speakable
from antiphon_ai.voices import ENGINE, VoiceFile, VoiceLibrary

WORKER = "speech"
_SPEAK = "antiphon_ai.piper_worker:speak"
_LOAD = "antiphon_ai.piper_worker:load"

# A slow machine takes 60 s to load a voice, and speaks as fast as a person: 15 characters a second.
_LOAD_S = 60.0
_SECONDS_PER_CHARACTER = 1 / 15


class PiperEngine(SpeechEngine):
    """Speaks with the voices of `library`, each loaded once, on at most `threads` cores."""

    def __init__(self, library: VoiceLibrary, jobs: Jobs, threads: int | None = None) -> None:
        self._library = library
        self._jobs = jobs
        self._threads = threads or max(1, (os.cpu_count() or 1) // 2)

    @property
    def name(self) -> str:
        """See `SpeechEngine.name`."""
        return ENGINE

    async def voices(self) -> Sequence[Voice]:
        """See `SpeechEngine.voices`."""
        found = await asyncio.to_thread(self._library.voices)
        return [file.voice for file in found.values()]

    async def speak(self, text: str, voice: Voice, destination: Path) -> None:
        """See `SpeechEngine.speak`.

        Each piece of the text is a job of its own, so that a short text which comes while a long
        one is spoken waits for one piece, not for all of it.
        """
        cleaned = speakable(text)
        arguments = self._voice_arguments(await self._file(voice))
        parts: list[Path] = []
        try:
            for number, piece in enumerate(pieces(cleaned)):
                part = destination.with_name(f"{destination.name}.{number}")
                parts.append(part)
                await self._jobs.run(
                    _SPEAK,
                    {"text": piece, "destination": str(part)} | arguments,
                    worker=WORKER,
                    timeout_s=_LOAD_S + len(piece) * _SECONDS_PER_CHARACTER,
                )
            if not await asyncio.to_thread(join, parts, destination):
                raise Invalid.field("text", f"the voice {voice.id} knows no sound for any of it")
        finally:
            await asyncio.to_thread(remove, parts)

    async def warm_up(self) -> None:
        """Start to load the first voice, as a job that is seen, if there is one."""
        if voices := await self.voices():
            label = f"Load the voice {voices[0].name}"
            arguments = self._voice_arguments(await self._file(voices[0]))
            self._jobs.start(label, _LOAD, arguments, worker=WORKER)

    async def load(self) -> None:
        """Have the first voice loaded, if there is one; at once where it is."""
        if voices := await self.voices():
            arguments = self._voice_arguments(await self._file(voices[0]))
            await self._jobs.run(_LOAD, arguments, worker=WORKER, timeout_s=_LOAD_S)

    async def _file(self, voice: Voice) -> VoiceFile:
        found = await asyncio.to_thread(self._library.voices)
        if voice.id not in found:
            raise Invalid.field("voice", f"the voice {voice.id} is no longer installed")
        return found[voice.id]

    def _voice_arguments(self, file: VoiceFile) -> dict[str, Any]:
        return {
            "model": str(file.model),
            "config": str(file.config),
            "version": file.voice.version,
            "threads": self._threads,
        }
