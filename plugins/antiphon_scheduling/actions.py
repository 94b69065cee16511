"""Does what a schedule says: makes a call, starts music, stops music."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from antiphon.errors import AntiphonError
from antiphon.plugins import CallRequest, PlayRequest, PluginContext
from antiphon.types import Principal, Via
from antiphon_scheduling.models import Schedule
from antiphon_scheduling.outcomes import Firing
from antiphon_scheduling.recurrence import Music

_TIMEOUT_S = 30.0


class NotDone(Exception):
    """What was due could not be done; the message says why."""


class Actions:
    """Sends commands to zones in the name of schedules."""

    def __init__(self, context: PluginContext) -> None:
        self._context = context

    async def perform(self, row: Schedule, firing: Firing) -> UUID | None:
        """Do what is due; returns the id of a call. Raises NotDone."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await self._perform(row, firing)
        except AntiphonError as error:
            raise NotDone(str(error)) from error
        except TimeoutError:
            raise NotDone(f"the zones did not answer within {_TIMEOUT_S:g} s") from None
        except Exception as error:
            self._context.log.exception("The schedule %s failed", row.name)
            raise NotDone(f"{type(error).__name__}: {error}") from error

    async def _perform(self, row: Schedule, firing: Firing) -> UUID | None:
        principal = Principal.system(row.client_id, Via.SCHEDULE)
        if firing.music is not None:
            await self._music(principal, firing.music, firing.zones)
            return None
        request = CallRequest(
            announcement_id=firing.announcement_id,
            zones=None if firing.everywhere else list(firing.zones),
            all=firing.everywhere,
            band=row.band,
            chime=row.chime,
        )
        return (await self._context.zones.call(principal, request)).id

    async def _music(self, principal: Principal, music: Music, zones: Sequence[UUID]) -> None:
        first, *others = zones
        if music.do == "play":
            request = PlayRequest(
                folder_ids=music.folder_ids,
                shuffle=music.shuffle,
                crossfade_s=music.crossfade_s,
                zones=others,
            )
            await self._context.zones.play(principal, first, request)
            return
        troubles = []
        for zone_id in zones:
            try:
                await self._context.zones.stop(principal, zone_id)
            except AntiphonError as error:  # the other zones are to be silent all the same
                troubles.append(str(error))
        if troubles:
            raise NotDone("; ".join(troubles))
