"""The operation that hands out the package of media players."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from aiohttp import web
from pydantic import Field

from antiphon.errors import Invalid, NotFound, PartAway
from antiphon.plugins import ApiModel, PlaybackView, PluginContext, Request, Route
from antiphon_homeassistant.package import package

_TYPE = "application/yaml"


class PackageQuery(ApiModel):
    """Of which client; needed where the caller sees several."""

    client_id: UUID | None = Field(default=None, description="Needed where you see several.")


def package_routes(context: PluginContext) -> Sequence[Route]:
    """The routes of the plugin."""

    async def get(request: Request[Any, PackageQuery]) -> web.Response:
        zones = _of_one_client(
            await context.zones.views(request.principal), request.query.client_id
        )
        if (mqtt := context.mqtt.current) is None:
            raise PartAway("MQTT", "Home Assistant reaches Antiphon by MQTT: see [mqtt] url.")
        return web.Response(
            text=package(mqtt.root, zones),
            content_type=_TYPE,
            headers={"Content-Disposition": 'attachment; filename="antiphon.yaml"'},
        )

    return [
        Route(
            method="GET",
            path="integrations/homeassistant/package",
            handler=get,
            summary="Media players for Home Assistant",
            description="A package (YAML) with a universal media player per zone.",
            tag="integrations",
            query=PackageQuery,
            produces=(_TYPE,),
            errors=(Invalid, NotFound, PartAway),
        )
    ]


def _of_one_client(zones: Sequence[PlaybackView], wanted: UUID | None) -> Sequence[PlaybackView]:
    clients = {zone.client_id for zone in zones}
    if wanted is not None and wanted not in clients:
        raise NotFound("client with zones", wanted)
    if wanted is None and len(clients) > 1:
        raise Invalid.field("client_id", "you see several clients: say of which one")
    return [zone for zone in zones if wanted in (None, zone.client_id)]
