"""What the API takes and gives for templates."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from antiphon.plugins import ApiModel, DeletableQuery, Line, SortedBy, left_out
from antiphon.types import Band, Frozen
from antiphon_announcements.models import AnnouncementTemplate
from antiphon_announcements.ready_made import ReadyMade
from antiphon_announcements.scripts import MAX_PLACEHOLDERS, Script, placeholders
from antiphon_announcements.views import Category, Described, VoiceId

Language = Annotated[
    str,
    StringConstraints(max_length=35, pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"),
    Field(examples=["en", "de", "tr"]),
]
Values = Annotated[dict[str, Line], Field(max_length=MAX_PLACEHOLDERS)]


class TemplateView(Frozen):
    """A template, and the placeholders that its text has. Those that come along have no client."""

    id: UUID
    client_id: UUID | None
    folder_id: UUID | None = None
    name: str
    text: str
    placeholders: tuple[str, ...]
    defaults: dict[str, str]
    language: str
    category: str
    voice: str | None = None
    band: Band = Band.ANNOUNCEMENT
    chime: bool | None = None
    built_in: bool
    created_by: UUID | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None

    @classmethod
    def of(cls, row: AnnouncementTemplate) -> Self:
        """The view of a row."""
        own = {"placeholders", "built_in", "created_by"}
        return cls(
            placeholders=tuple(placeholders(row.text)),
            built_in=False,
            created_by=row.created_by_id,
            **{name: getattr(row, name) for name in cls.model_fields.keys() - own},
        )

    @classmethod
    def of_ready_made(cls, one: ReadyMade) -> Self:
        """The view of one that comes along."""
        return cls(
            id=one.id,
            client_id=None,
            name=one.name,
            text=one.text,
            placeholders=tuple(placeholders(one.text)),
            defaults=dict(one.defaults),
            language=one.language,
            category=one.category,
            built_in=True,
        )


class NewTemplate(ApiModel):
    """A new template: words in braces in its text are placeholders, `defaults` values for them."""

    name: Line
    text: Script
    defaults: Values = Field(default_factory=dict)
    language: Language = "en"
    category: Category = ""
    voice: VoiceId | None = None
    band: Band = Band.ANNOUNCEMENT
    chime: bool | None = None
    folder_id: UUID | None = None
    client_id: UUID | None = Field(default=None, description="For admin and staff: whose it is.")


class ChangeTemplate(ApiModel):
    """What to change; keys that are left out stay. Announcements made from it stay as they are."""

    name: Line = left_out()
    text: Script = left_out()
    defaults: Values = left_out()
    language: Language = left_out()
    category: Category = left_out()
    voice: VoiceId | None = None
    band: Band = left_out()
    chime: bool | None = None
    folder_id: UUID | None = None


class TemplateQuery(DeletableQuery):
    """Which templates: one's own first, then those that come with Antiphon.

    `search` looks into names and texts.
    """

    search: str | None = Field(default=None, max_length=200)
    language: str | None = Field(
        default=None, max_length=35, description="Those in this language: `de` finds `de-AT` too."
    )
    category: str | None = Field(default=None, max_length=100)
    built_in: bool | None = Field(default=None, description="Those that come along, or the others.")
    folder_id: UUID | None = None
    client_id: UUID | None = Field(default=None, description="Those of this client alone.")
    ordering: Annotated[
        str, SortedBy("name", "language", "category", "created_at", "updated_at")
    ] = "name"


class FillTemplate(ApiModel):
    """Values for the placeholders; those that have a default may be left out."""

    values: Values = Field(default_factory=dict)


class AnnounceTemplate(Described):
    """A new announcement from a template. What is left out is as the template has it.

    Without `voice`, the first one that speaks the template's language does.
    """

    values: Values = Field(default_factory=dict)
    title: Line | None = None
    voice: VoiceId | None = None


class FilledTemplate(Frozen):
    """The text as it would be spoken."""

    text: str
