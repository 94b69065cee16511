"""What schedules will do, as other plugins ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

from antiphon.plugins.offers import Offer


class ScheduleForecast(Protocol):
    """Looks ahead. Offered by the plugin that has the schedules."""

    async def next_changes(self, client_id: UUID) -> Mapping[UUID, datetime]:
        """When a schedule does something next, by zone of the client.

        Zones in which none does anything within a week are left out.
        """


class SchedulesOffer(Offer[ScheduleForecast]):
    """Where the plugin that has the schedules offers its forecast; there may be none."""
