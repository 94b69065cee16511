"""How a loudspeaker asks for an account, and says by which code it may be let in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from antiphon_devices.codes import code_of
from antiphon_devices.connection import publish_once
from antiphon_devices.outbox import Outgoing
from antiphon_devices.reports import EnrolRequest
from antiphon_devices.speaker.identity import Identity
from antiphon_devices.speaker.introduction import describe
from antiphon_devices.speaker.settings import SpeakerSettings
from antiphon_devices.topics import EnrolTopic, Kind

_log = logging.getLogger(__name__)
_ASK_EVERY_S = 10.0
_REQUEST_EXPIRES_S = 60
_SPEAK_EVERY_S = 60.0
_SPEAK_TIMES = 10


class Enrolling:
    """Asks for as long as the broker refuses our own account; `speak` gets the code to say.

    The code is said aloud once a minute, ten times at most: nobody wants a loudspeaker that talks
    for days because nobody has let it in.
    """

    def __init__(
        self,
        settings: SpeakerSettings,
        identity: Identity,
        speak: Callable[[str], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._identity = identity
        self._speak = speak
        self._must_ask = asyncio.Event()
        self._must_say = asyncio.Event()
        self._times = 0
        self.code = code_of(settings.key, identity.secret)

    def refused(self) -> None:
        """The broker does not know us: ask, unless that was just done."""
        self._must_ask.set()
        self._must_say.set()

    def admitted(self) -> None:
        """The broker let us in."""
        self._must_ask.clear()
        self._must_say.clear()
        self._times = 0
        self._identity.admitted()

    async def run(self) -> None:
        """Ask and speak, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ask())
            group.create_task(self._say())

    async def _ask(self) -> None:
        settings = self._settings
        topic = EnrolTopic(Kind.REQUEST, device=settings.key).render(settings.root)
        request = (await asyncio.to_thread(self._request)).encode()
        message = Outgoing(topic, request, expires_s=_REQUEST_EXPIRES_S)
        while True:
            await self._must_ask.wait()
            try:
                await publish_once(settings.broker, message)
            except OSError as error:
                _log.warning("This loudspeaker could not ask to join: %s", error)
            await asyncio.sleep(_ASK_EVERY_S)
            self._must_ask.clear()

    async def _say(self) -> None:
        spaced = f"{self.code[:3]} {self.code[3:]}"
        while True:
            await self._must_say.wait()
            _log.warning(
                "This loudspeaker (%s) asks to join. Let it in with the code %s: on the server, "
                "antiphon device confirm %s",
                self._settings.key,
                spaced,
                self.code,
            )
            if self._settings.speak_code and self._times < _SPEAK_TIMES:
                self._times += 1
                await self._speak(self.code)
            await asyncio.sleep(_SPEAK_EVERY_S)
            self._must_say.clear()

    def _request(self) -> EnrolRequest:
        info = describe(self._settings, ())
        return EnrolRequest(
            device_id=info.device_id,
            secret=self._identity.secret,
            hostname=info.hostname,
            model=info.model,
            mac=info.mac,
            host_id=info.snapclient.host_id,
            agent=info.agent,
        )
