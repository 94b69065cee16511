"""The plugin's own events; those that others act on are in `antiphon.events`."""

from __future__ import annotations

from uuid import UUID

from antiphon.events import Event


class ScheduleChanged(Event):
    """A schedule was made, changed, switched or deleted."""

    schedule_id: UUID


class CalendarChanged(Event):
    """A calendar of `client_id` was changed or deleted."""
