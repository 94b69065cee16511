"""The time, as something that is handed in: tests advance theirs by hand."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol

_LONGEST_NAP_S = 20.0


class Clock(Protocol):
    """Tells the time and waits for it."""

    def now(self) -> datetime:
        """The time, in UTC."""

    async def wait(self, until: datetime, wake: asyncio.Event) -> None:
        """Return at `until`, or as soon as `wake` is set; now and then before that."""


class SystemClock:
    """The machine's own time. Steps of it (a machine that slept, NTP) are seen within 20 s."""

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now(UTC)

    async def wait(self, until: datetime, wake: asyncio.Event) -> None:
        """See `Clock.wait`."""
        left_s = (until - self.now()).total_seconds()
        if left_s > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, _LONGEST_NAP_S)):
                    await wake.wait()
