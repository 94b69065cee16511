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
from antiphon_devices.accounts.book import Book, DatabaseBook
from antiphon_devices.accounts.dynsec import Control
from antiphon_devices.accounts.elsewhere import keeper_elsewhere
from antiphon_devices.accounts.service import Accounts
from antiphon_devices.bridge import PART, Bridge, bridged
from antiphon_devices.broker import ENROL_FILE, keeping_broker
from antiphon_devices.driver import AgentDriver
from antiphon_devices.joining import Joining
from antiphon_devices.mirror import SERVER, Building, Clients
from antiphon_devices.payloads import ClientInfo
from antiphon_devices.settings import BrokerAddress, MqttSettings


@asynccontextmanager
async def mqtt_service(
    context: PluginContext, clients: Clients | None = None, book: Book | None = None
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
            bridge = Bridge(building, context.bus, settings.root, context.log)
            try:
                address, accounts = await _broker(
                    context, settings, book or DatabaseBook(), bridge.control, stack
                )
            except (ProgramMissing, OSError) as error:
                context.log.warning("MQTT is off: %s", error)
                context.bus.publish(PartChanged(part=PART, is_up=False, message=str(error)))
            else:
                parts = (context.devices, context.zones, context.bus, context.log)
                by_command = settings.account_way == "dynsec"
                bridge.join(Joining(accounts, *parts), commands_broker=by_command)
                context.devices.add_driver(AgentDriver(bridge.orders))
                stack.callback(context.mqtt.make(bridge.guests))
                await stack.enter_async_context(bridged(bridge, address, context.log))
        yield


async def _broker(
    context: PluginContext,
    settings: MqttSettings,
    book: Book,
    control: Control,
    stack: AsyncExitStack,
) -> tuple[BrokerAddress, Accounts]:
    """Where the broker is, and the accounts there. One of our own is entered into `stack`."""
    log, elsewhere = context.log, settings.external
    if elsewhere is None:
        address, keeper = await stack.enter_async_context(
            keeping_broker(settings, context.data_dir, book, control, log)
        )
        return address, Accounts(book, keeper, log)
    enrol_file = context.data_dir / ENROL_FILE
    others = await keeper_elsewhere(settings, elsewhere, enrol_file, book, control, log)
    return elsewhere, Accounts(book, others, log)


async def clients_of_database() -> Mapping[UUID, ClientInfo]:
    """All clients, by id."""
    return {
        client.id: ClientInfo(
            client_id=client.id, name=client.business_name or client.name, timezone=client.timezone
        )
        for client in await scoped(Client, SERVER)
    }
