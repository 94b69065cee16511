"""The zones of all clients, with what the planner asks about them: quiet hours, floor, devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time
from typing import Any
from uuid import UUID

from antiphon.plugins import PlaybackView, Zones
from antiphon.tenancy.models import Client
from antiphon.tenancy.subscriptions import why_inactive
from antiphon.types import Principal
from antiphon_scheduling.plan import Place
from antiphon_scheduling.rules import Quiet, Quiets


class Places:
    """Call it with a client's id for the zones of that client.

    Which zones there are, the database says, and `zones` those that sound; without it no server
    runs.
    """

    def __init__(self, zones: Zones | None = None) -> None:
        self._zones = zones
        self._by_client: dict[UUID, tuple[Place, ...]] = {}
        self._zone_of: dict[UUID, UUID] = {}
        self._clients: dict[UUID, Client] = {}

    def __call__(self, client_id: UUID) -> Sequence[Place]:
        """The zones of a client, as of the last `refresh`."""
        return self._by_client.get(client_id, ())

    def inactive(self, client_id: UUID, instant: datetime) -> str | None:
        """Why a client may not play at a time, as the end of a sentence; None if it may."""
        client = self._clients.get(client_id)
        return None if client is None else why_inactive(client, instant)

    def zone_of(self, device_id: UUID) -> UUID | None:
        """The zone that a device is in, as of the last `refresh`."""
        return self._zone_of.get(device_id)

    async def refresh(self, client_id: UUID | None = None) -> None:
        """Read the zones anew: of all clients, or of one."""
        known = {place.zone_id: (owner, place) for owner, place in await _zones(client_id)}
        if self._zones is not None:
            views = await self._zones.views(Principal.system(client_id))
            # A zone that was just created can be called, and has no view yet.
            known |= {view.zone_id: _played(view, known) for view in views}
        clients = Client.all() if client_id is None else Client.filter(id=client_id)
        self._clients = {client.id: client for client in await clients}
        self._zone_of = await _devices(client_id)
        devices: dict[UUID, set[UUID]] = {}
        for device_id, zone_id in self._zone_of.items():
            devices.setdefault(zone_id, set()).add(device_id)
        found: dict[UUID, list[Place]] = {}
        for zone_id, (owner, place) in sorted(known.items(), key=lambda item: item[0]):
            there = frozenset(devices.get(zone_id, ()))
            found.setdefault(owner, []).append(replace(place, devices=there))
        self._by_client = {owner: tuple(places) for owner, places in found.items()}


def _played(view: PlaybackView, known: Mapping[UUID, tuple[UUID, Place]]) -> tuple[UUID, Place]:
    """A zone that the server plays."""
    _, place = known.get(view.zone_id, (None, Place(view.zone_id)))
    return view.client_id, replace(place, floor_id=view.floor_id)


async def _zones(client_id: UUID | None) -> list[tuple[UUID, Place]]:
    """All active zones in the database, and whose they are."""
    clients = Client.filter(zones__deleted_at__isnull=True, zones__is_active=True)
    if client_id is not None:
        clients = clients.filter(id=client_id)
    columns = (
        "id", "zones__id", "zones__quiet_from", "zones__quiet_until", "zones__floor_id",
        "zones__schedules_enabled",
    )  # fmt: skip
    rows: Sequence[Any] = await clients.values_list(*columns)
    return [
        (row[0], Place(row[1], _quiets(row[2], row[3]), row[4], is_on=row[5]))
        for row in rows
        if row[1] is not None
    ]


async def _devices(client_id: UUID | None) -> dict[UUID, UUID]:
    """The devices that are in a zone, and in which."""
    clients = Client.filter(devices__zone_id__isnull=False)
    if client_id is not None:
        clients = clients.filter(id=client_id)
    rows: Sequence[Any] = await clients.values_list("devices__id", "devices__zone_id")
    return dict(rows)


def _quiets(begin: time | None, end: time | None) -> Quiets:
    if begin is None or end is None or begin == end:
        return ()
    return (Quiet(begin=begin, end=end),)


async def floors_of(client_id: UUID) -> set[UUID]:
    """The client's floors."""
    rows: Sequence[Any] = await Client.filter(
        id=client_id, floors__deleted_at__isnull=True
    ).values_list("floors__id", flat=True)
    return {key for key in rows if key is not None}


async def devices_of(client_id: UUID) -> set[UUID]:
    """The client's devices."""
    rows: Sequence[Any] = await Client.filter(id=client_id).values_list("devices__id", flat=True)
    return {key for key in rows if key is not None}
