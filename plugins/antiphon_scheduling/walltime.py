"""Between a wall clock's time and the instant at which it is shown. Instants are aware, in UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

TICK = timedelta(microseconds=1)
_MINUTE = timedelta(minutes=1)


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


def wall_of(instant: datetime, zone: ZoneInfo) -> datetime:
    """What clocks in `zone` show at `instant`, naive."""
    return instant.astimezone(zone).replace(tzinfo=None)


def day_of(instant: datetime, zone: ZoneInfo) -> date:
    """The date in `zone` at `instant`."""
    return instant.astimezone(zone).date()


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which `day` begins in `zone`."""
    return instant_of(datetime.combine(day, time.min), zone)


def first_after(
    after: datetime, zone: ZoneInfo, next_wall: Callable[[datetime], datetime | None]
) -> datetime | None:
    """The first instant later than `after` among the times that `next_wall` names.

    `next_wall` gives the first of its naive times later than a given one, None after the last.
    """
    wall: datetime | None = wall_of(after, zone)
    try:
        # In the hour that comes twice, its first pass lies behind `after`: go on beyond it.
        while wall is not None and (wall := next_wall(wall)) is not None:
            if (instant := instant_of(wall, zone)) > after:
                return instant
    except OverflowError:
        return None  # the calendar has no more
    return None
