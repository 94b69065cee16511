"""What is due, and when the next thing is: schedules and the time in, firings out.

Nothing here waits, asks a clock or touches a database, so the same code decides what is fired and
what a preview of any period shows. A firing costs O(log n) for n schedules.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import NamedTuple
from uuid import UUID

from antiphon_scheduling.neighbours import Layers, Said
from antiphon_scheduling.outcomes import Block, Firing, Miss, Why
from antiphon_scheduling.plan import Place, Plan
from antiphon_scheduling.recurrence import Deed
from antiphon_scheduling.rules import Quiets, quiet_span
from antiphon_scheduling.walltime import TICK, day_of

NEVER = datetime(9000, 1, 1, tzinfo=UTC)
_STALE_KEPT = 100
_RECENT = timedelta(days=8)
_NO_ZONE = "None of the schedule's zones exists any more."

Places = Callable[[UUID], Sequence[Place]]
Inactive = Callable[[UUID, datetime], str | None]


def _never(client_id: UUID, instant: datetime) -> None:  # noqa: ARG001  every client may play
    return None


class _Entry(NamedTuple):
    """A place in the heap: earliest first, then the more important, then by id."""

    instant: datetime
    unimportance: tuple[int, int]
    schedule_id: UUID
    number: int


class Planner:
    """The next instants of all schedules that are in it.

    An instant older than `grace` is missed. Of several instants of one schedule that are due at
    once (after a sleep of the machine), the latest is fired and the others are missed. `places`
    gives the zones of a client, and is asked whenever something is due; `inactive` says why a
    client may not play at a time, if that is so.
    """

    def __init__(self, grace: timedelta, places: Places, inactive: Inactive = _never) -> None:
        self._grace = grace
        self._places = places
        self._inactive = inactive
        self._heap: list[_Entry] = []
        self._current: dict[UUID, tuple[Plan, int]] = {}
        self._numbers = count()
        self._layers = Layers()
        self._music: dict[UUID, tuple[datetime, UUID]] = {}
        self.said = Said()

    def put(self, plan: Plan) -> datetime | None:
        """Add a plan, or replace the one of the same schedule. Returns its `rests_until`."""
        self.remove(plan.schedule_id)
        self._layers.put(plan)
        following = self._following(plan, plan.settled_until)
        self._push(plan, following)
        if len(self._heap) > 2 * len(self._current) + _STALE_KEPT:
            self._heap = [entry for entry in self._heap if self._is_current(entry)]
            heapq.heapify(self._heap)
        return _rest(plan, following)

    def remove(self, schedule_id: UUID) -> None:
        """Forget a schedule."""
        if (known := self._current.pop(schedule_id, None)) is not None:
            self._layers.remove(known[0])

    @property
    def next_instant(self) -> datetime | None:
        """When something is to be decided next."""
        while self._heap and not self._is_current(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0].instant if self._heap else None

    @property
    def plans(self) -> Iterator[Plan]:
        """All plans, as they stand."""
        return (plan for plan, _ in self._current.values())

    def plan_of(self, schedule_id: UUID) -> Plan | None:
        """A plan that is in it."""
        return self._current.get(schedule_id, (None, 0))[0]

    def due(self, now: datetime, until: datetime | None = None) -> Iterator[Firing | Miss]:
        """What is due; each is handed out once. Instants in order, the important ones first.

        With `until`, what is due from `now` up to then is handed out already: none of it is late,
        so nothing of it is missed.
        """
        until = now if until is None else until
        while (instant := self.next_instant) is not None and instant <= until:
            entry = heapq.heappop(self._heap)
            plan, _ = self._current[entry.schedule_id]
            yield from self._settle(plan, instant, max(instant, now))

    def _settle(self, plan: Plan, instant: datetime, now: datetime) -> Iterator[Firing | Miss]:
        oldest = now - self._grace
        latest = instant if instant >= oldest else None
        following = self._following(plan, max(instant, oldest - TICK))
        while following is not None and following <= now:
            latest, following = following, self._following(plan, following)
        found: list[Firing | Miss] = []
        if latest != instant:
            until = oldest if latest is None else latest - TICK
            rests_until = _rest(plan, following if latest is None else latest)
            is_over = latest is not None and plan.deed(latest).does.music is not None
            late = None if is_over else self._late(plan, instant, until)
            found.append(self._missed(plan, instant, until, rests_until, late))
        if latest is not None:
            outcome = replace(self._decide(plan, latest), rests_until=_rest(plan, following))
            if isinstance(outcome, Firing) and outcome.zones:
                plan = replace(plan, turn=plan.turn + 1)
            if isinstance(outcome, Miss) or outcome.zones or outcome.blocks:
                found.append(outcome)
        self._push(plan, following)
        yield from found

    # --- what is too late ----------------------------------------------------------------------

    def _missed(
        self,
        plan: Plan,
        instant: datetime,
        until: datetime,
        rests_until: datetime | None,
        late: Firing | None,
    ) -> Miss:
        return Miss(
            plan.schedule_id,
            plan.client_id,
            instant,
            until,
            plan.since,
            rests_until,
            zones=tuple(place.zone_id for place in self._places_of(plan)),
            announcement_id=plan.announcement(plan.deed(instant)),
            late=late,
        )

    def _late(self, plan: Plan, instant: datetime, until: datetime) -> Firing | None:
        """The last change of music from `instant` to `until`."""
        if not any(does.music for _, does in plan.recurrence.all_done):
            return None
        # Of what happens often the last is not far; of what is rare there are few.
        recent = self._following(plan, max(instant, until - _RECENT) - TICK)
        at: datetime | None = instant if recent is None or recent > until else recent
        last = None
        while at is not None and at <= until:
            last = at if plan.deed(at).does.music is not None else last
            at = self._following(plan, at)
        found = None if last is None else self._decide(plan, last, note=False)
        if not isinstance(found, Firing) or found.music is None:
            return None
        return found if found.zones or found.blocks else None

    # --- one instant ---------------------------------------------------------------------------

    def _decide(self, plan: Plan, instant: datetime, *, note: bool = True) -> Firing | Miss:
        places = self._places_of(plan)
        if not places:
            return Miss(
                plan.schedule_id, plan.client_id, instant, instant, plan.since, reason=_NO_ZONE
            )
        is_own = plan.is_own_time(instant)
        zones: list[UUID] = []
        blocks: list[Block] = []
        deferred_from: datetime | None = None
        deed = plan.deed(instant)
        for place in places:
            quiets = self._quiets(plan, place, deed)
            if not is_own:
                origin = plan.first_deferred_to(instant, quiets)
                if origin is None:
                    continue
                deferred_from, deed = origin, plan.deed(origin)
            block = self._block(plan, instant, place, quiets, deed)
            if block is None:
                zones.append(place.zone_id)
            else:
                blocks.append(block)
        if note:
            self._note(plan, instant, zones, deed)
        return Firing(
            schedule_id=plan.schedule_id,
            client_id=plan.client_id,
            instant=instant,
            since=plan.since,
            turn=plan.turn,
            announcement_id=plan.announcement(deed),
            music=deed.does.music,
            zones=tuple(zones),
            blocks=tuple(blocks),
            everywhere=plan.targets is None and len(zones) == len(places),
            deferred_from=deferred_from,
        )

    def _block(
        self, plan: Plan, instant: datetime, place: Place, quiets: Quiets, deed: Deed
    ) -> Block | None:
        """What stands in the way of `plan` in a zone, the weightiest reason first."""
        limits, music, zone_id = plan.limits, deed.does.music, place.zone_id
        if not place.is_on:
            return Block(zone_id, Why.OFF, "schedules are switched off in this zone")
        day = day_of(instant, plan.zone)
        above = self._layers.above(plan, plan.group(deed.does), place, day)
        if above is not None:
            detail = f"{above.name} ({above.limits.layer}) stands in for it on {day}"
            return Block(zone_id, Why.LAYER, detail, above.schedule_id)
        if (reason := self._inactive(plan.client_id, instant)) is not None:
            return Block(zone_id, Why.INACTIVE, f"the client's subscription {reason}")
        if (span := quiet_span(instant, plan.zone, quiets)) is not None:
            until = span[1].astimezone(plan.zone)
            if limits.defers:
                return Block(zone_id, Why.DEFERRED, f"quiet hours; waits until {until:%H:%M}")
            return Block(zone_id, Why.QUIET, f"quiet hours until {until:%H:%M}")
        if music is not None:
            at, other = self._music.get(zone_id, (None, None))
            if at == instant:
                detail = "a schedule of higher priority changes the music at the same time"
                return Block(zone_id, Why.OUTRANKED, detail, other)
            return None
        if limits.min_gap is not None:
            last = self.said.within(zone_id, instant, limits.min_gap)
            if last is not None:
                shown = f"{last.astimezone(plan.zone):%H:%M:%S}"
                minutes = limits.min_gap.total_seconds() / 60
                return Block(zone_id, Why.GAP, f"{shown} is less than {minutes:g} min ago")
        if limits.max_per_hour is not None:
            number = self.said.in_the_hour(zone_id, instant)
            if number >= limits.max_per_hour:
                return Block(zone_id, Why.CAP, f"{number} within the hour, the limit is reached")
        return None

    def _note(self, plan: Plan, instant: datetime, zones: list[UUID], deed: Deed) -> None:
        for zone_id in zones:
            if deed.does.music is not None:
                self._music[zone_id] = (instant, plan.schedule_id)
            else:
                self.said.note(zone_id, instant)

    # --- zones and their quiet hours -----------------------------------------------------------

    def _places_of(self, plan: Plan) -> list[Place]:
        return [place for place in self._places(plan.client_id) if plan.covers(place)]

    def _quiets(self, plan: Plan, place: Place, deed: Deed) -> Quiets:
        """The hours in which `plan` is blocked in a zone; the zone's own leave music alone."""
        if not plan.limits.hears_quiet:
            return ()
        return plan.limits.quiets + (() if deed.does.music else place.quiets)

    def _following(self, plan: Plan, after: datetime) -> datetime | None:
        if not plan.limits.defers:
            return plan.following(after)
        deeds = [Deed(does) for _, does in plan.recurrence.all_done]
        places = self._places_of(plan)
        return plan.following(
            after, {self._quiets(plan, place, deed): None for place in places for deed in deeds}
        )

    # --- the heap ------------------------------------------------------------------------------

    def _push(self, plan: Plan, instant: datetime | None) -> None:
        number = next(self._numbers)
        self._current[plan.schedule_id] = (plan, number)
        if instant is not None:
            priority, band = plan.limits.priority
            entry = _Entry(instant, (-priority, -band), plan.schedule_id, number)
            heapq.heappush(self._heap, entry)

    def _is_current(self, entry: _Entry) -> bool:
        return self._current.get(entry.schedule_id, (None, None))[1] == entry.number


def _rest(plan: Plan, following: datetime | None) -> datetime | None:
    """Until when nobody need know of a plan; None where it must be known all the time."""
    if not plan.may_rest:
        return None
    return NEVER if following is None else following
