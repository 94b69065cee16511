"""What a loudspeaker can do once, when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from antiphon_devices.reports import Order, ToneArguments
from antiphon_devices.speaker import digits, tone
from antiphon_devices.speaker.mixer import AlsaMixer, Mixer
from antiphon_devices.speaker.orders import Op
from antiphon_devices.speaker.player import Player
from antiphon_devices.speaker.settings import SpeakerSettings

_TONE_SLACK_S = 6.0


class Deeds:
    """The operations by name; those that make a sound are there where a program can play it."""

    def __init__(
        self, settings: SpeakerSettings, mixer: Mixer, player: Player, report: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._mixer = mixer
        self._player = player
        self._say_all = report
        self.ops: dict[str, Op] = {"report": self._report, "restart": self._restart}
        if tone.can_play(settings.tone_command):
            self.ops |= {"identify": self._identify, "test_tone": self._test_tone}

    async def _report(self, _: Order) -> str | None:
        self._say_all()
        return None

    async def _restart(self, _: Order) -> str | None:
        await self._player.restart()
        if self._player.connection == "missing":
            return f"{self._settings.snapclient} is not installed on the loudspeaker."
        return None

    async def _identify(self, _: Order) -> str | None:
        return await self._play(tone.IDENTIFY)

    async def _test_tone(self, order: Order) -> str | None:
        wished = ToneArguments.model_validate(order.args)
        return await self._play([(wished.frequency_hz, wished.duration_s)])

    async def speak(self, code: str) -> None:
        """Say the digits of a code aloud, behind the signal by which a loudspeaker is found."""
        sound, seconds = await asyncio.to_thread(digits.spoken, code)
        command = self._settings.tone_command
        if not tone.can_play(command):
            return
        await self._play(tone.IDENTIFY)
        await tone.play(command, sound, seconds + _TONE_SLACK_S)

    async def _play(self, notes: tone.Notes) -> str | None:
        """Over the music where the sound card mixes, else instead of it for a moment."""
        level = await self._mixer.read()
        by_card = isinstance(self._mixer, AlsaMixer)
        volume = 100 if by_card or level is None else level.volume
        sound = await asyncio.to_thread(tone.wav, notes, volume)
        timeout_s = sum(seconds for _, seconds in notes) + _TONE_SLACK_S
        command = self._settings.tone_command
        if await tone.play(command, sound, timeout_s):
            return None
        async with self._player.silenced():
            played = await tone.play(command, sound, timeout_s)
        return None if played else f"{command} could not play it."
