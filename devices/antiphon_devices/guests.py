"""The connection to the broker as other plugins use it: `antiphon.plugins.Mqtt`."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping

from antiphon.plugins import MqttMessage
from antiphon_devices.filters import is_filter, matches, reaches_below
from antiphon_devices.outbox import Outbox, Outgoing
from antiphon_devices.topics import is_root

Handler = Callable[[MqttMessage], None]

_log = logging.getLogger(__name__)


class Subscriptions:
    """What plugins read of others. The connection asks it what to subscribe to."""

    def __init__(self) -> None:
        self._handlers: defaultdict[str, list[Handler]] = defaultdict(list)
        self._changes: dict[str, bool] = {}
        self._changed = asyncio.Event()
        self.in_force = asyncio.Event()

    def add(self, topic_filter: str, handler: Handler) -> Callable[[], None]:
        """Hand what matches to `handler` from now on; returns what ends it."""
        self._handlers[topic_filter].append(handler)
        self._change(topic_filter, wanted=True)

        def end() -> None:
            handlers = self._handlers.get(topic_filter, [])
            if handler in handlers:
                handlers.remove(handler)
            if not handlers and self._handlers.pop(topic_filter, None) is not None:
                self._change(topic_filter, wanted=False)

        return end

    def _change(self, topic_filter: str, *, wanted: bool) -> None:
        self._changes[topic_filter] = wanted
        self._changed.set()
        self.in_force.clear()

    def begin(self) -> list[str]:
        """All filters, for a new connection; `done` tells that they are in force."""
        self._changes.clear()
        return list(self._handlers)

    async def changes(self) -> Mapping[str, bool]:
        """Wait for filters that came (true) or went (false) since; then `done` is called."""
        while not self._changes:
            self._changed.clear()
            await self._changed.wait()
        changes, self._changes = self._changes, {}
        return changes

    def done(self) -> None:
        """The broker has taken all that it was asked for."""
        if not self._changes:
            self.in_force.set()

    def lost(self) -> None:
        """The connection is gone, and all subscriptions with it."""
        self.in_force.clear()

    def dispatch(self, message: MqttMessage) -> None:
        """Hand a message to everybody who wants it."""
        for topic_filter, handlers in list(self._handlers.items()):
            if matches(topic_filter, message.topic):
                for handler in tuple(handlers):
                    deliver(handler, message)


def deliver(handler: Handler, message: MqttMessage) -> None:
    """Call a plugin's handler; what it raises is logged."""
    try:
        handler(message)
    except Exception:
        _log.exception("MQTT: a plugin could not use a message on %s", message.topic)


class Guests:
    """See `antiphon.plugins.Mqtt`, whose methods these are."""

    def __init__(self, root: str, outbox: Outbox) -> None:
        self._root = root
        self._outbox = outbox
        self._watchers: list[tuple[str, Handler]] = []
        self.subscriptions = Subscriptions()
        outbox.watch(self._held)

    @property
    def root(self) -> str:
        """See `Mqtt`."""
        return self._root

    async def connected(self) -> None:
        """See `Mqtt`."""
        await self.subscriptions.in_force.wait()

    def documents(self, topic_filter: str, handler: Handler) -> Callable[[], None]:
        """See `Mqtt`."""
        watcher = (topic_filter, handler)
        self._watchers.append(watcher)
        for topic in list(self._outbox.topics):
            if topic.startswith(f"{self._root}/") and matches(topic_filter, topic):
                payload = self._outbox.document(topic) or b""
                message = MqttMessage(topic=topic, payload=payload, retain=True)
                deliver(handler, message)

        def end() -> None:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

        return end

    def _held(self, topic: str, payload: bytes) -> None:
        if not self._watchers or not topic.startswith(f"{self._root}/"):
            return
        message = MqttMessage(topic=topic, payload=payload, retain=True)
        for topic_filter, handler in tuple(self._watchers):
            if matches(topic_filter, topic):
                deliver(handler, message)

    def subscribe(self, topic_filter: str, handler: Handler) -> Callable[[], None]:
        """See `Mqtt`."""
        if not is_filter(topic_filter):
            raise ValueError(f"{topic_filter!r} is not a filter of topics")
        if reaches_below(topic_filter, self._root):
            raise ValueError(f"{topic_filter!r} reaches below {self._root}: use documents()")
        return self.subscriptions.add(topic_filter, handler)

    def hold(self, topic: str, payload: bytes) -> None:
        """See `Mqtt`."""
        self._outbox.hold(self._own(topic), payload)

    def empty(self, topic: str) -> None:
        """See `Mqtt`."""
        self._outbox.empty(self._own(topic))

    def say(self, topic: str, payload: bytes) -> None:
        """See `Mqtt`."""
        self._outbox.say(Outgoing(self._own(topic), payload))

    def _own(self, topic: str) -> str:
        if not is_root(topic) or reaches_below(topic, self._root):
            raise ValueError(f"a plugin can not write to {topic!r}")
        return topic
