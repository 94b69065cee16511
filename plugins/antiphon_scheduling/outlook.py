"""Answers what plays when in a zone, and why.

What is over comes out of the records, what is to come out of a forecast.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from antiphon.errors import Invalid
from antiphon.plugins import Zones
from antiphon_scheduling import records
from antiphon_scheduling.clock import Clock
from antiphon_scheduling.forecast import forecast, is_exact
from antiphon_scheduling.models import Schedule, ScheduleRecord
from antiphon_scheduling.neighbours import Said
from antiphon_scheduling.outcomes import Firing
from antiphon_scheduling.outlook_views import (
    Explained,
    Explanation,
    Outlook,
    OutlookItem,
    Result,
    Verdict,
)
from antiphon_scheduling.places import Places
from antiphon_scheduling.plan import Place, Plan
from antiphon_scheduling.plans import active, read_plans, timezones_of
from antiphon_scheduling.playlists.outlook import Change, Scene, past_of
from antiphon_scheduling.walltime import TICK, day_of

_MOST_ITEMS = 5_000
_NEXT_WITHIN = timedelta(days=14)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_FAR = timedelta(days=366 * 5)
_ORDER = list(Verdict)


@dataclass(frozen=True, slots=True)
class _State:
    """All that a forecast starts from."""

    client_id: UUID
    plans: list[Plan]
    places: Places
    said: Said
    now: datetime

    def place(self, zone_id: UUID) -> Place:
        """What is known of a zone."""
        there = self.places(self.client_id)
        return next((one for one in there if one.zone_id == zone_id), Place(zone_id))


class Outlooks:
    """Looks into any period of a zone. Whether the caller may see the zone is asked before.

    `zones` says which zones there are; without it the database does.
    """

    def __init__(self, clock: Clock, grace: timedelta, zones: Zones | None = None) -> None:
        self._clock = clock
        self._grace = grace
        self._zones = zones

    async def preview(
        self, client_id: UUID, zone_id: UUID, begin: datetime, end: datetime
    ) -> Outlook:
        """What played and will play from `begin` until before `end`.

        Raises Invalid on `to` for more than can be counted.
        """
        state = await self._state(client_id)
        begin, end = begin.astimezone(UTC), end.astimezone(UTC)
        if end - state.now > _FAR:
            raise Invalid.field("to", "nobody can look further ahead than five years")
        items = await self._past(state, zone_id, begin, min(end, state.now))
        if end > state.now:
            items += await self._ahead(state, zone_id, begin, end)
        if len(items) > _MOST_ITEMS:
            raise Invalid.field("to", f"more than {_MOST_ITEMS} times; choose a shorter period")
        timezone = (await timezones_of([client_id]))[client_id]
        exact = is_exact(state.now, begin)
        items.sort(key=lambda item: item.at)
        return Outlook(zone_id=zone_id, timezone=timezone, exact=exact, items=tuple(items))

    async def next(self, client_id: UUID, zone_id: UUID, limit: int) -> Outlook:
        """The next things that play in a zone, within two weeks."""
        state = await self._state(client_id)
        end = state.now + _NEXT_WITHIN
        items = await asyncio.to_thread(
            self._coming, state, zone_id, state.now, end, most=limit, playing=True
        )
        soon = end if len(items) < limit else items[-1].at + TICK
        items += await self._playlists(state, zone_id, state.now, min(soon, state.now + _DAY))
        items = sorted((one for one in items if one.result is Result.PLAYS), key=_when)
        timezone = (await timezones_of([client_id]))[client_id]
        return Outlook(zone_id=zone_id, timezone=timezone, items=tuple(items[:limit]))

    async def explain(self, client_id: UUID, zone_id: UUID, at: datetime) -> Explanation:
        """What each schedule of the client means for a zone in the minute of `at`, and why."""
        minute = at.astimezone(UTC).replace(second=0, microsecond=0)
        outlook = await self.preview(client_id, zone_id, minute, minute + _MINUTE)
        places = Places(self._zones)
        await places.refresh(client_id)
        place = next((one for one in places(client_id) if one.zone_id == zone_id), Place(zone_id))
        on = {plan.schedule_id for plan in await read_plans(active().filter(client_id=client_id))}
        rows = Schedule.filter(client_id=client_id, deleted_at__isnull=True)
        plans = await read_plans(rows)
        now = self._clock.now()
        found = {item.schedule_id: item for item in outlook.items if item.schedule_id}
        explained = [
            _explained(
                plan, found.get(plan.schedule_id), place, minute, now, plan.schedule_id in on
            )
            for plan in plans
        ]
        if (scene := await Scene.read(client_id, zone_id, self._zones)) is not None:
            explained += scene.explained(outlook.items, max(now, minute + _MINUTE))
        explained.sort(
            key=lambda one: (
                _ORDER.index(one.verdict),
                one.name,
                str(one.schedule_id or one.playlist_id),
            )
        )
        zone = plans[0].zone if plans else UTC
        return Explanation(
            zone_id=zone_id,
            at=minute,
            local_time=f"{minute.astimezone(zone):%a %Y-%m-%d %H:%M}",
            timezone=outlook.timezone,
            schedules=tuple(explained),
        )

    async def firings(self, client_id: UUID, begin: datetime, end: datetime) -> list[Firing]:
        """All that schedules do from `begin`, or from now on, until before `end`, in any zone."""
        state = await self._state(client_id)

        def decided() -> list[Firing]:
            outcomes = forecast(
                state.plans, state.places, state.said, state.now, begin, end, self._grace
            )
            return [one for one in outcomes if isinstance(one, Firing)]

        return await asyncio.to_thread(decided)

    async def _state(self, client_id: UUID) -> _State:
        now = self._clock.now()
        places, said = Places(self._zones), Said()
        await places.refresh(client_id)
        await records.remember(said, now, client_id)
        plans = await read_plans(active().filter(client_id=client_id))
        return _State(client_id, plans, places, said, now)

    async def _past(
        self, state: _State, zone_id: UUID, begin: datetime, end: datetime
    ) -> list[OutlookItem]:
        rows = await ScheduleRecord.filter(
            client_id=state.client_id, instant__gte=begin, instant__lt=end
        ).order_by("instant")
        place = state.place(zone_id)
        ids = list({row.schedule_id for row in rows})
        plans = {}
        for start in range(0, len(ids), 500):
            some = Schedule.filter(id__in=ids[start : start + 500])
            plans.update({plan.schedule_id: plan for plan in await read_plans(some)})
        found = [
            OutlookItem.past(row, plans[row.schedule_id], place)
            for row in rows
            if row.schedule_id in plans
        ]
        there = [item for item in found if item is not None]
        return there + await past_of(state.client_id, zone_id, begin, end)

    async def _ahead(
        self, state: _State, zone_id: UUID, begin: datetime, end: datetime
    ) -> list[OutlookItem]:
        """What is to come of schedules and of playlists."""
        items = await asyncio.to_thread(self._coming, state, zone_id, begin, end, most=_MOST_ITEMS)
        return items + await self._playlists(state, zone_id, begin, end)

    async def _playlists(
        self, state: _State, zone_id: UUID, begin: datetime, end: datetime
    ) -> list[OutlookItem]:
        """What is to come of playlists, where the schedules' music goes before."""
        scene = await Scene.read(state.client_id, zone_id, self._zones)
        if scene is None:
            return []
        # Whether music plays then was decided by the schedules of the day before at the latest.
        since = max(state.now, begin - _DAY)
        changes = await asyncio.to_thread(self._changes, state, zone_id, since, end)
        return await asyncio.to_thread(scene.coming, state.now, begin, end, changes)

    def _changes(
        self, state: _State, zone_id: UUID, begin: datetime, end: datetime
    ) -> list[Change]:
        """What schedules do to the music of a zone. Runs in a thread."""
        plans, now = state.plans, state.now
        decided = forecast(plans, state.places, Said(), now, begin, end, self._grace)
        return [
            Change(one.instant, one.music.do, one.music.playlist_id)
            for one in decided
            if isinstance(one, Firing) and one.music is not None and zone_id in one.zones
        ]

    def _coming(
        self,
        state: _State,
        zone_id: UUID,
        begin: datetime,
        end: datetime,
        *,
        most: int,
        playing: bool = False,
    ) -> list[OutlookItem]:
        """Runs in a thread: nothing in it is shared."""
        plans = {plan.schedule_id: plan for plan in state.plans}
        found: list[OutlookItem] = []
        decided = forecast(
            state.plans, state.places, state.said, state.now, begin, end, self._grace
        )
        for outcome in decided:
            item = OutlookItem.coming(outcome, plans[outcome.schedule_id], zone_id)
            if item is None:
                continue
            if item.result is Result.PLAYS or not playing:
                found.append(item)
            if len(found) >= most:
                if playing:
                    break
                raise Invalid.field("to", f"more than {most} times; choose a shorter period")
        return found


def _when(item: OutlookItem) -> datetime:
    return item.at


def _explained(
    plan: Plan,
    item: OutlookItem | None,
    place: Place,
    minute: datetime,
    now: datetime,
    is_on: bool,  # noqa: FBT001  used here alone
) -> Explained:
    next_at = plan.following(max(now, minute + _MINUTE)) if is_on else None
    if item is not None:
        verdict = Verdict(item.result.value)
        local = item.at.astimezone(plan.zone)
        reason = item.reason or f"{item.rule}: due at {local:%H:%M:%S}"
    elif not plan.covers(place):
        verdict, reason = Verdict.NOT_HERE, "it is not for this zone"
    elif not is_on:
        verdict, reason = Verdict.OFF, "it is switched off"
    else:
        verdict = Verdict.NOT_NOW
        refusal = plan.days.refusal(day_of(minute, plan.zone))
        reason = refusal or f"{plan.recurrence.rule()}: no time of it falls into this minute"
    return Explained(
        schedule_id=plan.schedule_id,
        name=plan.name,
        verdict=verdict,
        reason=reason,
        why=item.why if item else None,
        by_schedule_id=item.by_schedule_id if item else None,
        rule=plan.recurrence.rule(),
        layer=plan.limits.layer,
        next_at=next_at,
    )
