"""Starts a snapserver of our own again that runs but does not answer."""

from __future__ import annotations

import asyncio
import logging

from antiphon.streams.child import ChildServer
from antiphon.streams.control import SnapcastControl

_log = logging.getLogger(__name__)


class Watchdog:
    """`answers` is set while the server does. One that is silent for `hung_after_s` is hung."""

    def __init__(
        self, child: ChildServer, control: SnapcastControl, answers: asyncio.Event
    ) -> None:
        self._child = child
        self._control = control
        self._answers = answers
        self.hung_after_s = 15.0

    async def run(self) -> None:
        """Watch for as long as this is not cancelled."""
        while True:
            await asyncio.sleep(self.hung_after_s)
            pid = self._child.pid
            if await self._answers_in_time() or pid is None or pid != self._child.pid:
                continue
            _log.warning("snapserver runs but does not answer; it is started again")
            await self._child.revive()
            self._control.hurry()

    async def _answers_in_time(self) -> bool:
        try:
            async with asyncio.timeout(self.hung_after_s):
                await self._answers.wait()
        except TimeoutError:
            return False
        return True
