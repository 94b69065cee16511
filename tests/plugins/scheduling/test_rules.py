"""What limits a schedule: layers, quiet hours, days, gaps, caps, priority; and whose turn it is."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from antiphon_scheduling.bag import out_of_the_bag
from antiphon_scheduling.calendars import NamedDays, PublicHolidays
from antiphon_scheduling.outcomes import Firing, Why
from antiphon_scheduling.plan import Limits, Place, Plan, Targets
from antiphon_scheduling.planner import Planner
from antiphon_scheduling.recurrence import Cron, Dates, Interval, Music, Timeline, TimelineItem
from antiphon_scheduling.rules import Days, Layer, Quiet, Rules, quiet_span

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 5, 4, tzinfo=BERLIN)
CLIENT = uuid4()
HALL, BAR = UUID(int=1), UUID(int=2)
NIGHT = Quiet(begin=time(22), end=time(7))
CLIPS = [UUID(int=number) for number in range(100, 105)]


def _plan(name: str, recurrence: Any, **more: Any) -> Plan:
    limits = {key: more.pop(key) for key in list(more) if key in Limits.__dataclass_fields__}
    start = MONDAY.astimezone(UTC) - timedelta(seconds=1)
    return Plan(
        schedule_id=more.pop("schedule_id", uuid4()),
        client_id=CLIENT,
        name=name,
        recurrence=recurrence,
        zone=BERLIN,
        anchor=MONDAY,
        since=start,
        settled_until=start,
        limits=Limits(**limits),
        **more,
    )


def _hourly(minute: int = 0, **more: Any) -> Cron:
    return Cron(expression=f"{minute} * * * *", **(more or {"announcements": CLIPS[:1]}))


def _daily(hour: int, **more: Any) -> Cron:
    return Cron(expression=f"0 {hour} * * *", **(more or {"announcements": CLIPS[:1]}))


def _run(*plans: Plan, days: float = 1, places: tuple[Place, ...] = (Place(HALL),)) -> list[Firing]:
    planner = Planner(timedelta(minutes=1), lambda _: places)
    for plan in plans:
        planner.put(plan)
    end, found = MONDAY + timedelta(days=days), []
    while (instant := planner.next_instant) is not None and instant < end:
        found += [one for one in planner.due(instant) if isinstance(one, Firing)]
    return found


def _heard(firings: list[Firing], zone: UUID = HALL) -> list[str]:
    return [f"{one.instant.astimezone(BERLIN):%d %H:%M}" for one in firings if zone in one.zones]


def _reasons(firings: list[Firing]) -> list[Why]:
    return [block.why for one in firings for block in one.blocks]


# --- quiet hours -------------------------------------------------------------------------------


def test_quiet_hours_drop_what_falls_into_them() -> None:
    found = _run(_plan("Bells", _hourly(), quiets=(NIGHT,)))
    assert _heard(found) == [f"04 {hour:02}:00" for hour in range(7, 22)]
    assert _reasons(found) == [Why.QUIET] * 9
    assert found[0].blocks[0].detail == "quiet hours until 07:00"


def test_a_deferred_firing_comes_once_when_the_quiet_time_ends() -> None:
    found = _run(_plan("Bells", _hourly(30), quiets=(NIGHT,), defers=True))
    assert _heard(found)[:2] == ["04 07:00", "04 07:30"]
    (first, *_) = [one for one in found if one.zones]
    assert first.deferred_from == datetime(2026, 5, 4, 0, 30, tzinfo=BERLIN)
    assert _reasons(found) == [Why.DEFERRED] * 9


def test_each_zone_has_quiet_hours_of_its_own_and_defers_to_their_end() -> None:
    places = (Place(HALL, (NIGHT,)), Place(BAR, (Quiet(begin=time(22), end=time(9)),)))
    found = _run(_plan("Six", _daily(6), defers=True), places=places)
    assert _heard(found) == ["04 07:00"]
    assert _heard(found, BAR) == ["04 09:00"]


def test_a_deferral_makes_up_for_nothing_from_before_it_was_written() -> None:
    plan = _plan("Six", _daily(6), quiets=(NIGHT,), defers=True)
    after = datetime(2026, 5, 4, 6, 30, tzinfo=BERLIN)
    late = Plan(**{name: getattr(plan, name) for name in Plan.__slots__} | {"since": after})
    assert _heard(_run(late)) == []


def test_pages_pass_quiet_hours_and_music_passes_those_of_the_zone() -> None:
    place = Place(HALL, (NIGHT,))
    page = _plan("Page", _daily(6), quiets=(NIGHT,), hears_quiet=False)
    music = _plan("Early", _daily(5, music=Music(do="stop")))
    assert _heard(_run(page, music, places=(place,))) == ["04 05:00", "04 06:00"]


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25), date(2026, 5, 4)])
def test_the_quiet_time_ends_on_the_walls_clock_also_where_clocks_change(day: date) -> None:
    midnight = datetime.combine(day, time.min, tzinfo=BERLIN)
    span = quiet_span(midnight.astimezone(UTC), BERLIN, (NIGHT, Quiet(begin=time(6), end=time(8))))
    assert span is not None
    begin, end = (one.astimezone(BERLIN) for one in span)
    assert (begin.time(), begin.date()) == (time(22), day - timedelta(days=1))
    assert (end.time(), end.date()) == (time(8), day)


# --- layers and days ---------------------------------------------------------------------------


def test_a_season_stands_in_for_the_base_and_an_exception_for_both() -> None:
    season = Days(first=date(2026, 5, 5), last=date(2026, 5, 7))
    holiday = Days(only=(NamedDays("Closed", {date(2026, 5, 6): "Works outing"}),))
    base = _plan("Base", _daily(8))
    spring = _plan("Spring", _daily(9), days=season, layer=Layer.SEASON)
    closed = _plan("Closed", _daily(10), days=holiday, layer=Layer.EXCEPTION)
    found = _run(base, spring, closed, days=5)
    assert _heard(found) == ["04 08:00", "05 09:00", "06 10:00", "07 09:00", "08 08:00"]
    blocks = [block for one in found for block in one.blocks]
    assert {block.why for block in blocks} == {Why.LAYER}
    assert blocks[1].detail == "Closed (exception) stands in for it on 2026-05-06"
    assert blocks[1].by == closed.schedule_id


def test_layers_are_compared_by_zone_and_by_group() -> None:
    always = Days(first=date(2026, 1, 1))
    base = _plan("Base", _daily(8))
    bar = _plan(
        "Bar", _daily(9), days=always, layer=Layer.SEASON, targets=Targets(zones=frozenset({BAR}))
    )
    music = _plan("Music", _daily(10, music=Music(do="stop")), days=always, layer=Layer.EXCEPTION)
    other = _plan("Other", _daily(11), days=always, layer=Layer.EXCEPTION, group="chimes")
    found = _run(base, bar, music, other, places=(Place(HALL), Place(BAR)))
    assert _heard(found) == ["04 08:00", "04 10:00", "04 11:00"]
    assert _heard(found, BAR) == ["04 09:00", "04 10:00", "04 11:00"]


def test_a_layer_that_is_removed_stands_in_for_nothing() -> None:
    base = _plan("Base", _daily(8))
    season = _plan("S", _daily(9), days=Days(first=date(2026, 1, 1)), layer=Layer.SEASON)
    planner = Planner(timedelta(minutes=1), lambda _: (Place(HALL),))
    planner.put(base)
    planner.put(season)
    planner.remove(season.schedule_id)
    (firing,) = planner.due(datetime(2026, 5, 4, 8, tzinfo=BERLIN))
    assert isinstance(firing, Firing)
    assert firing.zones == (HALL,)


def test_public_holidays_and_listed_days_are_left_out() -> None:
    calendar = PublicHolidays("Holidays", "DE", "BE")
    assert calendar.name_of(date(2026, 5, 1)) is not None
    days = Days(but=(calendar,), excepted=frozenset({date(2026, 5, 5)}), weekdays=frozenset({1, 4}))
    assert days.refusal(date(2026, 5, 1)) is not None
    assert "(Holidays) is excepted" in str(days.refusal(date(2026, 5, 1)))
    assert days.refusal(date(2026, 5, 4)) == "not on a Monday"
    assert days.refusal(date(2026, 5, 5)) == "2026-05-05 is excepted"
    assert _heard(_run(_plan("A", _daily(8), days=days), days=9)) == ["08 08:00", "12 08:00"]


def test_a_day_far_ahead_is_found_without_counting_every_minute_until_then() -> None:
    days = Days(only=(NamedDays("Jubilee", {date(2046, 5, 4): "20 years"}),))
    plan = _plan("A", Interval(every_min=1, announcements=CLIPS), days=days)
    assert plan.following(MONDAY.astimezone(UTC)) == datetime(2046, 5, 4, tzinfo=BERLIN)
    never = _plan("B", _daily(8), days=Days(last=date(2026, 5, 1)))
    assert never.following(MONDAY.astimezone(UTC)) is None


# --- spots -------------------------------------------------------------------------------------


def test_the_gap_and_the_cap_count_what_any_schedule_said_in_the_zone() -> None:
    base = _plan(
        "Base",
        Interval(every_min=30, announcements=CLIPS),
        targets=Targets(zones=frozenset({HALL})),
        priority=(60, 0),
    )
    spot = _plan("Spot", Interval(every_min=10, announcements=CLIPS), min_gap=timedelta(minutes=15))
    found = _run(base, spot, days=1 / 24, places=(Place(HALL), Place(BAR)))
    assert _heard(found) == ["04 00:00", "04 00:20", "04 00:30", "04 00:50"]
    assert _heard(found, BAR) == ["04 00:00", "04 00:20", "04 00:40"]
    details = {block.detail for one in found for block in one.blocks if block.zone_id == HALL}
    assert "00:30:00 is less than 15 min ago" in details
    capped = _plan("Cap", Interval(every_min=5, announcements=CLIPS), max_per_hour=3)
    assert _heard(_run(capped, days=1.9 / 24)) == [
        "04 00:00", "04 00:05", "04 00:10", "04 01:00", "04 01:05", "04 01:10",
    ]  # fmt: skip


def test_of_two_that_change_the_music_together_the_more_important_does() -> None:
    low = _plan("Low", _daily(8, music=Music(do="stop")), priority=(10, 0))
    high = _plan("High", _daily(8, music=Music(do="stop")), priority=(90, 0))
    first, second = _run(low, high)
    assert (first.schedule_id, first.zones) == (high.schedule_id, (HALL,))
    assert (second.blocks[0].why, second.blocks[0].by) == (Why.OUTRANKED, high.schedule_id)


def test_what_is_suppressed_everywhere_costs_no_turn() -> None:
    plan = _plan("A", _daily(8, announcements=CLIPS), quiets=(Quiet(begin=time(6), end=time(9)),))
    found = _run(plan, _plan("B", _daily(10, announcements=CLIPS)), days=3)
    assert [one.turn for one in found if one.schedule_id == plan.schedule_id] == [0, 0, 0]
    assert [one.turn for one in found if one.schedule_id != plan.schedule_id] == [0, 1, 2]


@given(st.integers(1, 12), st.integers(0, 40), st.text(max_size=5))
def test_the_bag_plays_all_before_any_again_and_none_twice_in_a_row(
    size: int, bags: int, seed: str
) -> None:
    clips = [UUID(int=number) for number in range(size)]
    turns = [out_of_the_bag(clips, turn, seed) for turn in range(size * (bags + 2))]
    for start in range(0, len(turns), size):
        assert Counter(turns[start : start + size]) == Counter(clips)
    if size > 1:
        assert all(before != after for before, after in pairwise(turns))


def test_the_bag_is_shuffled() -> None:
    orders = {tuple(out_of_the_bag(CLIPS, turn, str(n)) for turn in range(5)) for n in range(20)}
    assert len(orders) > 10


# --- timelines and dates -----------------------------------------------------------------------


def test_a_timeline_does_each_item_at_its_offset_in_every_cycle() -> None:
    items = [
        TimelineItem(offset_s=90, announcements=CLIPS[:2]),
        TimelineItem(offset_s=0, music=Music(do="stop")),
    ]
    found = _run(_plan("Cycle", Timeline(cycle_min=480, items=items)))
    assert [f"{one.instant.astimezone(BERLIN):%H:%M:%S}" for one in found] == [
        "00:00:00", "00:01:30", "08:00:00", "08:01:30", "16:00:00", "16:01:30",
    ]  # fmt: skip
    assert [one.announcement_id for one in found[1::2]] == [CLIPS[0], CLIPS[1], CLIPS[0]]
    assert all(one.music is not None for one in found[::2])


@pytest.mark.parametrize(
    ("repeat", "times"),
    [
        ("none", ["31 09:30"]),
        ("daily", ["31 09:30", "01 09:30", "02 09:30"]),
        ("weekly", ["31 09:30", "07 09:30", "14 09:30"]),
        ("monthly", ["31 09:30", "28 09:30", "31 09:30", "30 09:30"]),
        ("yearly", ["31 09:30", "31 09:30"]),
    ],
)
def test_dates_come_again_and_the_31st_is_the_last_of_the_month(
    repeat: str, times: list[str]
) -> None:
    at = [datetime(2026, 1, 31, 9, 30)]  # noqa: DTZ001  a wall clock's time
    dates = Dates.model_validate({"at": at, "repeat": repeat, "announcements": CLIPS})
    found, after = [], datetime(2026, 1, 1, tzinfo=UTC)
    for _ in times:
        following = dates.following(after, BERLIN, after)
        assert following is not None
        found.append(f"{following.astimezone(BERLIN):%d %H:%M}")
        after = following
    assert found == times
    assert (repeat == "none") == (dates.following(after, BERLIN, after) is None)


@pytest.mark.parametrize(
    ("rules", "field", "says"),
    [
        ({"starts_on": "2026-05-02", "ends_on": "2026-05-01"}, "ends_on", "before the start"),
        ({"layer": "season"}, "layer", "needs days"),
        ({"quiet": [{"begin": "08:00", "end": "08:00"}]}, "end", "can not end"),
        (
            {"quiet": [{"begin": "08:00", "end": "20:00"}, {"begin": "19:00", "end": "09:00"}]},
            "quiet",
            "no time of the day left",
        ),
        ({"days": []}, "days", "at least 1"),
        ({"min_gap_min": 0}, "min_gap_min", "greater than 0"),
        (
            {"only_on_calendars": [str(HALL)], "except_on_calendars": [str(HALL)]},
            "except_on_calendars",
            "at once",
        ),
    ],
)
def test_rules_that_contradict_themselves_are_refused_by_field(
    rules: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        Rules.model_validate(rules)
    (error,) = refused.value.errors()
    assert error["loc"][-1] == field
    assert says in error["msg"]


def test_where_schedules_are_switched_off_none_acts() -> None:
    found = _run(_plan("Noon", _daily(12)), places=(Place(HALL, is_on=False), Place(BAR)))
    assert [firing.zones for firing in found] == [(BAR,)]
    assert [(block.zone_id, block.why) for block in found[0].blocks] == [(HALL, Why.OFF)]
