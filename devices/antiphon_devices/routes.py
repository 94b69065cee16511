"""Operations on loudspeakers that want to join, and on accounts at the broker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from antiphon.errors import Conflict, LimitReached, NotFound, TooManyRequests, Unavailable
from antiphon.plugins import (
    ApiModel,
    DeviceUpdate,
    DeviceView,
    ListQuery,
    Managers,
    Operators,
    Page,
    PluginContext,
    Request,
    Route,
)
from antiphon.tenancy.scope import writable_client
from antiphon.types import Frozen
from antiphon_devices.accounts.book import Account, DatabaseBook
from antiphon_devices.accounts.service import Accounts
from antiphon_devices.guests import Guests
from antiphon_devices.joining import Admission, Joining, Pending
from antiphon_devices.settings import MqttSettings
from antiphon_devices.topics import device_key

_CODE = Field(pattern=r"^ *([0-9] *){6}$", max_length=20, description="What it shows or speaks.")


class PendingView(Frozen):
    """A loudspeaker that asks to join. `replaces`: its id has an account already."""

    id: str
    name: str | None
    model: str | None
    mac: str | None
    agent: str | None
    asked_at: datetime
    replaces: bool


class Confirmation(ApiModel):
    """How a loudspeaker is let in."""

    code: str = _CODE
    zone_id: UUID | None = Field(default=None, description="Where it stands.")
    name: str | None = Field(default=None, min_length=1, max_length=200)


class NewMqttAccount(ApiModel):
    """An account for a program that speaks MQTT."""

    name: str = Field(min_length=1, max_length=200, description="For people: what uses it.")
    client_id: UUID | None = Field(default=None, description="Needed where you see several.")


class MqttAccountView(Frozen):
    """An account that sees one client's topics, which all begin with `tree`."""

    id: UUID
    client_id: UUID
    name: str
    username: str
    tree: str
    created_at: datetime


class MadeMqttAccount(MqttAccountView):
    """A new account. Its password is shown this once."""

    password: str


def joining_routes(context: PluginContext) -> Sequence[Route]:
    """The routes under `devices` that are about accounts."""

    async def index(request: Request[None, ListQuery]) -> Page[PendingView]:
        found = [_pending(one) for one in _joining(context).pending()]
        return Page[PendingView].of(found, request.query)

    async def confirm(request: Request[Confirmation, None]) -> DeviceView:
        key = request.path["pending"]
        return await _joining(context).confirm(request.principal, key, _admission(request.body))

    async def reject(request: Request[None, None]) -> None:
        _joining(context).reject(request.path["pending"])

    async def claim(request: Request[Confirmation, None]) -> DeviceView:
        return await _joining(context).claim(request.principal, _admission(request.body))

    async def revoke(request: Request[None, None]) -> None:
        device = await context.devices.view(request.principal, request.path["device_id"])
        if not await _joining(context).revoke(device_key(device.device_id)):
            raise NotFound("MQTT account of the loudspeaker", device.name)
        elsewhere = DeviceUpdate(zone_id=None)
        await context.devices.update(request.principal, device.id, elsewhere)

    errors = (Conflict, LimitReached, Unavailable, TooManyRequests)
    example = {"code": "471108", "zone_id": str(UUID(int=1)), "name": "Above the till"}
    common: dict[str, Any] = {"method": "POST", "tag": "devices"}
    letting_in = {**common, "body": Confirmation, "response": DeviceView, "example": example}
    return [
        Route(
            method="GET",
            path="devices/pending",
            handler=index,
            summary="List loudspeakers that ask to join",
            tag="devices",
            roles=Operators,
            query=ListQuery,
            response=Page[PendingView],
        ),
        Route(
            path="devices/pending/{pending}/confirm",
            handler=confirm,
            summary="Let a loudspeaker join by the code that it shows or speaks",
            roles=Operators,
            errors=(*errors, NotFound),
            **letting_in,
        ),
        Route(
            path="devices/pending/{pending}/reject",
            handler=reject,
            summary="Let nobody join under this id for an hour",
            roles=Operators,
            status=204,
            errors=(NotFound,),
            **common,
        ),
        Route(
            path="devices/claim",
            handler=claim,
            summary="Let the loudspeaker join that shows or speaks this code",
            description="For whoever stands before it, and does not see who asks to join.",
            roles=Managers,
            errors=(*errors, NotFound),
            **letting_in,
        ),
        Route(
            path="devices/{device_id}/revoke",
            handler=revoke,
            summary="Take a loudspeaker's account at the broker away",
            description="It is cut off at once and leaves its zone; it may ask to join again.",
            roles=Managers,
            status=204,
            errors=(Unavailable,),
            **common,
        ),
    ]


def account_routes(context: PluginContext) -> Sequence[Route]:
    """The routes under `mqtt-accounts`."""

    async def index(request: Request[None, ListQuery]) -> Page[MqttAccountView]:
        found = await _joining(context).accounts.integrators(request.principal)
        root = _root(context)
        return Page[MqttAccountView].of(
            [MqttAccountView(**_told(account, root)) for account in found], request.query
        )

    async def add(request: Request[NewMqttAccount, None]) -> MadeMqttAccount:
        accounts = _joining(context).accounts
        client_id = await writable_client(request.principal, request.body.client_id)
        account, password = await accounts.add_integrator(client_id, request.body.name)
        return MadeMqttAccount(**_told(account, _root(context)), password=password)

    async def remove(request: Request[None, None]) -> None:
        account_id = request.path["account_id"]
        await _joining(context).accounts.remove_integrator(request.principal, account_id)

    common: dict[str, Any] = {"tag": "integrations", "roles": Managers}
    return [
        Route(
            method="GET",
            path="mqtt-accounts",
            handler=index,
            summary="List accounts at the MQTT broker",
            query=ListQuery,
            response=Page[MqttAccountView],
            **common,
        ),
        Route(
            method="POST",
            path="mqtt-accounts",
            handler=add,
            summary="Make an account at the MQTT broker that sees one client",
            description="The password is shown this once.",
            status=201,
            body=NewMqttAccount,
            response=MadeMqttAccount,
            errors=(Conflict, Unavailable),
            example={"name": "Home Assistant"},
            **common,
        ),
        Route(
            method="DELETE",
            path="mqtt-accounts/{account_id}",
            handler=remove,
            summary="Revoke an account at the MQTT broker",
            description="Whoever is logged in with it is cut off at once.",
            status=204,
            **common,
        ),
    ]


def _joining(context: PluginContext) -> Joining:
    """The one that runs; without MQTT, one where nobody asks and no account can be made."""
    mqtt = context.mqtt.current
    if isinstance(mqtt, Guests) and mqtt.joining is not None:
        return mqtt.joining
    accounts = Accounts(DatabaseBook(), None, context.log)
    return Joining(accounts, context.devices, context.zones, context.bus, context.log)


def _root(context: PluginContext) -> str:
    return context.settings.root if isinstance(context.settings, MqttSettings) else ""


def _admission(body: Confirmation) -> Admission:
    return Admission("".join(body.code.split()), body.zone_id, body.name)


def _pending(pending: Pending) -> PendingView:
    request = pending.request
    agent = request.agent
    words = (agent.name, agent.version) if agent else ()
    return PendingView(
        id=pending.key,
        name=request.hostname,
        model=request.model,
        mac=request.mac,
        agent=" ".join(word for word in words if word) or None,
        asked_at=pending.asked_at,
        replaces=pending.replaces,
    )


def _told(account: Account, root: str) -> dict[str, Any]:
    return {
        "id": account.id,
        "client_id": account.client_id,
        "name": account.name,
        "username": account.username,
        "tree": f"{root}/client/{account.client_id}",
        "created_at": account.created_at,
    }
