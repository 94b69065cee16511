"""Which zones a principal's command reaches."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from tortoise.exceptions import BaseORMException

from antiphon.building.models import Zone
from antiphon.errors import NotFound, PartAway
from antiphon.store.recent import remembered
from antiphon.tenancy.scope import scoped
from antiphon.types import Principal


async def reached(principal: Principal, wanted: Sequence[UUID] | None = None) -> list[UUID]:
    """The zones that the principal reaches, by name; `wanted` alone, in that order, if given.

    Raises NotFound with all that are wanted and not reached.
    """
    try:
        found = await _zones(principal, None if wanted is None else tuple(wanted))
    except BaseORMException as error:
        raise PartAway("The database", "Try again in a moment.") from error
    if wanted is None:
        return list(found)
    wanted = list(dict.fromkeys(wanted))
    if missing := [zone_id for zone_id in wanted if zone_id not in found]:
        raise NotFound("zone", ", ".join(map(str, missing)))
    return wanted


async def reached_among(principal: Principal, zones: Collection[UUID]) -> list[UUID]:
    """Those of `zones` that the principal reaches, by name."""
    try:
        return list(await _zones(principal, tuple(zones)))
    except BaseORMException as error:
        raise PartAway("The database", "Try again in a moment.") from error


@remembered
async def _zones(principal: Principal, wanted: tuple[UUID, ...] | None) -> Mapping[UUID, None]:
    """Those that are reached, as keys: they are in order, and quickly found."""
    zones = scoped(Zone, principal)
    if wanted is not None:
        zones = zones.filter(id__in=wanted)
    rows = await zones.order_by("name", "id").values_list("id")
    return dict.fromkeys(zone_id for (zone_id,) in rows)
