"""Cron expressions. croniter reads them; the plain ones are stepped through without it, quickly."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple

from croniter import CroniterError, croniter

_RANDOM_FIELD = re.compile(r"(?:^|[ ,])[rh](?![a-z])", re.IGNORECASE)
_DAY = timedelta(days=1)
_YEARS_AHEAD = 50  # as far as croniter looks


@lru_cache(maxsize=10_000)
def checked(expression: str) -> str:
    """One spelling of a cron expression. Raises ValueError where it never fires."""
    expression = " ".join(expression.split())
    if expression.count(" ") != 4:
        raise ValueError("five fields are needed: minute, hour, day, month and weekday")
    if _RANDOM_FIELD.search(expression):
        raise ValueError("R and H stand for random times, which are not supported")
    try:
        croniter(expression, datetime(2000, 1, 1, tzinfo=UTC)).get_next()
    except CroniterError as error:
        raise ValueError(f"there is no time that it names: {error}") from None
    return expression


class _Fields(NamedTuple):
    """A plain expression; None stands for `*`."""

    times: tuple[time, ...]
    days: frozenset[int] | None
    months: frozenset[int] | None
    weekdays: frozenset[int] | None

    def names(self, day: date) -> bool:
        """Whether the expression names `day`: cron's or, where day and weekday are both given."""
        if self.months is not None and day.month not in self.months:
            return False
        if self.weekdays is None:
            return self.days is None or day.day in self.days
        by_weekday = day.isoweekday() % 7 in self.weekdays
        return by_weekday or (self.days is not None and day.day in self.days)

    def following(self, wall: datetime) -> datetime | None:
        """The first time later than `wall`."""
        day = wall.date()
        if self.names(day) and (at := bisect_right(self.times, wall.time())) < len(self.times):
            return datetime.combine(day, self.times[at])
        for _ in range(_YEARS_AHEAD * 366):
            day += _DAY
            if self.names(day):
                return datetime.combine(day, self.times[0])
        return None


@lru_cache(maxsize=10_000)
def stepper(expression: str) -> Callable[[datetime], datetime | None]:
    """The function that gives the first naive time later than one, None after the last."""
    fields, nth = croniter.expand(expression)
    if nth or any(isinstance(value, str) and value != "*" for field in fields for value in field):
        return lambda wall: _slow(expression, wall)
    minutes, hours, days, months, weekdays = (
        None if "*" in field else frozenset(int(value) for value in field) for field in fields
    )
    times = tuple(
        time(hour, minute)
        for hour in sorted(hours if hours is not None else range(24))
        for minute in sorted(minutes if minutes is not None else range(60))
    )
    return _Fields(times, days, months, weekdays).following


def _slow(expression: str, wall: datetime) -> datetime | None:
    try:
        found: datetime = croniter(expression, wall).get_next(datetime)
    except CroniterError:
        return None
    return found
