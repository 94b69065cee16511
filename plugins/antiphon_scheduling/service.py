"""Creates, finds, changes and deletes schedules."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tortoise.expressions import F

from antiphon.errors import Conflict, NotFound
from antiphon.plugins import Page, PluginContext, ordered
from antiphon.tenancy.scope import scoped, writable_client
from antiphon.tenancy.trash import bring_back, deleted_row, put_away
from antiphon.types import Principal
from antiphon_scheduling.actions import Actions, NotDone
from antiphon_scheduling.checks import Checks
from antiphon_scheduling.clock import Clock
from antiphon_scheduling.events import ScheduleChanged
from antiphon_scheduling.models import Outcome, Schedule, ScheduleRecord
from antiphon_scheduling.outcomes import Firing
from antiphon_scheduling.places import Places
from antiphon_scheduling.plan import Plan
from antiphon_scheduling.plans import calendars_of, plan_of, timezones_of
from antiphon_scheduling.rules import Rules
from antiphon_scheduling.views import (
    ChangeSchedule,
    NewSchedule,
    ScheduleQuery,
    ScheduleRunView,
    ScheduleView,
)


class Schedules:
    """All schedules. Those that the principal does not reach raise NotFound.

    Whatever changes is told to the scheduler by ScheduleChanged.
    """

    def __init__(self, context: PluginContext, clock: Clock) -> None:
        self._context = context
        self._clock = clock
        self._actions = Actions(context)
        self._checks = Checks(context, clock)

    async def find(self, principal: Principal, query: ScheduleQuery) -> Page[ScheduleView]:
        """The schedules that match, in the order that is asked for."""
        rows = ordered(scoped(Schedule, principal, deleted=query.deleted), query.ordering)
        if query.search:
            rows = rows.filter(name__icontains=query.search)
        wanted = query.model_dump(include={"client_id", "kind", "enabled"}, exclude_none=True)
        found, total = await query.fetch(rows.filter(**wanted))
        return Page(items=tuple(await self._views(found)), total=total)

    async def get(self, principal: Principal, schedule_id: UUID) -> ScheduleView:
        """One schedule."""
        return await self._view(await self._row(principal, schedule_id))

    async def create(self, principal: Principal, new: NewSchedule) -> ScheduleView:
        """A new schedule.

        Raises Invalid for what it names and is not there, and where it would never do anything.
        """
        client_id = await writable_client(principal, new.client_id)
        await self._checks.check(principal, client_id, new)
        now = self._clock.now()
        row = Schedule(
            client_id=client_id,
            name=new.name,
            kind=new.config.kind,
            config=new.config.model_dump(mode="json"),
            rules=_written(new.rules),
            zones=_ids(new.zones),
            floors=_ids(new.floors) or None,
            devices=_ids(new.devices) or None,
            band=new.band,
            chime=new.chime,
            enabled=new.enabled,
            created_at=now,
            in_force_since=now,
            settled_until=now,
            created_by_id=principal.user_id,
        )
        await self.add(row)
        return await self._view(row)

    async def add(self, row: Schedule) -> None:
        """Keep a new schedule. Raises Invalid where it would never do anything."""
        plan = await self._plan(row)
        following = self._checks.check_that_it_comes(plan)
        if plan.may_rest:
            row.rests_until = following
        await row.save()
        self.tell(row)

    async def change(
        self, principal: Principal, schedule_id: UUID, change: ChangeSchedule
    ) -> ScheduleView:
        """Change a schedule. What a new configuration names in the past is not made up for."""
        row = await self._own_row(principal, schedule_id)
        given = change.model_fields_set
        await self._checks.check(principal, row.client_id, change)
        row.update_from_dict(change.model_dump(include=given & {"name", "band", "chime"}))
        if given & {"zones", "floors", "devices", "all"}:
            row.zones = _ids(change.zones if "zones" in given else None)
            row.floors = _ids(change.floors if "floors" in given else None) or None
            row.devices = _ids(change.devices if "devices" in given else None) or None
        if "config" in given:
            row.kind = change.config.kind
            row.config = change.config.model_dump(mode="json")
        if "rules" in given:
            row.rules = _written(change.rules)
        if "enabled" in given:
            row.enabled = change.enabled
        if given & {"config", "rules"}:
            self._checks.check_that_it_comes(await self._plan(row))
        return await self._save(row, settle=bool(given & {"config", "rules", "enabled"}))

    async def toggle(self, principal: Principal, schedule_id: UUID) -> ScheduleView:
        """Switch a schedule on or off."""
        row = await self._own_row(principal, schedule_id)
        row.enabled = not row.enabled
        return await self._save(row, settle=True)

    async def delete(self, principal: Principal, schedule_id: UUID) -> None:
        """Delete a schedule; its row is kept."""
        await self.remove(await self._own_row(principal, schedule_id))

    async def remove(self, row: Schedule) -> None:
        """Let a schedule go; its row is kept."""
        await put_away(row)
        self.tell(row)

    async def restore(self, principal: Principal, schedule_id: UUID) -> ScheduleView:
        """Bring a deleted schedule back; what it would have done meanwhile is not made up for."""
        row = await deleted_row(Schedule, "schedule", principal, schedule_id)
        row.settled_until = self._clock.now()
        await bring_back(row, f"The schedule {row.name}")
        return await self._changed(row)

    async def run_now(self, principal: Principal, schedule_id: UUID) -> ScheduleRunView:
        """Do at once what the schedule would do next, in all its zones, whatever its rules say.

        It counts as a turn. Raises Conflict where it can not be done.
        """
        row = await self._row(principal, schedule_id)
        now = self._clock.now()
        plan = await self._plan(row)
        places = Places(self._context.zones)
        await places.refresh(row.client_id)
        there = [place for place in places(row.client_id) if plan.covers(place)]
        zones = tuple(place.zone_id for place in there)
        if not zones:
            raise Conflict("None of the schedule's zones exists any more.")
        deed = plan.deed(now)
        firing = Firing(
            schedule_id=row.id,
            client_id=row.client_id,
            instant=now,
            turn=plan.turn,
            announcement_id=plan.announcement(deed),
            music=deed.does.music,
            zones=zones,
            everywhere=plan.targets is None,
        )
        try:
            call_id = await self._actions.perform(row, firing)
        except NotDone as error:
            raise Conflict(f"The schedule could not be run: {error}") from error
        await Schedule.filter(id=row.id).update(
            fired_count=F("fired_count") + 1, last_executed_at=now
        )
        await ScheduleRecord.update_or_create(
            {
                "client_id": row.client_id,
                "outcome": Outcome.FIRED,
                "announcement_id": firing.announcement_id,
                "music": firing.music.do if firing.music else None,
                "zones": [str(zone) for zone in zones],
                "by_hand": True,
                "call_id": call_id,
            },
            schedule_id=row.id,
            instant=now,
        )
        self.tell(row)
        return ScheduleRunView(
            schedule_id=row.id,
            at=now,
            announcement_id=firing.announcement_id,
            zones=zones,
            call_id=call_id,
        )

    async def client_of_zone(self, principal: Principal, zone_id: UUID) -> UUID:
        """Whose zone it is. Raises NotFound."""
        return (await self._context.zones.view(principal, zone_id)).client_id

    async def _row(self, principal: Principal, schedule_id: UUID) -> Schedule:
        row = await scoped(Schedule, principal).get_or_none(id=schedule_id)
        if row is None:
            raise NotFound("schedule", schedule_id)
        return row

    async def _own_row(self, principal: Principal, schedule_id: UUID) -> Schedule:
        """A row that may be changed here. Raises Conflict for a half of opening hours."""
        row = await self._row(principal, schedule_id)
        if row.opening_zone_id is not None:
            raise Conflict(
                "This schedule stands for the opening hours of a zone: change those, at "
                f"zones/{row.opening_zone_id}/opening-hours."
            )
        return row

    async def _plan(self, row: Schedule) -> Plan:
        timezones = await timezones_of([row.client_id])
        return plan_of(row, timezones[row.client_id], await calendars_of([row.client_id]))

    async def _save(self, row: Schedule, *, settle: bool) -> ScheduleView:
        # Never the columns of the scheduler, which may be writing them right now.
        columns = ["name", "kind", "config", "rules", "zones", "floors", "devices"]
        columns += ["band", "chime", "enabled", "rests_until"]
        row.rests_until = None  # the scheduler, which is told, works it out
        if settle:
            row.in_force_since = now = self._clock.now()
            # It never goes back: what was fired is not fired again after the clock was set back.
            await Schedule.filter(id=row.id, settled_until__lt=now).update(settled_until=now)
        await row.save(update_fields=[*columns, "in_force_since", "updated_at"])
        await row.refresh_from_db(fields=["settled_until", "fired_count", "last_executed_at"])
        return await self._changed(row)

    async def _changed(self, row: Schedule) -> ScheduleView:
        self.tell(row)
        return await self._view(row)

    def tell(self, row: Schedule) -> None:
        """A schedule has changed."""
        self._context.bus.publish(ScheduleChanged(client_id=row.client_id, schedule_id=row.id))

    async def _view(self, row: Schedule) -> ScheduleView:
        return (await self._views([row]))[0]

    async def _views(self, rows: Sequence[Schedule]) -> list[ScheduleView]:
        client_ids = {row.client_id for row in rows}
        timezones, calendars = await timezones_of(client_ids), await calendars_of(client_ids)
        now = self._clock.now()
        plans = [plan_of(row, timezones[row.client_id], calendars) for row in rows]
        return [ScheduleView.of(row, plan, now) for row, plan in zip(rows, plans, strict=True)]


def _written(rules: Rules) -> dict[str, object] | None:
    """What is kept of the rules: what differs from the defaults."""
    return rules.model_dump(mode="json", exclude_defaults=True) or None


def _ids(keys: Sequence[UUID] | None) -> list[str]:
    return [str(key) for key in dict.fromkeys(keys or ())]
