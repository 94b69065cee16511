"""What limits a schedule beside its times: days, quiet hours, layers, gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationInfo, field_validator

from antiphon.plugins import Line
from antiphon.types import Frozen
from antiphon_scheduling.walltime import day_of, instant_of

_DAY = timedelta(days=1)


class Weekday(StrEnum):
    """A day of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


_WEEK = list(Weekday)


class Layer(StrEnum):
    """Which schedules stand in for which: the highest that applies on a day is heard."""

    BASE = "base"
    SEASON = "season"
    EXCEPTION = "exception"

    @property
    def height(self) -> int:
        """0 for the lowest."""
        return list(Layer).index(self)


class Blocked(StrEnum):
    """What becomes of a firing that falls into quiet hours."""

    DROP = "drop"
    DEFER = "defer"


class Quiet(Frozen):
    """Hours of the wall clock in which nothing is said; the night may lie between them."""

    begin: time
    end: time

    @field_validator("begin", "end")
    @classmethod
    def _plain(cls, value: time, info: ValidationInfo) -> time:
        if value.tzinfo is not None:
            raise ValueError("a time of the wall clock has no zone")
        if value == info.data.get("begin"):
            raise ValueError("quiet hours can not end when they begin")
        return value

    def span(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """The quiet hours that begin on `day`."""
        last = day if self.begin < self.end else day + _DAY
        begin = instant_of(datetime.combine(day, self.begin), zone)
        return begin, instant_of(datetime.combine(last, self.end), zone)


Quiets = tuple[Quiet, ...]


def quiet_span(
    instant: datetime, zone: ZoneInfo, quiets: Quiets
) -> tuple[datetime, datetime] | None:
    """The quiet time that `instant` lies in, with all that touches it; its end is not in it."""
    if not quiets:
        return None
    today = day_of(instant, zone)
    days = [today + number * _DAY for number in range(-3, 4)]
    spans = sorted(quiet.span(day, zone) for day in days for quiet in quiets)
    begin, end = spans[0]
    for following in spans[1:]:
        if following[0] > end:
            if begin <= instant < end:
                break
            begin, end = following
        else:
            end = max(end, following[1])
    return (begin, end) if begin <= instant < end else None


class Rules(Frozen):
    """All limits of a schedule."""

    days: list[Weekday] | None = Field(default=None, min_length=1, max_length=7)
    starts_on: date | None = None
    ends_on: date | None = None
    except_on: list[date] = Field(default_factory=list, max_length=1_000)
    only_on_calendars: list[UUID] = Field(default_factory=list, max_length=20)
    except_on_calendars: list[UUID] = Field(default_factory=list, max_length=20)
    layer: Layer = Field(default=Layer.BASE, validate_default=True)
    group: Line | None = None
    priority: int = Field(default=50, ge=0, le=100)
    quiet: list[Quiet] = Field(default_factory=list, max_length=10)
    when_blocked: Blocked = Blocked.DROP
    avoid_repeat: bool = False
    min_gap_min: float | None = Field(default=None, gt=0, le=24 * 60)
    max_per_hour: int | None = Field(default=None, ge=1, le=60)

    @field_validator("ends_on")
    @classmethod
    def _in_order(cls, value: date | None, info: ValidationInfo) -> date | None:
        begin = info.data.get("starts_on")
        if value is not None and begin is not None and value < begin:
            raise ValueError(f"the end lies before the start, {begin}")
        return value

    @field_validator("except_on_calendars")
    @classmethod
    def _not_both(cls, value: list[UUID], info: ValidationInfo) -> list[UUID]:
        if both := set(value) & set(info.data.get("only_on_calendars", ())):
            raise ValueError(f"the calendar {min(both)} can not be asked for and excepted at once")
        return value

    @field_validator("quiet")
    @classmethod
    def _some_time_left(cls, value: list[Quiet]) -> list[Quiet]:
        noon = datetime(2026, 6, 15, 12)  # noqa: DTZ001  made aware by the span
        span = quiet_span(instant_of(noon, _UTC), _UTC, tuple(value))
        if span is not None and span[1] - span[0] > timedelta(days=2):
            raise ValueError("there is no time of the day left")
        return value

    @field_validator("layer")
    @classmethod
    def _some_days(cls, value: Layer, info: ValidationInfo) -> Layer:
        limits = ("starts_on", "ends_on", "only_on_calendars")
        if value is not Layer.BASE and not any(info.data.get(name) for name in limits):
            raise ValueError("it needs days: give starts_on, ends_on or only_on_calendars")
        return value


_UTC = ZoneInfo("UTC")


class Calendar(Protocol):
    """Days with names."""

    @property
    def title(self) -> str:
        """What people call it."""

    def name_of(self, day: date) -> str | None:
        """What `day` is in this calendar; None for a day like any other."""


@dataclass(frozen=True, slots=True)
class Days:
    """On which days a schedule applies."""

    weekdays: frozenset[int] | None = None
    first: date | None = None
    last: date | None = None
    excepted: frozenset[date] = frozenset()
    only: tuple[Calendar, ...] = ()
    but: tuple[Calendar, ...] = ()

    @classmethod
    def of(cls, rules: Rules, calendars: dict[UUID, Calendar]) -> Days:
        """The days of `rules`; a calendar that is gone has no days."""
        return cls(
            frozenset(_WEEK.index(day) for day in rules.days) if rules.days else None,
            rules.starts_on,
            rules.ends_on,
            frozenset(rules.except_on),
            tuple(calendars.get(key, _NO_CALENDAR) for key in rules.only_on_calendars),
            tuple(calendars.get(key, _NO_CALENDAR) for key in rules.except_on_calendars),
        )

    def refusal(self, day: date) -> str | None:
        """Why the schedule does not apply on `day`; None where it does."""
        if self.first is not None and day < self.first:
            return f"it starts on {self.first}"
        if self.last is not None and day > self.last:
            return f"it ended on {self.last}"
        if self.weekdays is not None and day.weekday() not in self.weekdays:
            return f"not on a {day:%A}"
        if day in self.excepted:
            return f"{day} is excepted"
        for calendar in self.but:
            if name := calendar.name_of(day):
                return f"{name} ({calendar.title}) is excepted"
        if self.only and not any(calendar.name_of(day) for calendar in self.only):
            return f"not a day of {' or '.join(one.title for one in self.only)}"
        return None

    def next_allowed(self, day: date, limit_days: int) -> date | None:
        """The first day from `day` on that applies; None where there is none within the limit."""
        if self.first is not None and day < self.first:
            day = self.first
        for _ in range(limit_days):
            if self.last is not None and day > self.last:
                return None
            if self.refusal(day) is None:
                return day
            day += _DAY
        return None

    @property
    def every(self) -> bool:
        """Whether each day applies."""
        return self == _EVERY_DAY


_EVERY_DAY = Days()


class _NoCalendar:
    title = "a calendar that is gone"

    def name_of(self, day: date) -> str | None:  # noqa: ARG002  no day has a name
        return None


_NO_CALENDAR = _NoCalendar()


def distinct(quiets: Sequence[Quiets]) -> Iterator[Quiets]:
    """Each of several quiet times once, without those that are none."""
    yield from dict.fromkeys(one for one in quiets if one)
