"""The one place that decides which rows a principal reaches.

Every query that answers to somebody goes through `scoped`. What it leaves out does not exist for
the caller: the answer is NotFound, never NotAllowed.
"""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

from tortoise import Tortoise
from tortoise.models import Model
from tortoise.queryset import QuerySet

from antiphon.errors import Invalid, NotAllowed
from antiphon.tenancy.models import ApiToken, Client, RefreshToken, User
from antiphon.types import Principal, Role

M_ = TypeVar("M_", bound=Model)

_EVERY_TENANT = frozenset({Role.ADMIN, Role.STAFF})
_GRANTS: dict[Role, frozenset[Role]] = {
    Role.ADMIN: frozenset(Role),
    Role.STAFF: frozenset(Role) - {Role.ADMIN},
    Role.CLIENT: frozenset({Role.CLIENT, Role.FLOOR_USER}),
    Role.FLOOR_USER: frozenset(),
}


def scoped(
    rows: QuerySet[M_] | type[M_], principal: Principal, *, deleted: bool = False
) -> QuerySet[M_]:
    """Limit `rows` to what `principal` sees; rows that were deleted are left out.

    With `deleted` these alone are found, of a model whose rows can be restored.

    Admin sees everything, staff everything but admins, a client its own, and a floor user of its
    client's what lies on its floor (or on none: the library). Tokens are seen by the user alone
    whose they are, whatever the role. A model belongs to its tenant by a
    `client` of its own or by its `zone`'s, and to a floor by `floor` or `zone`; a model with
    neither is the server's own, and asking for it on behalf of a tenant raises TypeError.
    """
    query = rows if isinstance(rows, QuerySet) else rows.all()
    model: type[Model] = query.model
    if "deleted_at" in model._meta.fields_map:
        query = query.filter(deleted_at__isnull=not deleted)
    if model in (ApiToken, RefreshToken):
        return query.filter(user_id=principal.user_id)
    if not sees_every_tenant(principal):
        query = _of_tenant(query, model, principal)
    if principal.role is not Role.ADMIN and model is User:
        query = query.exclude(role=Role.ADMIN)
    if principal.role is Role.FLOOR_USER:
        query = _of_floor(query, model, principal)
    return query


def reach_of(principal: Principal) -> tuple[object, ...]:
    """What `scoped` goes by: two principals with the same reach see the same rows.

    But for users and tokens, where it matters who asks.
    """
    return principal.role, principal.client_id, principal.floor_id


def sees_client(principal: Principal, client_id: UUID | None) -> bool:
    """Whether what belongs to `client_id` may be told to `principal`; None is the server's own."""
    if sees_every_tenant(principal):
        return True
    return client_id is not None and client_id == principal.client_id


def sees_every_tenant(principal: Principal) -> bool:
    """Whether `principal` is admin or staff, and does not act for one client alone."""
    return principal.role in _EVERY_TENANT and principal.client_id is None


def check_grant(principal: Principal, role: Role) -> None:
    """Raise NotAllowed where `principal` may not make a user of `role`: nobody raises himself."""
    granted = _GRANTS[principal.role]
    if principal.client_id is not None:
        granted &= _GRANTS[Role.CLIENT]
    if role not in granted:
        raise NotAllowed(principal.role, f"give the role {role}")


def _of_tenant(query: QuerySet[M_], model: type[Model], principal: Principal) -> QuerySet[M_]:
    if principal.client_id is None:
        return query.filter(id__in=[])
    fields = model._meta.fields_map
    if model is Client:
        return query.filter(id=principal.client_id)
    if "client" in fields:
        return query.filter(client_id=principal.client_id)
    if "zone" in fields:
        return query.filter(zone__client_id=principal.client_id)
    raise TypeError(f"{model.__name__} belongs to no tenant, so it can not be scoped to one")


def _of_floor(query: QuerySet[M_], model: type[Model], principal: Principal) -> QuerySet[M_]:
    if principal.floor_id is None:
        return query.filter(id__in=[])
    fields = model._meta.fields_map
    if model._meta.full_name == "antiphon.Floor":
        return query.filter(id=principal.floor_id)
    if "floor" in fields or model is User:
        return query.filter(floor_id=principal.floor_id)
    if "zone" in fields:
        return query.filter(zone__floor_id=principal.floor_id)
    return query


async def writable_client(principal: Principal, requested: UUID | None = None) -> UUID:
    """The client that a new row of `principal` belongs to.

    A tenant's principal writes into its own client alone. Admin and staff name one, or write into
    the only one there is. Raises Invalid on `client_id` otherwise.
    """
    clients = scoped(Client, principal)
    if requested is not None:
        if not await clients.filter(id=requested).exists():
            raise Invalid.field("client_id", f"there is no client {requested}")
        return requested
    if principal.client_id is not None:
        return principal.client_id
    ids = await clients.limit(2).values_list("id", flat=True)
    if len(ids) != 1:
        reason = "there are several clients, so name one" if ids else "there is no client yet"
        raise Invalid.field("client_id", reason)
    return UUID(str(ids[0]))


async def belongs_to(client_id: UUID, model: str, identity: UUID) -> bool:
    """Whether the client has a row of `model`, such as `music.Folder`, that was not deleted.

    For ids that lead into the tables of another plugin; where that one is away, there is no row.
    """
    app, _, name = model.partition(".")
    apps = Tortoise.apps
    if apps is None or app not in apps:
        return False
    rows: QuerySet[Model] = scoped(apps[app][name], Principal.system(client_id))
    return await rows.filter(id=identity).exists()
