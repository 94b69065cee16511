"""Clients, as the people who run the server see and change them, and as they see themselves."""

from __future__ import annotations

import logging
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from antiphon.api.accounts import AccountParts
from antiphon.api.authentication import bearer
from antiphon.errors import Conflict
from antiphon.events import ClientChanged, EventBus
from antiphon.plugins.lists import Page
from antiphon.plugins.routes import Managers, Operators, Request, Route, restore_route
from antiphon.tenancy.clients import (
    activate_client,
    add_client,
    change_client,
    find_clients,
    get_client,
    remove_client,
    restore_client,
    suspend_client,
)
from antiphon.tenancy.models import Client
from antiphon.tenancy.views import ClientCreate, ClientQuery, ClientUpdate, ClientView
from antiphon.types import Effect, Frozen

_log = logging.getLogger(__name__)


class Impersonation(Frozen):
    """An access token that acts as a client, and says so in its claim `acting_for`."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  the name of a scheme
    expires_in: int = Field(description="Seconds for which the token is valid.")
    client: ClientView


def client_routes(parts: AccountParts, bus: EventBus) -> list[Route]:
    """The routes under `clients`."""

    def tell(client_id: UUID) -> None:
        bus.publish(ClientChanged(client_id=client_id))

    def changed(client: Client) -> ClientView:
        tell(client.id)
        return ClientView.of(client)

    async def index(request: Request[None, ClientQuery]) -> Page[ClientView]:
        clients, total = await request.query.fetch(find_clients(request.principal, request.query))
        return Page[ClientView](items=tuple(map(ClientView.of, clients)), total=total)

    async def create(request: Request[ClientCreate, None]) -> ClientView:
        return ClientView.of(await add_client(request.body))

    async def show(request: Request[None, None]) -> ClientView:
        return ClientView.of(await get_client(request.principal, request.path["client_id"]))

    async def update(request: Request[ClientUpdate, None]) -> ClientView:
        client_id = request.path["client_id"]
        return changed(await change_client(request.principal, client_id, request.body))

    async def delete(request: Request[None, None]) -> None:
        await remove_client(request.principal, request.path["client_id"])
        tell(request.path["client_id"])

    async def restore(request: Request[None, None]) -> ClientView:
        client = await restore_client(request.principal, request.path["client_id"])
        return changed(client)

    async def suspend(request: Request[None, None]) -> ClientView:
        return changed(await suspend_client(request.principal, request.path["client_id"]))

    async def activate(request: Request[None, None]) -> ClientView:
        return changed(await activate_client(request.principal, request.path["client_id"]))

    async def impersonate(request: Request[None, None]) -> Impersonation:
        client = await get_client(request.principal, request.path["client_id"])
        identity = await parts.authenticator.identity(bearer(request.raw))
        user = identity.user
        _log.info("The user %s acts for the client %s", user.id, client.id)
        token, lifetime_s = parts.tokens.issue(
            user.id, user.token_version, session_id=identity.session_id, acting_for=client.id
        )
        return Impersonation(
            access_token=token, expires_in=lifetime_s, client=ClientView.of(client)
        )

    one: dict[str, Any] = {"path": "clients/{client_id}", "tag": "clients"}
    every: dict[str, Any] = {"path": "clients", "tag": "clients"}
    act: dict[str, Any] = {"method": "POST", "tag": "clients", "roles": Operators}
    return [
        Route(method="GET", handler=index, summary="List clients", query=ClientQuery,
              description="A client sees itself alone.", roles=Managers,
              response=Page[ClientView], **every),
        Route(method="POST", handler=create, summary="Add a client", roles=Operators,
              body=ClientCreate, response=ClientView, status=201,
              example={"name": "Hotel Anna", "timezone": "Europe/Berlin", "max_floors": 3},
              **every),
        Route(method="GET", handler=show, summary="See a client", roles=Managers,
              response=ClientView, **one),
        Route(method="PATCH", handler=update, summary="Change a client", roles=Managers,
              description="A client changes what it says of itself, not its subscription.",
              body=ClientUpdate, response=ClientView,
              example={"telephone": "+49 30 123456"}, **one),
        Route(method="DELETE", handler=delete, summary="Delete a client without zones",
              roles=Operators, status=204, errors=(Conflict,), **one),
        restore_route("clients/{client_id}", restore, what="a client", response=ClientView,
                      roles=Operators),
        Route(path="clients/{client_id}/suspend", handler=suspend, response=ClientView,
              summary="Let a client read, but not change or play anything", **act),
        Route(path="clients/{client_id}/activate", handler=activate, response=ClientView,
              summary="Let a client change and play things again", **act),
        Route(path="clients/{client_id}/impersonate", handler=impersonate,
              response=Impersonation, summary="Act as a client", effect=Effect.ACCOUNT,
              description="The token reaches as far as the client does, and ends with the "
              "session that it came from.", **act),
    ]  # fmt: skip
