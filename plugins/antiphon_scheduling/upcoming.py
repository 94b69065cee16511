"""When a schedule does something next, for every zone of a client at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from antiphon.plugins import Zones
from antiphon_scheduling import records
from antiphon_scheduling.clock import Clock
from antiphon_scheduling.forecast import forecast
from antiphon_scheduling.neighbours import Said
from antiphon_scheduling.outcomes import Firing
from antiphon_scheduling.places import Places
from antiphon_scheduling.plan import Place, Plan
from antiphon_scheduling.plans import active, read_plans

_WITHIN = timedelta(days=7)
_MOST_STEPS = 5_000


class Upcoming:
    """Implements `antiphon.plugins.ScheduleForecast` by the code that decides in earnest."""

    def __init__(self, clock: Clock, zones: Zones) -> None:
        self._clock = clock
        self._zones = zones

    async def next_changes(self, client_id: UUID) -> Mapping[UUID, datetime]:
        """See `ScheduleForecast`."""
        plans = await read_plans(active().filter(client_id=client_id))
        if not plans:
            return {}
        now, places, said = self._clock.now(), Places(self._zones), Said()
        await places.refresh(client_id)
        await records.remember(said, now, client_id)
        return await asyncio.to_thread(_first, plans, places, places(client_id), said, now)


def _first(
    plans: list[Plan], places: Places, there: Sequence[Place], said: Said, now: datetime
) -> Mapping[UUID, datetime]:
    """Runs in a thread: nothing in it is shared."""
    found: dict[UUID, datetime] = {}
    on = [place for place in there if place.is_on]
    waiting = {place.zone_id for place in on if any(plan.covers(place) for plan in plans)}
    coming = forecast(plans, places, said, now, now, now + _WITHIN)
    for step, outcome in enumerate(coming):
        if not waiting or step >= _MOST_STEPS:
            break
        if isinstance(outcome, Firing) and outcome.instant > now:
            for zone_id in waiting.intersection(outcome.zones):
                found[zone_id] = outcome.instant
            waiting.difference_update(outcome.zones)
    return found
