"""A client whose subscription is not active plays nothing, whoever asks; what plays is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self
from uuid import UUID

from tortoise.exceptions import BaseORMException

from antiphon.errors import PartAway
from antiphon.events import ClientChanged, EventBus, SubscriptionEnded
from antiphon.store import Memo
from antiphon.tasks import end
from antiphon.tenancy.models import Client
from antiphon.tenancy.subscriptions import require_active, why_inactive

_log = logging.getLogger(__name__)

LOOK_EVERY_S = 30.0  # a trial ends by the clock, which tells no event

# Stops everything that a client plays, for a reason; returns the zones where something did.
Silence = Callable[[UUID, str], Sequence[UUID]]


class Subscriptions:
    """Enter it before zones are set up: from then on it is known who may not play."""

    def __init__(self, bus: EventBus, silence: Silence) -> None:
        self._bus = bus
        self._silence = silence
        self._inactive: dict[UUID, str] = {}
        self._clients: Memo[Client | None] = Memo(Client)
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Look once, then whenever a client changes, and now and then."""
        self._stack = contextlib.AsyncExitStack()
        self._inactive = await _inactive_clients()
        self._stack.callback(self._bus.subscribe(ClientChanged, lambda _: self._changed.set()))
        task = asyncio.create_task(self._follow(), name="subscriptions")
        self._stack.push_async_callback(end, task)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Look no more."""
        await self._stack.aclose()

    async def require(self, client_id: UUID) -> None:
        """Raise SubscriptionInactive where the client may play nothing now."""
        try:
            client = await self._clients.get(client_id, lambda: Client.get_or_none(id=client_id))
        except BaseORMException as error:
            raise PartAway("The database", "Try again in a moment.") from error
        if client is not None:
            require_active(client)

    def enforce(self) -> None:
        """Silence whoever may not play. At once, so that what was restored never sounds."""
        for client_id, reason in self._inactive.items():
            if zones := self._silence(client_id, reason):
                _log.warning("Zones are stopped (%d): client %s %s", len(zones), client_id, reason)
                self._bus.publish(
                    SubscriptionEnded(client_id=client_id, reason=reason, zones=tuple(zones))
                )

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._changed.wait()
            self._changed.clear()
            try:
                self._inactive = await _inactive_clients()
                self.enforce()
            except Exception:
                _log.exception("The subscriptions could not be looked at; it is tried again")


async def _inactive_clients() -> dict[UUID, str]:
    found = {client.id: why_inactive(client) for client in await Client.all()}
    return {client_id: reason for client_id, reason in found.items() if reason is not None}
