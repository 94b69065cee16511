"""Who wants to hear what, while the connection comes and goes."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

from antiphon_devices.filters import matches

_log = logging.getLogger(__name__)


class Topical(Protocol):
    """Anything that came on a topic."""

    @property
    def topic(self) -> str:
        """Where it came."""


MessageT = TypeVar("MessageT", bound=Topical)


class Subscriptions(Generic[MessageT]):
    """What plugins read of others. The connection asks it what to subscribe to."""

    def __init__(self) -> None:
        self._handlers: defaultdict[str, list[Callable[[MessageT], None]]] = defaultdict(list)
        self._changes: dict[str, bool] = {}
        self._changed = asyncio.Event()
        self.in_force = asyncio.Event()

    def add(self, topic_filter: str, handler: Callable[[MessageT], None]) -> Callable[[], None]:
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

    def dispatch(self, message: MessageT) -> None:
        """Hand a message to everybody who wants it."""
        for topic_filter, handlers in list(self._handlers.items()):
            if matches(topic_filter, message.topic):
                for handler in tuple(handlers):
                    deliver(handler, message)


def deliver(handler: Callable[[MessageT], None], message: MessageT) -> None:
    """Call a plugin's handler; what it raises is logged."""
    try:
        handler(message)
    except Exception:
        _log.exception("MQTT: a plugin could not use a message on %s", message.topic)
