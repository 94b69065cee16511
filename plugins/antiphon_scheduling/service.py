"""Creates, finds, changes and deletes schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from antiphon.errors import FieldError, Invalid, NotFound, Refused
from antiphon.plugins import MediaRef, Page, PluginContext
from antiphon.tenancy.scope import scoped, writable_client
from antiphon.types import Principal
from antiphon_scheduling.clock import Clock
from antiphon_scheduling.events import ScheduleChanged
from antiphon_scheduling.models import Schedule
from antiphon_scheduling.plans import plan_of, timezones_of
from antiphon_scheduling.views import ChangeSchedule, NewSchedule, ScheduleQuery, ScheduleView


class Schedules:
    """All schedules. Those that the principal does not reach raise NotFound.

    Whatever changes is told to the scheduler by ScheduleChanged.
    """

    def __init__(self, context: PluginContext, clock: Clock) -> None:
        self._context = context
        self._clock = clock

    async def find(self, principal: Principal, query: ScheduleQuery) -> Page[ScheduleView]:
        """The schedules that match, by name."""
        rows = scoped(Schedule, principal).order_by("name", "id")
        if query.search:
            rows = rows.filter(name__icontains=query.search)
        wanted = query.model_dump(include={"kind", "enabled"}, exclude_none=True)
        found, total = await query.fetch(rows.filter(**wanted))
        return Page(items=tuple(await self._views(found)), total=total)

    async def get(self, principal: Principal, schedule_id: UUID) -> ScheduleView:
        """One schedule."""
        return await self._view(await self._row(principal, schedule_id))

    async def create(self, principal: Principal, new: NewSchedule) -> ScheduleView:
        """A new schedule. Raises Invalid where a zone or an announcement is unknown."""
        client_id = await writable_client(principal, new.client_id)
        await self._check(principal, client_id, new.zones or [], new.config.announcements)
        row = await Schedule.create(
            client_id=client_id,
            name=new.name,
            kind=new.config.kind,
            config=new.config.model_dump(mode="json"),
            zones=[str(zone) for zone in new.zones or []],
            band=new.band,
            chime=new.chime,
            enabled=new.enabled,
            settled_until=self._clock.now(),
            created_by_id=principal.user_id,
        )
        return await self._changed(row)

    async def change(
        self, principal: Principal, schedule_id: UUID, change: ChangeSchedule
    ) -> ScheduleView:
        """Change a schedule. What a new configuration names in the past is not made up for."""
        row = await self._row(principal, schedule_id)
        given = change.model_fields_set
        await self._check(
            principal,
            row.client_id,
            change.zones if "zones" in given else [],
            change.config.announcements if "config" in given else [],
        )
        row.update_from_dict(change.model_dump(include=given & {"name", "band", "chime"}))
        if "zones" in given or "all" in given:
            row.zones = [str(zone) for zone in change.zones] if "zones" in given else []
        if "config" in given:
            row.kind = change.config.kind
            row.config = change.config.model_dump(mode="json")
        if "enabled" in given:
            row.enabled = change.enabled
        return await self._save(row, settle=bool(given & {"config", "enabled"}))

    async def toggle(self, principal: Principal, schedule_id: UUID) -> ScheduleView:
        """Switch a schedule on or off."""
        row = await self._row(principal, schedule_id)
        row.enabled = not row.enabled
        return await self._save(row, settle=True)

    async def delete(self, principal: Principal, schedule_id: UUID) -> None:
        """Delete a schedule; its row is kept."""
        row = await self._row(principal, schedule_id)
        row.deleted_at = self._clock.now()
        await row.save(update_fields=["deleted_at", "updated_at"])
        self._tell(row)

    async def _row(self, principal: Principal, schedule_id: UUID) -> Schedule:
        row = await scoped(Schedule, principal).get_or_none(id=schedule_id)
        if row is None:
            raise NotFound("schedule", schedule_id)
        return row

    async def _save(self, row: Schedule, *, settle: bool) -> ScheduleView:
        # Never the columns of the scheduler, which may be writing them right now.
        columns = ["name", "kind", "config", "zones", "band", "chime", "enabled", "updated_at"]
        if settle:
            row.settled_until = self._clock.now()
            columns.append("settled_until")
        await row.save(update_fields=columns)
        return await self._changed(row)

    async def _check(
        self,
        principal: Principal,
        client_id: UUID,
        zones: Sequence[UUID],
        announcements: Sequence[UUID],
    ) -> None:
        wrong = []
        if zones:
            views = await self._context.zones.views(principal)
            there = {view.zone_id for view in views if view.client_id == client_id}
            wrong += [
                FieldError(f"zones.{place}", f"there is no zone {zone}")
                for place, zone in enumerate(zones)
                if zone not in there
            ]
        for place, announcement in enumerate(announcements):
            if not await self._exists(client_id, announcement):
                field = f"config.announcements.{place}"
                wrong.append(FieldError(field, f"there is no announcement {announcement}"))
        if wrong:
            raise Invalid(wrong)

    async def _exists(self, client_id: UUID, announcement_id: UUID) -> bool:
        try:
            ref = MediaRef(kind="announcement", value=str(announcement_id))
            await self._context.media.resolve(client_id, ref)
        except NotFound:
            return False
        except Refused:
            return True  # it may not be played now, but perhaps when its time has come
        return True

    async def _changed(self, row: Schedule) -> ScheduleView:
        self._tell(row)
        return await self._view(row)

    def _tell(self, row: Schedule) -> None:
        self._context.bus.publish(ScheduleChanged(client_id=row.client_id, schedule_id=row.id))

    async def _view(self, row: Schedule) -> ScheduleView:
        return (await self._views([row]))[0]

    async def _views(self, rows: Sequence[Schedule]) -> list[ScheduleView]:
        timezones = await timezones_of({row.client_id for row in rows})
        now = self._clock.now()
        plans: list[Any] = [plan_of(row, timezones[row.client_id]) for row in rows]
        return [ScheduleView.of(row, plan, now) for row, plan in zip(rows, plans, strict=True)]
