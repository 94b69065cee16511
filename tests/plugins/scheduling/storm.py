"""A server that schedules on a fast clock and is killed: the grandchild of `test_storm`.

The child has imported everything and forks a server for each line that it reads, so that lives
may be short.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast
from uuid import UUID

from tests.fakes.plugin_context import plugin_context
from tests.fakes.zones import FakeZones, zone_view

from antiphon.events import EventBus
from antiphon.plugins import CallRequest, CallView, Jobs
from antiphon.store import Tables, open_database
from antiphon.types import Principal
from antiphon_scheduling.scheduler import Scheduler
from antiphon_scheduling.settings import SchedulingSettings

BEGIN = datetime(2026, 5, 1, 9, tzinfo=UTC)
SPEED = 120
GRACE = timedelta(minutes=3)
TABLES = Tables(
    ("antiphon_scheduling.models", "antiphon_scheduling.playlists.models"),
    "antiphon_scheduling.migrations",
)


class FastClock:
    """Began at `BEGIN` when the machine's clock showed `origin`, and runs `SPEED` times as fast."""

    def __init__(self, origin: float) -> None:
        self._origin = origin

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=(time.time() - self._origin) * SPEED)

    async def wait(self, until: datetime, wake: asyncio.Event) -> None:
        left_s = (until - self.now()).total_seconds() / SPEED
        if left_s > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await wake.wait()


class _WrittenZones(FakeZones):
    """Writes each call into a file, which outlives the process."""

    def __init__(self, bus: EventBus, path: Path, client_id: UUID) -> None:
        super().__init__(bus, zone_view(client_id, "Hall"))
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def call(self, principal: Principal, request: CallRequest) -> CallView:
        await asyncio.sleep(0.005)
        os.write(self._file, f"{request.announcement_id}\n".encode())
        return await super().call(principal, request)


async def serve(folder: Path, client_id: UUID, origin: float) -> None:
    """Schedule until killed."""
    bus = EventBus()
    scratch = folder / f"server-{os.getpid()}"
    scratch.mkdir()
    async with open_database("", folder / "data", {"scheduling": TABLES}):
        zones = _WrittenZones(bus, folder / "calls", client_id)
        context = plugin_context(
            "scheduling", SchedulingSettings(), scratch, cast(Jobs, None), zones=zones, bus=bus
        )
        async with Scheduler(context, FastClock(origin), GRACE, timedelta(days=30)):
            (folder / "up").touch()
            await asyncio.Event().wait()


def main(folder: Path, client_id: UUID, origin: float) -> None:
    """Fork a server, print its process id, and once it is dead a line; again for each line."""
    for _ in sys.stdin:
        if (pid := os.fork()) == 0:
            try:
                asyncio.run(serve(folder, client_id, origin))
            finally:
                os._exit(1)
        _tell(str(pid))
        os.waitpid(pid, 0)
        _tell("dead")


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), UUID(sys.argv[2]), float(sys.argv[3]))
