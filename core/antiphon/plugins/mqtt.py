"""MQTT as plugins use it: one connection for all, held by the plugin that offers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from antiphon.plugins.offers import Offer
from antiphon.types import Frozen


class MqttMessage(Frozen):
    """A message. `retain` is the flag that its sender set; an empty payload empties a topic."""

    topic: str
    payload: bytes
    retain: bool


MessageHandler = Callable[[MqttMessage], None]


class Mqtt(Protocol):
    """The server's connection to its broker. All methods are called on the main loop.

    Nothing here waits for the broker except `connected`: what is to be sent while it is away is
    sent when it is back. Handlers are plain functions that return at once.
    """

    @property
    def root(self) -> str:
        """What the topics of the server's own contract begin with: `antiphon/v1`."""

    async def connected(self) -> None:
        """Wait until the broker is there and all that was subscribed to is in force."""

    def documents(self, topic_filter: str, handler: MessageHandler) -> Callable[[], None]:
        """Follow what the server itself holds retained below its root.

        `handler` is called now with each document whose topic the filter matches, and then at
        each change; with an empty payload when one is taken away. Returns what ends it.
        """

    def subscribe(self, topic_filter: str, handler: MessageHandler) -> Callable[[], None]:
        """Read what others say outside the server's root; returns what ends it.

        Retained messages come now and again after each reconnect; our own words never come.
        Raises ValueError for a filter that reaches below the root: use `documents` there.
        """

    def hold(self, topic: str, payload: bytes) -> None:
        """Let `payload` be what `topic` holds retained, over reconnects and lost brokers too.

        Raises ValueError for a topic below the root: those are the contract's.
        """

    def empty(self, topic: str) -> None:
        """Let `topic` hold nothing. Raises ValueError like `hold`."""

    def say(self, topic: str, payload: bytes) -> None:
        """Send a message that is not retained, once. Raises ValueError like `hold`."""


class MqttOffer(Offer[Mqtt]):
    """Where the plugin that has the connection offers it, and others find it.

    Where MQTT is off there is never one.
    """
