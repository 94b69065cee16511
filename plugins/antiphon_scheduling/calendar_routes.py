"""The operations on calendars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from antiphon.errors import Conflict, Invalid
from antiphon.plugins import Managers, Page, Request, Route
from antiphon_scheduling.calendar_service import Calendars
from antiphon_scheduling.views import CalendarQuery, CalendarView, ChangeCalendar, NewCalendar

_TAG = "schedules"
_ALL = "schedule-calendars"
_ONE = "schedule-calendars/{calendar_id}"
_ID = "calendar_id"
_MAX_BODY = 16 << 20  # so that a file that is too large is told by its field


def calendar_routes(calendars: Calendars) -> Sequence[Route]:
    """The routes of calendars."""

    async def find(request: Request[Any, Any]) -> Page[CalendarView]:
        return await calendars.find(request.principal, request.query)

    async def create(request: Request[Any, Any]) -> CalendarView:
        return await calendars.create(request.principal, request.body)

    async def get(request: Request[Any, Any]) -> CalendarView:
        return await calendars.get(request.principal, request.path[_ID])

    async def change(request: Request[Any, Any]) -> CalendarView:
        return await calendars.change(request.principal, request.path[_ID], request.body)

    async def refresh(request: Request[Any, Any]) -> CalendarView:
        return await calendars.refresh(request.principal, request.path[_ID])

    async def delete(request: Request[Any, Any]) -> None:
        await calendars.delete(request.principal, request.path[_ID])

    return [
        Route(
            method="GET",
            path=_ALL,
            handler=find,
            summary="List calendars of special days",
            tag=_TAG,
            query=CalendarQuery,
            response=Page[CalendarView],
        ),
        Route(
            method="POST",
            path=_ALL,
            handler=create,
            summary="Add public holidays, or the days of an iCalendar file",
            tag=_TAG,
            roles=Managers,
            body=NewCalendar,
            response=CalendarView,
            status=201,
            errors=(Invalid,),
            max_body_bytes=_MAX_BODY,
            example={"name": "Holidays in Berlin", "country": "DE", "subdivision": "BE"},
        ),
        Route(
            method="GET",
            path=_ONE,
            handler=get,
            summary="Read a calendar",
            tag=_TAG,
            response=CalendarView,
        ),
        Route(
            method="PATCH",
            path=_ONE,
            handler=change,
            summary="Rename a calendar, or give it a newer file",
            tag=_TAG,
            roles=Managers,
            body=ChangeCalendar,
            response=CalendarView,
            errors=(Invalid,),
            max_body_bytes=_MAX_BODY,
        ),
        Route(
            method="POST",
            path=f"{_ONE}/refresh",
            handler=refresh,
            summary="Fetch a calendar from its web address now",
            tag=_TAG,
            roles=Managers,
            response=CalendarView,
            errors=(Conflict, Invalid),
        ),
        Route(
            method="DELETE",
            path=_ONE,
            handler=delete,
            summary="Delete a calendar that no schedule goes by",
            tag=_TAG,
            roles=Managers,
            status=204,
            errors=(Conflict,),
        ),
    ]
