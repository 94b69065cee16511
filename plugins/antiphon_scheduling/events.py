"""The plugin's own events; those that others act on are in `antiphon.events`."""

from __future__ import annotations

from uuid import UUID

from antiphon.events import PlansChanged


class ScheduleChanged(PlansChanged):
    """A schedule was made, changed, switched or deleted."""

    schedule_id: UUID


class CalendarChanged(PlansChanged):
    """A calendar of `client_id` was changed or deleted."""
