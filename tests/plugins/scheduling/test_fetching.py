"""Calendars from a web address: kept up to date, with limits, and not from our own network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer
from tests.plugins.scheduling.conftest import NINE, Station

from antiphon.errors import Invalid
from antiphon_scheduling.calendar_service import Calendars
from antiphon_scheduling.fetching import fetch
from antiphon_scheduling.models import ScheduleCalendar
from antiphon_scheduling.settings import SchedulingSettings

EVERY = timedelta(hours=12)


class Site:
    """A web server on this machine; `text` and `status` are what it answers."""

    def __init__(self) -> None:
        self.text = _ics("20260502")
        self.status = 200
        self.asked = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        if request.path == "/moved":
            raise web.HTTPFound("/days.ics")
        if request.path == "/round":
            raise web.HTTPFound("/round")
        if request.path == "/file":
            raise web.HTTPFound("file:///etc/hosts")
        if request.path == "/huge":
            return web.Response(body=b"x" * 10_000_000)
        return web.Response(text=self.text, status=self.status)


def _ics(day: str, rule: str = "") -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VEVENT", "UID:1", "SUMMARY:Fair"]
    lines += [f"DTSTART;VALUE=DATE:{day}", *([rule] if rule else []), "END:VEVENT", "END:VCALENDAR"]
    return "\r\n".join([*lines, ""])


@pytest.fixture
async def site() -> AsyncIterator[tuple[Site, BaseTestServer]]:
    site, app = Site(), web.Application()
    app.router.add_get("/{path}", site.answer)
    async with TestServer(app) as server:
        yield site, server


async def test_a_calendar_is_fetched_followed_and_kept_when_it_is_away(
    station: Station, site: tuple[Site, BaseTestServer]
) -> None:
    here, server = site
    new = {"name": "School", "url": str(server.make_url("/moved"))}
    made = await station.owner("POST", "schedule-calendars", new)
    assert made.status == 201, made.json
    assert made.json["upcoming"] == [{"date": "2026-05-02", "name": "Fair"}]
    assert made.json["fetched_at"] == "2026-05-01T09:00:30Z"
    rules = {"except_on_calendars": [made.json["id"]]}
    schedule = await station.make(config=station.cron("0 9 * * *"), rules=rules)
    path = f"schedules/{schedule['id']}"
    calendars = Calendars(station.context, station.clock)
    asked = here.asked
    await calendars.refresh_old(EVERY)
    assert here.asked == asked  # it is fresh
    async with station.running():
        here.text = _ics("20260503")
        station.clock._now = NINE + timedelta(hours=13)
        await calendars.refresh_old(EVERY)
        await station.clock.rest()
        assert (await station.owner("GET", path)).json["next_at"] == "2026-05-02T07:00:00Z"
        here.status = 500
        station.clock._now = NINE + timedelta(hours=26)
        await calendars.refresh_old(EVERY)
    (kept,) = (await station.owner("GET", "schedule-calendars")).json["items"]
    assert "answered 500" in kept["problem"]
    assert kept["upcoming"] == [{"date": "2026-05-03", "name": "Fair"}]
    here.status = 200
    now = await station.owner("POST", f"schedule-calendars/{kept['id']}/refresh")
    assert (now.status, now.json["problem"]) == (200, None)


async def test_what_can_not_be_fetched_is_refused_by_field(
    station: Station, site: tuple[Site, BaseTestServer]
) -> None:
    here, server = site
    here.text = _ics("20260502", "RRULE:FREQ=DAILY")
    addresses = [
        (str(server.make_url("/days.ics")), "without an end"),
        (str(server.make_url("/huge")), "larger"),
        (str(server.make_url("/round")), "redirects"),
        (str(server.make_url("/file")), "only http"),
        ("http://127.0.0.1:1/days.ics", "can not be fetched"),
        ("file:///etc/hosts", ""),
        ("http://", ""),
    ]
    for address, reason in addresses:
        body = {"name": "School", "url": address}
        refused = await station.owner("POST", "schedule-calendars", body)
        assert (refused.status, refused.wrong_fields) == (422, ["url"]), address
        assert reason in refused.json["errors"][0]["message"], refused.json
    both = {"name": "A", "url": addresses[0][0], "country": "DE"}
    assert (await station.owner("POST", "schedule-calendars", both)).wrong_fields == ["body"]
    assert await ScheduleCalendar.all().count() == 0


async def test_addresses_of_our_own_network_are_not_asked(
    station: Station, site: tuple[Site, BaseTestServer]
) -> None:
    here, server = site
    context = replace(station.context, settings=SchedulingSettings())
    row = ScheduleCalendar(client_id=station.client.id, name="A")
    for host in ("127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"):
        row.url = f"http://{host}:{server.port}/days.ics"
        with pytest.raises(Invalid, match="public"):
            await Calendars(context, station.clock)._fetch(row)
    for address in ("http://10.0.0.1/a", "http://169.254.169.254/a", "http://192.168.1.1/a"):
        with pytest.raises(Invalid, match="public"):
            await fetch(address, private=False)
    assert here.asked == 0
