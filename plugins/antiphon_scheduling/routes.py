"""The operations on schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from antiphon.errors import Conflict, Invalid
from antiphon.plugins import Managers, Page, Request, Route, restore_route
from antiphon.types import Effect
from antiphon_scheduling.service import Schedules
from antiphon_scheduling.views import (
    ChangeSchedule,
    NewSchedule,
    ScheduleQuery,
    ScheduleRunView,
    ScheduleView,
)

_TAG = "schedules"
_ONE = "schedules/{schedule_id}"
_ID = "schedule_id"


def schedule_routes(schedules: Schedules, outlook: Sequence[Route] = ()) -> Sequence[Route]:
    """The operations on schedules; `outlook` goes before those that take an id."""

    async def find(request: Request[Any, Any]) -> Page[ScheduleView]:
        return await schedules.find(request.principal, request.query)

    async def create(request: Request[Any, Any]) -> ScheduleView:
        return await schedules.create(request.principal, request.body)

    async def get(request: Request[Any, Any]) -> ScheduleView:
        return await schedules.get(request.principal, request.path[_ID])

    async def change(request: Request[Any, Any]) -> ScheduleView:
        return await schedules.change(request.principal, request.path[_ID], request.body)

    async def toggle(request: Request[Any, Any]) -> ScheduleView:
        return await schedules.toggle(request.principal, request.path[_ID])

    async def run_now(request: Request[Any, Any]) -> ScheduleRunView:
        return await schedules.run_now(request.principal, request.path[_ID])

    async def delete(request: Request[Any, Any]) -> None:
        await schedules.delete(request.principal, request.path[_ID])

    async def restore(request: Request[Any, Any]) -> ScheduleView:
        return await schedules.restore(request.principal, request.path[_ID])

    return [
        Route(
            method="GET",
            path="schedules",
            handler=find,
            summary="List schedules",
            tag=_TAG,
            query=ScheduleQuery,
            response=Page[ScheduleView],
        ),
        Route(
            method="POST",
            path="schedules",
            handler=create,
            summary="Play announcements or music by the clock",
            tag=_TAG,
            roles=Managers,
            body=NewSchedule,
            response=ScheduleView,
            status=201,
            errors=(Invalid,),
            example={
                "name": "Opening hours",
                "config": {
                    "kind": "cron",
                    "expression": "0 9 * * mon-sat",
                    "announcements": ["6f1f3b8e-5d5c-4a57-9a4b-2f2f9f0f2f11"],
                },
                "rules": {"quiet": [{"begin": "13:00", "end": "14:00"}], "when_blocked": "defer"},
                "all": True,
            },
        ),
        *outlook,
        Route(
            method="POST",
            path=f"{_ONE}/run-now",
            effect=Effect.CONTROL,
            handler=run_now,
            summary="Do now what a schedule does next",
            tag=_TAG,
            roles=Managers,
            response=ScheduleRunView,
            errors=(Conflict,),
        ),
        Route(
            method="GET",
            path=_ONE,
            handler=get,
            summary="Read a schedule",
            tag=_TAG,
            response=ScheduleView,
        ),
        Route(
            method="PATCH",
            path=_ONE,
            handler=change,
            summary="Change a schedule",
            tag=_TAG,
            roles=Managers,
            body=ChangeSchedule,
            response=ScheduleView,
            errors=(Invalid,),
            example={"name": "Opening hours", "enabled": False},
        ),
        Route(
            method="DELETE",
            path=_ONE,
            handler=delete,
            summary="Delete a schedule",
            tag=_TAG,
            roles=Managers,
            status=204,
        ),
        restore_route(_ONE, restore, what="a schedule", response=ScheduleView),
        Route(
            method="POST",
            path=f"{_ONE}/toggle",
            handler=toggle,
            summary="Switch a schedule on or off",
            tag=_TAG,
            roles=Managers,
            response=ScheduleView,
        ),
    ]
