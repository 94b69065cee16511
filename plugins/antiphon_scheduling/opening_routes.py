"""The operations on opening hours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from antiphon.errors import Invalid, NotFound
from antiphon.plugins import Managers, Request, Route
from antiphon_scheduling.opening import NewOpeningHours, OpeningHours, OpeningHoursView

_PATH = "zones/{zone_id}/opening-hours"
_TAG = "schedules"
_ID = "zone_id"


def opening_routes(hours: OpeningHours) -> Sequence[Route]:
    """The routes of opening hours."""

    async def get(request: Request[Any, Any]) -> OpeningHoursView:
        return await hours.get(request.principal, request.path[_ID])

    async def put(request: Request[Any, Any]) -> OpeningHoursView:
        return await hours.put(request.principal, request.path[_ID], request.body)

    async def delete(request: Request[Any, Any]) -> None:
        await hours.delete(request.principal, request.path[_ID])

    return [
        Route(
            method="GET",
            path=_PATH,
            handler=get,
            summary="Read a zone's opening hours",
            tag=_TAG,
            response=OpeningHoursView,
            errors=(NotFound,),
        ),
        Route(
            method="PUT",
            path=_PATH,
            handler=put,
            summary="Start and stop a zone's music by its opening hours",
            tag=_TAG,
            roles=Managers,
            body=NewOpeningHours,
            response=OpeningHoursView,
            errors=(Invalid, NotFound),
            example={
                "hours": [
                    {
                        "days": ["mon", "tue", "wed", "thu", "fri"],
                        "opens": "09:00",
                        "closes": "20:00",
                    },
                    {"days": ["sat"], "opens": "10:00", "closes": "02:00"},
                ]
            },
        ),
        Route(
            method="DELETE",
            path=_PATH,
            handler=delete,
            summary="Let a zone have no opening hours",
            tag=_TAG,
            roles=Managers,
            status=204,
            errors=(NotFound,),
        ),
    ]
