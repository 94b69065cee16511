"""An SQLite database with the core's tables, and two clients that must not see each other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from types import ModuleType

from tortoise.context import TortoiseContext

from antiphon.building.models import Device, Floor, Zone
from antiphon.store.database import CORE_TABLES
from antiphon.tenancy.models import Client
from antiphon.types import Principal, Role


@asynccontextmanager
async def fresh_database(**plugins: str) -> AsyncIterator[None]:
    """`plugins` are modules with tables of plugins, by the plugin's name."""
    modules: dict[str, Iterable[str | ModuleType]] = {"antiphon": list(CORE_TABLES.modules)}
    modules |= {name: [module] for name, module in plugins.items()}
    apps = {
        name: {"models": list(models), "default_connection": "default"}
        for name, models in modules.items()
    }
    with TemporaryDirectory() as folder:
        file_path = f"{folder}/antiphon.sqlite3"
        connection = {
            "engine": "antiphon.store.sqlite",
            "credentials": {"file_path": file_path, "synchronous": "OFF"},
        }
        async with TortoiseContext() as context:
            await context.init(config={"connections": {"default": connection}, "apps": apps})
            await context.generate_schemas()
            yield


@dataclass(frozen=True)
class Tenant:
    """A client with a shop floor (zone Shop, device in it) and a cellar (zone Bar)."""

    client: Client
    shop_floor: Floor
    cellar: Floor
    shop: Zone
    bar: Zone
    speaker: Device

    @property
    def owner(self) -> Principal:
        return Principal(role=Role.CLIENT, client_id=self.client.id)

    @property
    def cellar_user(self) -> Principal:
        return Principal(role=Role.FLOOR_USER, client_id=self.client.id, floor_id=self.cellar.id)


async def make_tenant(name: str) -> Tenant:
    client = await Client.create(name=name)
    shop_floor = await Floor.create(client=client, name="Shop floor")
    cellar = await Floor.create(client=client, name="Cellar")
    shop = await Zone.create(client=client, floor=shop_floor, name="Shop")
    bar = await Zone.create(client=client, floor=cellar, name="Bar")
    speaker = await Device.create(
        client=client, zone=shop, name=f"Speaker of {name}", device_id=f"{name}-01"
    )
    return Tenant(client, shop_floor, cellar, shop, bar, speaker)
