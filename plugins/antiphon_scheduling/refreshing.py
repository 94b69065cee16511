"""The service that keeps calendars up to date that come from a web address."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import TracebackType
from typing import Self

from antiphon.plugins import PluginContext
from antiphon_scheduling.calendar_service import Calendars
from antiphon_scheduling.clock import Clock

_LOOK_AROUND = timedelta(minutes=5)


class CalendarRefresher:
    """Fetches, while it is entered, what has not been fetched for a while, one after the other."""

    def __init__(
        self, context: PluginContext, clock: Clock, calendars: Calendars, every: timedelta
    ) -> None:
        self._log = context.log
        self._clock = clock
        self._calendars = calendars
        self._every = every

    async def __aenter__(self) -> Self:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="calendars")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        never = asyncio.Event()
        while True:
            try:
                await self._calendars.refresh_old(self._every)
            except Exception:
                self._log.exception("Calendars could not be looked through; on in a moment")
            until = self._clock.now() + _LOOK_AROUND
            while self._clock.now() < until:
                await self._clock.wait(until, never)
