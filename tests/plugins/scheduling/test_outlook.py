"""Preview tells what then happens, item by item; explain says why; next says what comes."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from tests.fakes.zones import zone_view
from tests.plugins.scheduling.conftest import NINE, Station

from antiphon.building.models import Floor, Zone
from antiphon.events import ScheduleFired, ScheduleMissed, ScheduleSuppressed
from antiphon.tenancy.models import Client
from antiphon_scheduling.models import Outcome, Schedule, ScheduleRecord

NIGHT = [{"begin": "22:00", "end": "07:00"}]
SAME = ("at", "schedule_id", "name", "does", "announcement_id", "result", "why", "reason")
ALSO = ("by_schedule_id", "deferred_from", "rule", "layer", "priority")


async def _a_busy_week(station: Station) -> None:
    """Everything that rules can do, in one building."""
    hall, platform = map(str, station.zone_ids)
    spots = station.every(25, announcements=5)
    bag = {"avoid_repeat": True, "quiet": NIGHT, "min_gap_min": 12, "max_per_hour": 1}
    await station.make(name="Spots", config=spots, rules=bag, band="spot")
    late = {"quiet": NIGHT, "when_blocked": "defer"}
    await station.make(name="Late", config=station.cron("15 23,1 * * *"), rules=late)
    await station.make(name="Opening", config=station.music("0 8 * * *"))
    await station.make(name="Closing", config=station.music("0 20 * * *", stop=True))
    item = {"offset_s": 90, "announcements": [str(station.announcements.known[1])]}
    cycle = {"kind": "timeline", "cycle_min": 120, "items": [item, item | {"offset_s": 3_000}]}
    await station.make(name="Cycle", config=cycle, zones=[hall], all=False)
    holidays = {"name": "Berlin", "country": "DE", "subdivision": "BE"}
    calendar = (await station.owner("POST", "schedule-calendars", holidays)).json
    closed = {"layer": "exception", "only_on_calendars": [calendar["id"]], "group": "music"}
    await station.make(name="Holiday", config=station.music("0 10 * * *"), rules=closed)
    await Schedule.filter(name__in=("Opening", "Closing")).update(rules={"group": "music"})
    twice = {"priority": 90, "days": ["fri", "sat"]}
    stop = station.music("0 8 * * *", stop=True)
    await station.make(name="Loud", config=stop, rules=twice, zones=[platform], all=False)


@pytest.mark.usefixtures("seldom")
async def test_what_a_preview_tells_is_what_then_happens(station: Station) -> None:
    """From 1 May, a holiday, over the night into an ordinary Saturday morning."""
    await _a_busy_week(station)
    begin, end = NINE, NINE + timedelta(hours=24)
    foretold = [await station.preview(begin, end, zone) for zone in (0, 1)]
    assert {item["result"] for item in foretold[0]} == {"plays", "suppressed"}
    whys = {item["why"] for items in foretold for item in items}
    assert whys >= {None, "quiet", "deferred", "gap", "cap", "layer", "outranked"}
    assert not any(item["over"] for items in foretold for item in items)
    async with station.running():
        await station.clock.run_to(end)
    happened = [await station.preview(begin, end, zone) for zone in (0, 1)]
    for told, came in zip(foretold, happened, strict=True):
        assert all(item["over"] for item in came)
        assert [_same(item) for item in came] == [_same(item) for item in told]
    assert _asked(station) == Counter(
        (str(zone_id), item["announcement_id"])
        for zone_id, items in zip(station.zone_ids, foretold, strict=True)
        for item in items
        if item["result"] == "plays" and item["does"] == "announcement"
    )


def _asked(station: Station) -> Counter[tuple[str, str]]:
    """The announcements that the zones were asked for."""
    return Counter(
        (str(zone_id), str(request.announcement_id))
        for request in station.calls()
        for zone_id in request.zones or station.zone_ids
    )


def _same(item: Any) -> list[Any]:
    return [item[key] for key in (*SAME, *ALSO)]


@pytest.mark.usefixtures("seldom")
async def test_a_restart_in_the_night_changes_nothing_of_what_was_foretold(
    station: Station,
) -> None:
    await _a_busy_week(station)
    begin, end = NINE + timedelta(hours=11), NINE + timedelta(hours=26)
    foretold = await station.preview(begin, end)
    for hours in (3, 12, 14, 20, 26):
        async with station.running():
            await station.clock.run_to(NINE + timedelta(hours=hours))
    assert [_same(item) for item in await station.preview(begin, end)] == [
        _same(item) for item in foretold
    ]


async def test_the_quiet_hours_of_a_zone_are_seen_and_their_change_too(station: Station) -> None:
    floor = await Floor.create(client=station.client, name="Ground")
    hall, _ = station.zone_ids
    row = await Zone.create(id=hall, client=station.client, floor=floor, name="Hall")
    await station.make(config=station.cron("0 12 * * *"))
    day = (NINE, NINE + timedelta(days=1))
    assert [item["result"] for item in await station.preview(*day)] == ["plays"]
    async with station.running():
        quiet: Any = {"quiet_from": "11:00:00", "quiet_until": "13:00:00"}
        await Zone.filter(id=row.id).update(**quiet)
        station.zones.delete(station.zone_ids[1])  # any news of zones
        await station.clock.advance_to(NINE + timedelta(seconds=5))
        await station.clock.run_to(NINE + timedelta(hours=4))
    (item,) = await station.preview(*day)
    assert (item["result"], item["why"]) == ("suppressed", "quiet")
    assert station.calls() == []
    (event,) = station.outcomes
    assert isinstance(event, ScheduleSuppressed)
    assert (event.zones, event.reason) == ((hall,), "quiet hours until 13:00")


async def test_explain_says_of_each_schedule_why(station: Station) -> None:
    hall, platform = map(str, station.zone_ids)
    noon = station.cron("0 12 * * *")
    await station.make(name="Plays", config=noon)
    await station.make(
        name="Quiet", config=noon, rules={"quiet": [{"begin": "11:00", "end": "13:00"}]}
    )
    await station.make(name="Later", config=station.cron("0 13 * * *"))
    await station.make(name="Tuesdays", config=noon, rules={"days": ["tue"]})
    await station.make(name="Off", config=noon, enabled=False)
    await station.make(name="Elsewhere", config=noon, zones=[platform], all=False)
    at = "2026-05-01T12:00:30+02:00"
    answer = (await station.owner("GET", "schedules/explain", params={"zone": hall, "at": at})).json
    assert answer["local_time"] == "Fri 2026-05-01 12:00"
    told = {one["name"]: (one["verdict"], one["reason"]) for one in answer["schedules"]}
    assert told == {
        "Plays": ("plays", "cron 0 12 * * *: due at 12:00:00"),
        "Quiet": ("suppressed", "quiet hours until 13:00"),
        "Later": ("not_now", "cron 0 13 * * *: no time of it falls into this minute"),
        "Tuesdays": ("not_now", "not on a Friday"),
        "Off": ("off", "it is switched off"),
        "Elsewhere": ("not_here", "it is not for this zone"),
    }
    by_name = {one["name"]: one for one in answer["schedules"]}
    assert by_name["Tuesdays"]["next_at"] == "2026-05-05T10:00:00Z"
    assert by_name["Off"]["next_at"] is None


async def test_explain_tells_of_what_was_missed(station: Station) -> None:
    await station.make(config=station.cron("0 12 * * *"))
    station.clock._now = NINE + timedelta(hours=9)
    async with station.running():
        pass
    query = {"zone": str(station.zone_ids[0]), "at": "2026-05-01T10:00:00Z"}
    (one,) = (await station.owner("GET", "schedules/explain", params=query)).json["schedules"]
    assert one["verdict"] == "missed"
    assert "before the server could act" in one["reason"]


async def test_next_lists_what_plays_and_not_what_is_suppressed(station: Station) -> None:
    quiet = {"quiet": [{"begin": "11:10", "end": "11:30"}]}
    await station.make(name="Ten", config=station.every(10, announcements=2), rules=quiet)
    query = {"zone": str(station.zone_ids[0]), "limit": "3"}
    answer = (await station.owner("GET", "schedules/next", params=query)).json
    assert [item["at"] for item in answer["items"]] == [
        "2026-05-01T09:30:00Z",
        "2026-05-01T09:40:00Z",
        "2026-05-01T09:50:00Z",
    ]
    first, second, *_ = map(str, station.announcements.known)
    assert [item["announcement_id"] for item in answer["items"]] == [first, second, first]


async def test_bad_periods_and_foreign_zones_are_refused(station: Station) -> None:
    stranger = zone_view((await Client.create(name="Other")).id)
    station.zones.add(stranger)
    await station.make(config=station.every(1))
    hall = str(station.zone_ids[0])
    ok = {"zone": hall, "from": "2026-05-02T00:00:00Z", "to": "2026-05-03T00:00:00Z"}
    bad: list[tuple[dict[str, str], int]] = [
        (ok, 200),
        (ok | {"zone": str(stranger.zone_id)}, 404),
        (ok | {"zone": str(uuid4())}, 404),
        (ok | {"to": "2026-05-01T00:00:00Z"}, 422),
        (ok | {"to": "2026-07-01T00:00:00Z"}, 422),
        (ok | {"from": "2026-05-02T00:00:00"}, 422),
        (ok | {"from": "9999-12-30T00:00:00Z", "to": "9999-12-31T00:00:00Z"}, 422),
        (ok | {"to": "2026-05-20T00:00:00Z"}, 422),  # a call a minute: too many to list
        (ok | {"zone": "hall"}, 422),
    ]
    for params, status in bad:
        answer = await station.owner("GET", "schedules/preview", params=params)
        assert answer.status == status, (params, answer.json)


async def test_far_ahead_the_times_are_right_and_it_says_what_may_differ(station: Station) -> None:
    await station.make(config=station.cron("0 12 25 12 *"))
    query = {"zone": str(station.zone_ids[0]), "from": "2027-12-25T00:00:00+01:00"}
    answer = (await station.owner("GET", "schedules/preview", params=query)).json
    assert [item["at"] for item in answer["items"]] == ["2027-12-25T11:00:00Z"]
    assert answer["exact"] is False


async def test_run_now_does_it_at_once_counts_a_turn_and_is_in_the_log(station: Station) -> None:
    quiet = {"quiet": [{"begin": "08:00", "end": "20:00"}]}
    made = await station.make(config=station.every(60, announcements=3), rules=quiet)
    for _ in range(2):
        run = await station.owner("POST", f"schedules/{made['id']}/run-now")
        assert run.status == 200, run.json
        station.clock._now += timedelta(seconds=1)
    known = station.announcements.known
    assert [call.announcement_id for call in station.calls()] == known[:2]
    shown = (await station.owner("GET", f"schedules/{made['id']}")).json
    assert shown["fired_count"] == 2
    items = await station.preview(NINE, NINE + timedelta(minutes=1))
    assert [(item["rule"], item["result"]) for item in items] == [("run by hand", "plays")] * 2
    for zone in station.zone_ids:
        station.zones.delete(zone)
    assert (await station.owner("POST", f"schedules/{made['id']}/run-now")).status == 409


async def test_music_starts_in_all_zones_as_one_programme_and_stops(station: Station) -> None:
    await station.make(name="Open", config=station.music("0 12 * * *"))
    await station.make(name="Close", config=station.music("0 13 * * *", stop=True))
    async with station.running():
        await station.clock.run_to(datetime(2026, 5, 1, 11, 1, tzinfo=UTC))
    (play, *stops) = station.zones.asked
    name, _, request = play
    assert name == "play"
    assert request.folder_ids == [station.announcements.folder]
    assert len(request.zones) == 1
    assert [name for name, _, _ in stops] == ["stop", "stop"]
    fired = [event for event in station.outcomes if isinstance(event, ScheduleFired)]
    assert [event.call_id for event in fired] == [None, None]


async def test_setting_the_clock_back_and_editing_fires_nothing_again(station: Station) -> None:
    made = await station.make(config=station.cron("5 11 * * *"))
    path = f"schedules/{made['id']}"
    async with station.running():
        await station.clock.advance_to(NINE + timedelta(minutes=5))
        assert len(station.calls()) == 1
        station.clock._now = NINE
        await station.owner("PATCH", path, {"config": station.cron("5 11 * * *")})
        await station.owner("POST", f"{path}/toggle")
        await station.owner("POST", f"{path}/toggle")
        await station.clock.rest()
        await station.clock.run_to(NINE + timedelta(minutes=10))
    assert len(station.calls()) == 1


async def test_a_firing_that_a_crash_left_open_is_told_as_missed_once(station: Station) -> None:
    made = await station.make(config=station.cron("0 12 * * *"))
    await Schedule.filter(id=made["id"]).update(settled_until=datetime(2026, 5, 1, 10, tzinfo=UTC))
    await ScheduleRecord.create(
        client=station.client,
        schedule_id=made["id"],
        instant=datetime(2026, 5, 1, 10, tzinfo=UTC),
        outcome=Outcome.FIRING,
        announcement_id=station.announcements.known[0],
        zones=[str(station.zone_ids[0])],
    )
    station.clock._now = datetime(2026, 5, 1, 10, 5, tzinfo=UTC)
    for _ in range(2):
        async with station.running():
            pass
    (event,) = station.outcomes
    assert isinstance(event, ScheduleMissed)
    assert "stopped before it could tell" in event.reason
    assert station.calls() == []


async def test_old_records_are_forgotten(station: Station) -> None:
    await station.make()
    async with station.running():
        await station.clock.run_to(NINE + timedelta(minutes=10))
        station.clock._now = NINE + timedelta(days=31)
        await station.clock.advance_to(NINE + timedelta(days=31, minutes=6))
    assert await ScheduleRecord.filter(outcome=Outcome.FIRED).count() == 0
