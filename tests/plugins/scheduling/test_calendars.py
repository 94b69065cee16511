"""Calendars over the API: holidays, files, and files that mean harm."""

from __future__ import annotations

import asyncio
import io
import json
import time
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.plugins.scheduling.conftest import Station

from antiphon.errors import Invalid
from antiphon.tenancy.models import Client
from antiphon.types import Role
from antiphon_scheduling import calendar_service
from antiphon_scheduling.ics import days_of
from antiphon_scheduling.models import Schedule, ScheduleCalendar

BERLIN = ZoneInfo("Europe/Berlin")


def _ics(*events: str) -> str:
    body = "\r\n".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//A//B//EN\r\n{body}\r\nEND:VCALENDAR\r\n"


def _days(*events: str) -> list[str]:
    return [day.isoformat()[5:] for day in days_of(_ics(*events), BERLIN)]


def test_the_days_of_events_are_read() -> None:
    whole = "SUMMARY:Stock-\r\n taking\\, all day\r\nDTSTART;VALUE=DATE:20260713\r\n"
    assert days_of(_ics(whole + "DTEND;VALUE=DATE:20260715"), BERLIN) == {
        date(2026, 7, 13): "Stock-taking, all day",
        date(2026, 7, 14): "Stock-taking, all day",
    }
    assert _days("DTSTART;VALUE=DATE:20260713") == ["07-13"]
    assert _days("DTSTART:20260713T223000Z") == ["07-14"]  # past midnight in Berlin
    assert _days("DTSTART:20260713T200000\r\nDTEND:20260714T010000") == ["07-13", "07-14"]
    assert _days("DTSTART:20260713T200000\r\nDTEND:20260714T000000") == ["07-13"]
    assert _days("DTSTART;VALUE=DATE:20260713\r\nDURATION:P2D") == ["07-13", "07-14"]
    cancelled = "DTSTART;VALUE=DATE:20260713\r\nSTATUS:CANCELLED"
    assert _days(cancelled, "DTSTART;VALUE=DATE:20260801") == ["08-01"]


def test_rules_exceptions_and_further_dates_are_followed() -> None:
    weekly = "DTSTART;VALUE=DATE:20260706\r\nRRULE:FREQ=WEEKLY;COUNT=4"
    assert _days(weekly) == ["07-06", "07-13", "07-20", "07-27"]
    changed = "\r\nEXDATE;VALUE=DATE:20260713\r\nRDATE;VALUE=DATE:20260730"
    assert _days(weekly + changed) == ["07-06", "07-20", "07-27", "07-30"]
    until = "DTSTART;VALUE=DATE:20260701\r\nRRULE:FREQ=MONTHLY;BYDAY=1WE;UNTIL=20260801"
    assert _days(until) == ["07-01"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no calendar|no event"),
        ("hello", "no calendar|no event"),
        ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", "no calendar|no event"),
        (_ics("SUMMARY:When?"), "no start"),
        (_ics("DTSTART:yesterday"), "can not be read|no start|no calendar"),
        (_ics("SUMMARY:Ever\r\nDTSTART:20260101\r\nRRULE:FREQ=DAILY"), "without an end"),
        (
            _ics("DTSTART;VALUE=DATE:20260101\r\nRRULE:FREQ=YEARLY\r\nSUMMARY:New Year"),
            "'New Year' repeats without an end",
        ),
        (
            _ics("DTSTART:20260101T000000\r\nRRULE:FREQ=SECONDLY;COUNT=999999999"),
            "no matter of days",
        ),
        (
            _ics("DTSTART;VALUE=DATE:20260101\r\nRRULE:FREQ=DAILY;BYHOUR=1;COUNT=3"),
            "BYHOUR",
        ),
        (_ics("DTSTART;VALUE=DATE:20260101\r\nDTEND;VALUE=DATE:20990101"), "lasts more"),
        (
            _ics(
                *(
                    f"DTSTART;VALUE=DATE:20{year}0101\r\nRRULE:FREQ=DAILY;COUNT=9999999"
                    for year in (10, 30, 50)
                )
            ),
            "more than 5000 days",
        ),
        (_ics(*["DTSTART;VALUE=DATE:20260101"] * 2_001), "2001 events"),
    ],
    ids=range(12),
)
def test_what_is_no_calendar_or_too_much_is_refused_quickly(text: str, says: str) -> None:
    started = time.process_time()
    with pytest.raises(Invalid, match=says) as refused:
        days_of(text, BERLIN)
    assert [error.field for error in refused.value.errors] == ["ics"]
    assert time.process_time() - started < 10


async def test_a_rule_that_names_no_day_and_a_huge_file_cost_nobody_else_anything(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calendar_service, "_READ_S", 3.0)
    never = "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=1"
    body = {"name": "A", "ics": _ics(f"DTSTART;VALUE=DATE:20260101\r\n{never}")}
    asking = asyncio.create_task(station.owner("POST", "schedule-calendars", body))
    await station.make()  # meanwhile
    refused = await asking
    assert (refused.status, refused.wrong_fields) == (422, ["ics"])
    huge = io.BytesIO(json.dumps(body | {"ics": "x" * 10_000_000}).encode())
    headers = {"Content-Type": "application/json"}
    refused = await station.owner("POST", "schedule-calendars", data=huge, headers=headers)
    assert (refused.status, refused.wrong_fields) == (422, ["ics"])
    assert await ScheduleCalendar.all().count() == 0


async def test_a_calendar_is_made_read_used_and_changed(station: Station) -> None:
    new = {"name": "Closed", "ics": _ics("SUMMARY:Fair\r\nDTSTART;VALUE=DATE:20260502")}
    made = (await station.owner("POST", "schedule-calendars", new)).json
    assert made["upcoming"] == [{"date": "2026-05-02", "name": "Fair"}]
    rules = {"except_on_calendars": [made["id"]]}
    schedule = await station.make(config=station.cron("0 9 * * *"), rules=rules)
    path = f"schedule-calendars/{made['id']}"
    refused = await station.owner("DELETE", path)
    assert (refused.status, "Every five" in refused.json["detail"]) == (409, True)
    assert schedule["next_at"] == "2026-05-03T07:00:00Z"
    async with station.running():
        assert (await Schedule.get()).rests_until == datetime(2026, 5, 3, 7, tzinfo=UTC)
        newer = _ics("SUMMARY:Fair\r\nDTSTART;VALUE=DATE:20260503")
        assert (await station.owner("PATCH", path, {"ics": newer})).status == 200
        await station.clock.rest()
        assert (await Schedule.get()).rests_until == datetime(2026, 5, 2, 7, tzinfo=UTC)
    await station.owner("DELETE", f"schedules/{schedule['id']}")
    assert (await station.owner("DELETE", path)).status == 204
    assert (await station.owner("GET", "schedule-calendars")).json["total"] == 0


async def test_holidays_of_a_country_and_of_a_part_of_it(station: Station) -> None:
    new = {"name": "Berlin", "country": "de", "subdivision": "BE"}
    made = (await station.owner("POST", "schedule-calendars", new)).json
    assert made["country"] == "DE"
    assert "2027-03-08" in [day["date"] for day in made["upcoming"]]  # Berlin's own


async def test_bad_calendars_are_refused_by_field_and_make_nothing(station: Station) -> None:
    name = {"name": "A"}
    bad: list[tuple[dict[str, Any], str]] = [
        (name, "body"),
        (name | {"country": "ZZ"}, "country"),
        (name | {"country": "DE", "subdivision": "XX"}, "subdivision"),
        (name | {"subdivision": "BE", "ics": "x"}, "body"),
        (name | {"ics": "x"}, "ics"),
        (name | {"ics": _ics("DTSTART;VALUE=DATE:20260101\r\nRRULE:FREQ=DAILY")}, "ics"),
    ]
    for body, field in bad:
        refused = await station.owner("POST", "schedule-calendars", body)
        assert (refused.status, refused.wrong_fields) == (422, [field]), field
    assert await ScheduleCalendar.all().count() == 0


async def test_another_clients_calendar_does_not_exist(station: Station) -> None:
    other = await Client.create(name="Other")
    theirs = await ScheduleCalendar.create(client=other, name="Theirs", country="FR")
    path = f"schedule-calendars/{theirs.id}"
    for method, body in (("GET", None), ("PATCH", {"name": "Ours"}), ("DELETE", None)):
        assert (await station.owner(method, path, body)).status == 404
    rules = {"only_on_calendars": [str(theirs.id)]}
    refused = await station.owner("POST", "schedules", station.body(rules=rules))
    assert refused.wrong_fields == ["rules.only_on_calendars.0"]
    assert await Schedule.all().count() == 0
    floor_user = await station.api.caller(Role.FLOOR_USER, station.client.id, theirs.id)
    body = {"name": "A", "country": "DE"}
    assert (await floor_user("POST", "schedule-calendars", body)).status == 403
