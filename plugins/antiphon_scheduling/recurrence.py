"""When a schedule's times are, and what it does at them: pure functions of its configuration.

Instants are aware and in UTC; what a configuration says is local wall-clock time. Intervals and
cycles count elapsed time from an anchor: they neither drift nor stumble where the clocks change.
"""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple, Self, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    Field,
    NaiveDatetime,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from antiphon.types import Frozen
from antiphon_scheduling import cron
from antiphon_scheduling.walltime import day_of, first_after, start_of

_LONGEST_MIN = 366 * 24 * 60
T_ = TypeVar("T_", int, datetime)

Announcements = Annotated[list[UUID], Field(min_length=1, max_length=200)]


class Music(Frozen):
    """Start the music of some folders or of a channel playlist, or stop the music.

    `resume` lets each zone go on with the queue it had.
    """

    do: Literal["play", "resume", "stop"]
    playlist_id: UUID | None = None
    folder_ids: list[UUID] | None = Field(
        default=None, min_length=1, max_length=200, validate_default=True
    )
    shuffle: bool = False
    crossfade_s: float = Field(default=0.0, ge=0, le=12)

    @field_validator("folder_ids")
    @classmethod
    def _for_playing(cls, value: list[UUID] | None, info: ValidationInfo) -> list[UUID] | None:
        do, playlist = info.data.get("do"), info.data.get("playlist_id")
        if do == "play" and (value is None) == (playlist is None):
            raise ValueError("name the folders to play, or a channel playlist")
        if do in ("resume", "stop") and (value is not None or playlist is not None):
            raise ValueError("only `play` takes folders or a channel playlist")
        return value


class Does(Frozen):
    """What is done at a time: one of the announcements, in turn, or something to the music."""

    announcements: Announcements | None = None
    music: Music | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if (self.announcements is None) == (self.music is None):
            raise ValueError("give either announcements or music")
        return self


class Deed(NamedTuple):
    """What is due at an instant. `turn` is set where the time itself decides whose turn it is."""

    does: Does
    turn: int | None = None
    place: int = 0


class _Recurrence(Does):
    def deed(self, instant: datetime, zone: ZoneInfo, anchor: datetime) -> Deed:  # noqa: ARG002
        """What is done at `instant`."""
        return Deed(self)

    @property
    def all_done(self) -> list[tuple[str, Does]]:
        """Everything that it ever does, with the path of its field."""
        return [("", self)]


class Interval(_Recurrence):
    """Every so many minutes, in step with the local midnight before the schedule was made."""

    kind: Literal["interval"] = "interval"
    every_min: int = Field(ge=1, le=_LONGEST_MIN)

    def following(self, after: datetime, zone: ZoneInfo, anchor: datetime) -> datetime:
        """The first instant later than `after`."""
        start = start_of(day_of(anchor, zone), zone)
        step = timedelta(minutes=self.every_min)
        return start + ((after - start) // step + 1) * step

    def rule(self) -> str:
        """The configuration as a sentence."""
        return f"every {self.every_min} min"


class Cron(_Recurrence):
    """At the minutes that a cron expression of five fields names, such as `0 9 * * mon-fri`."""

    kind: Literal["cron"] = "cron"
    expression: Annotated[str, StringConstraints(max_length=200), AfterValidator(cron.checked)]

    def following(
        self,
        after: datetime,
        zone: ZoneInfo,
        anchor: datetime,  # noqa: ARG002  cron counts from nothing
    ) -> datetime | None:
        """The first instant later than `after`; None where the calendar has no more."""
        return first_after(after, zone, cron.stepper(self.expression))

    def rule(self) -> str:
        """The configuration as a sentence."""
        return f"cron {self.expression}"


class Repeats(StrEnum):
    """How dates and times come again. The 31st is the last day in shorter months."""

    NONE = "none"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"


class Dates(_Recurrence):
    """At dates and times of the wall clock, which may repeat."""

    kind: Literal["datetime"] = "datetime"
    at: list[NaiveDatetime] = Field(min_length=1, max_length=500)
    repeat: Repeats = Repeats.NONE

    @field_validator("at")
    @classmethod
    def _once_each(cls, value: list[datetime]) -> list[datetime]:
        if twice := _doubles(value):
            raise ValueError(f"{min(twice).isoformat(' ', 'minutes')} is there twice")
        return value

    def following(
        self,
        after: datetime,
        zone: ZoneInfo,
        anchor: datetime,  # noqa: ARG002  dates count from themselves
    ) -> datetime | None:
        """The first instant later than `after`; None after the last."""
        return first_after(after, zone, self._next_wall)

    def _next_wall(self, wall: datetime) -> datetime | None:
        found = (_repeated(first, self.repeat, wall) for first in self.at)
        return min((one for one in found if one is not None), default=None)

    def rule(self) -> str:
        """The configuration as a sentence."""
        shown = ", ".join(one.isoformat(" ", "minutes") for one in self.at[:3])
        more = f" and {len(self.at) - 3} more" if len(self.at) > 3 else ""
        return f"at {shown}{more}" + ("" if self.repeat is Repeats.NONE else f", {self.repeat}")


class TimelineItem(Does):
    """What is done so many seconds after each start of the cycle."""

    offset_s: int = Field(ge=0)


class Timeline(Frozen):
    """A cycle of some minutes with things to do at offsets; the first begins at local midnight.

    Of an item's several announcements, each cycle plays the next one.
    """

    kind: Literal["timeline"] = "timeline"
    cycle_min: int = Field(ge=1, le=_LONGEST_MIN)
    items: list[TimelineItem] = Field(min_length=1, max_length=500)

    @field_validator("items")
    @classmethod
    def _in_order(cls, value: list[TimelineItem], info: object) -> list[TimelineItem]:
        length_s = getattr(info, "data", {}).get("cycle_min", _LONGEST_MIN) * 60
        offsets = [item.offset_s for item in value]
        if max(offsets) >= length_s:
            raise ValueError(f"{max(offsets)} s lies beyond the cycle of {length_s} s")
        if twice := _doubles(offsets):
            raise ValueError(f"the offset {min(twice)} s is there twice")
        return sorted(value, key=lambda item: item.offset_s)

    def following(self, after: datetime, zone: ZoneInfo, anchor: datetime) -> datetime:
        """The first instant later than `after`."""
        start, cycle, number = self._cycle(after, zone, anchor)
        begin = start + number * cycle
        offsets = [item.offset_s for item in self.items]
        place = bisect_right(offsets, (after - begin).total_seconds())
        if place == len(offsets):
            begin, place = begin + cycle, 0
        return begin + timedelta(seconds=offsets[place])

    def deed(self, instant: datetime, zone: ZoneInfo, anchor: datetime) -> Deed:
        """The item whose offset `instant` is, or that came last before it."""
        start, cycle, number = self._cycle(instant, zone, anchor)
        passed_s = (instant - start - number * cycle).total_seconds()
        place = bisect_right([item.offset_s for item in self.items], passed_s) - 1
        if place < 0:
            place, number = len(self.items) - 1, number - 1
        return Deed(self.items[place], max(number, 0), place)

    @property
    def all_done(self) -> list[tuple[str, Does]]:
        """Everything that it ever does, with the path of its field."""
        return [(f"items.{place}.", item) for place, item in enumerate(self.items)]

    def rule(self) -> str:
        """The configuration as a sentence."""
        return f"{len(self.items)} items in a cycle of {self.cycle_min} min"

    def _cycle(
        self, instant: datetime, zone: ZoneInfo, anchor: datetime
    ) -> tuple[datetime, timedelta, int]:
        start = start_of(day_of(anchor, zone), zone)
        cycle = timedelta(minutes=self.cycle_min)
        return start, cycle, (instant - start) // cycle


Recurrence = Annotated[Interval | Timeline | Dates | Cron, Field(discriminator="kind")]


def _doubles(values: Sequence[T_]) -> set[T_]:
    return {one for one, times in Counter(values).items() if times > 1}


def _repeated(first: datetime, repeat: Repeats, after: datetime) -> datetime | None:
    """The first of the repetitions of `first` that is later than `after`."""
    if first > after:
        return first
    if repeat is Repeats.NONE:
        return None
    if repeat in (Repeats.DAILY, Repeats.WEEKLY):
        step = timedelta(days=1 if repeat is Repeats.DAILY else 7)
        return first + ((after - first) // step + 1) * step
    step_months = 1 if repeat is Repeats.MONTHLY else 12
    months = (after.year - first.year) * 12 + after.month - first.month
    number = months // step_months
    while (found := _months_later(first, number * step_months)) <= after:
        number += 1
    return found


def _months_later(first: datetime, months: int) -> datetime:
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    if year > 9_999:
        raise OverflowError("the calendar has no more")
    return first.replace(
        year=year, month=month + 1, day=min(first.day, monthrange(year, month + 1)[1])
    )
