"""Which zones a principal's command reaches."""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence
from uuid import UUID

from tortoise.exceptions import BaseORMException

from antiphon.building.models import Device, Floor, Zone
from antiphon.errors import Invalid, NotFound, PartAway
from antiphon.plugins.zones import CallOptions
from antiphon.tenancy.scope import scoped
from antiphon.types import Principal


async def reached(principal: Principal, wanted: Sequence[UUID] | None = None) -> list[UUID]:
    """The zones that the principal reaches, by name; `wanted` alone, in that order, if given.

    Raises NotFound with all that are wanted and not reached.
    """
    try:
        zones = scoped(Zone, principal)
        if wanted is not None:
            zones = zones.filter(id__in=wanted)
        found = [zone_id for (zone_id,) in await zones.order_by("name", "id").values_list("id")]
    except BaseORMException as error:
        raise PartAway("The database", "Try again in a moment.") from error
    if wanted is None:
        return found
    wanted = list(dict.fromkeys(wanted))
    if missing := [zone_id for zone_id in wanted if zone_id not in found]:
        raise NotFound("zone", ", ".join(map(str, missing)))
    return wanted


async def reached_among(principal: Principal, zones: Collection[UUID]) -> list[UUID]:
    """Those of `zones` that the principal reaches, by name."""
    try:
        rows = scoped(Zone, principal).filter(id__in=list(zones)).order_by("name", "id")
        return [zone_id for (zone_id,) in await rows.values_list("id")]
    except BaseORMException as error:
        raise PartAway("The database", "Try again in a moment.") from error


async def named(principal: Principal, request: CallOptions) -> tuple[list[UUID], list[UUID]]:
    """The zones that a call names: those that have to be there, and those that are if they are on.

    Raises NotFound with what is named and not reached, Invalid for a loudspeaker without a zone.
    """
    if request.all:
        return [], await reached(principal)
    zones = await reached(principal, request.zones) if request.zones else []
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
            floors = await scoped(Floor, principal).filter(id__in=request.floors).values_list("id")
            _check("floor", request.floors, [floor_id for (floor_id,) in floors])
            there = scoped(Zone, principal).filter(floor_id__in=request.floors)
            maybe = [zone_id for (zone_id,) in await there.order_by("name", "id").values_list("id")]
    except BaseORMException as error:
        raise PartAway("The database", "Try again in a moment.") from error
    return list(dict.fromkeys(zones)), maybe


def _check(what: str, wanted: Sequence[UUID], found: Container[UUID]) -> None:
    if missing := [str(key) for key in wanted if key not in found]:
        raise NotFound(what, ", ".join(missing))
