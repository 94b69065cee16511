"""The operations on templates of announcements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from antiphon.errors import Conflict, Invalid, StorageFull, Unavailable
from antiphon.plugins import Managers, Page, Request, Route, restore_route
from antiphon.types import Effect
from antiphon_announcements.models import AnnouncementTemplate
from antiphon_announcements.template_views import (
    AnnounceTemplate,
    ChangeTemplate,
    FilledTemplate,
    FillTemplate,
    NewTemplate,
    TemplateQuery,
    TemplateView,
)
from antiphon_announcements.templates import Template, Templates
from antiphon_announcements.views import StoredAnnouncement

_ONE = "announcement-templates/{template_id}"


def template_routes(templates: Templates) -> Sequence[Route]:
    """All operations under `announcement-templates/`."""

    async def index(request: Request[None, TemplateQuery]) -> Page[TemplateView]:
        return await templates.find(request.principal, request.query)

    async def create(request: Request[NewTemplate, None]) -> TemplateView:
        return TemplateView.of(await templates.create(request.principal, request.body))

    async def show(request: Request[None, None]) -> TemplateView:
        return _view(await templates.get(request.principal, _key(request)))

    async def change(request: Request[ChangeTemplate, None]) -> TemplateView:
        row = await templates.change(request.principal, _key(request), request.body)
        return TemplateView.of(row)

    async def delete(request: Request[None, None]) -> None:
        await templates.delete(request.principal, _key(request))

    async def restore(request: Request[None, None]) -> TemplateView:
        return TemplateView.of(await templates.restore(request.principal, _key(request)))

    async def preview(request: Request[FillTemplate, None]) -> FilledTemplate:
        text = await templates.text(request.principal, _key(request), request.body)
        return FilledTemplate(text=text)

    async def announce(request: Request[AnnounceTemplate, None]) -> StoredAnnouncement:
        row = await templates.announce(request.principal, _key(request), request.body)
        return StoredAnnouncement.of(row)

    every: dict[str, Any] = {"path": "announcement-templates", "tag": "announcement templates"}
    one: dict[str, Any] = {"path": _ONE, "tag": "announcement templates"}
    values = {"minutes": "10"}
    return [
        Route(method="GET", handler=index, summary="List templates of announcements",
              description="One's own first, then those that come with Antiphon (`built_in`).",
              query=TemplateQuery, response=Page[TemplateView], **every),
        Route(method="POST", handler=create, summary="Add a template", roles=Managers,
              description="Words in braces in the text are placeholders.",
              body=NewTemplate, response=TemplateView, status=201, errors=(Invalid,),
              example={"name": "Closing", "text": "The shop closes in {minutes} minutes.",
                       "defaults": {"minutes": "15"}, "language": "en"}, **every),
        Route(method="GET", handler=show, summary="See a template", response=TemplateView, **one),
        Route(method="PATCH", handler=change, summary="Change a template", roles=Managers,
              description="Those that come along can not be changed: copy them.",
              body=ChangeTemplate, response=TemplateView, errors=(Conflict, Invalid),
              example={"category": "Opening hours"}, **one),
        Route(method="DELETE", handler=delete, summary="Delete a template", roles=Managers,
              status=204, errors=(Conflict,), **one),
        restore_route(_ONE, restore, what="a template", response=TemplateView),
        Route(method="POST", path=f"{_ONE}/preview", handler=preview, effect=Effect.READ,
              summary="See what would be spoken", tag="announcement templates", body=FillTemplate,
              response=FilledTemplate, errors=(Invalid,), example={"values": values}),
        Route(method="POST", path=f"{_ONE}/announcement", handler=announce, roles=Managers,
              summary="Make an announcement from a template", tag="announcement templates",
              description="It is spoken at once, which takes as long as the voice needs.",
              body=AnnounceTemplate, response=StoredAnnouncement, status=201,
              errors=(Invalid, StorageFull, Unavailable), example={"values": values}),
    ]  # fmt: skip


def _view(template: Template) -> TemplateView:
    if isinstance(template, AnnouncementTemplate):
        return TemplateView.of(template)
    return TemplateView.of_ready_made(template)


def _key(request: Request[Any, Any]) -> UUID:
    key: UUID = request.path["template_id"]
    return key
