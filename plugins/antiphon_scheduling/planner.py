"""What is due, and when the next thing is: schedules and the time in, firings out.

Nothing here waits, asks a clock or touches a database, so the same code can look into any
period. A firing costs O(log n) for n schedules.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from antiphon.types import Frozen
from antiphon_scheduling.recurrence import Recurrence

_TICK = timedelta(microseconds=1)
_STALE_KEPT = 100


class Plan(Frozen):
    """What the planner needs of a schedule.

    Nothing up to `settled_until` is ever due; `turn` counts what was fired. Of plans that fall
    together, those of higher `priority` come first.
    """

    schedule_id: UUID
    recurrence: Recurrence
    timezone: str
    anchor: datetime
    settled_until: datetime
    turn: int = 0
    priority: int = 0

    def following(self, after: datetime) -> datetime | None:
        """The first instant later than `after`, and than what is settled."""
        zone = ZoneInfo(self.timezone)
        return self.recurrence.following(max(after, self.settled_until), zone, self.anchor)

    def announcement(self, turn: int) -> UUID:
        """Whose turn it is."""
        return self.recurrence.announcements[turn % len(self.recurrence.announcements)]


class Firing(Frozen):
    """A schedule is to make a call, for this instant."""

    schedule_id: UUID
    instant: datetime
    announcement_id: UUID
    turn: int


class Miss(Frozen):
    """A schedule's instant, and all others up to `until`, are too old to be fired."""

    schedule_id: UUID
    instant: datetime
    until: datetime


class _Entry(NamedTuple):
    """A place in the heap: earliest first, then the more important, then the older."""

    instant: datetime
    unimportance: int
    number: int
    schedule_id: UUID


class Planner:
    """The next instants of all schedules that are in it.

    An instant older than `grace` is missed. Of several instants of one schedule that are due at
    once (after a sleep of the machine), the latest is fired and the others are missed.
    """

    def __init__(self, grace: timedelta) -> None:
        self._grace = grace
        self._heap: list[_Entry] = []
        self._current: dict[UUID, tuple[Plan, int]] = {}
        self._numbers = count()

    def put(self, plan: Plan) -> None:
        """Add a plan, or replace the one of the same schedule."""
        self._push(plan, plan.following(plan.settled_until))
        if len(self._heap) > 2 * len(self._current) + _STALE_KEPT:
            self._heap = [entry for entry in self._heap if self._is_current(entry)]
            heapq.heapify(self._heap)

    def remove(self, schedule_id: UUID) -> None:
        """Forget a schedule."""
        self._current.pop(schedule_id, None)

    @property
    def next_instant(self) -> datetime | None:
        """When something is due next."""
        while self._heap and not self._is_current(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0].instant if self._heap else None

    def due(self, now: datetime) -> Iterator[Firing | Miss]:
        """What is due; each is handed out once. Instants in order, the important ones first."""
        while (instant := self.next_instant) is not None and instant <= now:
            entry = heapq.heappop(self._heap)
            plan, _ = self._current[entry.schedule_id]
            yield from self._settle(plan, instant, now)

    def _settle(self, plan: Plan, instant: datetime, now: datetime) -> Iterator[Firing | Miss]:
        oldest = now - self._grace
        latest = instant if instant >= oldest else None
        following = plan.following(max(instant, oldest - _TICK))
        while following is not None and following <= now:
            latest, following = following, plan.following(following)
        found: list[Firing | Miss] = []
        if latest != instant:
            until = oldest if latest is None else latest - _TICK
            found.append(Miss(schedule_id=plan.schedule_id, instant=instant, until=until))
        if latest is not None:
            found.append(
                Firing(
                    schedule_id=plan.schedule_id,
                    instant=latest,
                    announcement_id=plan.announcement(plan.turn),
                    turn=plan.turn,
                )
            )
            plan = plan.model_copy(update={"turn": plan.turn + 1})
        self._push(plan, following)
        yield from found

    def _push(self, plan: Plan, instant: datetime | None) -> None:
        number = next(self._numbers)
        self._current[plan.schedule_id] = (plan, number)
        if instant is not None:
            heapq.heappush(self._heap, _Entry(instant, -plan.priority, number, plan.schedule_id))

    def _is_current(self, entry: _Entry) -> bool:
        return self._current.get(entry.schedule_id, (None, None))[1] == entry.number
