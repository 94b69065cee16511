"""Which events a principal may see."""

from __future__ import annotations

from uuid import UUID

from antiphon.audit import CommandGiven
from antiphon.building.models import Zone
from antiphon.events import (
    DeviceChanged,
    DeviceEvent,
    Event,
    ZoneChanged,
    ZoneCreated,
    ZoneEvent,
)
from antiphon.tenancy.scope import scoped, sees_client
from antiphon.types import Principal, Role


class Sight:
    """Tells of each event whether it may be told. Floor users see what is on their floor alone."""

    def __init__(self, principal: Principal) -> None:
        self._principal = principal
        self._of_floor = principal.role is Role.FLOOR_USER
        self._zones: set[UUID] = set()

    async def refresh(self) -> None:
        """Look up which zones lie on a floor user's floor."""
        if self._of_floor:
            ids = await scoped(Zone, self._principal).values_list("id", flat=True)
            self._zones = {UUID(str(zone_id)) for zone_id in ids}

    async def sees(self, event: Event) -> bool:
        """Whether `event` may be told."""
        if isinstance(event, CommandGiven) or not sees_client(self._principal, event.client_id):
            return False
        if not self._of_floor:
            return True
        match event:
            case ZoneEvent():
                known = event.zone_id in self._zones
                if isinstance(event, ZoneCreated | ZoneChanged):
                    await self.refresh()
                return known or event.zone_id in self._zones
            case DeviceChanged():
                return event.zone_id in self._zones
            case DeviceEvent():
                return False
        return True
