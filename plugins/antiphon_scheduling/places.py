"""The zones of all clients, with their quiet hours, as the planner asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from typing import Any
from uuid import UUID

from antiphon.plugins import Zones
from antiphon.tenancy.models import Client
from antiphon.types import Principal
from antiphon_scheduling.plan import Place
from antiphon_scheduling.rules import Quiet, Quiets


class Places:
    """Call it with a client's id for the zones of that client.

    Which zones there are, `zones` says; without it (no server runs) the database does.
    """

    def __init__(self, zones: Zones | None = None) -> None:
        self._zones = zones
        self._by_client: dict[UUID, tuple[Place, ...]] = {}

    def __call__(self, client_id: UUID) -> Sequence[Place]:
        """The zones of a client, as of the last `refresh`."""
        return self._by_client.get(client_id, ())

    async def refresh(self, client_id: UUID | None = None) -> None:
        """Read the zones anew: of all clients, or of one."""
        there = await _in_database(client_id)
        known = [(row[0], row[1]) for row in there]
        if self._zones is not None:
            views = await self._zones.views(Principal.system(client_id))
            known = [(view.client_id, view.zone_id) for view in views]
        found: dict[UUID, list[Place]] = {}
        places = {row[1]: Place(row[1], _quiets(row[2], row[3]), row[4]) for row in there}
        for owner, zone_id in sorted(known):
            found.setdefault(owner, []).append(places.get(zone_id) or Place(zone_id))
        self._by_client = {owner: tuple(places) for owner, places in found.items()}


async def _in_database(client_id: UUID | None) -> Sequence[Any]:
    """Of every active zone: its client, its id, its quiet hours, whether schedules may act."""
    clients = Client.filter(zones__deleted_at__isnull=True, zones__is_active=True)
    if client_id is not None:
        clients = clients.filter(id=client_id)
    rows: Sequence[Any] = await clients.values_list(
        "id",
        "zones__id",
        "zones__quiet_from",
        "zones__quiet_until",
        "zones__schedules_enabled",
    )
    return [row for row in rows if row[1] is not None]


def _quiets(begin: time | None, end: time | None) -> Quiets:
    if begin is None or end is None or begin == end:
        return ()
    return (Quiet(begin=begin, end=end),)
