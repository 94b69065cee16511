"""Where a loudspeaker's volume is set: in snapclient, or at the sound card."""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from antiphon_devices.speaker import programs

_PERCENT = re.compile(r"\[(\d{1,3})%\]")
_SWITCH = re.compile(r"\[(on|off)\]")
_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Level:
    """A volume in percent, and whether nothing is heard all the same."""

    volume: int
    muted: bool = False


class Mixer(ABC):
    """Sets and reads the volume of one loudspeaker. The methods never raise."""

    # What snapclient is started with so that it leaves the volume to this mixer, or takes it.
    snapclient_arguments: Sequence[str] = ()
    # What a person should know, as a word for `problems`.
    problem: str | None = None

    @abstractmethod
    async def set(self, level: Level) -> None:
        """Let this be the level from now on."""

    @abstractmethod
    async def read(self) -> Level | None:
        """The level that is in force; None where that is not known."""


class SnapclientMixer(Mixer):
    """snapclient scales the samples by what snapserver tells it, and the server tells snapserver.

    So there is nothing to set here; `told` is called with what snapclient said.
    """

    def __init__(self) -> None:
        self._level: Level | None = None
        self._wished = Level(0)

    def told(self, level: Level) -> None:
        """Snapclient took over a level."""
        self._level = level
        self._judge()

    async def set(self, level: Level) -> None:
        """See `Mixer`. Muting is not in our hands here, and is said to be a problem."""
        self._wished = level
        self._judge()

    async def read(self) -> Level | None:
        """See `Mixer`."""
        return self._level

    def _judge(self) -> None:
        fails = self._wished.muted and not (self._level and self._level.muted)
        self.problem = "can_not_mute" if fails else None


class AlsaMixer(Mixer):
    """A control of the sound card, through `amixer`."""

    snapclient_arguments = ("--mixer", "none")

    def __init__(self, card: str, control: str) -> None:
        self._card = ["-c", card] if card else []
        self._control = control

    async def set(self, level: Level) -> None:
        """See `Mixer`."""
        switch = "mute" if level.muted else "unmute"
        if await self._amixer("sset", self._control, f"{level.volume}%", switch) is None:
            # Many controls have no switch.
            volume = 0 if level.muted else level.volume
            await self._amixer("sset", self._control, f"{volume}%")

    async def read(self) -> Level | None:
        """See `Mixer`."""
        said = await self._amixer("sget", self._control) or ""
        if (percent := _PERCENT.search(said)) is None:
            return None
        switch = _SWITCH.search(said)
        return Level(min(100, int(percent[1])), muted=switch is not None and switch[1] == "off")

    async def _amixer(self, *arguments: str) -> str | None:
        """What amixer says; None, and a problem, where it refuses."""
        self.problem = "mixer"
        command = ("amixer", "-M", *self._card, *arguments)
        try:
            async with (
                asyncio.timeout(_TIMEOUT_S),
                programs.running(*command, stdout=asyncio.subprocess.PIPE) as process,
            ):
                said, _ = await process.communicate()
        except OSError:  # a TimeoutError is one too
            return None
        if process.returncode:
            return None
        self.problem = None
        return said.decode(errors="replace")
