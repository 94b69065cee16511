"""Which zones a principal's command reaches."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Sequence
from uuid import UUID

from tortoise.exceptions import BaseORMException

from antiphon.building.models import Device, Floor, Zone
from antiphon.errors import Invalid, NotFound, PartAway
from antiphon.plugins.zones import CallOptions
from antiphon.store import Memo
from antiphon.tenancy.scope import reach_of, scoped
from antiphon.types import Principal


class Reach:
    """Which zones principals reach, remembered until a zone changes.

    Everything raises PartAway while the database is away.
    """

    def __init__(self) -> None:
        self._known: Memo[dict[UUID, None]] = Memo(Zone, at_most=100)

    async def all(self, principal: Principal) -> Collection[UUID]:
        """All of them, by name."""
        return await self._known.get(reach_of(principal), lambda: _all(principal))

    async def of(self, principal: Principal, wanted: Iterable[UUID]) -> list[UUID]:
        """Each of `wanted` once. Raises NotFound with all that are not reached."""
        found, wanted = await self.all(principal), list(dict.fromkeys(wanted))
        if missing := [zone_id for zone_id in wanted if zone_id not in found]:
            raise NotFound("zone", ", ".join(map(str, missing)))
        return wanted

    async def among(self, principal: Principal, zones: Collection[UUID]) -> list[UUID]:
        """Those of `zones` that are reached, by name."""
        among = frozenset(zones)
        return [zone_id for zone_id in await self.all(principal) if zone_id in among]

    async def named(
        self, principal: Principal, request: CallOptions
    ) -> tuple[list[UUID], list[UUID]]:
        """The zones that a call names: those that must be there, and those that are if they are on.

        Raises NotFound with what is named and not reached, Invalid for a loudspeaker in no zone.
        """
        if request.all:
            return [], list(await self.all(principal))
        zones = await self.of(principal, request.zones) if request.zones else []
        try:
            if request.devices:
                rows = scoped(Device, principal).filter(id__in=request.devices)
                by_device = dict(await rows.values_list("id", "zone_id"))
                _check("device", request.devices, by_device)
                if away := [str(key) for key in request.devices if by_device[key] is None]:
                    raise Invalid.field("devices", f"{', '.join(away)}: in no zone yet")
                zones += [by_device[key] for key in request.devices]
            maybe = []
            if request.floors:
                floors = (
                    await scoped(Floor, principal).filter(id__in=request.floors).values_list("id")
                )
                _check("floor", request.floors, [floor_id for (floor_id,) in floors])
                there = scoped(Zone, principal).filter(floor_id__in=request.floors)
                maybe = [
                    zone_id for (zone_id,) in await there.order_by("name", "id").values_list("id")
                ]
        except BaseORMException as error:
            raise PartAway("The database", "Try again in a moment.") from error
        return list(dict.fromkeys(zones)), maybe


async def _all(principal: Principal) -> dict[UUID, None]:
    try:
        rows = await scoped(Zone, principal).order_by("name", "id").values_list("id")
    except BaseORMException as error:
        raise PartAway("The database", "Try again in a moment.") from error
    return dict.fromkeys(zone_id for (zone_id,) in rows)


def _check(what: str, wanted: Sequence[UUID], found: Container[UUID]) -> None:
    if missing := [str(key) for key in wanted if key not in found]:
        raise NotFound(what, ", ".join(missing))
