"""Calls, and their receipts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from aiohttp import web
from pydantic import AwareDatetime, Field
from tortoise.queryset import QuerySet

from antiphon.api.parts import ApiParts
from antiphon.api.tables import CSV, send_table
from antiphon.errors import NotFound, Unavailable
from antiphon.playback.models import PlayEvent, PlayEventStatus, PlayEventType
from antiphon.plugins.lists import ListQuery, Page, SortedBy, ordered
from antiphon.plugins.routes import Request, Route
from antiphon.plugins.zones import ApiModel, CallRequest, CallView
from antiphon.tenancy.scope import scoped
from antiphon.types import CallState, Effect, Frozen, Principal


class CallQuery(ListQuery):
    """Which calls."""

    zone_id: UUID | None = Field(default=None, description="Those in this zone alone.")
    ordering: Annotated[str, SortedBy("created_at", "priority", "title")] = "-created_at"


class Unheard(StrEnum):
    """Why there was no call."""

    SUPPRESSED = "suppressed"
    MISSED = "missed"


class PlayEventFilter(ApiModel):
    """Which play events."""

    client_id: UUID | None = Field(default=None, description="Those of this client alone.")
    zone_id: UUID | None = Field(default=None, description="Those in this zone alone.")
    announcement_id: UUID | None = None
    event_type: PlayEventType | None = None
    outcome: CallState | Unheard | None = Field(
        default=None, description="The last state of the call, or why there was none."
    )
    schedule_id: UUID | None = Field(default=None, description="Those of this schedule alone.")
    search: str | None = Field(default=None, max_length=200, description="A part of the title.")
    call_id: UUID | None = None
    device_id: UUID | None = Field(default=None, description="Those of this loudspeaker alone.")
    devices: bool = Field(default=False, description="Those of single loudspeakers too.")
    status: PlayEventStatus | None = None
    since: AwareDatetime | None = Field(default=None, description="Made at this time or later.")
    until: AwareDatetime | None = Field(default=None, description="Made before this time.")


class PlayEventQuery(ListQuery, PlayEventFilter):
    """Which play events, and which page of them."""

    ordering: Annotated[str, SortedBy("created_at")] = "-created_at"


class PlayEventView(Frozen):
    """The receipt of a call in one zone, or on one loudspeaker of it.

    With the status `unheard` there was no call: a rule kept a schedule's time out of the zone, or
    the time was missed. Of a schedule to which that happens all the time, one receipt stands for
    many.
    """

    id: UUID
    client_id: UUID
    zone_id: UUID
    device_id: UUID | None = Field(description="Set where it is about a single loudspeaker.")
    call_id: UUID | None = Field(description="None where there was no call.")
    schedule_id: UUID | None = Field(description="The schedule that it is about, if it is one.")
    announcement_id: UUID | None
    title: str
    event_type: PlayEventType
    status: PlayEventStatus
    outcome: str = Field(
        description="The last state of the call there; a loudspeaker was also `offline` or "
        "`muted`. Without a call `suppressed` by a rule, or `missed`."
    )
    due_at: datetime | None = Field(description="The exact time that it was asked for, if any.")
    times_due: int = Field(description="How many times of a schedule it stands for.")
    delivered_at: datetime | None
    completed_at: datetime | None
    seconds_heard: float
    times_heard: int = Field(description="How often it was heard to its end; see `repeat`.")
    error_message: str | None
    created_at: datetime


def call_routes(parts: ApiParts) -> list[Route]:
    """The routes under `calls` and `play-events`."""
    zones = parts.zones

    async def create(request: Request[CallRequest, None]) -> CallView:
        return await zones.call(request.principal, request.body)

    async def index(request: Request[None, CallQuery]) -> Page[CallView]:
        return await zones.calls(request.principal, **request.query.model_dump())

    async def show(request: Request[None, None]) -> CallView:
        return await zones.get_call(request.principal, request.path["call_id"])

    async def revoke(request: Request[None, None]) -> CallView:
        return await zones.revoke(request.principal, request.path["call_id"])

    one: dict[str, Any] = {"path": "calls/{call_id}", "tag": "calls", "response": CallView}
    return [
        Route(
            method="POST",
            path="calls",
            handler=create,
            summary="Play an announcement",
            description=(
                "Answers as soon as the call is accepted; its states follow as events. "
                "What the wishes mean where calls meet: docs/use/calls.md."
            ),
            tag="calls",
            effect=Effect.CONTROL,
            body=CallRequest,
            response=CallView,
            status=202,
            errors=(NotFound, Unavailable),
            example={
                "text": "The shop closes in ten minutes.",
                "all": True,
                "chime": True,
                "band": "announcement",
                "start": "make_next",
                "routing": "together",
                "expires_in_s": 120,
                "repeat": 2,
                "repeat_gap_s": 30,
                "dedupe_key": "closing-time",
            },
        ),
        Route(
            method="GET",
            path="calls",
            handler=index,
            summary="List calls, newest first",
            tag="calls",
            query=CallQuery,
            response=Page[CallView],
        ),
        Route(method="GET", handler=show, summary="See a call", **one),
        Route(
            method="DELETE",
            handler=revoke,
            summary="Take a call back",
            effect=Effect.CONTROL,
            **one,
        ),
        Route(
            method="GET",
            path="play-events",
            handler=_play_events,
            summary="List the receipts of calls, newest first",
            tag="calls",
            query=PlayEventQuery,
            response=Page[PlayEventView],
        ),
        Route(
            method="GET",
            path="play-events/csv",
            handler=_play_event_table,
            summary="The receipts for a spreadsheet, as one file",
            tag="calls",
            query=PlayEventFilter,
            produces=(CSV,),
        ),
    ]


async def _play_events(request: Request[None, PlayEventQuery]) -> Page[PlayEventView]:
    rows = ordered(_wanted(request.principal, request.query), request.query.ordering)
    found, total = await request.query.fetch(rows)
    return Page[PlayEventView](items=tuple(map(_view, found)), total=total)


async def _play_event_table(request: Request[None, PlayEventFilter]) -> web.StreamResponse:
    rows = _wanted(request.principal, request.query)
    return await send_table(request.raw, "play-events", rows, _view, PlayEventView)


def _wanted(principal: Principal, query: PlayEventFilter) -> QuerySet[PlayEvent]:
    wanted = {
        "client_id": query.client_id,
        "zone_id": query.zone_id,
        "call_id": query.call_id,
        "schedule_id": query.schedule_id,
        "announcement_id": query.announcement_id,
        "event_type": query.event_type,
        "device_id": query.device_id,
        "status": query.status,
        "outcome": query.outcome,
        "title__icontains": query.search or None,
        "created_at__gte": query.since,
        "created_at__lt": query.until,
    }
    rows = scoped(PlayEvent, principal).filter(
        **{name: value for name, value in wanted.items() if value is not None}
    )
    if query.device_id is None and not query.devices:
        rows = rows.filter(device_id__isnull=True)
    return rows


def _view(row: PlayEvent) -> PlayEventView:
    return PlayEventView.model_validate(
        {name: getattr(row, name) for name in PlayEventView.model_fields}
    )
