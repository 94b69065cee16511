"""MQTT as a service of the server: a broker of our own or another's, and the bridge to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from antiphon.errors import ProgramMissing
from antiphon.events import PartChanged
from antiphon.plugins import PluginContext
from antiphon.tenancy.models import Client
from antiphon.tenancy.scope import scoped
from antiphon_devices.bridge import PART, Bridge, bridged
from antiphon_devices.broker import own_broker
from antiphon_devices.driver import AgentDriver
from antiphon_devices.mirror import SERVER, Building, Clients
from antiphon_devices.payloads import ClientInfo
from antiphon_devices.settings import MqttSettings


@asynccontextmanager
async def mqtt_service(
    context: PluginContext, clients: Clients | None = None
) -> AsyncIterator[None]:
    """Run MQTT as the settings want it. Never fails for want of a broker: MQTT is then off."""
    settings = context.settings if isinstance(context.settings, MqttSettings) else MqttSettings()
    building = Building(
        context.zones,
        context.devices,
        clients or clients_of_database,
        settings.telemetry_interval_s,
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
