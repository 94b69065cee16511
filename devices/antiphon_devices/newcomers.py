"""What the bridge has to do with accounts: newcomers, the revoked, and who is not who it says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from uuid import UUID

from antiphon.events import DeviceRemoved, EventBus
from antiphon_devices.accounts.dynsec import CONTROL, RESPONSE, Control
from antiphon_devices.alerts import Alerts
from antiphon_devices.connection import Incoming
from antiphon_devices.guests import Guests
from antiphon_devices.joining import Joining
from antiphon_devices.mirror import Mirror
from antiphon_devices.outbox import Outbox, Outgoing
from antiphon_devices.payloads import OFFLINE
from antiphon_devices.topics import DeviceTopic, EnrolTopic, Kind, device_key
from antiphon_devices.turns import Turns, Work

_COMMAND_EXPIRES_S = 30
_LONGEST_MISTAKE = 300


class Newcomers:
    """Sits between the broker and `Joining`. Without `join`, nobody is heard.

    `control` commands the broker's dynamic security, where that keeps the accounts.
    """

    def __init__(
        self, root: str, outbox: Outbox, mirror: Mirror, alerts: Alerts, log: logging.Logger
    ) -> None:
        self._root = root
        self._outbox = outbox
        self._mirror = mirror
        self._alerts = alerts
        self._log = log
        self._turns = Turns(limit=200)
        self._joining: Joining | None = None
        self.control = Control(
            lambda payload: outbox.say(Outgoing(CONTROL, payload, expires_s=_COMMAND_EXPIRES_S))
        )

    def join(self, joining: Joining, guests: Guests, *, commands_broker: bool) -> None:
        """Let `joining` hear who asks, and be found by the routes; called once, at the start.

        With `commands_broker`, accounts are made by commands to the broker, which answers.
        """
        self._joining = guests.joining = joining
        joining.conflicted = self.conflicted
        joining.revoked = self._revoked
        if commands_broker:
            guests.subscribe(RESPONSE, lambda answer: self.control.received(answer.payload))

    def subscribe(self, bus: EventBus) -> Callable[[], None]:
        """Follow the loudspeakers that are removed; returns what ends it."""
        return bus.subscribe(DeviceRemoved, self._removed)

    def connected(self) -> None:
        """The broker is there: its accounts are brought up to date."""
        self.control.is_connected = True
        if self._joining is not None:
            self._turns.take("sync", Work("sync", self._joining.accounts.sync, self._failed))

    def lost(self) -> None:
        """The broker is away."""
        self.control.is_connected = False

    async def close(self) -> None:
        """End what is being done."""
        await self._turns.close()

    def asked(self, topic: EnrolTopic, message: Incoming) -> None:
        """A request to join came."""
        if message.retain:  # it would ask again at each start, whether or not it is still there
            if message.payload:
                self._outbox.empty(message.topic)
        elif self._joining is not None and self._joining.may_ask():
            work = partial(self._joining.asked, topic.device, message)
            self._turns.take("join", Work(topic.device, work, self._failed))

    def conflicted(self, key: str) -> None:
        """Another machine comes under the id of this loudspeaker."""
        if (client_id := self._client_of(key)) is not None:
            topic = DeviceTopic(Kind.UP_INFO, device=key).render(self._root)
            self._alerts.second_device(client_id, topic, key)

    def complained(self, topic: DeviceTopic, mistake: str) -> None:
        """A loudspeaker says what makes no sense: whose it is, should know."""
        if (client_id := self._client_of(topic.device)) is not None:
            self._alerts.bad_report(client_id, topic.render(self._root), mistake[:_LONGEST_MISTAKE])

    def _client_of(self, key: str) -> UUID | None:
        device = self._mirror.device_by_key(key)
        return device.client_id if device else None

    def _revoked(self, key: str) -> None:
        """What its last will says is said here too: the broker may cut it off without that."""
        topic = DeviceTopic(Kind.UP_STATUS, device=key).render(self._root)
        self._outbox.say(Outgoing(topic, OFFLINE, retain=True))

    def _removed(self, event: DeviceRemoved) -> None:
        key = device_key(event.hardware_id)
        self._mirror.known.agents.pop(key, None)
        for kind in (Kind.UP_STATUS, Kind.UP_INFO, Kind.UP_STATE):
            self._outbox.empty(DeviceTopic(kind, device=key).render(self._root))
        if self._joining is not None:
            work = partial(self._joining.forget, key)
            self._turns.take("join", Work(key, work, self._failed))

    def _failed(self, error: Exception) -> None:
        self._log.warning("MQTT: a request to join could not be dealt with: %s", error)
