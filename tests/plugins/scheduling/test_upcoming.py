"""When schedules act next, as other plugins are told."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.plugins.scheduling.conftest import Station

from antiphon.events import PlansChanged
from antiphon_scheduling.upcoming import Upcoming


async def test_each_zone_has_its_next_time_and_every_change_is_told(station: Station) -> None:
    changed: list[PlansChanged] = []
    station.context.bus.subscribe(PlansChanged, changed.append)
    upcoming = Upcoming(station.clock, station.zones)
    client_id = station.client.id
    assert await upcoming.next_changes(client_id) == {}
    hall, platform = station.zone_ids
    # Berlin is two hours ahead in May.
    half = station.cron("30 11 * * *")
    await station.make(name="Half past eleven", config=half, zones=[str(hall)], all=False)
    await station.make(name="Two", config=station.cron("0 14 * * *"))
    assert [event.client_id for event in changed] == [client_id] * 2
    assert await upcoming.next_changes(client_id) == {
        hall: datetime(2026, 5, 1, 9, 30, tzinfo=UTC),
        platform: datetime(2026, 5, 1, 12, 0, tzinfo=UTC),
    }


async def test_what_comes_in_more_than_a_week_is_not_told(station: Station) -> None:
    await station.make(name="Yearly", config=station.cron("0 12 24 12 *"))
    upcoming = Upcoming(station.clock, station.zones)
    assert await upcoming.next_changes(station.client.id) == {}
