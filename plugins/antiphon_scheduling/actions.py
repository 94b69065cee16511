"""Does what a schedule says: makes a call, starts music, stops music."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from antiphon.errors import AntiphonError, SubscriptionInactive
from antiphon.plugins import CallRequest, PlayRequest, PluginContext
from antiphon.types import Principal, Via
from antiphon_scheduling.models import Schedule
from antiphon_scheduling.outcomes import Firing
from antiphon_scheduling.recurrence import Music

_TIMEOUT_S = 30.0


class NotDone(Exception):
    """What was due could not be done; the message says why."""


class NotAllowed(NotDone):
    """The client may not play anything now."""


class Actions:
    """Sends commands to zones in the name of schedules."""

    def __init__(self, context: PluginContext) -> None:
        self._context = context

    async def perform(
        self, row: Schedule, firing: Firing, at: datetime | None = None
    ) -> UUID | None:
        """Do what is due: an announcement so that it is heard `at`, all else at once.

        Returns the id of a call. Raises NotDone, and NotAllowed where the client may not play.
        """
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await self._perform(row, firing, at)
        except NotDone:
            raise
        except SubscriptionInactive as error:
            raise NotAllowed(str(error)) from error
        except AntiphonError as error:
            raise NotDone(str(error)) from error
        except TimeoutError:
            raise NotDone(f"the zones did not answer within {_TIMEOUT_S:g} s") from None
        except Exception as error:
            self._context.log.exception("The schedule %s failed", row.name)
            raise NotDone(f"{type(error).__name__}: {error}") from error

    async def withdraw(self, client_id: UUID, call_id: UUID) -> None:
        """Take back a call whose time has not come."""
        principal = Principal.system(client_id, Via.SCHEDULE)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._context.zones.revoke(principal, call_id)
        except (AntiphonError, TimeoutError) as error:
            self._context.log.warning("The call %s could not be taken back: %s", call_id, error)

    async def _perform(self, row: Schedule, firing: Firing, at: datetime | None) -> UUID | None:
        principal = Principal.system(row.client_id, Via.SCHEDULE, row.id)
        if firing.music is not None:
            await self._music(principal, firing.music, firing.zones)
            return None
        request = CallRequest(
            announcement_id=firing.announcement_id,
            zones=None if firing.everywhere else list(firing.zones),
            all=firing.everywhere,
            band=row.band,
            chime=row.chime,
            at=at,
        )
        return (await self._context.zones.call(principal, request)).id

    async def _music(self, principal: Principal, music: Music, zones: Sequence[UUID]) -> None:
        first, *others = zones
        if music.do == "play":
            request = PlayRequest(
                folder_ids=music.folder_ids,
                playlist_id=music.playlist_id,
                shuffle=music.shuffle,
                crossfade_s=music.crossfade_s,
                zones=others,
            )
            await self._context.zones.play(principal, first, request)
            return
        troubles = []
        act = self._context.zones.resume if music.do == "resume" else self._context.zones.stop
        for zone_id in zones:
            try:
                await act(principal, zone_id)
            except SubscriptionInactive:
                raise
            except AntiphonError as error:  # the other zones are to follow all the same
                troubles.append(str(error))
        if troubles:
            raise NotDone("; ".join(troubles))
