"""The connection to the broker as other plugins use it: `antiphon.plugins.Mqtt`."""

from __future__ import annotations

from collections.abc import Callable

from antiphon.plugins import MqttMessage
from antiphon_devices.filters import is_filter, matches, reaches_below
from antiphon_devices.joining import Joining
from antiphon_devices.outbox import Outbox, Outgoing
from antiphon_devices.subscriptions import Subscriptions, deliver
from antiphon_devices.topics import is_root

Handler = Callable[[MqttMessage], None]


class Guests:
    """See `antiphon.plugins.Mqtt`, whose methods these are."""

    def __init__(self, root: str, outbox: Outbox) -> None:
        self._root = root
        self._outbox = outbox
        self._watchers: list[tuple[str, Handler]] = []
        self.subscriptions: Subscriptions[MqttMessage] = Subscriptions()
        # For our own routes, which are made before there is a broker.
        self.joining: Joining | None = None
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
