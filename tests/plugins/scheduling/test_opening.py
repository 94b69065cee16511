"""Opening hours start and stop a zone's music, and are two schedules that can be looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.plugins.scheduling.conftest import NINE, Station

from antiphon.building.models import Floor, Zone
from antiphon.events import ScheduleSuppressed
from antiphon.playback.models import PlaybackState
from antiphon.tenancy.models import Client
from antiphon.types import Role
from antiphon_scheduling.models import Outcome, Schedule, ScheduleRecord

WEEK = ["mon", "tue", "wed", "thu", "fri"]


def _hours(*days: str, opens: str = "09:00:00", closes: str = "20:00:00") -> dict[str, Any]:
    return {"days": list(days), "opens": opens, "closes": closes}


def _path(station: Station) -> str:
    return f"zones/{station.zone_ids[0]}/opening-hours"


@pytest.mark.usefixtures("seldom")
async def test_they_start_and_stop_the_music_over_a_weekend(station: Station) -> None:
    """From Friday, 1 May, 11:00 in Berlin; Saturday is open into the night."""
    body = {"hours": [_hours(*WEEK), _hours("sat", opens="22:00:00", closes="02:00:00")]}
    answer = await station.owner("PUT", _path(station), body)
    assert answer.status == 200, answer.json
    shown = answer.json
    assert [(one["days"], one["closes"]) for one in shown["hours"]] == [
        (WEEK, "20:00:00"),
        (["sat"], "02:00:00"),
    ]
    assert (shown["next_closes_at"], shown["next_opens_at"]) == (
        "2026-05-01T18:00:00Z",
        "2026-05-02T20:00:00Z",
    )
    end = NINE + timedelta(days=3)
    foretold = await station.preview(NINE, end)
    async with station.running():
        await station.clock.run_to(end)
    assert [name for name, _, _ in station.zones.asked] == ["stop", "resume", "stop", "resume"]
    for items in (foretold, await station.preview(NINE, end)):
        assert [(item["at"], item["does"]) for item in items] == [
            ("2026-05-01T18:00:00Z", "stop"),
            ("2026-05-02T20:00:00Z", "resume"),
            ("2026-05-03T00:00:00Z", "stop"),
            ("2026-05-04T07:00:00Z", "resume"),
        ]
    assert await station.preview(NINE, end, zone=1) == []


async def test_on_days_of_a_calendar_it_stays_closed(station: Station) -> None:
    holidays = {"name": "Berlin", "country": "DE", "subdivision": "BE"}
    calendar = (await station.owner("POST", "schedule-calendars", holidays)).json
    body = {
        "hours": [_hours(*WEEK)],
        "music": {"do": "play", "folder_ids": [str(station.announcements.folder)]},
        "except_on_calendars": [calendar["id"]],
    }
    await station.owner("PUT", _path(station), body)
    begin = datetime(2026, 5, 24, tzinfo=UTC)  # the day before Whit Monday
    items = await station.preview(begin, begin + timedelta(days=3))
    plays = [(item["at"], item["result"]) for item in items if item["does"] == "play"]
    assert plays == [("2026-05-26T07:00:00Z", "plays")]


async def test_new_hours_take_the_place_of_the_old_and_are_changed_here_alone(
    station: Station,
) -> None:
    first = (await station.owner("PUT", _path(station), {"hours": [_hours(*WEEK)]})).json
    second = (await station.owner("PUT", _path(station), {"hours": [_hours("sun")]})).json
    assert set(first["schedules"]).isdisjoint(second["schedules"])
    assert (await station.owner("GET", _path(station))).json == second
    listed = (await station.owner("GET", "schedules")).json
    assert [row["name"] for row in listed["items"]] == ["Hall closes", "Hall opens"]
    for method, below in (("PATCH", ""), ("POST", "/toggle"), ("DELETE", "")):
        path = f"schedules/{second['schedules'][0]}{below}"
        refused = await station.owner(method, path, {"name": "New"} if method == "PATCH" else None)
        assert refused.status == 409
        assert "opening-hours" in refused.json["detail"]
    assert (await station.owner("DELETE", _path(station))).status == 204
    none = (await station.owner("GET", _path(station))).json
    assert (none["hours"], none["enabled"], none["schedules"]) == ([], False, [])
    assert (await station.owner("GET", "schedules")).json["total"] == 0


async def test_bad_hours_are_refused_by_field_and_change_nothing(station: Station) -> None:
    nowhere = "00000000-0000-0000-0000-000000000009"
    good = {"hours": [_hours("mon")]}
    bad: list[tuple[dict[str, Any], str]] = [
        ({}, "hours"),
        ({"hours": []}, "hours"),
        ({"hours": [_hours()]}, "hours.0.days"),
        ({"hours": [_hours("mon"), _hours("mon", opens="19:00:00", closes="22:00:00")]}, "hours"),
        ({"hours": [_hours("sun", closes="08:00:00"), _hours("mon", opens="07:00:00")]}, "hours"),
        ({"hours": [_hours(*WEEK, opens="00:00:00", closes="00:00:00")]}, "hours"),
        ({"hours": [_hours("mon", opens="09:00:00+02:00")]}, "hours.0.opens"),
        (good | {"music": {"do": "stop"}}, "music"),
        (good | {"music": {"do": "play", "folder_ids": [nowhere]}}, "music.folder_ids.0"),
        (good | {"music": {"do": "play", "playlist_id": nowhere}}, "music.playlist_id"),
        (good | {"except_on_calendars": [nowhere]}, "except_on_calendars.0"),
    ]
    for body, field in bad:
        refused = await station.owner("PUT", _path(station), body)
        assert (refused.status, refused.wrong_fields) == (422, [field]), (body, refused.json)
    assert await Schedule.all().count() == 0


async def test_another_clients_hours_do_not_exist(station: Station) -> None:
    await station.owner("PUT", _path(station), {"hours": [_hours("mon")]})
    other = await station.api.caller(Role.CLIENT, (await Client.create(name="Other")).id)
    body = {"hours": [_hours("tue")]}
    for method, given in (("GET", None), ("PUT", body), ("DELETE", None)):
        assert (await other(method, _path(station), given)).status == 404


async def _opens_weekdays(station: Station) -> None:
    """Open from 9 to 20 in Berlin; it is a Friday, 11:00."""
    body = {"hours": [_hours(*WEEK)]}
    assert (await station.owner("PUT", _path(station), body)).status == 200


async def _command_by_hand(station: Station, at: datetime) -> None:
    zone_id = station.zone_ids[0]
    floor = await Floor.create(client=station.client, name="Ground")
    zone = await Zone.create(id=zone_id, client=station.client, floor=floor, name="Hall")
    await PlaybackState.create(zone=zone, commanded_at=at)


@pytest.mark.parametrize(
    ("restarted", "done"),
    [
        (datetime(2026, 5, 4, 7, 5, tzinfo=UTC), "resume"),  # five past nine on Monday
        (datetime(2026, 5, 4, 21, 0, tzinfo=UTC), "stop"),  # after a whole day without a server
        (datetime(2026, 5, 2, 21, 0, tzinfo=UTC), "stop"),  # in a night, after Friday's close
    ],
)
async def test_a_server_that_was_away_brings_the_zone_into_the_state_of_the_clock_once(
    station: Station, restarted: datetime, done: str
) -> None:
    await _opens_weekdays(station)
    station.clock._now = restarted
    for _ in range(2):
        async with station.running():
            await station.clock.advance_to(station.clock.now() + timedelta(minutes=2))
    assert [name for name, _, _ in station.zones.asked] == [done]
    records = await ScheduleRecord.filter(outcome=Outcome.FIRED)
    assert [record.music for record in records] == [done]
    assert "the server was away" in (records[0].reason or "")
    assert not await ScheduleRecord.exists(outcome=Outcome.FIRING)


async def test_what_a_person_did_after_the_boundary_is_not_undone(station: Station) -> None:
    await _opens_weekdays(station)
    opened = datetime(2026, 5, 4, 7, 0, tzinfo=UTC)
    await _command_by_hand(station, opened + timedelta(minutes=2))
    station.clock._now = opened + timedelta(minutes=5)
    async with station.running():
        pass
    assert station.zones.asked == []
    suppressed = station.outcomes[-1]
    assert isinstance(suppressed, ScheduleSuppressed)
    assert suppressed.reason == "the music was changed by hand at 09:02"


async def test_what_a_person_did_before_the_boundary_is_over_then(station: Station) -> None:
    await _opens_weekdays(station)
    opened = datetime(2026, 5, 4, 7, 0, tzinfo=UTC)
    await _command_by_hand(station, opened - timedelta(minutes=2))
    station.clock._now = opened + timedelta(minutes=5)
    async with station.running():
        pass
    assert [name for name, _, _ in station.zones.asked] == ["resume"]


async def test_of_all_schedules_the_last_change_of_music_stands(station: Station) -> None:
    """Two dayparts and an end fell into the time without a server, for both zones or for one."""
    hall, platform = map(str, station.zone_ids)
    await station.make(name="Morning", config=station.music("0 12 * * *"))
    await station.make(name="Noon", config=station.music("30 12 * * *"), zones=[hall], all=False)
    stop = station.music("45 12 * * *", stop=True)
    await station.make(name="End", config=stop, zones=[hall], all=False)
    station.clock._now = datetime(2026, 5, 1, 11, 0, tzinfo=UTC)
    async with station.running():
        pass
    assert [name for name, _, _ in station.zones.asked] == ["play", "stop"]
    fired = await ScheduleRecord.filter(outcome=Outcome.FIRED).order_by("instant")
    assert [record.zones for record in fired] == [[platform], [hall]]


async def test_a_change_of_music_that_a_dead_server_had_begun_is_done_by_the_next(
    station: Station,
) -> None:
    """It was settled, and the server was killed before it acted."""
    await _opens_weekdays(station)
    opens = await Schedule.get(opening_zone_id=station.zone_ids[0], name="Hall opens")
    opened = datetime(2026, 5, 4, 7, 0, tzinfo=UTC)
    await Schedule.all().update(settled_until=opened, rests_until=None)
    record = await ScheduleRecord.create(
        client=station.client,
        schedule=opens,
        instant=opened,
        outcome=Outcome.FIRING,
        music="resume",
        zones=[str(station.zone_ids[0])],
    )
    station.clock._now = opened + timedelta(seconds=10)
    async with station.running():
        assert station.zones.asked == []  # another server might still be at it
        a_minute_ago = datetime.now(UTC) - timedelta(minutes=1)
        await ScheduleRecord.filter(id=record.id).update(updated_at=a_minute_ago)
        await station.clock.run_to(opened + timedelta(minutes=3))
        assert [name for name, _, _ in station.zones.asked] == ["resume"]


async def test_of_two_servers_on_one_database_one_makes_up_for_it(station: Station) -> None:
    await _opens_weekdays(station)
    station.clock._now = datetime(2026, 5, 4, 7, 5, tzinfo=UTC)
    async with station.running(), station.running():
        await station.clock.run_to(station.clock.now() + timedelta(minutes=7))
    assert [name for name, _, _ in station.zones.asked] == ["resume"]
