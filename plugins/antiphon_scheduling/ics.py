"""Reads the days of an iCalendar file. The one file that imports icalendar and dateutil."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr
from icalendar import Calendar

from antiphon.errors import Invalid

MAX_CHARACTERS = 500_000
_MAX_EVENTS = 2_000
_MAX_DAYS = 5_000
_MAX_YEARS = 20
_DAY = timedelta(days=1)
_FREQUENCIES = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
_PARTS = {"INTERVAL", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS", "WKST"}


def days_of(text: str, zone: ZoneInfo) -> dict[date, str]:
    """All days that events of the file touch, with the first such event's title.

    Raises Invalid on `ics`: for what is no calendar, for a rule without an end, and for more than
    can be meant. A rule that names no day can take minutes, so let a worker do it: see `read`.
    """
    try:
        events = list(Calendar.from_ical(text).walk("VEVENT"))
    except Exception as error:  # whatever the library stumbles over is in the file
        raise _wrong(f"this is no calendar: {error}") from None
    if not events:
        raise _wrong("there is no event in it")
    if len(events) > _MAX_EVENTS:
        raise _wrong(f"{len(events)} events are more than the limit of {_MAX_EVENTS}")
    found: dict[date, str] = {}
    for event in events:
        title = str(event.get("SUMMARY", "")).strip()[:200] or "a day without a title"
        try:
            for day in _touched(event, title, zone):
                found.setdefault(day, title)
                if len(found) > _MAX_DAYS:
                    raise _wrong(f"it names more than {_MAX_DAYS} days, up to {title!r}")
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise _wrong(f"the event {title!r} can not be read: {error}") from None
    return dict(sorted(found.items()))


def read(ics: str, timezone: str) -> dict[str, Any]:
    """What a worker is asked for: `days`, pairs of a date and a name, or what is `wrong`."""
    try:
        days = days_of(ics, ZoneInfo(timezone))
    except Invalid as error:
        return {"wrong": error.errors[0].message}
    return {"days": [[day.isoformat(), name] for day, name in days.items()]}


def _touched(event: Any, title: str, zone: ZoneInfo) -> Iterator[date]:
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return
    if "DTSTART" not in event:
        raise ValueError("it has no start")
    start = event["DTSTART"].dt
    first = _local(start, zone)
    length = _length(event, start, first, zone)
    if length > _MAX_DAYS * _DAY:
        raise _wrong(f"the event {title!r} lasts more than {_MAX_DAYS} days")
    but = set(_listed(event, "EXDATE", zone))
    starts = {first, *_listed(event, "RDATE", zone), *_repeated(event, title, first, zone)} - but
    for begin in sorted(starts):
        for number in range(max(1, length.days)):
            yield begin + number * _DAY


def _length(event: Any, start: date, first: date, zone: ZoneInfo) -> timedelta:
    """How many days are touched, in whole days."""
    end = event["DTEND"].dt if "DTEND" in event else None
    if end is None and "DURATION" in event:
        end = start + event["DURATION"].dt
    if end is None:
        return _DAY
    last = _local(end, zone)
    if isinstance(end, datetime) and _clock(end, zone) != time.min:
        last += _DAY
    return last - first


def _repeated(event: Any, title: str, first: date, zone: ZoneInfo) -> Iterator[date]:
    rule = event.get("RRULE")
    if rule is None:
        return
    if isinstance(rule, list):
        raise _wrong(f"the event {title!r} has more than one rule")
    parts = {str(name).upper(): values for name, values in rule.items()}
    ends = parts.pop("UNTIL", None), parts.pop("COUNT", None)
    if ends == (None, None):
        raise _wrong(f"the event {title!r} repeats without an end: give its rule UNTIL or COUNT")
    frequency = str(parts.pop("FREQ")[0]).upper()
    if frequency not in _FREQUENCIES or (strange := parts.keys() - _PARTS):
        what = frequency if frequency not in _FREQUENCIES else ", ".join(sorted(strange))
        raise _wrong(f"the event {title!r} repeats by {what}, which is no matter of days")
    begin = datetime.combine(first, time.min)
    until = begin.replace(year=begin.year + _MAX_YEARS, day=min(begin.day, 28))
    if ends[0] is not None:
        until = min(until, datetime.combine(_local(ends[0][0], zone), time.max))
    text = ";".join([f"FREQ={frequency}", *(f"{name}={_shown(parts[name])}" for name in parts)])
    count = int(ends[1][0]) if ends[1] is not None else _MAX_DAYS + 1
    days = rrulestr(text, dtstart=begin)
    if not isinstance(days, rrule):
        raise ValueError("its rule is none")
    for number, found in enumerate(days.replace(until=until)):
        if number >= count:
            return
        yield found.date()


def _listed(event: Any, name: str, zone: ZoneInfo) -> Iterator[date]:
    given = event.get(name, [])
    for dates in given if isinstance(given, list) else [given]:
        for one in dates.dts:
            yield _local(one.dt[0] if isinstance(one.dt, tuple) else one.dt, zone)


def _shown(values: Any) -> str:
    return ",".join(str(value) for value in (values if isinstance(values, list) else [values]))


def _local(value: date, zone: ZoneInfo) -> date:
    if not isinstance(value, datetime):
        return value
    return (value.astimezone(zone) if value.tzinfo else value).date()


def _clock(value: datetime, zone: ZoneInfo) -> time:
    return (value.astimezone(zone) if value.tzinfo else value).time()


def _wrong(message: str) -> Invalid:
    return Invalid.field("ics", message)
