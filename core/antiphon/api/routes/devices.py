"""Loudspeakers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field

from antiphon.api.parts import ApiParts
from antiphon.api.routes.playback import Mute, Volume
from antiphon.errors import Conflict, LimitReached, Unavailable
from antiphon.plugins.devices import DeviceQuery, DeviceUpdate, DeviceView
from antiphon.plugins.lists import Page
from antiphon.plugins.routes import Managers, Request, Route
from antiphon.plugins.zones import ApiModel
from antiphon.types import Effect


class TestTone(ApiModel):
    """What to play."""

    duration_s: float = Field(default=2.0, ge=0.1, le=30)
    frequency_hz: float = Field(default=440.0, ge=50, le=10_000)


def device_routes(parts: ApiParts) -> list[Route]:
    """The routes under `devices`."""
    devices = parts.devices

    async def index(request: Request[None, DeviceQuery]) -> Page[DeviceView]:
        return await devices.page(request.principal, request.query)

    async def show(request: Request[None, None]) -> DeviceView:
        return await devices.view(request.principal, request.path["device_id"])

    async def update(request: Request[DeviceUpdate, None]) -> DeviceView:
        return await devices.update(request.principal, request.path["device_id"], request.body)

    async def remove(request: Request[None, None]) -> None:
        await devices.remove(request.principal, request.path["device_id"])

    async def volume(request: Request[Volume, None]) -> DeviceView:
        device_id = request.path["device_id"]
        return await devices.set_volume(request.principal, device_id, request.body.volume)

    async def mute(request: Request[Mute, None]) -> DeviceView:
        device_id = request.path["device_id"]
        return await devices.set_muted(request.principal, device_id, muted=request.body.muted)

    async def identify(request: Request[None, None]) -> None:
        await devices.order(request.principal, request.path["device_id"], "identify", {})

    async def test_tone(request: Request[TestTone, None]) -> None:
        device_id = request.path["device_id"]
        await devices.order(request.principal, device_id, "test_tone", request.body.model_dump())

    async def restart(request: Request[None, None]) -> None:
        await devices.order(request.principal, request.path["device_id"], "restart", {})

    once: dict[str, Any] = {
        "method": "POST",
        "tag": "devices",
        "status": 204,
        "effect": Effect.CONTROL,
        "errors": (Conflict, Unavailable),
    }
    one: dict[str, Any] = {
        "path": "devices/{device_id}",
        "tag": "devices",
        "response": DeviceView,
    }
    return [
        Route(
            method="GET",
            path="devices",
            handler=index,
            summary="List loudspeakers",
            tag="devices",
            query=DeviceQuery,
            response=Page[DeviceView],
        ),
        Route(method="GET", handler=show, summary="See a loudspeaker", **one),
        Route(
            method="PATCH",
            handler=update,
            summary="Rename a loudspeaker, or put it into a zone",
            roles=Managers,
            body=DeviceUpdate,
            errors=(LimitReached, Unavailable),
            example={"name": "Above the till", "zone_id": str(UUID(int=1))},
            **one,
        ),
        Route(
            method="DELETE",
            path="devices/{device_id}",
            handler=remove,
            summary="Remove a loudspeaker",
            description="Its account is revoked. One that is still connected is found again.",
            tag="devices",
            status=204,
            roles=Managers,
        ),
        Route(
            method="POST",
            path="devices/{device_id}/volume",
            handler=volume,
            summary="Set a loudspeaker's own volume",
            tag="devices",
            effect=Effect.CONTROL,
            body=Volume,
            response=DeviceView,
            errors=(Unavailable,),
            example={"volume": 80},
        ),
        Route(
            method="POST",
            path="devices/{device_id}/mute",
            handler=mute,
            summary="Silence one loudspeaker, or let it be heard again",
            tag="devices",
            effect=Effect.CONTROL,
            body=Mute,
            response=DeviceView,
            errors=(Unavailable,),
            example={"muted": True},
        ),
        Route(
            path="devices/{device_id}/identify",
            handler=identify,
            summary="Let a loudspeaker say by a signal which one it is",
            description="Answered when it was heard. Only where the speaker agent runs.",
            **once,
        ),
        Route(
            path="devices/{device_id}/test-tone",
            handler=test_tone,
            summary="Let one loudspeaker play a tone",
            description="Answered when it was heard. Only where the speaker agent runs.",
            body=TestTone,
            example={"duration_s": 2.0},
            **once,
        ),
        Route(
            path="devices/{device_id}/restart",
            handler=restart,
            summary="Start a loudspeaker's player anew",
            description="Only where the speaker agent runs.",
            roles=Managers,
            **once,
        ),
    ]
