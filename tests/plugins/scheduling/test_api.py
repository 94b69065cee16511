"""Schedules over the API: what is refused names its field; who sees what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tests.fakes.zones import zone_view
from tests.plugins.scheduling.conftest import Station

from antiphon.tenancy.models import Client
from antiphon.types import Role
from antiphon_scheduling.models import Schedule
from antiphon_scheduling.playlists.models import ChannelPlaylist

NOWHERE = "00000000-0000-0000-0000-00000000dead"


async def test_a_schedule_is_made_and_read(station: Station) -> None:
    zones = [str(zone) for zone in station.zone_ids]
    made = await station.make(config=station.cron("0 12 * * *"), zones=zones, all=False)
    assert made["next_at"] == "2026-05-01T10:00:00Z"
    assert made["timezone"] == "Europe/Berlin"
    assert (made["zones"], made["all"]) == (zones, False)
    assert made["created_by"] == str(station.owner.user.id)
    assert (await station.owner("GET", f"schedules/{made['id']}")).json == made


async def test_bad_input_is_refused_by_field_and_makes_nothing(station: Station) -> None:
    strange = station.every(5) | {"announcements": [station.every(5)["announcements"][0], NOWHERE]}
    other = zone_view((await Client.create(name="Other")).id)
    station.zones.add(other)
    known = {"announcements": [str(station.announcements.known[0])]}
    gone = {"announcements": [NOWHERE]}
    good = {"offset_s": 0, **known}
    silent = await ChannelPlaylist.create(
        client=station.client, name="Silent", settled_until=datetime.now(UTC)
    )
    bad: list[tuple[dict[str, Any], str]] = [
        ({"config": station.every(0)}, "config.interval.every_min"),
        ({"config": station.every(5) | {"announcements": []}}, "config.interval.announcements"),
        ({"config": station.every(5) | {"colour": 1}}, "config.interval.colour"),
        ({"config": station.cron("0 0 31 2 *")}, "config.cron.expression"),
        ({"config": station.cron("often")}, "config.cron.expression"),
        ({"config": {"kind": "moon"}}, "config"),
        ({"config": strange}, "config.announcements.1"),
        ({"config": {"kind": "cron", "expression": "0 9 * * *"}}, "config.cron"),
        ({"config": _cycle({"offset_s": 600, **known})}, "config.timeline.items"),
        ({"config": _cycle(*[{"offset_s": 5, **known}] * 2)}, "config.timeline.items"),
        ({"config": _cycle(good, {"offset_s": 9, **gone})}, "config.items.1.announcements.0"),
        ({"config": _cycle()}, "config.timeline.items"),
        ({"config": _cycle(good) | {"cycle_min": 0}}, "config.timeline.cycle_min"),
        ({"config": _dates("2026-05-02T09:00:00", "2026-05-02T09:00:00")}, "config.datetime.at"),
        ({"config": _dates("2026-05-02T09:00:00Z")}, "config.datetime.at.0"),
        ({"config": _dates("2020-05-02T09:00:00")}, "config"),
        ({"config": _music({"do": "play"})}, "config.cron.music.folder_ids"),
        (
            {"config": _music({"do": "stop", "folder_ids": [NOWHERE]})},
            "config.cron.music.folder_ids",
        ),
        ({"config": _music({"do": "play", "folder_ids": [NOWHERE]})}, "config.music.folder_ids.0"),
        ({"config": _music({"do": "play", "playlist_id": NOWHERE})}, "config.music.playlist_id"),
        (
            {"config": _music({"do": "play", "playlist_id": str(silent.id)})},
            "config.music.playlist_id",
        ),
        ({"config": station.every(5) | {"music": {"do": "stop"}}}, "config.interval"),
        ({"rules": {"starts_on": "2026-06-02", "ends_on": "2026-06-01"}}, "rules.ends_on"),
        ({"rules": {"ends_on": "2026-04-30"}}, "rules"),
        ({"config": station.cron("0 9 * * tue"), "rules": {"days": ["mon"]}}, "rules"),
        ({"rules": {"days": ["mon"], "colour": 1}}, "rules.colour"),
        ({"rules": {"except_on_calendars": [NOWHERE]}}, "rules.except_on_calendars.0"),
        (
            {"config": _dates("2026-05-04T09:00:00"), "rules": {"except_on": ["2026-05-04"]}},
            "rules",
        ),
        ({"all": False, "zones": [str(station.zone_ids[0]), NOWHERE]}, "zones.1"),
        ({"all": False, "zones": [str(other.zone_id)]}, "zones.0"),
        ({"all": False, "zones": []}, "zones"),
        ({"all": False}, "body"),
        ({"zones": [str(station.zone_ids[0])]}, "body"),
        ({"name": ""}, "name"),
        ({"band": "shout"}, "band"),
    ]
    for changes, field in bad:
        refused = await station.owner("POST", "schedules", station.body(**changes))
        assert refused.status == 422, changes
        assert refused.wrong_fields == [field]
    assert await Schedule.all().count() == 0


def _cycle(*items: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "timeline", "cycle_min": 10, "items": list(items)}


def _dates(*at: str) -> dict[str, Any]:
    return {"kind": "datetime", "at": list(at), "music": {"do": "stop"}}


def _music(music: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "cron", "expression": "0 9 * * *", "music": music}


async def test_a_bad_change_changes_nothing(station: Station) -> None:
    made = await station.make()
    path = f"schedules/{made['id']}"
    bad: list[tuple[dict[str, Any], str]] = [
        ({"config": station.every(0)}, "config.interval.every_min"),
        ({"zones": [NOWHERE]}, "zones.0"),
        ({"all": False}, "body"),
        ({"zones": [str(station.zone_ids[0])], "all": True}, "body"),
        ({"name": None}, "name"),
    ]
    for change, field in bad:
        refused = await station.owner("PATCH", path, change)
        assert (refused.status, refused.wrong_fields) == (422, [field]), change
    assert (await station.owner("GET", path)).json == made


async def test_what_is_changed_changes_and_the_rest_stays(station: Station) -> None:
    made = await station.make(band="spot")
    path = f"schedules/{made['id']}"
    zone = str(station.zone_ids[0])
    changed = (await station.owner("PATCH", path, {"zones": [zone], "band": None})).json
    expected = made | {"zones": [zone], "all": False, "band": None}
    assert changed == expected | {"updated_at": changed["updated_at"]}
    everywhere = (await station.owner("PATCH", path, {"all": True, "name": "New"})).json
    assert (everywhere["zones"], everywhere["all"], everywhere["name"]) == ([], True, "New")


async def test_an_announcement_that_is_off_for_now_may_be_scheduled(station: Station) -> None:
    station.announcements.off.update(station.announcements.known)
    await station.make()


async def test_toggle_switches_and_shows_no_next_time_while_off(station: Station) -> None:
    made = await station.make()
    off = (await station.owner("POST", f"schedules/{made['id']}/toggle")).json
    assert (off["enabled"], off["next_at"]) == (False, None)
    on = (await station.owner("POST", f"schedules/{made['id']}/toggle")).json
    assert (on["enabled"], on["next_at"]) == (True, made["next_at"])


async def test_schedules_are_listed_by_name_and_filtered(station: Station) -> None:
    await station.make(name="Closing", config=station.cron("0 20 * * *"))
    await station.make(name="Advert", enabled=False)
    await station.make(name="Bells")

    async def names(query: str) -> list[str]:
        found = await station.owner("GET", f"schedules?{query}")
        return [item["name"] for item in found.json["items"]]

    assert await names("") == ["Advert", "Bells", "Closing"]
    assert await names("limit=1&offset=1") == ["Bells"]
    assert await names("kind=cron") == ["Closing"]
    assert await names("enabled=false") == ["Advert"]
    assert await names("search=ELL") == ["Bells"]
    assert await names(f"client_id={station.client.id}&enabled=false") == ["Advert"]
    assert await names(f"client_id={uuid4()}") == []


async def test_another_clients_schedules_do_not_exist(station: Station) -> None:
    path = f"schedules/{(await station.make())['id']}"
    stranger = await station.api.caller(Role.CLIENT, (await Client.create(name="Other")).id)
    floor_user = await station.api.caller(Role.FLOOR_USER, station.client.id, uuid4())
    for method, below in (("GET", ""), ("DELETE", ""), ("POST", "/toggle")):
        assert (await stranger(method, path + below)).status == 404
    assert (await floor_user("GET", path)).status == 200
    assert (await floor_user("DELETE", path)).status == 403
    assert (await station.owner("DELETE", path)).status == 204
    assert (await station.owner("GET", path)).status == 404
    assert (await station.owner("GET", "schedules")).json == {"items": [], "total": 0}
