"""When a schedule's instants are: pure functions of its configuration, a timezone and a time.

Instants are aware and in UTC; what a configuration says is local wall-clock time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from croniter import CroniterError, croniter
from pydantic import AfterValidator, Field, StringConstraints

from antiphon.types import Frozen

_RANDOM_FIELD = re.compile(r"(?:^|[ ,])[rh](?![a-z])", re.IGNORECASE)
_MINUTE = timedelta(minutes=1)


def _checked(expression: str) -> str:
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


Announcements = Annotated[list[UUID], Field(min_length=1, max_length=200)]


class Interval(Frozen):
    """Every so many minutes, in step with the local midnight before the schedule was made.

    Counted in elapsed time: it neither drifts nor stumbles where the clocks change. The
    announcements take turns.
    """

    kind: Literal["interval"] = "interval"
    every_min: int = Field(ge=1, le=366 * 24 * 60)
    announcements: Announcements

    def following(self, after: datetime, zone: ZoneInfo, anchor: datetime) -> datetime:
        """The first instant later than `after`."""
        midnight = datetime.combine(anchor.astimezone(zone).date(), time.min)
        start = instant_of(midnight, zone)
        step = timedelta(minutes=self.every_min)
        return start + ((after - start) // step + 1) * step


class Cron(Frozen):
    """At the minutes that a cron expression of five fields names, such as `0 9 * * mon-fri`.

    The announcements take turns.
    """

    kind: Literal["cron"] = "cron"
    expression: Annotated[str, StringConstraints(max_length=200), AfterValidator(_checked)]
    announcements: Announcements

    def following(
        self,
        after: datetime,
        zone: ZoneInfo,
        anchor: datetime,  # noqa: ARG002  cron counts from nothing
    ) -> datetime | None:
        """The first instant later than `after`; None where the calendar has no more."""
        wall = after.astimezone(zone).replace(tzinfo=None)
        times = croniter(self.expression, wall)
        try:
            # In the hour that comes twice, its first pass lies behind `after`: go on beyond it.
            while (instant := instant_of(times.get_next(datetime), zone)) <= after:
                pass
        except (CroniterError, OverflowError):
            return None
        return instant


Recurrence = Annotated[Interval | Cron, Field(discriminator="kind")]


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which clocks in `zone` show the naive time `wall`.

    The first of two, where clocks go back; the next minute that exists, where they go forward.
    """
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    # Clocks jump over `wall`. Its two readings lie on both sides of the jump: close in on it.
    before, behind = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), instant
    offset = before.astimezone(zone).utcoffset()
    while behind - before > _MINUTE:
        middle = before + (behind - before) // _MINUTE // 2 * _MINUTE
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            behind = middle
    return behind
