"""Remembers when the music of a zone was last commanded by anything but a schedule.

A schedule that makes up for a time that it missed leaves alone what was commanded since.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Protocol
from uuid import UUID

from antiphon.audit import CommandGiven
from antiphon.events import EventBus, EventStream
from antiphon.playback.models import PlaybackState
from antiphon.plugins.zones import PlaybackView
from antiphon.tasks import end
from antiphon.types import Principal, Via

_log = logging.getLogger(__name__)
_ACTIONS = frozenset(f"playback.{action}" for action in ("play", "pause", "resume", "stop"))


class Watched(Protocol):
    """Where zones are looked up."""

    async def views(
        self, principal: Principal, only: Collection[UUID] | None = None
    ) -> Sequence[PlaybackView]:
        """See `Zones.views`."""


@asynccontextmanager
async def noting_hands(bus: EventBus, zones: Watched) -> AsyncIterator[None]:
    """Keep `PlaybackState.commanded_at` up to date, while entered."""
    with bus.stream(CommandGiven) as commands:
        task = asyncio.create_task(_follow(commands, zones), name="hands")
        try:
            yield
        finally:
            await end(task)


async def _follow(commands: EventStream, zones: Watched) -> None:
    async for event in commands:
        if not isinstance(event, CommandGiven) or event.via is Via.SCHEDULE:
            continue
        if event.action not in _ACTIONS:
            continue
        try:
            heard = {event.resource_id}
            for view in await zones.views(Principal.system(), [event.resource_id]):
                heard.update(view.shared_with)  # they share one programme
            await PlaybackState.filter(zone_id__in=list(heard)).update(commanded_at=event.at)
        except Exception:
            _log.exception("When zone %s was commanded could not be kept", event.resource_id)
