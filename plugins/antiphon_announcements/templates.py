"""Templates: one's own and those that come along, and announcements made from them."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any
from uuid import UUID

from tortoise.expressions import Q

from antiphon.errors import Conflict, Invalid, NotFound
from antiphon.plugins import Page, SpeechRegistry, ordered
from antiphon.tenancy.scope import scoped, writable_client
from antiphon.tenancy.trash import bring_back, deleted_row, put_away
from antiphon.types import Principal
from antiphon_announcements.library import AnnouncementLibrary, check_folder, searchable
from antiphon_announcements.models import Announcement, AnnouncementTemplate
from antiphon_announcements.ready_made import ReadyMade, ready_made
from antiphon_announcements.scripts import fill, placeholders, unknown
from antiphon_announcements.template_views import (
    AnnounceTemplate,
    ChangeTemplate,
    FillTemplate,
    NewTemplate,
    TemplateQuery,
    TemplateView,
)
from antiphon_announcements.views import SpeakAnnouncement

Template = AnnouncementTemplate | ReadyMade


class Templates:
    """All templates. Those that the principal does not reach raise NotFound.

    Everybody may use those that come along, and nobody may change them.
    """

    def __init__(self, library: AnnouncementLibrary, speech: SpeechRegistry) -> None:
        self._library = library
        self._speech = speech

    async def find(self, principal: Principal, query: TemplateQuery) -> Page[TemplateView]:
        """A page of one's own that match, and behind them of those that come along."""
        rows = _wanted(principal, query)
        own, total = ([], 0) if query.built_in else await query.fetch(rows)
        along = _ready_made(query)
        begin = max(0, query.offset - total)
        more = along[begin : begin + query.limit - len(own)]
        return Page(
            items=(*map(TemplateView.of, own), *map(TemplateView.of_ready_made, more)),
            total=total + len(along),
        )

    async def get(self, principal: Principal, template_id: UUID) -> Template:
        """One template, whosever it is."""
        if (along := ready_made().get(template_id)) is not None:
            return along
        row = await scoped(AnnouncementTemplate, principal).get_or_none(id=template_id)
        if row is None:
            raise NotFound("announcement template", template_id)
        return row

    async def create(self, principal: Principal, new: NewTemplate) -> AnnouncementTemplate:
        """A new template. Raises Invalid where a default has no placeholder."""
        client_id = await writable_client(principal, new.client_id)
        row = AnnouncementTemplate(client_id=client_id, created_by_id=principal.user_id)
        await self._set(row, new.model_dump(exclude={"client_id"}))
        await row.save(force_create=True)
        return row

    async def change(
        self, principal: Principal, template_id: UUID, change: ChangeTemplate
    ) -> AnnouncementTemplate:
        """Change a template. Raises as `create`, and Conflict for one that comes along."""
        row = await self._own(principal, template_id)
        await self._set(row, change.model_dump(exclude_unset=True))
        await row.save()
        return row

    async def delete(self, principal: Principal, template_id: UUID) -> None:
        """Delete a template; what was made from it stays."""
        await put_away(await self._own(principal, template_id))

    async def restore(self, principal: Principal, template_id: UUID) -> AnnouncementTemplate:
        """Bring a deleted template back."""
        row = await deleted_row(
            AnnouncementTemplate, "announcement template", principal, template_id
        )
        return await bring_back(row, f"The template {row.name!r}")

    async def text(self, principal: Principal, template_id: UUID, given: FillTemplate) -> str:
        """What would be spoken. Raises Invalid on each value that is missing or too many."""
        template = await self.get(principal, template_id)
        return fill(template.text, given.values, template.defaults)

    async def announce(
        self, principal: Principal, template_id: UUID, given: AnnounceTemplate
    ) -> Announcement:
        """A new announcement. Raises as `text`, and what speaking raises."""
        template = await self.get(principal, template_id)
        described = given.model_dump(exclude_unset=True, exclude={"values", "title", "voice"})
        wanted = _as_template_has_it(template) | described
        wanted["title"] = given.title or template.name
        wanted["text"] = fill(template.text, given.values, template.defaults)
        wanted["voice"] = given.voice or await self._voice(template)
        return await self._library.speak(principal, SpeakAnnouncement(**wanted))

    async def _voice(self, template: Template) -> str | None:
        """The template's own voice, or the first that speaks its language.

        None, which is the first of all, where there is no voice: speaking then says so.
        """
        if isinstance(template, AnnouncementTemplate) and template.voice is not None:
            return template.voice
        language = template.language.lower()
        voices = await self._speech.voices()
        for wanted in (language, language.partition("-")[0]):
            for voice in voices:
                if f"{voice.language.lower()}-".startswith(f"{wanted}-"):
                    return voice.id
        if not voices:
            return None
        spoken = ", ".join(sorted({voice.language for voice in voices}))
        raise Invalid.field(
            "voice", f"none speaks {template.language} (there is {spoken}); install or name one"
        )

    async def _own(self, principal: Principal, template_id: UUID) -> AnnouncementTemplate:
        row = await self.get(principal, template_id)
        if isinstance(row, ReadyMade):
            raise Conflict(
                f"The template {row.name!r} comes with Antiphon and stays as it is. Make one of "
                "your own with its text."
            )
        return row

    async def _set(self, row: AnnouncementTemplate, values: dict[str, Any]) -> None:
        await check_folder(row.client_id, values.get("folder_id"))
        row.update_from_dict(values)
        if wrong := unknown("defaults", row.defaults, placeholders(row.text)):
            raise Invalid(wrong)
        row.search_text = searchable(row.name, row.text)


def _as_template_has_it(template: Template) -> dict[str, Any]:
    if isinstance(template, ReadyMade):
        return {"category": template.category}
    names = ("client_id", "folder_id", "category", "band", "chime")
    return {name: getattr(template, name) for name in names}


def _wanted(principal: Principal, query: TemplateQuery) -> Any:
    rows = ordered(scoped(AnnouncementTemplate, principal, deleted=query.deleted), query.ordering)
    named = {"category", "folder_id", "client_id"}
    rows = rows.filter(**query.model_dump(include=named, exclude_none=True))
    if query.search:
        rows = rows.filter(search_text__contains=searchable(query.search))
    if query.language:
        language = query.language
        rows = rows.filter(Q(language__iexact=language) | Q(language__istartswith=f"{language}-"))
    return rows


def _ready_made(query: TemplateQuery) -> list[ReadyMade]:
    """Those that come along and match. They lie in no folder, are nobody's and never deleted."""
    if query.built_in is False or query.deleted or query.folder_id or query.client_id:
        return []
    found: Iterable[ReadyMade] = ready_made().values()
    if query.search:
        text = searchable(query.search)
        found = [one for one in found if text in searchable(one.name, one.text)]
    if query.category:
        found = [one for one in found if one.category == query.category]
    if query.language:
        found = [one for one in found if one.language == query.language.lower()]
    name = query.ordering.removeprefix("-")
    if name in ("name", "language", "category"):
        found = sorted(found, key=attrgetter(name), reverse=query.ordering.startswith("-"))
    return list(found)
