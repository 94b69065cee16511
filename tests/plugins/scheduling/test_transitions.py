"""Every timezone and its next changes of the clock: no drift, nothing twice, nothing lost."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon_scheduling.cron import _slow, checked, stepper
from antiphon_scheduling.recurrence import Cron, Dates, Interval, Timeline, TimelineItem
from antiphon_scheduling.walltime import instant_of, wall_of

NOW = datetime(2026, 11, 22, tzinfo=UTC)
CLIP = [UUID(int=1)]
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_PACES = (1, 7, 45, 60, 90, 1_440, 2_999, 10_000)
_AROUND = (-59, -29, 1, 16, 31, 61)  # minutes from a change, by the wall clock before it
_TIMEZONES = sorted(name for name in available_timezones() if name != "localtime")


@cache
def transitions(name: str) -> tuple[datetime, ...]:
    """The next four changes of the offset, to the minute; none in most zones."""
    zone = ZoneInfo(name)
    found: list[datetime] = []
    at = NOW
    while len(found) < 4 and at < NOW + 4 * 366 * _DAY:
        if _offset(at, zone) != _offset(at + _WEEK, zone):
            low, high = at, at + _WEEK
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) // timedelta(minutes=2) * timedelta(minutes=1)
                if _offset(middle, zone) == _offset(at, zone):
                    low = middle
                else:
                    high = middle
            found.append(high)
        at += _WEEK
    return tuple(found)


@cache
def kinds() -> dict[Any, str]:
    """A timezone for each way to go on from now: all others are in step with one of them."""
    found: dict[Any, str] = {}
    for name in _TIMEZONES:
        zone = ZoneInfo(name)
        steps = tuple((change, _offset(change, zone)) for change in transitions(name))
        found.setdefault((_offset(NOW, zone), steps), name)
    return found


def _walls(name: str, change: datetime) -> set[time]:
    """Times of day around a change."""
    before = wall_of(change - timedelta(minutes=1), ZoneInfo(name))
    return {(before + timedelta(minutes=minutes)).time() for minutes in _AROUND}


def _offset(at: datetime, zone: ZoneInfo) -> timedelta | None:
    return at.astimezone(zone).utcoffset()


def _instants(recurrence: Any, zone: ZoneInfo, begin: datetime, end: datetime) -> list[datetime]:
    found, after = [], begin
    while (instant := recurrence.following(after, zone, NOW)) is not None and instant < end:
        found.append(instant)
        after = instant
    return found


def _check(recurrence: Any, walls: set[time], zone: ZoneInfo, change: datetime) -> None:
    """Around a change, the instants are those that each day's wall times mean, each once."""
    begin, end = change - 2 * _DAY, change + 2 * _DAY
    found = _instants(recurrence, zone, begin, end)
    assert all(before < after for before, after in pairwise(found))
    first = wall_of(begin, zone).date() - _DAY
    expected = {
        instant_of(datetime.combine(first + number * _DAY, wall), zone)
        for number in range(7)
        for wall in walls
    }
    assert found == sorted(one for one in expected if begin < one < end)


def test_each_daily_time_comes_once_a_day_in_every_timezone() -> None:
    """All timezones, their next four changes; the times lie around each change."""
    for name in _TIMEZONES:
        zone = ZoneInfo(name)
        for change in transitions(name):
            walls = _walls(name, change)
            first = (NOW - 2 * _DAY).date()
            dates = Dates.model_validate(
                {
                    "at": [datetime.combine(first, wall) for wall in sorted(walls)],
                    "repeat": "daily",
                    "announcements": CLIP,
                }
            )
            _check(dates, walls, zone, change)


def test_cron_and_paces_go_over_the_next_changes_of_every_timezone() -> None:
    """What is said of a timezone holds for all that are in step with it, so for every one."""
    for name in kinds().values():
        zone = ZoneInfo(name)
        for change in transitions(name):
            for wall in _walls(name, change):
                cron = Cron(expression=f"{wall.minute} {wall.hour} * * *", announcements=CLIP)
                _check(cron, {wall}, zone, change)
            for minutes in (7, 90, 2_999):
                _check_pace(minutes, {0, minutes * 60 - 1}, zone, change)


_changing = st.sampled_from(_TIMEZONES).filter(lambda name: bool(transitions(name)))


@settings(max_examples=40, deadline=None)
@given(_changing, st.data())
def test_cron_means_the_times_of_the_wall_around_a_change(name: str, data: st.DataObject) -> None:
    zone = ZoneInfo(name)
    change = data.draw(st.sampled_from(transitions(name)))
    minutes = data.draw(st.sets(st.integers(0, 59), min_size=1, max_size=4))
    hours = data.draw(st.sets(st.integers(0, 23), min_size=1, max_size=24))
    expression = f"{_listed(minutes)} {_listed(hours)} * * *"
    walls = {time(hour, minute) for hour in hours for minute in minutes}
    _check(Cron(expression=expression, announcements=CLIP), walls, zone, change)


@settings(max_examples=30, deadline=None)
@given(_changing, st.integers(1, 3_000), st.data())
def test_intervals_and_timelines_keep_their_pace_over_every_change(
    name: str, minutes: int, data: st.DataObject
) -> None:
    change = data.draw(st.sampled_from(transitions(name)))
    offsets = data.draw(st.sets(st.integers(0, minutes * 60 - 1), min_size=1, max_size=4))
    _check_pace(minutes, offsets, ZoneInfo(name), change)


def _check_pace(minutes: int, offsets: set[int], zone: ZoneInfo, change: datetime) -> None:
    """Around a change, an interval and a cycle go on as if there was none."""
    span = (change - timedelta(hours=6), change + timedelta(hours=6) + timedelta(minutes=minutes))
    interval = Interval(every_min=minutes, announcements=CLIP)
    found = _instants(interval, zone, *span)
    assert {after - before for before, after in pairwise(found)} <= {timedelta(minutes=minutes)}
    items = [TimelineItem(offset_s=offset, announcements=CLIP) for offset in offsets]
    cycle = Timeline(cycle_min=minutes, items=items)
    every = _instants(cycle, zone, *span)
    start = instant_of(datetime.combine(wall_of(NOW, zone).date(), time.min), zone)
    for instant in every:
        into = (instant - start).total_seconds() % (minutes * 60)
        assert into in offsets
        assert cycle.items[cycle.deed(instant, zone, NOW).place].offset_s == into
    assert len(every) >= len(offsets)


def test_an_interval_gathers_no_error_in_a_year_in_any_timezone() -> None:
    for name in kinds().values():
        for minutes in _PACES:
            _check_year(minutes, ZoneInfo(name))


def _check_year(minutes: int, zone: ZoneInfo) -> None:
    interval = Interval(every_min=minutes, announcements=CLIP)
    start = instant_of(datetime.combine(wall_of(NOW, zone).date(), time.min), zone)
    step = timedelta(minutes=minutes)
    end = start + timedelta(days=366)
    instant, number = start, 0
    while instant < end:
        number += max(1, 20_000 // minutes)  # jump on: the next is where it must be
        following = interval.following(start + number * step - timedelta(microseconds=1), zone, NOW)
        assert following == start + number * step
        instant = following
    assert number * step >= end - start


@settings(max_examples=100, deadline=None)
@given(
    minute=st.sampled_from(["*", "*/7", "0", "5,50"]),
    hour=st.sampled_from(["*", "*/5", "3", "22-23"]),
    day=st.sampled_from(["*", "*/10", "31", "1,15", "29"]),
    month=st.sampled_from(["*", "*/3", "2", "1-6"]),
    weekday=st.sampled_from(["*", "0", "7", "1-5", "sat,sun"]),
    start=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001  a wall clock's
)
def test_the_quick_way_through_cron_is_croniters(
    minute: str, hour: str, day: str, month: str, weekday: str, start: datetime
) -> None:
    try:
        expression = checked(f"{minute} {hour} {day} {month} {weekday}")
    except ValueError:
        return
    step, wall = stepper(expression), start
    for _ in range(4):
        quick, slow = step(wall), _slow(expression, wall)
        assert quick == slow
        assert quick is not None
        wall = quick


def _listed(numbers: set[int]) -> str:
    return ",".join(map(str, sorted(numbers)))
