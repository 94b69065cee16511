"""What waits to be published, bounded however long the broker is away."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, KeysView
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message. `expires_s` and `correlation` are MQTT 5 properties, where they are set.

    With `qos` 0 a message may be lost: for figures that the next ones replace.
    """

    topic: str
    payload: bytes
    retain: bool = False
    expires_s: int | None = None
    correlation: bytes | None = None
    qos: int = 1


Witness = Callable[[Outgoing], None]


class Outbox:
    """Retained documents, of which the newest per topic counts, and passing messages in order.

    All that server and agents ever publish goes through here. `witnesses` are shown every message:
    the tests hold it against the contract.

    Documents need no bound: there is one per topic. Of passing messages the newest `passing_limit`
    are kept while the broker is away; older ones are lost and counted in `dropped`.
    """

    witnesses: ClassVar[list[Witness]] = []

    def __init__(self, passing_limit: int = 1000) -> None:
        self._documents: dict[str, bytes] = {}
        self._waiting: OrderedDict[str | int, Outgoing] = OrderedDict()
        self._passing_limit = passing_limit
        self._passing = 0
        self._serial = 0
        self._filled = asyncio.Event()
        self._watchers: list[Callable[[str, bytes], None]] = []
        self.dropped = 0

    @property
    def topics(self) -> KeysView[str]:
        """The topics that hold a document of ours."""
        return self._documents.keys()

    def document(self, topic: str) -> bytes | None:
        """What `topic` holds, if it holds a document of ours."""
        return self._documents.get(topic)

    def __len__(self) -> int:
        return len(self._waiting)

    def hold(self, topic: str, payload: bytes) -> None:
        """Let `payload` be what `topic` holds from now on."""
        is_news = self._documents.get(topic) != payload
        self._documents[topic] = payload
        self._wait(topic, Outgoing(topic, payload, retain=True))
        if is_news:
            self._tell(topic, payload)

    def empty(self, topic: str) -> None:
        """Let `topic` hold nothing."""
        was_held = self._documents.pop(topic, None) is not None
        self._wait(topic, Outgoing(topic, b"", retain=True))
        if was_held:
            self._tell(topic, b"")

    def watch(self, watcher: Callable[[str, bytes], None]) -> None:
        """Call `watcher` with each document that changes, and with nothing when it is emptied."""
        self._watchers.append(watcher)

    def _tell(self, topic: str, payload: bytes) -> None:
        for watcher in self._watchers:
            watcher(topic, payload)

    def say(self, message: Outgoing) -> None:
        """Send a passing message once."""
        if self._passing >= self._passing_limit:
            oldest = next(key for key in self._waiting if isinstance(key, int))
            del self._waiting[oldest]
            self._passing -= 1
            self.dropped += 1
        self._serial += 1
        self._passing += 1
        self._wait(self._serial, message)

    def replay(self) -> None:
        """Send all documents again: a broker that comes back may have lost them."""
        for topic, payload in self._documents.items():
            self._wait(topic, Outgoing(topic, payload, retain=True))

    def replay_topic(self, topic: str) -> None:
        """Send one document again: somebody else wrote to its topic."""
        if topic in self._documents:
            self.hold(topic, self._documents[topic])

    async def take(self) -> Outgoing:
        """The next message; waits for one."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        key, message = self._waiting.popitem(last=False)
        if isinstance(key, int):
            self._passing -= 1
        return message

    def put_back(self, message: Outgoing) -> None:
        """A message that could not be sent waits again, unless a newer document replaced it."""
        if not message.retain:
            self.say(message)
        elif message.topic not in self._waiting:
            self._wait(message.topic, message)

    def _wait(self, key: str | int, message: Outgoing) -> None:
        self._waiting[key] = message
        self._filled.set()
        for witness in self.witnesses:
            witness(message)
