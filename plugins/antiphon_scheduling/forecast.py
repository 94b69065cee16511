"""What the planner would do: the same code as the real thing, on a clock that jumps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from antiphon.errors import Invalid
from antiphon_scheduling.neighbours import Said
from antiphon_scheduling.outcomes import Firing, Miss
from antiphon_scheduling.places import Places
from antiphon_scheduling.plan import Plan
from antiphon_scheduling.planner import Planner
from antiphon_scheduling.walltime import TICK

_MOST_STEPS = 200_000
_EXACT = timedelta(days=14)
_RUN_UP = timedelta(days=1)


def is_exact(now: datetime, begin: datetime) -> bool:
    """Whether `forecast` counts all firings from `now` on.

    Beyond two weeks it starts a day before `begin`: then what fires when is right, but whose turn
    it is among the announcements of a schedule may differ.
    """
    return begin - now <= _EXACT


def forecast(
    plans: Iterable[Plan],
    places: Places,
    said: Said,
    now: datetime,
    begin: datetime,
    end: datetime,
    grace: timedelta = timedelta(),
) -> Iterator[Firing | Miss]:
    """All that is decided from `begin` (not before `now`) until before `end`, in order.

    `plans` are those of one client, as they stand at `now`; `said` is what was said before, and is
    written to. Raises Invalid on `to` where too much would have to be counted.
    """
    begin = max(begin, now)
    start = now - grace if is_exact(now, begin) else begin - _RUN_UP
    planner = Planner(timedelta(days=1), places, places.inactive)
    planner.said = said
    for plan in plans:
        planner.put(replace(plan, settled_until=max(plan.settled_until, start - TICK)))
    steps = 0
    while (instant := planner.next_instant) is not None and instant < end:
        for outcome in planner.due(instant):
            steps += 1
            if instant >= begin:
                yield outcome
        if steps > _MOST_STEPS:
            raise Invalid.field("to", "too much happens until then; choose a shorter period")
