"""What the planner knows of a schedule and of a zone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from antiphon_scheduling.bag import in_turn, out_of_the_bag
from antiphon_scheduling.recurrence import Deed, Does, Recurrence
from antiphon_scheduling.rules import Days, Layer, Quiets, distinct, quiet_span
from antiphon_scheduling.walltime import TICK, day_of, start_of

_LIMIT_DAYS = 30 * 366  # how far ahead a time is looked for


@dataclass(frozen=True, slots=True)
class Place:
    """A zone, the quiet hours of its own, where it lies, and whether schedules may act in it."""

    zone_id: UUID
    quiets: Quiets = ()
    floor_id: UUID | None = None
    devices: frozenset[UUID] = frozenset()
    is_on: bool = True


@dataclass(frozen=True, slots=True)
class Targets:
    """Where a schedule is heard. What lies on a floor, or hears a device, is found out each time.

    A device stands for the zone it is in: all that hear that zone hear the schedule.
    """

    zones: frozenset[UUID] = frozenset()
    floors: frozenset[UUID] = frozenset()
    devices: frozenset[UUID] = frozenset()

    def include(self, place: Place) -> bool:
        """Whether a zone is among them."""
        return (
            place.zone_id in self.zones
            or place.floor_id in self.floors
            or not self.devices.isdisjoint(place.devices)
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """What else decides; see `Rules`. `priority` compares schedules that fall together."""

    layer: Layer = Layer.BASE
    group: str | None = None
    priority: tuple[int, int] = (50, 0)
    quiets: Quiets = ()
    hears_quiet: bool = True
    defers: bool = False
    avoid_repeat: bool = False
    min_gap: timedelta | None = None
    max_per_hour: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A schedule.

    Nothing up to `settled_until` is ever due, and no time up to `since` counts, when what it says
    came into force. `rests_until` is what is written down of when it must be thought of next.
    `turn` counts what was fired. `targets` is None for all zones of the client.
    """

    schedule_id: UUID
    client_id: UUID
    name: str
    recurrence: Recurrence
    zone: ZoneInfo
    anchor: datetime
    since: datetime
    settled_until: datetime
    rests_until: datetime | None = None
    turn: int = 0
    targets: Targets | None = None
    days: Days = field(default_factory=Days)
    limits: Limits = field(default_factory=Limits)

    def following(self, after: datetime, quiets: Iterable[Quiets] = ()) -> datetime | None:
        """The first instant later than `after` at which something is to be decided.

        These are the schedule's own times, and where it defers, the ends of the `quiets` (those
        of its zones) that such times fall into.
        """
        after = max(after, self.settled_until)
        found = [self._own_time(max(after, self.since))]
        if self.limits.defers:
            found += [self._deferred_beyond(after, one) for one in distinct(list(quiets))]
        return min((one for one in found if one is not None), default=None)

    def is_own_time(self, instant: datetime) -> bool:
        """Whether the schedule itself names `instant`."""
        return instant > self.since and self._own_time(instant - TICK) == instant

    def first_deferred_to(self, instant: datetime, quiets: Quiets) -> datetime | None:
        """The first own time in the quiet time that ends at `instant`; None where there is none."""
        if not self.limits.defers:
            return None
        span = quiet_span(instant - TICK, self.zone, quiets)
        if span is None or span[1] != instant:
            return None
        own = self._own_time(max(span[0] - TICK, self.since))
        return own if own is not None and own < instant else None

    @property
    def may_rest(self) -> bool:
        """Whether nothing but an edit brings its next instant nearer, or makes others ask for it.

        A layer is asked for on each of its days; a deferred time depends on the zones' quiet hours.
        """
        return self.limits.layer is Layer.BASE and not self.limits.defers

    def covers(self, place: Place) -> bool:
        """Whether the schedule is for this zone."""
        return self.targets is None or self.targets.include(place)

    def deed(self, instant: datetime) -> Deed:
        """What is done at an own time."""
        return self.recurrence.deed(instant, self.zone, self.anchor)

    def announcement(self, deed: Deed) -> UUID | None:
        """Whose turn it is; None where the music is meant."""
        if not (announcements := deed.does.announcements):
            return None
        turn = self.turn if deed.turn is None else deed.turn
        if self.limits.avoid_repeat:
            return out_of_the_bag(announcements, turn, f"{self.schedule_id}/{deed.place}")
        return in_turn(announcements, turn)

    def group(self, does: Does) -> str:
        """The schedules among which layers are compared."""
        return self.limits.group or ("music" if does.music else "announcements")

    @property
    def groups(self) -> set[str]:
        """All groups that the schedule is in."""
        return {self.group(does) for _, does in self.recurrence.all_done}

    def _own_time(self, after: datetime) -> datetime | None:
        found = self.recurrence.following(after, self.zone, self.anchor)
        if self.days.every:
            return found
        horizon = after + timedelta(days=_LIMIT_DAYS)
        while found is not None and found < horizon:
            day = day_of(found, self.zone)
            if self.days.refusal(day) is None:
                return found
            if (allowed := self.days.next_allowed(day, _LIMIT_DAYS)) is None:
                return None
            begin = start_of(allowed, self.zone) - TICK
            found = self.recurrence.following(max(begin, found), self.zone, self.anchor)
        return None

    def _deferred_beyond(self, after: datetime, quiets: Quiets) -> datetime | None:
        """The end of the quiet time around `after`, if an own time in it was waiting by then."""
        if (span := quiet_span(after, self.zone, quiets)) is None:
            return None
        own = self._own_time(max(span[0] - TICK, self.since))
        return span[1] if own is not None and own <= after else None
