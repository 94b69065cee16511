"""Figures for a dashboard, each from one query over all zones and clients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time
from typing import Annotated, Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field
from tortoise.functions import Count
from tortoise.models import Model
from tortoise.queryset import QuerySet

from antiphon.api.parts import ApiParts
from antiphon.building.models import Device, Zone
from antiphon.errors import NotFound
from antiphon.playback.models import PlayEvent
from antiphon.plugins.lists import ListQuery, Page, SortedBy, ordered
from antiphon.plugins.media import MediaTotals
from antiphon.plugins.routes import Operators, Request, Route
from antiphon.plugins.zones import ApiModel
from antiphon.tenancy.models import Client
from antiphon.tenancy.scope import scoped
from antiphon.types import Frozen, Playback, Principal

_OPEN = "open"

M_ = TypeVar("M_", bound=Model)


class StatsQuery(ApiModel):
    """Whose figures."""

    client_id: UUID | None = Field(
        default=None, description="Those of this client; for admin and staff, all by default."
    )


class Stats(Frozen):
    """What is there and what happens, of all that the caller sees."""

    zones: int
    zones_playing: int
    devices: int
    devices_online: int
    day_began_at: datetime = Field(description="Midnight in the client's time zone, else in UTC.")
    calls_today: dict[str, int] = Field(
        description="Play events of today by their outcome; `open` for those without one yet."
    )
    media: dict[str, MediaTotals] = Field(description="What is stored, by kind, such as `music`.")
    storage_bytes: int
    storage_limit_bytes: int | None


class ClientStats(Frozen):
    """One client's figures."""

    client_id: UUID
    name: str
    zones: int
    devices: int
    devices_online: int
    storage_bytes: int
    storage_limit_bytes: int | None


class ClientStatsQuery(ListQuery):
    """Which clients."""

    ordering: Annotated[str, SortedBy("name", "created_at")] = "name"


def stats_routes(parts: ApiParts) -> list[Route]:
    """The routes under `stats`."""

    async def stats(request: Request[None, StatsQuery]) -> Stats:
        principal = request.principal
        client = await _client(principal, request.query.client_id)
        key = client.id if client is not None else None
        # What is kept of a zone is at most a moment behind what is heard.
        zones = await _counted(_of(scoped(Zone, principal), key), "playback_state__playback")
        devices = await _counted(_of(scoped(Device, principal), key), "is_online")
        began_at = _midnight(client.timezone if client is not None else "UTC")
        media = {
            kind: sum(by_client.values(), MediaTotals())
            for kind, by_client in (await parts.media.totals(key)).items()
        }
        return Stats(
            zones=zones.total(),
            zones_playing=zones[Playback.PLAYING],
            devices=devices.total(),
            devices_online=devices[True],
            day_began_at=began_at,
            calls_today=await _outcomes(_of(scoped(PlayEvent, principal), key), began_at),
            media=media,
            storage_bytes=sum(totals.bytes for totals in media.values()),
            storage_limit_bytes=_limit(client),
        )

    async def clients(request: Request[None, ClientStatsQuery]) -> Page[ClientStats]:
        rows = ordered(scoped(Client, request.principal), request.query.ordering)
        found, total = await request.query.fetch(rows)
        keys = [client.id for client in found]
        zones = await _count(scoped(Zone, request.principal), keys)
        devices = await _count(scoped(Device, request.principal), keys)
        online = await _count(scoped(Device, request.principal).filter(is_online=True), keys)
        media = (await parts.media.totals(None)).values()
        items = tuple(
            ClientStats(
                client_id=client.id,
                name=client.name,
                zones=zones[client.id],
                devices=devices[client.id],
                devices_online=online[client.id],
                storage_bytes=_stored(media, client.id),
                storage_limit_bytes=_limit(client),
            )
            for client in found
        )
        return Page[ClientStats](items=items, total=total)

    return [
        Route(
            method="GET",
            path="stats",
            handler=stats,
            summary="See figures for a dashboard",
            tag="stats",
            query=StatsQuery,
            response=Stats,
            errors=(NotFound,),
        ),
        Route(
            method="GET",
            path="stats/clients",
            handler=clients,
            summary="See each client's figures",
            tag="stats",
            roles=Operators,
            query=ClientStatsQuery,
            response=Page[ClientStats],
        ),
    ]


async def _client(principal: Principal, wanted: UUID | None) -> Client | None:
    """The client whose figures these are; None for all of them."""
    key = wanted or principal.client_id
    if key is None:
        return None
    if (found := await scoped(Client, principal).get_or_none(id=key)) is None:
        raise NotFound("client", key)
    return found


def _of(rows: QuerySet[M_], key: UUID | None) -> QuerySet[M_]:
    return rows if key is None else rows.filter(client_id=key)


async def _count(rows: QuerySet[Any], clients: list[UUID]) -> Counter[UUID]:
    """How many rows each client has."""
    rows = rows.filter(client_id__in=clients).annotate(n=Count("id")).group_by("client_id")
    return Counter({UUID(str(key)): n for key, n in await rows.values_list("client_id", "n")})


def _stored(media: Iterable[Mapping[UUID, MediaTotals]], client_id: UUID) -> int:
    return sum(by_client[client_id].bytes for by_client in media if client_id in by_client)


async def _counted(rows: QuerySet[M_], column: str) -> Counter[Any]:
    """How many rows there are of each value of a column."""
    counted = rows.annotate(n=Count("id")).group_by(column).values_list(column, "n")
    return Counter(dict(await counted))


async def _outcomes(rows: QuerySet[PlayEvent], since: datetime) -> dict[str, int]:
    rows = rows.filter(created_at__gte=since, device_id__isnull=True, call_id__isnull=False)
    return {outcome or _OPEN: n for outcome, n in (await _counted(rows, "outcome")).items()}


def _midnight(timezone: str) -> datetime:
    zone = ZoneInfo(timezone)
    return datetime.combine(datetime.now(zone).date(), time(), zone).astimezone(UTC)


def _limit(client: Client | None) -> int | None:
    if client is None or client.max_storage_gb is None:
        return None
    return int(client.max_storage_gb * 1e9)
