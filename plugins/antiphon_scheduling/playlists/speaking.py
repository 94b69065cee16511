"""Does what a playlist's cue stands for: calls, announcements between tracks, a spot of music."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from antiphon.errors import AntiphonError, Conflict, Refused
from antiphon.plugins import CallRequest, CallView, PluginContext
from antiphon.types import CallStyle, Principal, Via
from antiphon_scheduling.models import Outcome
from antiphon_scheduling.playlists import records
from antiphon_scheduling.playlists.decide import Decision
from antiphon_scheduling.playlists.events import ChannelAnnounced, ChannelSilent
from antiphon_scheduling.playlists.listeners import Listeners
from antiphon_scheduling.playlists.models import ChannelRecord, Style
from antiphon_scheduling.playlists.timetable import Entry, Timetable

_TIMEOUT_S = 30.0
_EXPIRES_S = 300.0


class Speaking:
    """Sends commands to zones in the name of playlists, and tells what came of it."""

    def __init__(self, context: PluginContext) -> None:
        self._context = context

    async def perform(
        self,
        table: Timetable,
        decision: Decision,
        record: ChannelRecord | None,
        listeners: Listeners,
    ) -> None:
        """Do it. Never raises."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._perform(table, decision, record, listeners)
        except AntiphonError as error:
            await self._missed(table, record, str(error))
        except TimeoutError:
            reason = f"the zones did not answer within {_TIMEOUT_S:g} s"
            await self._missed(table, record, reason)
        except Exception as error:
            self._context.log.exception("The channel playlist %s failed", table.name)
            await self._missed(table, record, f"{type(error).__name__}: {error}")

    def silent(self, table: Timetable, reason: str) -> None:
        """Tell that something was not played."""
        self._context.log.info("The channel playlist %s is silent: %s", table.name, reason)
        event = ChannelSilent(
            client_id=table.client_id, playlist_id=table.playlist_id, reason=reason
        )
        self._context.bus.publish(event)

    async def _missed(self, table: Timetable, record: ChannelRecord | None, reason: str) -> None:
        self.silent(table, reason)
        await records.finish(record, Outcome.MISSED, reason=reason)

    async def _perform(
        self,
        table: Timetable,
        decision: Decision,
        record: ChannelRecord | None,
        listeners: Listeners,
    ) -> None:
        principal = Principal.system(table.client_id, Via.SCHEDULE)
        if decision.cue.slot.is_music:
            for programme in listeners.programmes(decision.zones):
                await self._context.zones.go_on(principal, min(programme))
            await records.finish(record, Outcome.FIRED)
            return
        troubles = []
        for entry in decision.cue.takers:
            try:
                calls = await self._call(principal, table, entry, decision.zones, listeners)
            except Refused as error:  # its turn is the next one's
                troubles.append(f"the announcement {entry.announcement_id}: {error}")
                self.silent(table, troubles[-1])
                continue
            said = entry.announcement_id
            await records.finish(record, Outcome.FIRED, announcement_id=said, call_id=calls[0].id)
            return
        await records.finish(record, Outcome.MISSED, reason="; ".join(troubles))

    async def _call(
        self,
        principal: Principal,
        table: Timetable,
        entry: Entry,
        zones: Sequence[UUID],
        listeners: Listeners,
    ) -> list[CallView]:
        """Let an announcement be heard in zones. Raises Refused where it can not be played."""
        calls, left = [], list(zones)
        if entry.style is Style.BETWEEN:
            for programme in listeners.programmes(zones):
                # A programme that others hear too is not ours to put anything into.
                if programme <= set(left) and (
                    call := await self._between(principal, table, entry, sorted(programme))
                ):
                    calls.append(call)
                    left = [zone for zone in left if zone not in programme]
        if left:
            style = CallStyle(entry.style.value)
            request = _request(table, entry, left, expires_in_s=_EXPIRES_S, style=style)
            calls.append(await self._context.zones.call(principal, request))
            self._tell(table, entry, calls[-1], left)
        return calls

    async def _between(
        self, principal: Principal, table: Timetable, entry: Entry, zones: list[UUID]
    ) -> CallView | None:
        """As an item of the zones' programme; None where that has just come to its end."""
        try:
            request = _request(table, entry, zones)
            call = await self._context.zones.call_between(principal, request)
        except Conflict as error:
            self._context.log.info("%s can not be put between tracks: %s", table.name, error)
            return None
        self._tell(table, entry, call, zones)
        return call

    def _tell(self, table: Timetable, entry: Entry, call: CallView, zones: Sequence[UUID]) -> None:
        self._context.bus.publish(
            ChannelAnnounced(
                client_id=table.client_id,
                playlist_id=table.playlist_id,
                call_id=call.id,
                announcement_id=entry.announcement_id,
                zones=tuple(zones),
            )
        )


def _request(table: Timetable, entry: Entry, zones: Sequence[UUID], **more: Any) -> CallRequest:
    return CallRequest(
        announcement_id=entry.announcement_id, zones=list(zones), band=table.band, **more
    )
