"""What the API takes and gives."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from antiphon.plugins import ApiModel, DeletableQuery, Line, ListQuery, SortedBy, left_out
from antiphon.types import Band, Frozen
from antiphon_scheduling.models import Schedule, ScheduleCalendar
from antiphon_scheduling.plan import Plan
from antiphon_scheduling.recurrence import Recurrence
from antiphon_scheduling.rules import Rules

Url = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^https?://[^\s]+$")]


class ScheduleView(Frozen):
    """A schedule. `next_at` is when its time comes next; none while it is off.

    `opening_zone_id` is set for the two that stand for a zone's opening hours: they are changed
    there.
    """

    id: UUID
    client_id: UUID
    name: str
    config: Recurrence
    rules: Rules
    zones: tuple[UUID, ...]
    floors: tuple[UUID, ...]
    devices: tuple[UUID, ...]
    all: bool
    opening_zone_id: UUID | None
    band: Band | None
    chime: bool | None
    enabled: bool
    timezone: str
    next_at: datetime | None
    last_executed_at: datetime | None
    fired_count: int
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    @classmethod
    def of(cls, row: Schedule, plan: Plan, now: datetime) -> Self:
        """The view of a row and its plan."""
        return cls(
            id=row.id,
            client_id=row.client_id,
            name=row.name,
            config=plan.recurrence,
            rules=Rules.model_validate(row.rules or {}),
            zones=tuple(map(UUID, row.zones)),
            floors=tuple(map(UUID, row.floors or ())),
            devices=tuple(map(UUID, row.devices or ())),
            all=plan.targets is None,
            opening_zone_id=row.opening_zone_id,
            band=row.band,
            chime=row.chime,
            enabled=row.enabled,
            timezone=plan.zone.key,
            next_at=plan.following(now) if row.enabled and not row.deleted_at else None,
            last_executed_at=row.last_executed_at,
            fired_count=row.fired_count,
            created_by=row.created_by_id,
            created_at=row.created_at,
            updated_at=row.updated_at,
            deleted_at=row.deleted_at,
        )


class NewSchedule(ApiModel):
    """A new schedule for some zones or for all; `config` says when and what, `rules` when not.

    Zones are named by themselves, by their floors, or by a loudspeaker in them. Which zones these
    are is found out each time: a zone that comes to a floor later is meant too.
    """

    name: Line
    config: Recurrence
    rules: Rules = Field(default_factory=Rules)
    zones: list[UUID] | None = Field(default=None, min_length=1, max_length=1_000)
    floors: list[UUID] | None = Field(default=None, min_length=1, max_length=1_000)
    devices: list[UUID] | None = Field(default=None, min_length=1, max_length=1_000)
    all: bool = False
    band: Band | None = None
    chime: bool | None = None
    enabled: bool = True
    client_id: UUID | None = Field(default=None, description="For admin and staff: whose it is.")

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if bool(self.zones or self.floors or self.devices) == self.all:
            raise ValueError("give zones, floors or devices, or all: true")
        return self


class ChangeSchedule(ApiModel):
    """What to change; keys that are left out stay. Takes effect at once.

    Of zones, floors, devices and all, what is given takes the place of all four.
    """

    name: Line = left_out()
    config: Recurrence = left_out()
    rules: Rules = left_out()
    zones: list[UUID] = left_out(min_length=1, max_length=1_000)
    floors: list[UUID] = left_out(min_length=1, max_length=1_000)
    devices: list[UUID] = left_out(min_length=1, max_length=1_000)
    all: bool = left_out()
    band: Band | None = None
    chime: bool | None = None
    enabled: bool = left_out()

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        given = self.model_fields_set
        if "all" in given and self.all is bool(given & {"zones", "floors", "devices"}):
            raise ValueError("give zones, floors or devices, or all: true")
        return self


class ScheduleQuery(DeletableQuery):
    """Which schedules to list."""

    ordering: Annotated[str, SortedBy("name", "kind", "enabled", "created_at", "updated_at")] = (
        "name"
    )

    client_id: UUID | None = Field(default=None, description="Those of this client alone.")
    search: str | None = Field(default=None, max_length=200)
    kind: str | None = Field(default=None, max_length=20)
    enabled: bool | None = None


class ScheduleRunView(Frozen):
    """What a run by hand came to; `call_id` is empty where music was meant."""

    schedule_id: UUID
    at: datetime
    announcement_id: UUID | None
    zones: tuple[UUID, ...]
    call_id: UUID | None


class NamedDay(Frozen):
    """A day of a calendar."""

    date: date
    name: str


class CalendarView(Frozen):
    """A calendar; `upcoming` are its next days, within two years.

    One that comes from `url` was fetched at `fetched_at`; `problem` says why that failed since.
    """

    id: UUID
    client_id: UUID
    name: str
    country: str | None
    subdivision: str | None
    number_of_days: int | None
    url: str | None
    fetched_at: datetime | None
    problem: str | None
    upcoming: tuple[NamedDay, ...]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: ScheduleCalendar, upcoming: tuple[NamedDay, ...]) -> Self:
        """The view of a row."""
        return cls(
            id=row.id,
            client_id=row.client_id,
            name=row.name,
            country=row.country,
            subdivision=row.subdivision,
            number_of_days=None if row.days is None else len(row.days),
            url=row.url,
            fetched_at=row.fetched_at,
            problem=row.problem,
            upcoming=upcoming,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


class NewCalendar(ApiModel):
    """The public holidays of a country, or an iCalendar file: its content, or where it is."""

    name: Line
    country: str | None = Field(default=None, max_length=10, description="ISO code, such as DE.")
    subdivision: str | None = Field(default=None, max_length=50, description="Such as BE.")
    ics: str | None = Field(default=None, max_length=500_000)
    url: Url | None = Field(default=None, description="Fetched again and again.")
    client_id: UUID | None = Field(default=None, description="For admin and staff: whose it is.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(one is not None for one in (self.country, self.ics, self.url)) != 1:
            raise ValueError("give one of country, ics and url")
        if self.subdivision is not None and self.country is None:
            raise ValueError("a subdivision needs its country")
        return self


class ChangeCalendar(ApiModel):
    """A new name; or, for a calendar that was made of a file, a newer one or another address."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"name": "Closed", "url": "https://example.com/closed.ics"}}
    )

    name: Line = left_out()
    ics: str = left_out(max_length=500_000)
    url: Url = left_out()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if {"ics", "url"} <= self.model_fields_set:
            raise ValueError("give either ics or url")
        return self


class CalendarQuery(ListQuery):
    """Which calendars to list."""

    client_id: UUID | None = Field(default=None, description="Those of this client alone.")
    ordering: Annotated[str, SortedBy("name", "created_at", "updated_at")] = "name"
