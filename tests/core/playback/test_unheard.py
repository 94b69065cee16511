"""What was due by a schedule and not heard has its play event, and fills no disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.conftest import Migrated

from antiphon.building.models import Floor, Zone
from antiphon.events import EventBus, ScheduleMissed, ScheduleSuppressed
from antiphon.playback import unheard
from antiphon.playback.models import PlayEvent, PlayEventStatus, PlayEventType
from antiphon.playback.unheard import ROWS_PER_HOUR, UnheardLog
from antiphon.plugins import MediaRegistry
from antiphon.store import open_database
from antiphon.tenancy.models import Client

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SCHEDULE = UUID(int=5)


class House:
    """Two zones of a client."""

    def __init__(self, bus: EventBus, zones: list[Zone]) -> None:
        self.bus = bus
        self.zones = zones

    def suppress(self, at: datetime, *zones: Zone, reason: str = "quiet hours") -> None:
        self.bus.publish(
            ScheduleSuppressed(
                client_id=self.zones[0].client_id,
                schedule_id=SCHEDULE,
                name="Jingle",
                instant=at,
                zones=tuple(zone.id for zone in zones or self.zones),
                announcement_id=UUID(int=9),
                reason=reason,
            )
        )


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def house(
    url: str, tmp_path: Path, migrated: Migrated, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    if not url:
        migrated(tmp_path)
    monkeypatch.setattr(unheard, "_DEBOUNCE_S", 0.0)
    async with open_database(url, tmp_path):
        client = await Client.create(name="x")
        floor = await Floor.create(client=client, name="Ground")
        zones = [await Zone.create(client=client, floor=floor, name=name) for name in "AB"]
        yield House(EventBus(), zones)


async def test_each_zone_that_a_rule_kept_out_has_its_own_event(house: House) -> None:
    async with UnheardLog(house.bus, MediaRegistry()):
        house.suppress(NOON)
        missed = ScheduleMissed(
            client_id=house.zones[0].client_id,
            schedule_id=SCHEDULE,
            name="Jingle",
            instant=NOON + timedelta(minutes=1),
            zones=(house.zones[0].id,),
            reason="it was over",
        )
        house.bus.publish(missed)
    rows = await PlayEvent.all().order_by("due_at", "zone__name")
    assert [(row.outcome, row.zone_id) for row in rows] == [
        ("suppressed", house.zones[0].id),
        ("suppressed", house.zones[1].id),
        ("missed", house.zones[0].id),
    ]
    first = rows[0]
    assert (first.status, first.event_type) == (PlayEventStatus.UNHEARD, PlayEventType.SCHEDULED)
    assert (first.schedule_id, first.announcement_id, first.call_id) == (
        SCHEDULE,
        UUID(int=9),
        None,
    )
    assert (first.due_at, first.times_due) == (NOON, 1)
    assert first.error_message == "Jingle: quiet hours"


async def test_what_is_kept_out_every_second_has_few_rows_an_hour(house: House) -> None:
    async with UnheardLog(house.bus, MediaRegistry()) as log:
        for second in range(3_600):
            house.suppress(NOON + timedelta(seconds=second), house.zones[0], reason=f"{second}")
            if second % 900 == 0:
                await log.settled()
        house.suppress(NOON + timedelta(hours=1), house.zones[0])
    rows = await PlayEvent.all().order_by("due_at")
    assert [row.times_due for row in rows] == [*[1] * (ROWS_PER_HOUR - 1), 3_601 - ROWS_PER_HOUR, 1]
    assert rows[ROWS_PER_HOUR - 1].error_message == "Jingle: 3599"


async def test_a_zone_that_is_gone_costs_no_other_row_and_old_rows_go(house: House) -> None:
    old = await PlayEvent.create(
        client_id=house.zones[0].client_id,
        zone=house.zones[0],
        status=PlayEventStatus.UNHEARD,
        outcome="missed",
    )
    heard = await PlayEvent.create(
        client_id=house.zones[0].client_id, zone=house.zones[0], call_id=uuid4()
    )
    await PlayEvent.all().update(created_at=datetime.now(UTC) - timedelta(days=400))
    gone = house.zones[1].id
    await house.zones[1].delete()
    async with UnheardLog(house.bus, MediaRegistry()):
        house.suppress(NOON, house.zones[0], Zone(id=gone))
    assert not await PlayEvent.exists(id=old.id)
    assert await PlayEvent.exists(id=heard.id)
    assert await PlayEvent.filter(outcome="suppressed").values_list("zone_id", flat=True) == [
        house.zones[0].id
    ]
