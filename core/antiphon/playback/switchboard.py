"""Calls as principals make, see and take them back: who may, in which zones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from antiphon.errors import Conflict, Invalid, NotFound
from antiphon.playback.calls import Calls
from antiphon.playback.channel import Channel
from antiphon.playback.channels import Channels
from antiphon.playback.reach import Reach
from antiphon.playback.record import Record
from antiphon.playback.spoken import Spoken, SpokenBetween
from antiphon.playback.subscriptions import Subscriptions
from antiphon.plugins.lists import Page, ordered_items
from antiphon.plugins.zones import CallRequest, CallView
from antiphon.types import CallStyle, Principal, Role


class Switchboard:
    """Connects whoever calls with what plays calls. The methods are those of `Zones`."""

    def __init__(
        self,
        channels: Channels,
        calls: Calls,
        between: SpokenBetween,
        reach: Reach,
        subscriptions: Subscriptions,
    ) -> None:
        self._channels = channels
        self._calls = calls
        self._between = between
        self._reach = reach
        self._subscriptions = subscriptions

    async def call(self, principal: Principal, request: CallRequest) -> CallView:
        """Play an announcement over what the zones play."""
        zones, maybe = await self._reach.named(principal, request)
        channels = [await self._channels.get(zone) for zone in zones]
        found = (self._channels.find(zone) for zone in maybe if zone not in zones)
        channels += [channel for channel in found if channel is not None]
        field = "all" if request.all else "zones"
        same_client(channels, field)
        if not channels:
            raise Invalid.field(field, "there is no zone to announce in")
        zones = [channel.zone_id for channel in channels]
        client_id = channels[0].client_id
        await self._subscriptions.require(client_id)
        return (await self._calls.accept(principal, client_id, zones, request)).view()

    async def call_between(self, principal: Principal, request: CallRequest) -> CallView:
        """Let an announcement be an item of what the zones play."""
        zones, _ = await self._reach.named(principal, request)
        channels = [await self._channels.get(zone) for zone in zones]
        if not channels:
            raise Invalid.field("zones", "there is no zone to announce in")
        programme = channels[0].programme
        if set(programme.zones) != set(zones):
            raise Conflict("They are not all the zones of one programme.")
        await self._subscriptions.require(programme.client_id)
        request = request.model_copy(update={"style": CallStyle.BETWEEN})
        spoken = await self._between.prepare(
            principal, programme.client_id, lambda: programme.zones, request
        )
        programme.insert(spoken)
        return spoken.record.view()

    async def page(
        self, principal: Principal, zone_id: UUID | None, ordering: str, offset: int, limit: int
    ) -> Page[CallView]:
        """Some of the calls that the principal sees, in one zone or all."""
        reach = await self._reach.all(principal)
        zones = set(reach) if zone_id is None else {zone_id}.intersection(reach)
        records = [*self._between.newest_first(), *self._calls.newest_first()]
        records = [record for record in records if not zones.isdisjoint(record.parts)]
        listed = ordered_items(records, ordering)
        items = tuple(_seen(principal, one, reach) for one in listed[offset : offset + limit])
        return Page[CallView](items=items, total=len(records))

    async def get(self, principal: Principal, call_id: UUID) -> CallView:
        """One call."""
        return _seen(principal, *await self._find(principal, call_id))

    async def revoke(self, principal: Principal, call_id: UUID) -> CallView:
        """Take a call back where the principal reaches."""
        record, zones = await self._find(principal, call_id)
        if (spoken := self._between.find(call_id)) is not None:
            await self._take_back(spoken)
        else:
            await self._calls.revoke(record, zones)
        return _seen(principal, record, zones)

    async def _find(self, principal: Principal, call_id: UUID) -> tuple[Record, list[UUID]]:
        spoken = self._between.find(call_id)
        record = self._calls.get(call_id) if spoken is None else spoken.record
        reach = await self._reach.all(principal)
        zones = [zone_id for zone_id in record.parts if zone_id in reach]
        if not zones:
            raise NotFound("call", call_id)
        return record, zones

    async def _take_back(self, spoken: Spoken) -> None:
        """Take back what is spoken between tracks, in all zones of its programme."""
        for zone_id in spoken.zones():
            if (channel := self._channels.find(zone_id)) is not None:
                await channel.programme.take_back(spoken)
                return


def same_client(channels: Sequence[Channel], field: str) -> None:
    """Raise Invalid where the zones belong to several clients."""
    if len({channel.client_id for channel in channels}) > 1:
        raise Invalid.field(field, "must be zones of one client; these belong to several")


def _seen(principal: Principal, record: Record, zones: Collection[UUID]) -> CallView:
    """A call as the principal may see it: a floor user, on its own floor alone."""
    call = record.view()
    if principal.role is not Role.FLOOR_USER:
        return call
    mine = tuple(zone for zone in call.zones if zone.zone_id in zones)
    return call.model_copy(update={"zones": mine})
