"""A clock that goes when it is told to, and lets its one waiter act before it goes on."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta


class HandClock:
    """Implements `Clock`. `rest` returns when the waiter has nothing to do until a later time."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._until: datetime | None = None
        self._wake = asyncio.Event()
        self._ticked = asyncio.Event()

    def now(self) -> datetime:
        return self._now

    async def wait(self, until: datetime, wake: asyncio.Event) -> None:
        self._until, self._wake = until, wake
        while self._now < until and not wake.is_set():
            self._ticked.clear()
            waits = [asyncio.create_task(event.wait()) for event in (wake, self._ticked)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waits:
                    task.cancel()
        self._until = None

    async def rest(self) -> None:
        async with asyncio.timeout(20):
            while not self._is_at_rest():  # noqa: ASYNC110  what it waits for tells nobody
                await asyncio.sleep(0.001)

    def _is_at_rest(self) -> bool:
        calling = any(task.get_name().startswith("schedule ") for task in asyncio.all_tasks())
        waiting = self._until is not None and self._until > self._now and not self._wake.is_set()
        return waiting and not calling

    async def advance_to(self, now: datetime) -> None:
        """Jump there, as a machine does that slept, and let the waiter act."""
        self._now = now
        self._ticked.set()
        await self.rest()

    async def go_on_to(self, end: datetime, step: timedelta = timedelta(seconds=10)) -> None:
        """Go there in steps."""
        while self._now < end:
            await self.advance_to(min(end, self._now + step))

    async def run_to(self, end: datetime) -> None:
        """Go there by the times that the waiter waits for: a day in a moment."""
        while self._until is not None and self._until < end:
            await self.advance_to(self._until)
        await self.advance_to(end)
