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
from antiphon_devices.accounts.book import Book, DatabaseBook
from antiphon_devices.accounts.dynsec import Control
from antiphon_devices.accounts.elsewhere import keeper_elsewhere
from antiphon_devices.accounts.service import Accounts
from antiphon_devices.bridge import PART, Bridge, bridged
from antiphon_devices.broker import ENROL_FILE, keeping_broker
from antiphon_devices.driver import AgentDriver
from antiphon_devices.joining import Joining
from antiphon_devices.mirror import SERVER, Building, Clients, Floors
from antiphon_devices.payloads import ClientInfo, FloorInfo
from antiphon_devices.settings import BrokerAddress, MqttSettings


@asynccontextmanager
async def mqtt_service(
    context: PluginContext,
    clients: Clients | None = None,
    floors: Floors | None = None,
    book: Book | None = None,
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
            bridge = Bridge(building, context.bus, settings.root, context.log)
            try:
                address, accounts = await _broker(
                    context, settings, book or DatabaseBook(), bridge.newcomers.control, stack
                )
            except (ProgramMissing, OSError) as error:
                context.log.warning("MQTT is off: %s", error)
                context.bus.publish(PartChanged(part=PART, is_up=False, message=str(error)))
            else:
                parts = (context.devices, context.zones, context.bus, context.log)
                by_command = settings.account_way == "dynsec"
                joining = Joining(accounts, *parts)
                bridge.newcomers.join(joining, bridge.guests, commands_broker=by_command)
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


async def floors_of_database() -> Mapping[UUID, FloorInfo]:
    """All floors, by id."""
    rows = scoped(Client, SERVER).filter(floors__deleted_at__isnull=True)
    found: Sequence[Any] = await rows.values_list("id", "floors__id", "floors__name")
    return {
        floor_id: FloorInfo(floor_id=floor_id, client_id=client_id, name=name)
        for client_id, floor_id, name in found
        if floor_id is not None
    }
