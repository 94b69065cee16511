"""Which loudspeakers somebody sees, and what is shown of them."""

from __future__ import annotations

from typing import Any

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from antiphon.building.models import Device
from antiphon.building.troubles import Troubles
from antiphon.plugins.devices import DeviceQuery, DeviceView
from antiphon.store import total
from antiphon.tenancy.models import Client
from antiphon.tenancy.scope import scoped
from antiphon.types import Principal, Role

_COLUMNS = tuple(name for name in DeviceView.model_fields if name != "problems")


async def seen_by(principal: Principal) -> QuerySet[Device]:
    """Those that the principal sees: see `Devices` for those that nobody has adopted."""
    rows = scoped(Device, principal)
    if principal.client_id is None or principal.role is not Role.CLIENT:
        return rows
    if await total(scoped(Client, Principal.system())) > 1:
        return rows
    return Device.filter(Q(client_id=principal.client_id) | Q(client_id__isnull=True))


def matching(rows: QuerySet[Device], query: DeviceQuery) -> QuerySet[Device]:
    """Those of `rows` that `query` asks for."""
    wanted = {
        "client_id": query.client_id,
        "zone_id": query.zone_id,
        "is_online": query.is_online,
        "zone_id__isnull": None if query.assigned is None else not query.assigned,
    }
    rows = rows.filter(**{name: value for name, value in wanted.items() if value is not None})
    if text := query.search:
        names = Q(name__icontains=text), Q(device_id__icontains=text), Q(model__icontains=text)
        rows = rows.filter(Q(*names, join_type="OR"))
    return rows


async def views_of(rows: QuerySet[Device], troubles: Troubles) -> list[DeviceView]:
    """All of them, for many at once."""
    # Of plain values: objects of the ORM would take five times as long, and there may be many.
    found = await rows.values_list(*_COLUMNS)
    return [_shown(dict(zip(_COLUMNS, row, strict=True)), troubles) for row in found]


def view_of(device: Device, troubles: Troubles) -> DeviceView:
    """One of them."""
    return _shown({name: getattr(device, name) for name in _COLUMNS}, troubles)


def _shown(columns: dict[str, Any], troubles: Troubles) -> DeviceView:
    problems = troubles.of(columns["id"])
    return DeviceView.model_validate({**columns, "problems": problems})
