"""Floors and zones."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import Field
from tortoise.queryset import QuerySet

from antiphon.api.parts import ApiParts
from antiphon.building.models import Floor, Zone
from antiphon.building.views import (
    FloorCreate,
    FloorUpdate,
    FloorView,
    ZoneCreate,
    ZoneUpdate,
    ZoneView,
)
from antiphon.errors import Conflict, LimitReached, NotFound, PremiumNeeded
from antiphon.plugins.lists import DeletableQuery, Page, SortedBy, ordered
from antiphon.plugins.pictures import Pictured, Pictures, picture_routes
from antiphon.plugins.routes import Managers, Request, Route, restore_route
from antiphon.plugins.zones import PlaybackView
from antiphon.store import Memo
from antiphon.tenancy.scope import reach_of, scoped
from antiphon.types import Principal

M_ = TypeVar("M_", Floor, Zone)

_ZONE_COLUMNS = tuple(ZoneView.model_fields.keys() - {"playback", "has_image"})


class FloorQuery(DeletableQuery):
    """Which floors."""

    client_id: UUID | None = Field(default=None, description="Those of this client alone.")
    search: str | None = Field(default=None, max_length=200, description="A part of the name.")
    ordering: Annotated[str, SortedBy("name", "created_at", "updated_at")] = "name"


class ZoneQuery(FloorQuery):
    """Which zones."""

    floor_id: UUID | None = Field(default=None, description="Those on this floor alone.")


def building_routes(parts: ApiParts) -> list[Route]:
    """The routes under `floors` and `zones`."""
    return [*_floor_routes(parts), *_zone_routes(parts)]


def _floor_routes(parts: ApiParts) -> list[Route]:
    building = parts.building

    async def index(request: Request[None, FloorQuery]) -> Page[FloorView]:
        rows = _wanted(Floor, request.principal, request.query)
        floors, total = await request.query.fetch(rows)
        return Page[FloorView](items=tuple(map(_floor, floors)), total=total)

    async def create(request: Request[FloorCreate, None]) -> FloorView:
        return _floor(await building.create_floor(request.principal, request.body))

    async def show(request: Request[None, None]) -> FloorView:
        return _floor(await building.floor(request.principal, request.path["floor_id"]))

    async def update(request: Request[FloorUpdate, None]) -> FloorView:
        floor_id = request.path["floor_id"]
        return _floor(await building.update_floor(request.principal, floor_id, request.body))

    async def delete(request: Request[None, None]) -> None:
        await building.delete_floor(request.principal, request.path["floor_id"])

    async def restore(request: Request[None, None]) -> FloorView:
        return _floor(await building.restore_floor(request.principal, request.path["floor_id"]))

    one: dict[str, Any] = {"path": "floors/{floor_id}", "tag": "floors"}
    every: dict[str, Any] = {"path": "floors", "tag": "floors"}
    return [
        Route(method="GET", handler=index, summary="List floors", query=FloorQuery,
              response=Page[FloorView], **every),
        Route(method="POST", handler=create, summary="Add a floor", roles=Managers,
              body=FloorCreate, response=FloorView, status=201,
              errors=(Conflict, LimitReached, PremiumNeeded),
              example={"name": "Ground floor"}, **every),
        Route(method="GET", handler=show, summary="See a floor", response=FloorView, **one),
        Route(method="PATCH", handler=update, summary="Change a floor", roles=Managers,
              body=FloorUpdate, response=FloorView, errors=(Conflict,),
              example={"name": "First floor"}, **one),
        Route(method="DELETE", handler=delete, summary="Remove an empty floor", roles=Managers,
              status=204, errors=(Conflict,), **one),
        restore_route("floors/{floor_id}", restore, what="a floor", response=FloorView,
                      errors=(LimitReached, PremiumNeeded)),
    ]  # fmt: skip


def _zone_routes(parts: ApiParts) -> list[Route]:
    building = parts.building
    shown: Memo[Zone] = Memo(Zone)

    async def playback(principal: Principal, zone: Zone) -> ZoneView:
        try:
            return _zone(zone, await parts.zones.view(principal, zone.id))
        except NotFound:
            # Not taken up by the zone controller yet, or switched off.
            return _zone(zone, None)

    async def index(request: Request[None, ZoneQuery]) -> Page[ZoneView]:
        rows = _wanted(Zone, request.principal, request.query)
        if request.query.floor_id:
            rows = rows.filter(floor_id=request.query.floor_id)
        zones, total = await request.query.fetch(rows)
        shown = [zone.id for zone in zones]
        views = {v.zone_id: v for v in await parts.zones.views(request.principal, shown)}
        items = tuple(_zone(zone, views.get(zone.id)) for zone in zones)
        return Page[ZoneView](items=items, total=total)

    async def create(request: Request[ZoneCreate, None]) -> ZoneView:
        zone = await building.create_zone(request.principal, request.body)
        return await playback(request.principal, zone)

    async def show(request: Request[None, None]) -> ZoneView:
        principal, zone_id = request.principal, request.path["zone_id"]
        key = (reach_of(principal), zone_id)
        zone = await shown.get(key, lambda: building.zone(principal, zone_id))
        return await playback(principal, zone)

    async def update(request: Request[ZoneUpdate, None]) -> ZoneView:
        zone_id = request.path["zone_id"]
        zone = await building.update_zone(request.principal, zone_id, request.body)
        return await playback(request.principal, zone)

    async def delete(request: Request[None, None]) -> None:
        await building.delete_zone(request.principal, request.path["zone_id"])

    async def restore(request: Request[None, None]) -> ZoneView:
        zone = await building.restore_zone(request.principal, request.path["zone_id"])
        return await playback(request.principal, zone)

    async def find(request: Request[Any, Any]) -> Zone:
        return await building.zone(request.principal, request.path["zone_id"])

    async def keep(zone: Zone, image: str | None) -> ZoneView:
        return _zone(await building.set_image(zone, image), None)

    one: dict[str, Any] = {"path": "zones/{zone_id}", "tag": "zones"}
    every: dict[str, Any] = {"path": "zones", "tag": "zones"}
    return [
        Route(method="GET", handler=index, summary="List zones and what they play",
              query=ZoneQuery, response=Page[ZoneView], **every),
        Route(method="POST", handler=create, summary="Add a zone", roles=Managers,
              body=ZoneCreate, response=ZoneView, status=201, errors=(Conflict,),
              example={"name": "Shop", "default_volume": 60}, **every),
        Route(method="GET", handler=show, summary="See a zone and what it plays",
              response=ZoneView, **one),
        Route(method="PATCH", handler=update, summary="Change a zone", roles=Managers,
              body=ZoneUpdate, response=ZoneView, errors=(Conflict,),
              example={"quiet_from": "22:00:00", "quiet_until": "07:00:00"}, **one),
        Route(method="DELETE", handler=delete, summary="Remove a zone", roles=Managers,
              status=204, **one),
        restore_route("zones/{zone_id}", restore, what="a zone", response=ZoneView),
        *picture_routes(
            Pictures(parts.media_dir, parts.jobs),
            Pictured(path="zones/{zone_id}/image", what="a zone", tag="zones", column="image",
                     view=ZoneView, find=find, keep=keep)),
    ]  # fmt: skip


def _wanted(model: type[M_], principal: Principal, query: FloorQuery) -> QuerySet[M_]:
    rows = ordered(scoped(model, principal, deleted=query.deleted), query.ordering)
    if query.client_id is not None:
        rows = rows.filter(client_id=query.client_id)
    if query.search:
        rows = rows.filter(name__icontains=query.search)
    return rows


def _floor(floor: Floor) -> FloorView:
    return FloorView.model_validate({name: getattr(floor, name) for name in FloorView.model_fields})


def _zone(zone: Zone, playback: PlaybackView | None) -> ZoneView:
    values = {name: getattr(zone, name) for name in _ZONE_COLUMNS}
    return ZoneView(playback=playback, has_image=zone.image is not None, **values)
