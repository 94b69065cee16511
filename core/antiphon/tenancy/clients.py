"""Changes clients. Everybody who does, does it here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from antiphon.errors import Conflict, FieldError, Invalid, NotFound
from antiphon.plugins.lists import ordered
from antiphon.tenancy.models import Client, SubscriptionStatus, SubscriptionTier
from antiphon.tenancy.scope import scoped, sees_every_tenant
from antiphon.tenancy.trash import bring_back, deleted_row, put_away
from antiphon.tenancy.views import ClientCreate, ClientProfile, ClientQuery, ClientUpdate
from antiphon.types import Principal


def find_clients(principal: Principal, query: ClientQuery) -> QuerySet[Client]:
    """The clients that `query` asks for, of those that `principal` sees, in its order."""
    rows = ordered(scoped(Client, principal, deleted=query.deleted), query.ordering)
    wanted = query.model_dump(include={"subscription_status", "is_active"}, exclude_none=True)
    rows = rows.filter(**wanted)
    if query.search:
        text = query.search
        rows = rows.filter(Q(name__icontains=text) | Q(business_name__icontains=text))
    return rows


async def get_client(principal: Principal, client_id: UUID) -> Client:
    """One client. Raises NotFound where `principal` does not reach so far."""
    if (found := await scoped(Client, principal).get_or_none(id=client_id)) is None:
        raise NotFound("client", client_id)
    return found


async def add_client(new: ClientCreate) -> Client:
    """Add a client."""
    client = Client(**new.model_dump(exclude_unset=True))
    _begin_trial(client)
    await client.save(force_create=True)
    return client


def trial_client(name: str, timezone: str, email: str, trial_days: int) -> Client:
    """A client that nobody of us knows, not written yet: on trial, with what everybody gets."""
    client = Client(
        name=name,
        timezone=timezone,
        email=email,
        subscription_tier=SubscriptionTier.BASIC,
        subscription_status=SubscriptionStatus.TRIAL,
        trial_days=trial_days,
    )
    _begin_trial(client)
    return client


async def change_client(principal: Principal, client_id: UUID, change: ClientUpdate) -> Client:
    """Change a client. Raises NotFound, and Invalid where a client touches its subscription."""
    client = await get_client(principal, client_id)
    changes = change.model_dump(exclude_unset=True)
    if not sees_every_tenant(principal):
        others = changes.keys() - ClientProfile.model_fields.keys()
        if others:
            reason = "only the people who run this server can change it"
            raise Invalid(FieldError(name, reason) for name in sorted(others))
    return await _save(client, changes)


async def suspend_client(principal: Principal, client_id: UUID) -> Client:
    """Let a client read, but not change or play anything. Raises NotFound."""
    client = await get_client(principal, client_id)
    return await _save(client, {"subscription_status": SubscriptionStatus.SUSPENDED})


async def activate_client(principal: Principal, client_id: UUID) -> Client:
    """Let a client change and play things, also after a trial or an end. Raises NotFound."""
    client = await get_client(principal, client_id)
    changes: dict[str, Any] = {"subscription_status": SubscriptionStatus.ACTIVE, "is_active": True}
    if client.subscription_end is not None and client.subscription_end <= datetime.now(UTC):
        changes["subscription_end"] = None
    return await _save(client, changes)


async def remove_client(principal: Principal, client_id: UUID) -> None:
    """Delete a client: its people can not log in any more; all rows are kept.

    Raises NotFound, and Conflict while it has zones, which would go on playing.
    """
    client = await get_client(principal, client_id)
    # Zones are a layer above; the way there is the relation that they have with their client.
    if await Client.exists(id=client.id, zones__deleted_at__isnull=True, zones__id__isnull=False):
        raise Conflict(f"{client.name} has zones. Delete them first, or suspend the client.")
    await put_away(client)


async def restore_client(principal: Principal, client_id: UUID) -> Client:
    """Bring a deleted client back; its people can log in again. Raises NotFound."""
    client = await deleted_row(Client, "client", principal, client_id)
    return await bring_back(client, f"The client {client.name}")


async def _save(client: Client, changes: dict[str, Any]) -> Client:
    client.update_from_dict(changes)
    _begin_trial(client)
    await client.save()
    return client


def _begin_trial(client: Client) -> None:
    if client.subscription_status is SubscriptionStatus.TRIAL and client.trial_ends_at is None:
        client.trial_ends_at = datetime.now(UTC) + timedelta(days=client.trial_days)
