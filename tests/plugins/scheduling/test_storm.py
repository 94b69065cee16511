"""Killed again and again on a fast clock: every firing once, or told as missed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from tests.conftest import Migrated
from tests.plugins.scheduling.storm import BEGIN, SPEED, TABLES

from antiphon.store import open_database
from antiphon.tenancy.models import Client
from antiphon_scheduling.models import Outcome, Schedule, ScheduleRecord

KILLS = int(os.environ.get("ANTIPHON_STORM_KILLS", "6"))
MINUTE = timedelta(minutes=1)
ROOT = Path(__file__).parents[3]


async def test_a_server_that_is_killed_again_and_again_fires_nothing_twice(
    tmp_path: Path, migrated: Migrated
) -> None:
    """Each minute has an announcement of its own, so a call tells which firing it was."""
    migrated(tmp_path / "data")
    minutes = 480
    async with open_database("", tmp_path / "data", {"scheduling": TABLES}):
        client = await Client.create(name="Storm")
        for number, offset_s in enumerate((7, 23, 41)):
            items = [
                {
                    "offset_s": 60 * (540 + minute) + offset_s,
                    "announcements": [str(_clip(number, minute))],
                }
                for minute in range(minutes)
            ]
            await Schedule.create(
                client=client,
                name=str(number),
                kind="timeline",
                config={"kind": "timeline", "cycle_min": 24 * 60, "items": items},
                settled_until=BEGIN,
                in_force_since=BEGIN,
                created_at=BEGIN,
            )
        await Schedule.all().update(created_at=BEGIN - timedelta(hours=9))
    origin = time.time()
    chance = random.Random(5)
    with _nursery(tmp_path, client.id, origin) as nursery:
        for _ in range(KILLS):
            _live(tmp_path, nursery, chance.uniform(0.05, 1.5))
        _live(tmp_path, nursery, 6 * 60 / SPEED + 1.5)  # what was left open is told
    end = BEGIN + timedelta(seconds=(time.time() - origin) * SPEED) - timedelta(minutes=8)
    async with open_database("", tmp_path / "data", {"scheduling": TABLES}):
        records = await ScheduleRecord.filter(instant__lt=end).order_by("instant")
        schedules = {row.id: row for row in await Schedule.all()}
    called = Counter(map(UUID, (tmp_path / "calls").read_text().split()))
    assert max(called.values()) == 1
    assert not [record for record in records if record.outcome is Outcome.FIRING]
    told = {(record.schedule_id, record.instant): record for record in records}
    assert len(told) == len(records)
    for schedule_id, row in schedules.items():
        missed_until = BEGIN
        for minute in range(minutes):
            instant = BEGIN + minute * MINUTE + timedelta(seconds=(7, 23, 41)[int(row.name)])
            if instant >= end:
                break
            record = told.get((schedule_id, instant))
            if record is None:  # one of several that were missed at once
                assert instant <= missed_until, instant
                assert not called[_clip(int(row.name), minute)]
            elif record.outcome is Outcome.FIRED:
                assert called[_clip(int(row.name), minute)] == 1
            else:
                missed_until = max(missed_until, _until(instant, told, schedule_id))
    assert sum(called.values()) > KILLS


def _clip(schedule: int, minute: int) -> UUID:
    return UUID(int=schedule * 1_000 + minute + 1)


def _until(
    instant: datetime, told: Mapping[tuple[UUID, datetime], object], schedule_id: UUID
) -> datetime:
    """Until the next record of the schedule: all in between was missed with this one."""
    later = [at for key, at in told if key == schedule_id and at > instant]
    return min(later, default=instant + timedelta(days=1))


@contextmanager
def _nursery(folder: Path, client_id: UUID, origin: float) -> Iterator[subprocess.Popen[str]]:
    """The process that forks a server for each line."""
    environ = os.environ | {
        "PYTHONPATH": os.pathsep.join(
            str(ROOT / part) for part in ("core", "devices", "plugins", ".")
        )
    }
    nursery = subprocess.Popen(
        [sys.executable, "-m", "tests.plugins.scheduling.storm", folder, str(client_id),
         str(origin)],
        env=environ,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        yield nursery
    finally:
        nursery.communicate(timeout=60)  # it ends with its input


def _live(folder: Path, nursery: subprocess.Popen[str], seconds: float) -> None:
    """Start the server, let it live for a while, and kill it."""
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    up = folder / "up"
    up.unlink(missing_ok=True)
    nursery.stdin.write("\n")
    nursery.stdin.flush()
    pid = int(nursery.stdout.readline())
    try:
        deadline = time.monotonic() + 60
        while not up.exists():
            assert Path(f"/proc/{pid}").exists()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGKILL)
        assert nursery.stdout.readline() == "dead\n"
