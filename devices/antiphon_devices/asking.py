"""What integrators send, let in: never retained, not too much of it, in order per place."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from uuid import UUID

from antiphon.errors import TooManyRequests
from antiphon_devices.alerts import Alerts
from antiphon_devices.allowance import Allowance
from antiphon_devices.answers import Answers
from antiphon_devices.commands import Commands
from antiphon_devices.connection import Incoming
from antiphon_devices.mirror import Mirror
from antiphon_devices.outbox import Outbox
from antiphon_devices.requests import Request
from antiphon_devices.topics import AskedTopic, DeviceTopic, Kind, MirrorTopic, Topic
from antiphon_devices.turns import Turns, Work

_ORDER_TIMEOUT_S = 45.0
_ORDERS = 200
_COMMANDS_PER_S = 50.0
_COMMANDS_AT_ONCE = 500
_REFUSALS_PER_S = 10.0
_REFUSALS_AT_ONCE = 20


class Asking:
    """Hands commands to `commands`, and refuses what is not to be executed.

    A client has an allowance, so that one that floods the server keeps nobody else waiting; it is
    told so by some acks, and by an alert.
    """

    def __init__(
        self,
        mirror: Mirror,
        commands: Commands,
        answers: Answers,
        alerts: Alerts,
        outbox: Outbox,
        log: logging.Logger,
    ) -> None:
        self._mirror = mirror
        self._commands = commands
        self._answers = answers
        self._alerts = alerts
        self._outbox = outbox
        self._log = log
        self._turns = Turns()
        # What a loudspeaker does once takes long, and what else is asked must not wait for it.
        self._order_turns = Turns(_ORDERS, _ORDER_TIMEOUT_S)
        clock = asyncio.get_running_loop().time
        self._allowance = Allowance(_COMMANDS_PER_S, _COMMANDS_AT_ONCE, clock)
        self._refusals = Allowance(_REFUSALS_PER_S, _REFUSALS_AT_ONCE, clock)

    async def close(self) -> None:
        """End what is being executed."""
        await self._turns.close()
        await self._order_turns.close()

    def take(self, topic: AskedTopic, message: Incoming) -> None:
        """Somebody wrote to a `set` or `cmd` topic."""
        client_id = self.client_of(topic)
        # Whoever is nobody's client shares one allowance with all others of that kind.
        owner = "" if client_id is None else topic.client
        is_too_much = not self._allowance.take(owner)
        if is_too_much and client_id is not None:
            self._alerts.too_many_commands(client_id, message.topic)
        if message.retain:
            if message.payload:
                self.clear(topic, message)
            return
        request = Request(topic, message)
        if is_too_much:
            self._refuse(owner, request, TooManyRequests("commands", 1))
            return
        is_order = isinstance(topic, MirrorTopic) and topic.kind is Kind.CMD
        turns = self._order_turns if is_order else self._turns
        execute = partial(self._commands.execute, request)
        turns.take(_place_of(topic), Work(owner, execute, partial(self._refuse, owner, request)))

    def clear(self, topic: Topic, message: Incoming) -> None:
        """A command with the retain flag: it would come again at every reconnect."""
        self._outbox.empty(message.topic)
        client_id = self.client_of(topic)
        if client_id is None:
            self._log.warning("MQTT: a retained message on %s was removed", message.topic)
        else:
            self._alerts.retained_command(client_id, message.topic)

    def misled(self, root: str, message: Incoming) -> None:
        """Whoever commands where no topic is can not be answered there, so an alert says it."""
        levels = message.topic.removeprefix(f"{root}/").split("/")
        if levels[0] != "client" or not {"set", "cmd"} & set(levels[2:]):
            return
        known = (one for one in self._mirror.known.clients if str(one) == levels[1])
        if (client_id := next(known, None)) is not None:
            self._alerts.unknown_topic(client_id, message.topic)
            if message.retain:
                self._outbox.empty(message.topic)

    def client_of(self, topic: Topic) -> UUID | None:
        """The client that a topic belongs to, if there is such a client."""
        if isinstance(topic, DeviceTopic):
            device = self._mirror.device_by_key(topic.device)
            return device.client_id if device else None
        try:
            client_id = UUID(getattr(topic, "client", ""))
        except ValueError:
            return None
        return client_id if client_id in self._mirror.known.clients else None

    def _refuse(self, owner: str, request: Request, error: Exception) -> None:
        """Answer what went wrong; whoever is told that it is too much, is told so now and then."""
        if not isinstance(error, TooManyRequests) or self._refusals.take(owner):
            self._answers.refuse(request, error)


def _place_of(topic: AskedTopic) -> str:
    """What is done for one place is done in order."""
    for level in ("zone", "device", "floor"):
        if (place := getattr(topic, level, None)) is not None:
            return str(place)
    return topic.client
