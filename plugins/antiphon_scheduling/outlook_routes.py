"""The operations that look ahead and back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from antiphon.errors import Invalid, NotFound
from antiphon.plugins import Request, Route
from antiphon_scheduling.outlook import Outlooks
from antiphon_scheduling.outlook_views import (
    Explanation,
    MomentQuery,
    NextQuery,
    Outlook,
    PeriodQuery,
)
from antiphon_scheduling.service import Schedules

_TAG = "schedules"
_DAY = timedelta(days=1)


def outlook_routes(schedules: Schedules, outlooks: Outlooks) -> Sequence[Route]:
    """Preview, explain, next."""

    async def preview(request: Request[Any, PeriodQuery]) -> Outlook:
        query = request.query
        client_id = await schedules.client_of_zone(request.principal, query.zone)
        end = query.begin + _DAY if query.to is None else query.to
        return await outlooks.preview(client_id, query.zone, query.begin, end)

    async def explain(request: Request[Any, MomentQuery]) -> Explanation:
        query = request.query
        client_id = await schedules.client_of_zone(request.principal, query.zone)
        return await outlooks.explain(client_id, query.zone, query.at)

    async def following(request: Request[Any, NextQuery]) -> Outlook:
        query = request.query
        client_id = await schedules.client_of_zone(request.principal, query.zone)
        return await outlooks.next(client_id, query.zone, query.limit)

    return [
        Route(
            method="GET",
            path="schedules/preview",
            handler=preview,
            summary="What plays when in a zone, and what does not, and why",
            tag=_TAG,
            query=PeriodQuery,
            response=Outlook,
            errors=(Invalid, NotFound),
        ),
        Route(
            method="GET",
            path="schedules/explain",
            handler=explain,
            summary="What each schedule means for a zone at a moment",
            tag=_TAG,
            query=MomentQuery,
            response=Explanation,
            errors=(Invalid, NotFound),
        ),
        Route(
            method="GET",
            path="schedules/next",
            handler=following,
            summary="What plays next in a zone",
            tag=_TAG,
            query=NextQuery,
            response=Outlook,
            errors=(Invalid, NotFound),
        ),
    ]
