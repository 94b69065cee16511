"""Which of the playlists that are assigned to a zone is in force there, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal
from uuid import UUID

from antiphon.types import Frozen


class Assigned(Frozen):
    """A playlist, and what it is for."""

    playlist_id: UUID
    name: str
    enabled: bool
    zones: frozenset[UUID]
    floors: frozenset[UUID]


class Candidate(Frozen):
    """A playlist that is assigned to a zone or to its floor. `reason` says why it is in force."""

    playlist_id: UUID
    name: str
    assigned_to: Literal["zone", "floor"]
    in_force: bool
    reason: str


def ranked(zone_id: UUID, floor_id: UUID, playlists: Iterable[Assigned]) -> list[Candidate]:
    """The playlists for a zone. Its own come before its floor's, equal ones go by name.

    The first that is switched on is in force.
    """
    found = [one for one in playlists if zone_id in one.zones or floor_id in one.floors]
    found.sort(
        key=lambda one: (zone_id not in one.zones, one.name.casefold(), one.name, one.playlist_id)
    )
    winner = next((one for one in found if one.enabled), None)
    return [
        Candidate(
            playlist_id=one.playlist_id,
            name=one.name,
            assigned_to="zone" if zone_id in one.zones else "floor",
            in_force=one is winner,
            reason=_reason(one, winner, zone_id),
        )
        for one in found
    ]


def winner(zone_id: UUID, floor_id: UUID, playlists: Iterable[Assigned]) -> UUID | None:
    """The playlist that is in force in a zone."""
    candidates: Sequence[Candidate] = ranked(zone_id, floor_id, playlists)
    return next((one.playlist_id for one in candidates if one.in_force), None)


def _reason(one: Assigned, winner: Assigned | None, zone_id: UUID) -> str:
    own = zone_id in one.zones
    place = "the zone itself" if own else "the zone's floor"
    if not one.enabled:
        return "it is switched off"
    if one is winner or winner is None:
        return f"it is assigned to {place}"
    if not own and zone_id in winner.zones:
        return f"“{winner.name}” is assigned to the zone itself, which counts for more"
    return f"“{winner.name}” is assigned to {place} too and comes first by name"
