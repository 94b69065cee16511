"""MQTT as a service of the server: a broker of our own or another's, and the bridge to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

from antiphon.errors import ProgramMissing
from antiphon.events import PartChanged
from antiphon.plugins import PluginContext
from antiphon.tenancy.models import Client
from antiphon.tenancy.scope import scoped
from antiphon_devices.bridge import PART, Bridge, bridged
from antiphon_devices.broker import own_broker
from antiphon_devices.driver import AgentDriver
from antiphon_devices.mirror import SERVER, Building, Clients, Floors
from antiphon_devices.payloads import ClientInfo, FloorInfo
from antiphon_devices.settings import MqttSettings


@asynccontextmanager
async def mqtt_service(
    context: PluginContext, clients: Clients | None = None, floors: Floors | None = None
) -> AsyncIterator[None]:
    """Run MQTT as the settings want it. Never fails for want of a broker: MQTT is then off."""
    settings = context.settings if isinstance(context.settings, MqttSettings) else MqttSettings()
    building = Building(
        zones=context.zones,
        devices=context.devices,
        clients=clients or clients_of_database,
        floors=floors or floors_of_database,
        media=context.media,
        schedules=context.schedules,
        telemetry_interval_s=settings.telemetry_interval_s,
        public_url=context.public_url,
    )
    async with AsyncExitStack() as stack:
        if settings.is_off:
            context.log.info("MQTT is off: [mqtt] url says so")
        else:
            try:
                address = settings.external
                if address is None:
                    broker = own_broker(settings, context.data_dir, context.log)
                    address = await stack.enter_async_context(broker)
            except (ProgramMissing, OSError) as error:
                context.log.warning("MQTT is off: %s", error)
                context.bus.publish(PartChanged(part=PART, is_up=False, message=str(error)))
            else:
                bridge = Bridge(building, context.bus, settings.root, context.log)
                context.devices.add_driver(AgentDriver(bridge.orders))
                stack.callback(context.mqtt.make(bridge.guests))
                await stack.enter_async_context(bridged(bridge, address, context.log))
        yield


async def clients_of_database() -> Mapping[UUID, ClientInfo]:
    """All clients, by id."""
    return {
        client.id: ClientInfo(
            client_id=client.id, name=client.business_name or client.name, timezone=client.timezone
        )
        for client in await scoped(Client, SERVER)
    }


async def floors_of_database() -> Mapping[UUID, FloorInfo]:
    """All floors, by id."""
    rows = scoped(Client, SERVER).filter(floors__deleted_at__isnull=True)
    found: Sequence[Any] = await rows.values_list("id", "floors__id", "floors__name")
    return {
        floor_id: FloorInfo(floor_id=floor_id, client_id=client_id, name=name)
        for client_id, floor_id, name in found
        if floor_id is not None
    }
