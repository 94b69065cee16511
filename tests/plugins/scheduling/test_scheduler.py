"""Schedules make calls: at their instants, once, over restarts, edits and sleeps."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from tests.plugins.scheduling.conftest import NINE, TABLES, Station

from antiphon.errors import Conflict, NotFound, PartAway
from antiphon.events import ScheduleFired, ScheduleMissed
from antiphon.plugins import CallRequest, CallView
from antiphon.store import open_database
from antiphon.tenancy.models import Client
from antiphon.types import Band, Principal, Role, Via
from antiphon_scheduling.models import Schedule, ScheduleCalendar
from antiphon_scheduling.plans import active, read_plans

BERLIN = ZoneInfo("Europe/Berlin")


async def test_a_schedule_calls_at_each_of_its_instants_in_turn(station: Station) -> None:
    made = await station.make(config=station.every(5, announcements=2), band="spot", chime=True)
    async with station.running():
        await station.clock.run_to(NINE + timedelta(minutes=15))
    first, second, *_ = station.announcements.known
    calls = station.calls()
    assert [call.announcement_id for call in calls] == [first, second, first]
    assert all(call.all and call.band is Band.SPOT and call.chime for call in calls)
    _, principal, _ = station.zones.asked[-1]
    assert (principal.role, principal.via) == (Role.CLIENT, Via.SCHEDULE)
    assert principal.client_id == station.client.id
    fired = [event for event in station.outcomes if isinstance(event, ScheduleFired)]
    assert [event.call_id for event in fired] == list(station.zones.calls_by_id)
    assert {str(event.schedule_id) for event in fired} == {made["id"]}
    shown = (await station.owner("GET", f"schedules/{made['id']}")).json
    assert shown["fired_count"] == 3
    assert shown["last_executed_at"] == "2026-05-01T09:14:59Z"  # handed over ahead of its time
    assert shown["next_at"] == "2026-05-01T09:20:00Z"


async def test_cron_is_in_the_clients_own_time(station: Station) -> None:
    await station.make(config=station.cron("30 11 * * fri"))
    async with station.running():
        await station.clock.run_to(datetime(2026, 5, 1, 9, 29, 50, tzinfo=UTC))
        assert station.calls() == []
        await station.clock.advance_to(datetime(2026, 5, 1, 9, 30, tzinfo=UTC))
        assert len(station.calls()) == 1


async def test_on_the_day_the_clocks_change_each_time_is_called_once(station: Station) -> None:
    station.clock._now = datetime(2026, 10, 24, 23, 0, tzinfo=BERLIN).astimezone(UTC)
    await station.make(config=station.cron("30 2 * * *"))
    async with station.running():
        end = datetime(2026, 10, 25, 5, 0, tzinfo=BERLIN).astimezone(UTC)
        await station.clock.run_to(end)
    assert len(station.calls()) == 1


async def test_a_restart_fires_no_instant_again_and_none_is_lost(station: Station) -> None:
    await station.make()
    instant = datetime(2026, 5, 1, 9, 5, tzinfo=UTC)
    for step in range(4):
        async with station.running():
            await station.clock.advance_to(instant + timedelta(seconds=step))
    assert len(station.calls()) == 1
    station.clock._now = instant + timedelta(minutes=5, seconds=20)  # over a restart
    async with station.running():
        pass
    assert len(station.calls()) == 2


async def test_two_servers_on_one_database_fire_once(station: Station) -> None:
    await station.make()
    async with station.running(), station.running():
        await station.clock.run_to(NINE + timedelta(minutes=10))
    assert len(station.calls()) == 2


async def test_what_fell_while_the_server_was_down_is_skipped_and_told_once(
    station: Station,
) -> None:
    made = await station.make()
    station.clock._now = NINE + timedelta(hours=2, minutes=2)
    for _ in range(2):
        async with station.running():
            pass
    assert station.calls() == []
    (missed,) = station.outcomes
    assert isinstance(missed, ScheduleMissed)
    assert str(missed.schedule_id) == made["id"]
    assert missed.reason == "2026-05-01 09:05 UTC was over before the server could act"


async def test_edits_take_effect_at_once_and_make_up_for_nothing(station: Station) -> None:
    async with station.running():
        path = f"schedules/{(await station.make())['id']}"
        station.clock._now = NINE + timedelta(minutes=1)
        await station.owner("PATCH", path, {"config": station.every(2)})
        await station.clock.rest()
        await station.clock.advance_to(NINE + timedelta(minutes=2))
        assert len(station.calls()) == 1
        # 09:02 lies within the grace, but was not this schedule's business before the edit.
        await station.owner("PATCH", path, {"config": station.cron("2 11 * * *")})
        await station.clock.rest()
        assert len(station.calls()) == 1
        await station.owner("PATCH", path, {"config": station.every(1)})
        await station.owner("POST", f"{path}/toggle")
        await station.clock.rest()
        await station.clock.advance_to(NINE + timedelta(minutes=4))
        assert len(station.calls()) == 1
        await station.owner("POST", f"{path}/toggle")
        await station.clock.rest()
        await station.clock.advance_to(NINE + timedelta(minutes=5))
        assert len(station.calls()) == 2
        await station.owner("DELETE", path)
        await station.clock.rest()
        await station.clock.advance_to(NINE + timedelta(minutes=6))
        assert len(station.calls()) == 2


async def test_a_call_that_is_refused_is_told_and_the_schedule_goes_on(station: Station) -> None:
    await station.make()
    async with station.running():
        for trouble in (Conflict("Not now."), PartAway("The renderer", "Wait."), KeyError("bug")):
            station.zones.trouble = trouble
            await station.clock.advance_to(station.clock.now() + timedelta(minutes=5))
        await station.clock.advance_to(station.clock.now() + timedelta(minutes=5))
    kinds = [type(outcome).__name__ for outcome in station.outcomes]
    assert kinds == ["ScheduleMissed", "ScheduleMissed", "ScheduleMissed", "ScheduleFired"]
    reasons = [event.reason for event in station.outcomes if isinstance(event, ScheduleMissed)]
    assert reasons[0] == "Not now."


async def test_a_zone_that_is_gone_does_not_silence_the_others(station: Station) -> None:
    hall, platform = station.zone_ids
    await station.make(zones=[str(hall), str(platform)], all=False)
    station.zones.delete(hall)
    async with station.running():
        await station.clock.advance_to(NINE + timedelta(minutes=5))
        assert [call.zones for call in station.calls()] == [[platform]]
        station.zones.delete(platform)
        await station.clock.advance_to(NINE + timedelta(minutes=10))
    assert len(station.calls()) == 1
    missed = station.outcomes[-1]
    assert isinstance(missed, ScheduleMissed)
    assert missed.reason == "None of the schedule's zones exists any more."


async def test_a_row_that_nobody_can_read_stops_no_other(station: Station) -> None:
    broken = await station.make(name="Broken")
    await Schedule.filter(id=broken["id"]).update(config={"kind": "moon"})
    await station.make()
    async with station.running():
        await station.clock.advance_to(NINE + timedelta(minutes=5))
    assert len(station.calls()) == 1


async def test_schedules_of_a_client_that_was_switched_off_rest(station: Station) -> None:
    await station.make()
    station.client.is_active = False
    await station.client.save()
    async with station.running():
        await station.clock.advance_to(NINE + timedelta(minutes=5))
    assert station.calls() == []


async def test_another_timezone_counts_within_minutes(station: Station) -> None:
    await station.make(config=station.cron("30 9 * * *"))
    async with station.running():
        station.client.timezone = "UTC"
        await station.client.save()
        await station.clock.run_to(datetime(2026, 5, 1, 9, 31, tzinfo=UTC))
    assert len(station.calls()) == 1


async def test_an_announcement_that_was_deleted_stops_no_cycle(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of a bag of four: its turn is told as missed, and each other one comes once a round."""
    four = station.announcements.known[:4]
    deleted = four[2]
    call = station.zones.call

    async def without_the_deleted(principal: Principal, request: CallRequest) -> CallView:
        if request.announcement_id == deleted:
            raise NotFound("announcement", deleted)
        return await call(principal, request)

    config = station.every(5, announcements=4)
    await station.make(config=config, rules={"avoid_repeat": True})
    monkeypatch.setattr(station.zones, "call", without_the_deleted)
    async with station.running():
        await station.clock.run_to(NINE + timedelta(minutes=61))
    heard = [request.announcement_id for request in station.calls()]
    assert len(heard) == 9
    turns = [
        event.announcement_id if isinstance(event, ScheduleMissed) else next(played)
        for played in [iter(heard)]
        for event in station.outcomes
    ]
    rounds = [turns[start : start + 4] for start in range(0, 12, 4)]
    assert all(set(one) == set(four) for one in rounds)
    missed = [event for event in station.outcomes if isinstance(event, ScheduleMissed)]
    assert len(missed) == 3
    assert all(str(deleted) in event.reason for event in missed)
    assert all(set(event.zones) == set(station.zone_ids) for event in missed)


async def test_plans_are_read_on_postgresql_as_on_sqlite(postgres_url: str, tmp_path: Path) -> None:
    """Each column in each form: what the drivers give differs, the plans do not."""
    client_id, zone, floor = UUID(int=1), UUID(int=2), UUID(int=3)
    calendar = UUID(int=4)
    clip = str(UUID(int=5))
    found = []
    for url in (postgres_url, ""):
        async with open_database(url, tmp_path, {"scheduling": TABLES}) as database:
            assert not database.failed
            await Client.create(id=client_id, name="Ünder", timezone="Europe/Berlin")
            days = [["2026-12-24", "Eve"]]
            await ScheduleCalendar.create(id=calendar, client_id=client_id, name="C", days=days)
            rules: dict[str, Any] = {"except_on_calendars": [str(calendar)], "max_per_hour": 2}
            common: dict[str, Any] = {
                "client_id": client_id,
                "kind": "interval",
                "settled_until": NINE,
            }
            config = {"kind": "interval", "every_min": 5, "announcements": [clip]}
            full: dict[str, Any] = {
                "rules": rules,
                "zones": [str(zone)],
                "floors": [str(floor)],
                "devices": [str(UUID(int=6))],
                "band": Band.PAGE,
                "in_force_since": NINE + timedelta(microseconds=7),
                "rests_until": NINE.astimezone(BERLIN) + timedelta(days=1),
                "fired_count": 3,
            }
            await Schedule.create(
                id=UUID(int=10), name="“Full” 'n ü %", config=config, **common, **full
            )
            await Schedule.create(id=UUID(int=11), name="Bare", config=config, **common)
            await Schedule.create(
                id=UUID(int=12), name="Off", config=config, enabled=False, **common
            )
            await Schedule.all().update(created_at=NINE - timedelta(days=1))
            keys = [UUID(int=number) for number in (10, 11, 12)]
            read = await read_plans(active().filter(client_id=client_id, id__in=keys))
            found.append(sorted(read, key=lambda plan: plan.schedule_id))
    postgres, sqlite = found
    assert [plan.name for plan in postgres] == ["“Full” 'n ü %", "Bare"]
    assert postgres == sqlite
    full_plan = postgres[0]
    assert full_plan.settled_until == NINE
    assert full_plan.rests_until == NINE + timedelta(days=1)
    assert full_plan.since == NINE + timedelta(microseconds=7)
    assert full_plan.days.refusal(date(2026, 12, 24)) is not None


async def test_an_instant_is_settled_once_on_postgresql_too(
    postgres_url: str, tmp_path: Path
) -> None:
    async with open_database(postgres_url, tmp_path, {"scheduling": TABLES}) as database:
        assert not database.failed
        client = await Client.create(name="Station")
        row = await Schedule.create(
            client=client, name="A", kind="interval", config={}, settled_until=NINE
        )
        open_rows = Schedule.filter(id=row.id, settled_until__lt=NINE + timedelta(minutes=1))
        change = {"settled_until": NINE + timedelta(minutes=1)}
        assert [await open_rows.update(**change), await open_rows.update(**change)] == [1, 0]
