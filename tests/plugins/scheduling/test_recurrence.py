"""When things fall: intervals that do not drift, cron in local time, and the days of change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from antiphon_scheduling.recurrence import Cron, Interval
from antiphon_scheduling.walltime import instant_of

BERLIN = ZoneInfo("Europe/Berlin")
SPRING = datetime(2026, 3, 29, tzinfo=BERLIN)  # 02:00 becomes 03:00
AUTUMN = datetime(2026, 10, 25, tzinfo=BERLIN)  # 03:00 becomes 02:00


def _cron(expression: str) -> Cron:
    return Cron(expression=expression, announcements=[uuid4()])


def _interval(minutes: int) -> Interval:
    return Interval(every_min=minutes, announcements=[uuid4()])


def _clock_times(recurrence: Cron | Interval, begin: datetime, end: datetime) -> list[str]:
    """The local times, with the offset from UTC, at which it falls in a span."""
    found, after = [], begin - timedelta(microseconds=1)
    while (instant := recurrence.following(after, BERLIN, begin)) is not None and instant < end:
        found.append(instant.astimezone(BERLIN).strftime("%d. %H:%M%z"))
        after = instant
    return found


def test_an_interval_counts_from_local_midnight_and_knows_no_short_step() -> None:
    made = datetime(2026, 5, 1, 15, 47, tzinfo=BERLIN)
    times = _clock_times(_interval(700), made, made + timedelta(days=2))
    assert times == ["01. 23:20+0200", "02. 11:00+0200", "02. 22:40+0200", "03. 10:20+0200"]


@pytest.mark.parametrize("day", [SPRING, AUTUMN])
def test_an_interval_keeps_its_pace_where_the_clocks_change(day: datetime) -> None:
    begin = day.astimezone(UTC)
    instants = [begin]
    while instants[-1] < begin + timedelta(hours=30):
        following = _interval(45).following(instants[-1], BERLIN, day)
        instants.append(following)
    steps = {later - earlier for earlier, later in pairwise(instants)}
    assert steps == {timedelta(minutes=45)}


def test_a_cron_time_that_does_not_exist_falls_on_the_next_minute_that_does() -> None:
    span = (SPRING - timedelta(days=1), SPRING + timedelta(days=2))
    assert _clock_times(_cron("30 2 * * *"), *span) == [
        "28. 02:30+0100",
        "29. 03:00+0200",
        "30. 02:30+0200",
    ]
    # All that falls into the gap is one instant with what is due at its end.
    quarter = _clock_times(_cron("*/15 1-3 * * *"), SPRING, SPRING + timedelta(hours=4))
    assert quarter[3:6] == ["29. 01:45+0100", "29. 03:00+0200", "29. 03:15+0200"]


def test_a_cron_time_that_exists_twice_falls_once() -> None:
    span = (AUTUMN, AUTUMN + timedelta(days=1))
    assert _clock_times(_cron("30 2 * * *"), *span) == ["25. 02:30+0200"]
    hours = _clock_times(_cron("0 1-4 * * *"), *span)
    assert hours == ["25. 01:00+0200", "25. 02:00+0200", "25. 03:00+0100", "25. 04:00+0100"]


def test_in_the_second_pass_of_an_hour_the_next_is_after_it() -> None:
    second_pass = datetime(2026, 10, 25, 2, 10, tzinfo=BERLIN, fold=1)
    following = _cron("*/15 * * * *").following(second_pass, BERLIN, second_pass)
    assert following == datetime(2026, 10, 25, 3, 0, tzinfo=BERLIN)


def test_a_day_that_a_country_left_out() -> None:
    apia = ZoneInfo("Pacific/Apia")  # there was no 30 December 2011
    missing = datetime(2011, 12, 30, 9, 0)  # noqa: DTZ001  a wall clock's time
    assert instant_of(missing, apia) == datetime(2011, 12, 31, 0, 0, tzinfo=apia)


@settings(deadline=None)
@given(st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1)))  # noqa: DTZ001  made aware below
def test_what_follows_is_later_and_nothing_lies_between(naive: datetime) -> None:
    after = naive.replace(tzinfo=UTC)
    for recurrence in (_cron("*/20 * * * *"), _cron("10 9 * * mon-fri"), _interval(35)):
        following = recurrence.following(after, BERLIN, datetime(2024, 1, 1, tzinfo=UTC))
        assert following is not None
        assert following > after
        between = after + (following - after) / 2
        assert recurrence.following(between, BERLIN, datetime(2024, 1, 1, tzinfo=UTC)) == following


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("* * * * * *", "five fields"),
        ("@hourly", "five fields"),
        ("61 * * * *", "out of range"),
        ("*/0 * * * *", "step"),
        ("0 0 31 2 *", "no time that it names"),
        ("R * * * *", "random"),
        ("0 9 * * h", "random"),
        ("now or then is fine", "no time that it names"),
    ],
)
def test_a_cron_expression_that_never_fires_is_refused(expression: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        _cron(expression)


@pytest.mark.parametrize(
    "expression", ["0 9 * mar fri", "0 0 29 2 *", "0 9 L * *", " 5  4 * * 1#2 "]
)
def test_a_cron_expression_that_fires_at_times_is_taken(expression: str) -> None:
    assert _cron(expression).following(SPRING, BERLIN, SPRING) is not None
