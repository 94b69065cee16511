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

from antiphon.events import (
    CallChanged,
    DeviceEvent,
    Event,
    EventBus,
    LevelMeasured,
    PartChanged,
    ScheduleFired,
    ScheduleMissed,
    ScheduleSuppressed,
    ZoneChanged,
    ZoneCreated,
    ZoneDeleted,
    ZoneEvent,
)
from antiphon.plugins import MqttMessage
from antiphon_devices.agents import Agents
from antiphon_devices.alerts import Alerts
from antiphon_devices.answers import Answers
from antiphon_devices.commands import Commands
from antiphon_devices.connection import Connection, Incoming, Session
from antiphon_devices.documents import Documents
from antiphon_devices.driver import DeviceOrders
from antiphon_devices.guests import Guests
from antiphon_devices.mirror import Building, Mirror
from antiphon_devices.newcomers import Newcomers
from antiphon_devices.news import news, schedule_news
from antiphon_devices.outbox import Outbox, Outgoing
from antiphon_devices.pace import Pace
from antiphon_devices.payloads import ServerInfo, now
from antiphon_devices.requests import Request
from antiphon_devices.settings import BrokerAddress
from antiphon_devices.topics import (
    ClientTopic,
    DeviceTopic,
    EnrolTopic,
    InvalidTopic,
    Kind,
    MirrorTopic,
    ServerTopic,
    Topic,
    ZoneTopic,
    parse,
)
from antiphon_devices.turns import Turns

PART = "broker"
_STATE_INTERVAL_S = 0.2
_RELOAD_INTERVAL_S = 300.0
_RETRY_INTERVAL_S = 5.0
_SECOND_LOOKS_S = (0.5, 3.0)
_MAX_CORRECTIONS = 5
_ORDER_TIMEOUT_S = 45.0
_MAX_REPORTS = 100_000
_NEWS_EXPIRE_S = 30
_SCHEDULES: tuple[type[Event], ...] = (ScheduleFired, ScheduleSuppressed, ScheduleMissed)


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
        self._answers = Answers(root, self.outbox, log)
        self._commands = Commands(building.zones, building.devices, self._mirror, self._answers)
        self._alerts = Alerts(self._documents, self._count_alerts)
        self._client_pace = Pace(self._mirror.refresh_client, _STATE_INTERVAL_S)
        self._zone_pace = Pace(self._mirror.refresh_zone, _STATE_INTERVAL_S)
        self._device_pace = Pace(self._mirror.refresh_device, _STATE_INTERVAL_S)
        self.orders = DeviceOrders(root, self.outbox, self._mirror.has_agent)
        self._agents = Agents(building, self._mirror, self._device_pace.mark, bus, log)
        self._turns = Turns()
        # All that every device has retained comes at once, at each connection.
        self._report_turns = Turns(limit=_MAX_REPORTS)
        self._order_turns = Turns(limit=100, timeout_s=_ORDER_TIMEOUT_S)
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

    # --- the building changed --------------------------------------------------------------

    def subscribe(self) -> list[Callable[[], None]]:
        """Follow the bus; returns the functions that end it."""
        return [
            self._bus.subscribe(ZoneEvent, self._zone_event),
            self._bus.subscribe(DeviceEvent, self._device_event),
            self._bus.subscribe(CallChanged, self._answers.call_changed),
            self.newcomers.subscribe(self._bus),
            *(self._bus.subscribe(kind, self._tell_schedule) for kind in _SCHEDULES),
        ]

    def _tell_schedule(self, event: Event) -> None:
        if event.client_id is None or (document := schedule_news(event)) is None:
            return
        topic = ClientTopic(Kind.EVENT, "schedule", client=str(event.client_id))
        message = Outgoing(topic.render(self._root), document.encode(), expires_s=_NEWS_EXPIRE_S)
        self.outbox.say(message)

    def _zone_event(self, event: ZoneEvent) -> None:
        if isinstance(event, ZoneDeleted):
            self._mirror.remove_zone(event.zone_id)
            return
        if isinstance(event, LevelMeasured):
            self._agents.silence.level(event)
            return
        self._tell_news(event)
        if isinstance(event, ZoneCreated):
            self._mirror.restore_zone(event.zone_id)
        self._zone_pace.mark(event.zone_id)
        if isinstance(event, ZoneCreated | ZoneChanged):
            # The zones hear of it when we do, and may need a moment to make it true.
            for later_s in _SECOND_LOOKS_S:
                asyncio.get_running_loop().call_later(later_s, self._zone_pace.mark, event.zone_id)

    def _tell_news(self, event: ZoneEvent) -> None:
        """Say what happened, once, to whoever listens now."""
        zone = self._mirror.known.zones.get(event.zone_id)
        if zone is None or (told := news(event)) is None:
            return
        kind, document = told
        topic = ZoneTopic(Kind.EVENT, kind, client=str(zone.client_id), zone=str(zone.zone_id))
        message = Outgoing(topic.render(self._root), document.encode(), expires_s=_NEWS_EXPIRE_S)
        self.outbox.say(message)

    def _device_event(self, event: DeviceEvent) -> None:
        self._device_pace.mark(event.device_id)

    def _count_alerts(self, client_id: UUID, count: int) -> None:
        self._mirror.known.alerts[client_id] = count
        self._touch_client(client_id)

    def _touch_client(self, client_id: UUID) -> None:
        self._client_pace.mark(client_id)

    async def run(self, loaded: asyncio.Event) -> None:
        """Publish what changes, until cancelled. `loaded` is set once all was looked at."""
        self._documents.put(
            ServerTopic(Kind.INFO), ServerInfo(version=version("antiphon"), started_at=now())
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reload(loaded))
            group.create_task(self._client_pace.run())
            group.create_task(self._zone_pace.run())
            group.create_task(self._device_pace.run())
            group.create_task(self._agents.watch())

    async def _reload(self, loaded: asyncio.Event) -> None:
        """Look at everything, again and again: it heals whatever no event told."""
        while True:
            wait_s = _RELOAD_INTERVAL_S
            try:
                await self._mirror.load()
                loaded.set()
            except Exception:
                self._log.exception("MQTT: the building could not be read")
                wait_s = _RETRY_INTERVAL_S
            await asyncio.sleep(wait_s)

    async def close(self) -> None:
        """End what is being executed."""
        self._alerts.close()
        await self._turns.close()
        await self._report_turns.close()
        await self._order_turns.close()
        await self.newcomers.close()

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
            self._report_turns.take(key, partial(self._agents.lose_sight, key), self._log_report)

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
            return
        match topic:
            case DeviceTopic(kind=Kind.DOWN_DESIRED):
                self._correct(topic, message)
            case DeviceTopic(kind=Kind.DOWN_CMD):
                if message.retain and message.payload:
                    self._clear_command(topic, message)
            case DeviceTopic(kind=Kind.UP_ACK):
                self.orders.answered(topic.device, message.payload)
            case EnrolTopic():
                self.newcomers.asked(topic, message)
            case DeviceTopic():
                work = partial(self._agents.report, topic, message)
                self._report_turns.take(topic.device, work, self._log_report)
            case ZoneTopic() | ClientTopic() | MirrorTopic() if topic.kind.asks:
                self._asked(topic, message)
            case _ if topic.kind.retained:
                self._correct(topic, message)

    def _asked(self, topic: ZoneTopic | ClientTopic | MirrorTopic, message: Incoming) -> None:
        if message.retain:
            if message.payload:
                self._clear_command(topic, message)
            return
        request = Request(topic, message)
        place = getattr(topic, "zone", None) or getattr(topic, "device", None) or topic.client
        work = partial(self._commands.execute, request)
        # What a loudspeaker does once takes long, and what it reports meanwhile must not wait.
        is_order = isinstance(topic, MirrorTopic) and topic.kind is Kind.CMD
        turns = self._order_turns if is_order else self._turns
        turns.take(place, work, partial(self._answers.refuse, request))

    def _clear_command(self, topic: Topic, message: Incoming) -> None:
        self._log.warning("MQTT: a retained message on %s was removed", message.topic)
        self.outbox.empty(message.topic)
        if (client_id := self._client_of(topic)) is not None:
            self._alerts.retained_command(client_id, message.topic)

    def _client_of(self, topic: Topic) -> UUID | None:
        """The client that a topic belongs to, if there is such a client."""
        if isinstance(topic, DeviceTopic):
            device = self._mirror.device_by_key(topic.device)
            return device.client_id if device else None
        text = getattr(topic, "client", None)
        return next((known for known in self._mirror.known.clients if str(known) == text), None)

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
            if (client_id := self._client_of(topic)) is not None:
                self._alerts.foreign_writer(client_id, message.topic)

    def _awaits_agent(self, topic: Topic) -> bool:
        """A wish for a loudspeaker whose agent has not said a word yet; it will get a new one."""
        if not isinstance(topic, DeviceTopic):
            return False
        return self._mirror.device_by_key(topic.device) is not None

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
