"""The one door for commands to zones, whoever sends them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

from antiphon import events
from antiphon.audit import commanded
from antiphon.building.models import Zone
from antiphon.engine import protocol
from antiphon.errors import Invalid
from antiphon.events import EventBus
from antiphon.playback.calls import Calls, Desk
from antiphon.playback.channel import Channel
from antiphon.playback.channels import Channels, Streams
from antiphon.playback.dead_air import DeadAir
from antiphon.playback.expand import chosen, queue_of, queue_view, tracks_of
from antiphon.playback.keeper import Snapshot, StateKeeper
from antiphon.playback.ledger import Ledger
from antiphon.playback.loudspeakers import Loudspeakers
from antiphon.playback.programme import Programme, Surroundings
from antiphon.playback.queue import Queue
from antiphon.playback.reach import Reach
from antiphon.playback.receipts import Receipts
from antiphon.playback.reports import Reports
from antiphon.playback.spoken import SpokenBetween
from antiphon.playback.subscriptions import Subscriptions
from antiphon.playback.switchboard import Switchboard, same_client
from antiphon.plugins.lists import Page
from antiphon.plugins.media import MediaRef, MediaRegistry
from antiphon.plugins.zones import CallRequest, CallView, PlaybackView, PlayRequest, QueueView
from antiphon.settings.models import AudioSettings
from antiphon.tasks import end
from antiphon.types import Playback, Principal, Repeat

_log = logging.getLogger(__name__)
_RETRY_S = 2.0
_BUILDING = (events.ZoneCreated, events.ZoneChanged, events.ZoneDeleted)


class Renderer(Protocol):
    """What plays; `antiphon.engine.host.RendererHost` does."""

    def send(self, command: protocol.Command) -> None:
        """Hand a command over, without waiting."""

    def subscribe(self, handler: Callable[[protocol.Report], None]) -> Callable[[], None]:
        """Hear all reports."""


class ZoneController:
    """Implements `antiphon.plugins.Zones`, and is the only one who talks to the renderer.

    A command looks up whether the principal reaches the zone, acts, publishes what changed and
    leaves the writing to others. There is no lock: a command that waits (for a media source)
    waits alone, and a later one on the same programme wins.
    """

    def __init__(
        self,
        bus: EventBus,
        renderer: Renderer,
        snapcast: Streams,
        media: MediaRegistry,
        audio: AudioSettings,
        latency_s: float = 0.0,
    ) -> None:
        self._bus = bus
        self._renderer = renderer
        self._streams = snapcast
        self._media = media
        self._ledger = Ledger()
        self._receipts = Receipts(self._ledger)
        self._keeper = StateKeeper(self._snapshot, self._moving)
        self._loudspeakers = Loudspeakers(bus)
        self._calls = Calls(
            Desk(
                bus,
                renderer.send,
                media,
                audio,
                self._ledger,
                self._receipts,
                self._loudspeakers,
                self._music_in,
                latency_s,
            )
        )
        self._between = SpokenBetween(bus, media, self._receipts, self._loudspeakers)
        around = Surroundings(
            bus,
            renderer.send,
            media,
            audio,
            self._programme_changed,
            self._calls.track_over,
            self._between,
        )
        self._channels = Channels(around, snapcast, self._calls, self._keeper)
        self._subscriptions = Subscriptions(bus, self._silence)
        self._dead_air_s = audio.dead_air_s
        self._reach = Reach()
        self._switchboard = Switchboard(
            self._channels, self._calls, self._between, self._reach, self._subscriptions
        )
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Set up all active zones; let them go on with their music, and calls with their way."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._ledger)
            await stack.enter_async_context(self._receipts)
            await stack.enter_async_context(self._loudspeakers)
            stack.callback(self._channels.close)
            await stack.enter_async_context(self._keeper)
            stack.callback(self._calls.close)
            await stack.enter_async_context(self._subscriptions)
            dead_air = DeadAir(self._bus.publish, self._dead_air_s)
            stack.callback(dead_air.close)
            reports = Reports(self._bus, self._channels, self._calls, dead_air)
            stack.callback(self._renderer.subscribe(reports.handle))
            news = stack.enter_context(self._bus.stream(*_BUILDING, size=10_000))
            stack.callback(self._bus.subscribe(events.ZoneCreated, self._expect))
            await self._channels.add(await Zone.filter(deleted_at__isnull=True, is_active=True))
            self._subscriptions.enforce()
            await self._calls.restore()
            self._subscriptions.enforce()
            task = asyncio.create_task(self._follow(news), name="zones")
            stack.push_async_callback(end, task)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep where everything is, and let go."""
        await self._stack.aclose()

    @property
    def latency_s(self) -> float:
        """See `Zones.latency_s`."""
        return self._calls.timing.latency_s

    @property
    def notice_s(self) -> float:
        """See `Zones.notice_s`."""
        return self._calls.timing.notice_s

    # --- what plays ----------------------------------------------------------------------------

    async def views(
        self, principal: Principal, only: Collection[UUID] | None = None
    ) -> Sequence[PlaybackView]:
        """See `Zones.views`."""
        reach = self._reach
        found = await (reach.all(principal) if only is None else reach.among(principal, only))
        channels = map(self._channels.find, found)
        return [self._view(channel) for channel in channels if channel is not None]

    async def view(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        """See `Zones.view`."""
        return self._view(await self._channel(principal, zone_id))

    # --- music ---------------------------------------------------------------------------------

    @commanded("playback.play", "zones")
    async def play(self, principal: Principal, zone_id: UUID, request: PlayRequest) -> PlaybackView:
        """See `Zones.play`."""
        channel, *others = await self._reached(principal, [zone_id, *request.zones], "zones")
        await self._subscriptions.require(channel.client_id)
        if refs := chosen(request):
            queue = await self._queue(channel, refs, shuffle=request.shuffle, repeat=request.repeat)
            await self._start(channel, others, queue, request.crossfade_s)
        else:
            await channel.programme.resume()
            for other in others:
                self._channels.move(other, channel.programme)
        return self._done(channel)

    @commanded("playback.play", "zones")
    async def play_refs(
        self,
        principal: Principal,
        zone_id: UUID,
        refs: Sequence[MediaRef],
        *,
        shuffle: bool = False,
    ) -> PlaybackView:
        """See `Zones.play_refs`."""
        channel = await self._channel(principal, zone_id)
        await self._subscriptions.require(channel.client_id)
        queue = await self._queue(channel, refs, shuffle=shuffle, repeat=Repeat.ALL)
        await self._start(channel, [], queue, 0.0)
        return self._done(channel)

    async def queue(
        self, principal: Principal, zone_id: UUID, *, offset: int, limit: int
    ) -> QueueView:
        """See `Zones.queue`."""
        programme = (await self._channel(principal, zone_id)).programme
        return await queue_view(self._media, programme.client_id, programme.queue, offset, limit)

    @commanded("playback.queue", "zones")
    async def set_queue(
        self, principal: Principal, zone_id: UUID, music_ids: Sequence[UUID]
    ) -> PlaybackView:
        """See `Zones.set_queue`. Zones that share the programme hear it too."""
        channel = await self._channel(principal, zone_id)
        await self._subscriptions.require(channel.client_id)
        channel.programme.requeue(await tracks_of(self._media, channel.client_id, music_ids))
        return self._done(channel)

    async def redraw(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        """See `Zones.redraw`."""
        channel = await self._channel(principal, zone_id)
        channel.programme.redraw()
        return self._done(channel)

    async def go_on(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        """See `Zones.go_on`."""
        channel = await self._channel(principal, zone_id)
        channel.programme.go_on()
        return self._done(channel)

    @commanded("playback.pause", "zones")
    async def pause(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        """See `Zones.pause`."""
        channel = await self._channel(principal, zone_id)
        channel.programme.pause()
        return self._done(channel)

    @commanded("playback.resume", "zones")
    async def resume(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        """See `Zones.resume`."""
        channel = await self._channel(principal, zone_id)
        await self._subscriptions.require(channel.client_id)
        await channel.programme.resume()
        return self._done(channel)

    @commanded("playback.stop", "zones")
    async def stop(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        """See `Zones.stop`. Zones that share the programme go on."""
        channel = await self._channel(principal, zone_id)
        programme = channel.programme
        if len(programme.zones) > 1:
            self._channels.move(channel, programme.fork())
            self._programme_changed(programme)
        else:
            programme.stop()
        return self._done(channel)

    @commanded("playback.next", "zones")
    async def next(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        """See `Zones.next`."""
        channel = await self._channel(principal, zone_id)
        await channel.programme.next()
        return self._done(channel)

    @commanded("playback.previous", "zones")
    async def previous(self, principal: Principal, zone_id: UUID) -> PlaybackView:
        """See `Zones.previous`."""
        channel = await self._channel(principal, zone_id)
        await channel.programme.previous()
        return self._done(channel)

    @commanded("playback.seek", "zones")
    async def seek(self, principal: Principal, zone_id: UUID, position_s: float) -> PlaybackView:
        """See `Zones.seek`."""
        channel = await self._channel(principal, zone_id)
        channel.programme.seek(position_s)
        return self._done(channel)

    @commanded("playback.volume", "zones")
    async def set_volume(self, principal: Principal, zone_id: UUID, volume: int) -> PlaybackView:
        """See `Zones.set_volume`."""
        if not 0 <= volume <= 100:
            raise Invalid.field("volume", f"must be between 0 and 100, not {volume}")
        channel = await self._channel(principal, zone_id)
        channel.volume = volume
        return self._louder(channel)

    @commanded("playback.mute", "zones")
    async def set_muted(self, principal: Principal, zone_id: UUID, *, muted: bool) -> PlaybackView:
        """See `Zones.set_muted`."""
        channel = await self._channel(principal, zone_id)
        channel.muted = muted
        return self._louder(channel)

    def _louder(self, channel: Channel) -> PlaybackView:
        self._renderer.send(protocol.SetVolume(str(channel.zone_id), channel.audible_volume))
        self._tell(channel)
        return self._view(channel)

    @commanded("schedules.switch", "zones")
    async def switch_schedules(
        self, principal: Principal, zone_id: UUID, *, enabled: bool
    ) -> PlaybackView:
        """See `Zones.switch_schedules`."""
        channel = await self._channel(principal, zone_id)
        if channel.schedules_enabled is not enabled:
            await Zone.filter(id=zone_id).update(schedules_enabled=enabled)
            channel.schedules_enabled = enabled
            self._bus.publish(events.ZoneChanged(client_id=channel.client_id, zone_id=zone_id))
        return self._view(channel)

    # --- calls ---------------------------------------------------------------------------------

    @commanded("create", "calls")
    async def call(self, principal: Principal, request: CallRequest) -> CallView:
        """See `Zones.call`."""
        return await self._switchboard.call(principal, request)

    @commanded("create", "calls")
    async def call_between(self, principal: Principal, request: CallRequest) -> CallView:
        """See `Zones.call_between`."""
        return await self._switchboard.call_between(principal, request)

    async def calls(
        self,
        principal: Principal,
        *,
        zone_id: UUID | None = None,
        ordering: str = "-created_at",
        offset: int = 0,
        limit: int = 50,
    ) -> Page[CallView]:
        """See `Zones.calls`."""
        return await self._switchboard.page(principal, zone_id, ordering, offset, limit)

    async def get_call(self, principal: Principal, call_id: UUID) -> CallView:
        """See `Zones.get_call`."""
        return await self._switchboard.get(principal, call_id)

    @commanded("delete", "calls")
    async def revoke(self, principal: Principal, call_id: UUID) -> CallView:
        """See `Zones.revoke`. Takes the call back in those zones that the principal reaches."""
        return await self._switchboard.revoke(principal, call_id)

    # --- inside --------------------------------------------------------------------------------

    async def _channel(self, principal: Principal, zone_id: UUID) -> Channel:
        await self._reach.of(principal, [zone_id])
        return await self._channels.get(zone_id)

    async def _reached(
        self, principal: Principal, zones: Sequence[UUID], field: str
    ) -> list[Channel]:
        reached = await self._reach.of(principal, zones)
        found = [await self._channels.get(zone_id) for zone_id in reached]
        same_client(found, field)
        return found

    async def _queue(
        self, channel: Channel, refs: Sequence[MediaRef], *, shuffle: bool, repeat: Repeat
    ) -> Queue:
        return await queue_of(self._media, channel.client_id, refs, shuffle=shuffle, repeat=repeat)

    async def _start(
        self, channel: Channel, others: Sequence[Channel], queue: Queue, crossfade_s: float
    ) -> None:
        """Play a queue in some zones; whoever shared a programme with them keeps it."""
        members = [channel, *others]
        programme = channel.programme
        if not {member.zone_id for member in members}.issuperset(programme.zones):
            programme = self._channels.own(channel.client_id)
        queue.seed = str(programme.id)
        await programme.play(queue, crossfade_s)
        left = {member.programme for member in members} - {programme}
        for member in members:
            self._channels.move(member, programme)
        for other in left:
            self._programme_changed(other)

    def _silence(self, client_id: UUID, reason: str) -> list[UUID]:
        """Stop all music and all calls of a client; returns the zones where there were some."""
        reason = f"the subscription {reason}"
        programmes = [one.programme for one in self._channels if one.client_id == client_id]
        stopped: dict[UUID, None] = {}
        for programme in dict.fromkeys(programmes):
            if programme.playback is not Playback.STOPPED:
                stopped |= dict.fromkeys(programme.zones)
                programme.stop()
                programme.problem = reason
                self._programme_changed(programme)
        stopped |= dict.fromkeys(self._calls.end_all(client_id, reason))
        return list(stopped)

    def _view(self, channel: Channel) -> PlaybackView:
        return channel.view(self._calls.speaking(channel.zone_id))

    def _done(self, channel: Channel) -> PlaybackView:
        """A command on a zone's programme was carried out."""
        self._programme_changed(channel.programme)
        return self._view(channel)

    def _music_in(self, zone_id: UUID) -> Programme | None:
        channel = self._channels.find(zone_id)
        return channel.programme if channel is not None else None

    def _programme_changed(self, programme: Programme) -> None:
        self._calls.music_changed(programme)
        for zone_id in tuple(programme.zones):
            if (channel := self._channels.find(zone_id)) is not None:
                self._tell(channel)

    def _tell(self, channel: Channel) -> None:
        self._keeper.note([channel.zone_id])
        self._bus.publish(channel.changed())

    def _snapshot(self, zone_id: UUID) -> Snapshot | None:
        channel = self._channels.find(zone_id)
        return channel.snapshot(self._calls.speaking(zone_id)) if channel is not None else None

    def _moving(self) -> Iterable[UUID]:
        for channel in self._channels:
            if channel.programme.playback is Playback.PLAYING:
                yield channel.zone_id

    # --- the building --------------------------------------------------------------------------

    def _expect(self, event: events.ZoneCreated) -> None:
        self._channels.expect(event.zone_id)

    async def _follow(self, news: events.EventStream) -> None:
        """Keep up with the building. Runs as long as the controller."""
        async for event in news:
            if isinstance(event, events.ZoneEvent):
                try:
                    await self._renew(event.zone_id)
                except Exception:
                    _log.exception("The zone %s could not be brought up to date", event.zone_id)
                    asyncio.get_running_loop().call_later(_RETRY_S, news.offer, event)

    async def _renew(self, zone_id: UUID) -> None:
        """Bring one zone to what the database says of it."""
        zone = await Zone.get_or_none(id=zone_id, deleted_at__isnull=True)
        channel = self._channels.find(zone_id)
        if zone is None or not zone.is_active:
            if channel is not None:
                self._keeper.note([zone_id])
                await self._keeper.flush()
            self._channels.remove(zone_id)
            if zone is None:
                await self._streams.remove(zone_id)
        elif channel is None:
            await self._channels.add([zone])
            self._subscriptions.enforce()
        else:
            channel.name, channel.floor_id = zone.name, zone.floor_id
            channel.schedules_enabled = zone.schedules_enabled
            if channel.background_percent != zone.background_volume_percent:
                channel.background_percent = zone.background_volume_percent
                self._renderer.send(channel.added())
