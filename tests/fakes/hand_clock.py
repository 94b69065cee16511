"""A clock that goes when it is told to, and lets those who wait on it act before it goes on."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

_Wait = tuple[datetime, asyncio.Event]


class HandClock:
    """Implements `Clock`. `rest` returns when no waiter has anything to do until a later time."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._waiters: dict[asyncio.Task[object], _Wait | None] = {}
        self._ticked = asyncio.Event()

    def now(self) -> datetime:
        return self._now

    async def wait(self, until: datetime, wake: asyncio.Event) -> None:
        waiter = asyncio.current_task()
        assert waiter is not None
        self._waiters[waiter] = (until, wake)
        while self._now < until and not wake.is_set():
            self._ticked.clear()
            waits = [asyncio.create_task(event.wait()) for event in (wake, self._ticked)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waits:
                    task.cancel()
        self._waiters[waiter] = None

    async def rest(self) -> None:
        async with asyncio.timeout(20):
            while not self._is_at_rest():  # noqa: ASYNC110  what it waits for tells nobody
                await asyncio.sleep(0.001)

    def _is_at_rest(self) -> bool:
        calling = any(task.get_name().startswith("schedule ") for task in asyncio.all_tasks())
        waits = [wait for task, wait in self._waiters.items() if not task.done()]
        waiting = bool(waits) and all(
            wait is not None and wait[0] > self._now and not wait[1].is_set() for wait in waits
        )
        return waiting and not calling

    @property
    def _until(self) -> datetime | None:
        """When the first of the waiters has something to do."""
        waits = [wait for task, wait in self._waiters.items() if not task.done()]
        return min((wait[0] for wait in waits if wait is not None), default=None)

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
