"""Changes a building: its floors and zones. Everybody who does, does it here."""

from __future__ import annotations

import asyncio
import unicodedata
from typing import Any
from uuid import UUID

from tortoise.queryset import QuerySet

from antiphon.building.models import Floor, Zone
from antiphon.building.views import FloorCreate, FloorUpdate, ZoneCreate, ZoneUpdate
from antiphon.errors import Conflict, Invalid, NotFound, RestoreRefused
from antiphon.events import (
    EventBus,
    FloorChanged,
    FloorDeleted,
    ZoneChanged,
    ZoneCreated,
    ZoneDeleted,
)
from antiphon.tenancy.models import Client
from antiphon.tenancy.scope import scoped, writable_client
from antiphon.tenancy.subscriptions import check_floors
from antiphon.tenancy.trash import bring_back, deleted_row, put_away
from antiphon.types import Principal

FIRST_FLOOR = "Ground floor"


class Building:
    """Floors and zones of all clients. What the principal does not reach raises NotFound.

    Names are unique per client, whatever their case. One change happens at a time, so that two
    requests never take the same name.
    """

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._changing = asyncio.Lock()

    async def floor(self, principal: Principal, floor_id: UUID) -> Floor:
        """One floor."""
        if (found := await scoped(Floor, principal).get_or_none(id=floor_id)) is None:
            raise NotFound("floor", floor_id)
        return found

    async def zone(self, principal: Principal, zone_id: UUID) -> Zone:
        """One zone."""
        if (found := await scoped(Zone, principal).get_or_none(id=zone_id)) is None:
            raise NotFound("zone", zone_id)
        return found

    async def create_floor(self, principal: Principal, new: FloorCreate) -> Floor:
        """Add a floor. Raises Conflict where the name is taken.

        Raises LimitReached or PremiumNeeded where the client's subscription allows no other.
        """
        async with self._changing:
            client_id = await writable_client(principal, new.client_id)
            return await self._add_floor(principal, client_id, new.name, new.description)

    async def update_floor(
        self, principal: Principal, floor_id: UUID, change: FloorUpdate
    ) -> Floor:
        """Change a floor. Raises Conflict where the name is taken."""
        async with self._changing:
            floor = await self.floor(principal, floor_id)
            changes = change.model_dump(exclude_unset=True)
            if "name" in changes:
                await _free_name(Floor, floor.client_id, changes["name"], but=floor.id)
            await floor.update_from_dict(changes).save()
        self._bus.publish(FloorChanged(client_id=floor.client_id, floor_id=floor.id))
        return floor

    async def delete_floor(self, principal: Principal, floor_id: UUID) -> None:
        """Remove an empty floor. Raises Conflict while there are zones on it."""
        async with self._changing:
            floor = await self.floor(principal, floor_id)
            if names := await _names(Zone.filter(floor_id=floor.id, deleted_at__isnull=True)):
                raise Conflict(
                    f"There are zones on the floor {floor.name}: {', '.join(names[:5])}. "
                    "Move or delete them first."
                )
            await put_away(floor)
        self._bus.publish(FloorDeleted(client_id=floor.client_id, floor_id=floor.id))

    async def restore_floor(self, principal: Principal, floor_id: UUID) -> Floor:
        """Bring a deleted floor back. Raises RestoreRefused where its name is taken.

        Raises LimitReached or PremiumNeeded as `create_floor`.
        """
        async with self._changing:
            floor = await deleted_row(Floor, "floor", principal, floor_id)
            await _name_still_free(Floor, floor)
            floor.is_premium = await self._another_floor(floor.client_id)
            restored = await bring_back(floor, f"The floor {floor.name}")
        self._bus.publish(FloorChanged(client_id=floor.client_id, floor_id=floor.id))
        return restored

    async def create_zone(self, principal: Principal, new: ZoneCreate) -> Zone:
        """Add a zone, which is heard at once. Raises Conflict where the name is taken.

        Raises Invalid where the floor is not the client's.
        """
        async with self._changing:
            client_id = await writable_client(principal, new.client_id)
            _check_quiet_hours(new.quiet_from, new.quiet_until)
            await _free_name(Zone, client_id, new.name)
            floor_id = new.floor_id or await self._first_floor(principal, client_id)
            await self._own_floor(principal, client_id, floor_id)
            values = new.model_dump(exclude={"client_id", "floor_id"})
            zone = await Zone.create(client_id=client_id, floor_id=floor_id, **values)
        self._bus.publish(ZoneCreated(client_id=client_id, zone_id=zone.id))
        return zone

    async def update_zone(self, principal: Principal, zone_id: UUID, change: ZoneUpdate) -> Zone:
        """Change a zone. Raises Conflict where the name is taken, Invalid as `create_zone`."""
        async with self._changing:
            zone = await self.zone(principal, zone_id)
            changes = change.model_dump(exclude_unset=True)
            if "name" in changes:
                await _free_name(Zone, zone.client_id, changes["name"], but=zone.id)
            if "floor_id" in changes:
                await self._own_floor(principal, zone.client_id, changes["floor_id"])
            zone.update_from_dict(changes)
            _check_quiet_hours(zone.quiet_from, zone.quiet_until)
            await zone.save()
        self._bus.publish(ZoneChanged(client_id=zone.client_id, zone_id=zone.id))
        return zone

    async def delete_zone(self, principal: Principal, zone_id: UUID) -> None:
        """Remove a zone: it falls silent and its loudspeakers are free."""
        async with self._changing:
            zone = await self.zone(principal, zone_id)
            await put_away(zone)
        self._bus.publish(ZoneDeleted(client_id=zone.client_id, zone_id=zone.id))

    async def restore_zone(self, principal: Principal, zone_id: UUID) -> Zone:
        """Bring a deleted zone back, without its loudspeakers, which have been free since.

        Raises RestoreRefused where its name is taken or its floor is gone.
        """
        async with self._changing:
            zone = await deleted_row(Zone, "zone", principal, zone_id)
            await _name_still_free(Zone, zone)
            if not await Floor.exists(id=zone.floor_id, deleted_at__isnull=True):
                reason = "the floor that it lay on was deleted; restore that first"
                raise RestoreRefused(f"The zone {zone.name}", reason)
            await bring_back(zone, f"The zone {zone.name}")
        self._bus.publish(ZoneCreated(client_id=zone.client_id, zone_id=zone.id))
        return zone

    async def set_image(self, zone: Zone, image: str | None) -> Zone:
        """Note where the picture of a zone lies; None for a zone without."""
        zone.image = image
        await zone.save(update_fields=["image", "updated_at"])
        return zone

    async def _first_floor(self, principal: Principal, client_id: UUID) -> UUID:
        floors = scoped(Floor, principal).filter(client_id=client_id).order_by("created_at")
        if (first := await floors.first()) is not None:
            return first.id
        return (await self._add_floor(principal, client_id, FIRST_FLOOR, "")).id

    async def _own_floor(self, principal: Principal, client_id: UUID, floor_id: UUID) -> None:
        if not await scoped(Floor, principal).filter(id=floor_id, client_id=client_id).exists():
            raise Invalid.field("floor_id", f"there is no floor {floor_id}")

    async def _add_floor(
        self, principal: Principal, client_id: UUID, name: str, description: str
    ) -> Floor:
        await _free_name(Floor, client_id, name)
        floor = await Floor.create(
            client_id=client_id,
            name=name,
            description=description,
            is_premium=await self._another_floor(client_id),
            created_by_id=principal.user_id,
        )
        self._bus.publish(FloorChanged(client_id=client_id, floor_id=floor.id))
        return floor

    async def _another_floor(self, client_id: UUID) -> bool:
        """Whether the next floor is not the first; raises where there may be no other."""
        client = await Client.get(id=client_id)
        floors = await Floor.filter(client_id=client_id, deleted_at__isnull=True).count()
        check_floors(client, floors)
        return floors > 0


def _check_quiet_hours(begin: object, end: object) -> None:
    if (begin is None) != (end is None):
        missing = "quiet_from" if begin is None else "quiet_until"
        raise Invalid.field(missing, "quiet hours need both a begin and an end")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


async def _names(rows: QuerySet[Any]) -> list[str]:
    return [str(name) for name in await rows.values_list("name", flat=True)]


async def _free_name(
    model: type[Floor | Zone], client_id: UUID, name: str, but: UUID | None = None
) -> None:
    if await _is_taken(model, client_id, name, but):
        raise Conflict(f"There is a {model.__name__.lower()} named {name} already.")


async def _name_still_free(model: type[Floor | Zone], row: Floor | Zone) -> None:
    if await _is_taken(model, row.client_id, row.name, row.id):
        what = model.__name__.lower()
        raise RestoreRefused(f"The {what} {row.name}", f"another {what} has its name by now")


async def _is_taken(
    model: type[Floor | Zone], client_id: UUID, name: str, but: UUID | None
) -> bool:
    others = model.filter(client_id=client_id, deleted_at__isnull=True)
    if but is not None:
        others = others.exclude(id=but)
    return _folded(name) in {_folded(other) for other in await _names(others)}
