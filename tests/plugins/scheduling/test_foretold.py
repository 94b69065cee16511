"""The preview of a day is the log of that day, item by item, whatever the schedules are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from tests.plugins.scheduling.conftest import Station

from antiphon.building.models import Floor, Zone

DAYS = [
    datetime(2026, 5, 1, 3, 17, 11, tzinfo=UTC),  # a holiday, over the night into a Saturday
    datetime(2026, 3, 28, 20, 4, 5, tzinfo=UTC),  # clocks go forward
    datetime(2026, 10, 24, 20, 30, tzinfo=UTC),  # clocks go back
]


class _Chance:
    """Makes schedules of every kind, with every rule."""

    def __init__(self, station: Station, seed: int, calendar: str, floor: str) -> None:
        self._station = station
        self._random = Random(seed)
        self._calendar = calendar
        self._floor = floor

    def schedule(self, number: int) -> dict[str, Any]:
        chance = self._random
        where: dict[str, Any] = chance.choice(
            [
                {"all": True},
                {"all": False, "zones": [str(chance.choice(self._station.zone_ids))]},
                {"all": False, "floors": [self._floor]},
            ]
        )
        band = chance.choice([None, "spot", "announcement", "page"])
        made = {"name": f"S{number}", "config": self._config(), "rules": self._rules()}
        return made | where | {"band": band}

    def _config(self) -> dict[str, Any]:
        chance = self._random
        does: dict[str, Any] = {"announcements": self._clips()}
        if chance.random() < 0.25:
            does = {"music": {"do": chance.choice(["resume", "stop"])}}
        minute, hour = chance.randrange(60), chance.randrange(5)
        kinds: list[dict[str, Any]] = [
            {"kind": "interval", "every_min": chance.choice([13, 30, 47, 60, 240]), **does},
            {"kind": "cron", "expression": f"{minute} */{hour + 1} * * *", **does},
            {"kind": "cron", "expression": f"{minute} {hour} * * *", **does},
            {"kind": "datetime", "at": [f"2026-01-03T0{hour}:{minute:02}:09"], "repeat": "daily"}
            | does,
            {
                "kind": "timeline",
                "cycle_min": chance.choice([90, 100]),
                "items": [
                    {"offset_s": offset, "announcements": self._clips()}
                    for offset in chance.sample(range(5_400), chance.choice([1, 3]))
                ],
            },
        ]
        return chance.choice(kinds)

    def _rules(self) -> dict[str, Any]:
        chance = self._random
        rules: dict[str, Any] = {}
        options: list[dict[str, Any]] = [
            {"days": ["fri", "sun"]},
            {"quiet": [{"begin": "22:30", "end": "02:45"}]},
            {"quiet": [{"begin": "01:00", "end": "06:10"}], "when_blocked": "defer"},
            {"avoid_repeat": True},
            {"min_gap_min": chance.choice([2, 7.5, 20])},
            {"max_per_hour": chance.choice([1, 3])},
            {"priority": chance.randrange(100)},
            {"except_on_calendars": [self._calendar]},
            {"layer": "exception", "only_on_calendars": [self._calendar]},
            {"layer": "season", "starts_on": "2026-03-29", "ends_on": "2026-05-01"},
            {"except_on": ["2026-10-25"]},
        ]
        for option in chance.sample(options, chance.randrange(4)):
            rules |= option
        if "layer" not in rules or rules["layer"] == "exception":
            rules.pop("starts_on", None)
        return rules if "ends_on" not in rules or "starts_on" in rules else {}

    def _clips(self) -> list[str]:
        known = self._station.announcements.known
        return [str(key) for key in self._random.sample(known, self._random.randrange(1, 5))]


def _same(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "over"}


@pytest.mark.usefixtures("seldom")
@pytest.mark.parametrize("seed", range(3))
async def test_a_days_preview_is_its_log(station: Station, seed: int) -> None:
    station.clock._now = begin = DAYS[seed % len(DAYS)]
    ground = await Floor.create(client=station.client, name="Ground")
    hall, platform = station.zone_ids
    night: Any = {"quiet_from": "23:15:00", "quiet_until": "04:00:00"}
    await Zone.create(id=hall, client=station.client, floor=ground, name="Hall")
    await Zone.create(id=platform, client=station.client, floor=ground, name="Platform")
    await Zone.filter(id=platform).update(**night)
    for zone_id in station.zone_ids:
        station.zones.change(zone_id, floor_id=ground.id)
    holidays = {"name": "Berlin", "country": "DE", "subdivision": "BE"}
    calendar = (await station.owner("POST", "schedule-calendars", holidays)).json["id"]
    chance = _Chance(station, seed, calendar, str(ground.id))
    made = 0
    for number in range(14):
        answer = await station.owner("POST", "schedules", chance.schedule(number))
        assert answer.status in (201, 422), answer.json  # rules may leave out every time
        made += answer.status == 201
    assert made >= 7
    end = begin + timedelta(days=1)
    foretold = [await station.preview(begin, end, zone) for zone in (0, 1)]
    async with station.running():
        await station.clock.run_to(end)
    for zone, told in enumerate(foretold):
        came = await station.preview(begin, end, zone)
        assert all(item["over"] for item in came)
        key = lambda item: (item["at"], item["name"])  # noqa: E731  used twice, here alone
        assert sorted(map(_same, came), key=key) == sorted(map(_same, told), key=key)
        assert len(told) > 10
