"""The server's side of MQTT: events in, documents out; commands in, answers out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from uuid import UUID

from antiphon.events import CallChanged, EventBus, LevelMeasured, PartChanged
from antiphon.plugins import MqttMessage
from antiphon_devices.agents import Agents
from antiphon_devices.alerts import Alerts
from antiphon_devices.answers import Answers
from antiphon_devices.asking import Asking
from antiphon_devices.commands import Commands
from antiphon_devices.connection import Connection, Incoming, Session
from antiphon_devices.documents import Documents
from antiphon_devices.driver import DeviceOrders
from antiphon_devices.guests import Guests
from antiphon_devices.inbox import Inbox
from antiphon_devices.mirror import Building, Mirror
from antiphon_devices.newcomers import Newcomers
from antiphon_devices.outbox import Outbox
from antiphon_devices.payloads import ServerInfo, now
from antiphon_devices.settings import BrokerAddress
from antiphon_devices.teller import Teller
from antiphon_devices.topics import (
    ClientTopic,
    DeviceTopic,
    EnrolTopic,
    FloorTopic,
    InvalidTopic,
    Kind,
    MirrorTopic,
    ServerTopic,
    Topic,
    ZoneTopic,
    parse,
)
from antiphon_devices.unheard import Unheard

PART = "broker"
_MAX_CORRECTIONS = 5


class Bridge:
    """Listens to the bus and to the broker. Run it with `bridged`."""

    def __init__(self, building: Building, bus: EventBus, root: str, log: logging.Logger) -> None:
        self._bus = bus
        self._root = root
        self._log = log
        self.outbox = Outbox()
        self.guests = Guests(root, self.outbox)
        self._documents = Documents(root, self.outbox)
        self._mirror = Mirror(building, self._documents, self._touch_client)
        self._teller = Teller(self._mirror, self._documents, log)
        self._answers = Answers(root, self.outbox, log)
        self._alerts = Alerts(self._documents, self._count_alerts)
        self._unheard = Unheard(root, self._mirror, self._alerts)
        commands = Commands(
            building.zones, building.devices, self._mirror, self._answers, self._teller.catch_up
        )
        self._asking = Asking(self._mirror, commands, self._answers, self._alerts, self.outbox, log)
        self.orders = DeviceOrders(root, self.outbox, self._mirror.has_agent)
        self._agents = Agents(building, self._mirror, self._teller.device_changed, bus, log)
        self.inbox = Inbox(self._log_report, self._report_flood)
        self._corrections: Counter[str] = Counter()
        self.newcomers = Newcomers(root, self.outbox, self._mirror, self._alerts, log)
        self._agents.conflicted = self.newcomers.conflicted
        self._agents.complained = self.newcomers.complained

    @property
    def session(self) -> Session:
        """What a connection to the broker begins with."""
        return Session(
            status_topic=ServerTopic(Kind.STATUS).render(self._root),
            reported=[
                f"{self._root}/device/+/up/{kind}"
                for kind in ("status", "info", "state", "telemetry", "ack")
            ],
            mirrored=[
                f"{self._root}/server/+",
                f"{self._root}/client/#",
                f"{self._root}/device/+/down/desired",
                f"{self._root}/device/+/down/cmd/+",
                f"{self._root}/enroll/+/request",
            ],
            plugins=self.guests.subscriptions,
        )

    def subscribe(self) -> list[Callable[[], None]]:
        """Follow the bus; returns the functions that end it."""
        return [
            self._bus.subscribe(CallChanged, self._answers.call_changed),
            self._bus.subscribe(LevelMeasured, self._agents.silence.level),
            self.newcomers.subscribe(self._bus),
            *self._unheard.subscribe(self._bus),
            *self._teller.subscribe(self._bus),
        ]

    async def run(self, loaded: asyncio.Event) -> None:
        """Publish what changes, until cancelled. `loaded` is set once all was looked at."""
        self._documents.put(
            ServerTopic(Kind.INFO), ServerInfo(version=version("antiphon"), started_at=now())
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self._teller.run(loaded))
            group.create_task(self._agents.watch())

    async def close(self) -> None:
        """End what is being executed."""
        self._alerts.close()
        await self._asking.close()
        await self.inbox.close()
        await self.newcomers.close()

    def _count_alerts(self, client_id: UUID, count: int) -> None:
        self._mirror.known.alerts[client_id] = count
        self._touch_client(client_id)

    def _touch_client(self, client_id: UUID) -> None:
        self._teller.clients.mark(client_id)

    # --- the broker says something ---------------------------------------------------------

    def connected(self) -> None:
        """See `Listener`: everything is published in full."""
        self._corrections.clear()
        self.orders.is_connected = True
        self.outbox.replay()
        self.newcomers.connected()
        self._log.info("MQTT: connected")
        self._bus.publish(PartChanged(part=PART, is_up=True))

    def lost(self, reason: str) -> None:
        """See `Listener`."""
        self._log.warning("MQTT: %s. Everything else goes on; the server keeps trying.", reason)
        self._bus.publish(PartChanged(part=PART, is_up=False, message=reason))
        self.orders.is_connected = False
        self.newcomers.lost()
        for key in self._mirror.known.agents:
            self.inbox.take(key, "lost", partial(self._agents.lose_sight, key))

    def refused(self) -> None:
        """See `Listener`: `lost` has said why."""

    def received(self, message: Incoming) -> None:
        """See `Listener`."""
        if not message.topic.startswith(f"{self._root}/"):
            self.guests.subscriptions.dispatch(
                MqttMessage(topic=message.topic, payload=message.payload, retain=message.retain)
            )
            return
        try:
            topic = parse(self._root, message.topic)
        except InvalidTopic as error:
            if message.payload:
                self._log.debug("MQTT: a message was ignored: %s", error)
                self._asking.misled(self._root, message)
            return
        match topic:
            case DeviceTopic(kind=Kind.DOWN_DESIRED):
                self._correct(topic, message)
            case DeviceTopic(kind=Kind.DOWN_CMD):
                if message.retain and message.payload:
                    self._asking.clear(topic, message)
            case DeviceTopic(kind=Kind.UP_ACK):
                self.orders.answered(topic.device, message.payload)
            case EnrolTopic():
                self.newcomers.asked(topic, message)
            case DeviceTopic():
                is_first = self.inbox.lets_in(topic.device)
                if not (is_first and self._agents.take_at_once(topic, message)):
                    report = partial(self._agents.report, topic, message)
                    self.inbox.take(topic.device, topic.kind, report)
            case ZoneTopic() | FloorTopic() | ClientTopic() | MirrorTopic() if topic.kind.asks:
                self._asking.take(topic, message)
            case _ if topic.kind.retained:
                self._correct(topic, message)

    def _correct(self, topic: Topic, message: Incoming) -> None:
        """Somebody else's words, or old ones of ours, stand where the server alone writes."""
        if not message.retain or message.payload == self.outbox.document(message.topic):
            return
        is_ours = message.topic in self.outbox.topics
        if not is_ours and self._awaits_agent(topic):
            return
        if not message.payload and not is_ours:
            return
        self._corrections[message.topic] += 1
        if self._corrections[message.topic] <= _MAX_CORRECTIONS:
            (self.outbox.replay_topic if is_ours else self.outbox.empty)(message.topic)
            return
        if self._corrections[message.topic] == _MAX_CORRECTIONS + 1:
            self._log.error(
                "MQTT: somebody else keeps writing to %s. If that is another Antiphon on this "
                "broker, give it another [mqtt] root",
                message.topic,
            )
            if (client_id := self._asking.client_of(topic)) is not None:
                self._alerts.foreign_writer(client_id, message.topic)

    def _awaits_agent(self, topic: Topic) -> bool:
        """A wish for a loudspeaker whose agent has not said a word yet; it will get a new one."""
        if not isinstance(topic, DeviceTopic):
            return False
        return self._mirror.device_by_key(topic.device) is not None

    def _report_flood(self, key: str) -> None:
        device = self._mirror.device_by_key(key)
        if device is not None and device.client_id is not None:
            self._alerts.too_many_reports(device.client_id, f"{self._root}/device/{key}")

    def _log_report(self, error: Exception) -> None:
        self._log.warning("MQTT: a device's report could not be used: %s", error)


@asynccontextmanager
async def bridged(
    bridge: Bridge, address: BrokerAddress, log: logging.Logger
) -> AsyncIterator[None]:
    """Run the bridge over a connection to the broker at `address`, whether or not it is there."""
    loaded = asyncio.Event()
    unsubscribe = bridge.subscribe()
    work = asyncio.create_task(bridge.run(loaded), name="mqtt bridge")
    connect = asyncio.create_task(_connect(bridge, address, loaded, log), name="mqtt connect")
    try:
        yield
    finally:
        for undo in unsubscribe:
            undo()
        await bridge.close()
        for task in (connect, work):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _connect(
    bridge: Bridge, address: BrokerAddress, loaded: asyncio.Event, log: logging.Logger
) -> None:
    # Not before all is known: what the broker still holds is compared with what should be there.
    await loaded.wait()
    async with Connection(address, bridge.session, bridge.outbox, bridge, log):
        await asyncio.Event().wait()
