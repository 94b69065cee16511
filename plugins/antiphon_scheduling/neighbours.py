"""What a schedule must know of the others: who stands above it, and what was said when."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from uuid import UUID

from antiphon_scheduling.plan import Place, Plan
from antiphon_scheduling.rules import Layer

_HOUR = timedelta(hours=1)
_MOST_PER_HOUR = 60
_DAYS_KEPT = 16

_Key = tuple[UUID, str]


class Layers:
    """The schedules above the base, by client and group.

    Those that apply on a day are looked up once per day, so a firing does not pay for them all.
    """

    def __init__(self) -> None:
        self._upper: defaultdict[_Key, dict[UUID, Plan]] = defaultdict(dict)
        self._days: dict[_Key, dict[date, list[Plan]]] = {}

    def put(self, plan: Plan) -> None:
        """Know a schedule."""
        if plan.limits.layer is not Layer.BASE:
            for key in self._keys(plan):
                self._upper[key][plan.schedule_id] = plan
                self._days.pop(key, None)

    def remove(self, plan: Plan) -> None:
        """Forget a schedule."""
        if plan.limits.layer is not Layer.BASE:
            for key in self._keys(plan):
                self._upper[key].pop(plan.schedule_id, None)
                self._days.pop(key, None)

    def above(self, plan: Plan, group: str, place: Place, day: date) -> Plan | None:
        """The highest schedule that stands in for `plan` in a zone on a day."""
        key = (plan.client_id, group)
        if key not in self._upper:
            return None
        days = self._days.setdefault(key, {})
        if day not in days:
            if len(days) >= _DAYS_KEPT:
                days.clear()
            applying = [one for one in self._upper[key].values() if one.days.refusal(day) is None]
            applying.sort(key=lambda one: (-one.limits.layer.height, one.name, one.schedule_id))
            days[day] = applying
        for one in days[day]:
            if one.limits.layer.height <= plan.limits.layer.height:
                break
            if one.covers(place):
                return one
        return None

    def _keys(self, plan: Plan) -> Iterator[_Key]:
        return ((plan.client_id, group) for group in plan.groups)


class Said:
    """When schedules spoke in each zone, over the last hour and the last time before."""

    def __init__(self) -> None:
        self._zones: dict[UUID, deque[datetime]] = {}

    def note(self, zone_id: UUID, instant: datetime) -> None:
        """Something is said in a zone."""
        times = self._zones.setdefault(zone_id, deque(maxlen=_MOST_PER_HOUR))
        if times and times[-1] > instant:
            ordered = sorted((*times, instant))
            times.clear()
            times.extend(ordered)
        else:
            times.append(instant)

    def within(self, zone_id: UUID, instant: datetime, gap: timedelta) -> datetime | None:
        """The last time before `instant`, or at it, that is less than `gap` ago."""
        times = self._zones.get(zone_id, ())
        return next((one for one in reversed(times) if instant - gap < one <= instant), None)

    def in_the_hour(self, zone_id: UUID, instant: datetime) -> int:
        """How often something was said in the hour up to `instant`."""
        times = self._zones.get(zone_id, ())
        return sum(instant - _HOUR < one <= instant for one in times)
