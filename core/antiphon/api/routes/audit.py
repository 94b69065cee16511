"""The audit trail, to read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from aiohttp import web
from pydantic import AwareDatetime, Field
from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from antiphon.api.tables import CSV, send_table
from antiphon.audit.models import AuditLog
from antiphon.plugins.lists import ListQuery, Page, SortedBy, ordered
from antiphon.plugins.routes import Managers, Request, Route
from antiphon.plugins.zones import ApiModel
from antiphon.tenancy.scope import scoped
from antiphon.types import Frozen, Principal, Via


class AuditFilter(ApiModel):
    """Which changes."""

    client_id: UUID | None = Field(default=None, description="Those of this client's things.")
    user_id: UUID | None = Field(default=None, description="Those made by this user.")
    action: str | None = Field(
        default=None, max_length=100, description="Such as `update` or `playback.volume`."
    )
    resource_type: str | None = Field(
        default=None, max_length=50, description="As in the path of the API, such as `zones`."
    )
    resource_id: str | None = Field(default=None, max_length=64)
    via: Via | None = Field(default=None, description="The door that the command came through.")
    since: AwareDatetime | None = Field(default=None, description="Made at this time or later.")
    until: AwareDatetime | None = Field(default=None, description="Made before this time.")
    search: str | None = Field(
        default=None,
        max_length=200,
        description="A part of the user's e-mail, the action or the name of what was changed.",
    )


class AuditQuery(ListQuery, AuditFilter):
    """Which changes, and which page of them."""

    ordering: Annotated[str, SortedBy("created_at")] = "-created_at"


class AuditLogView(Frozen):
    """One change: who did what to what, when, and from where.

    `details.changed` has each field's `from` and `to`; `details.given` what a command was given.
    """

    id: UUID
    created_at: datetime
    client_id: UUID | None
    user_id: UUID | None
    user_email: str
    action: str
    resource_type: str
    resource_id: str | None
    resource_name: str
    via: Via
    ip_address: str
    user_agent: str
    details: dict[str, Any]


def audit_routes() -> list[Route]:
    """The routes under `audit-logs`."""
    common: dict[str, Any] = {"method": "GET", "tag": "audit", "roles": Managers}
    return [
        Route(
            path="audit-logs",
            handler=_index,
            summary="List who changed what, newest first",
            query=AuditQuery,
            response=Page[AuditLogView],
            **common,
        ),
        Route(
            path="audit-logs/csv",
            handler=_table,
            summary="The same list for a spreadsheet, as one file",
            query=AuditFilter,
            produces=(CSV,),
            **common,
        ),
    ]


async def _index(request: Request[None, AuditQuery]) -> Page[AuditLogView]:
    rows = ordered(_wanted(request.principal, request.query), request.query.ordering)
    found, total = await request.query.fetch(rows)
    return Page[AuditLogView](items=tuple(map(_view, found)), total=total)


async def _table(request: Request[None, AuditFilter]) -> web.StreamResponse:
    rows = _wanted(request.principal, request.query)
    return await send_table(request.raw, "audit-logs", rows, _view, AuditLogView)


def _wanted(principal: Principal, query: AuditFilter) -> QuerySet[AuditLog]:
    rows = scoped(AuditLog, principal)
    wanted = {
        "client_id": query.client_id,
        "user_id": query.user_id,
        "action": query.action,
        "resource_type": query.resource_type,
        "resource_id": query.resource_id,
        "via": query.via,
        "created_at__gte": query.since,
        "created_at__lt": query.until,
    }
    rows = rows.filter(**{name: value for name, value in wanted.items() if value is not None})
    if query.search:
        rows = rows.filter(
            Q(user_email__icontains=query.search)
            | Q(action__icontains=query.search)
            | Q(resource_name__icontains=query.search)
        )
    return rows


def _view(row: AuditLog) -> AuditLogView:
    return AuditLogView.model_validate(
        {name: getattr(row, name) for name in AuditLogView.model_fields}
    )
