"""All zones that can sound: set up at start, kept up with the building, restored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from antiphon.building.models import Zone
from antiphon.engine import protocol
from antiphon.errors import Conflict, PartTimedOut
from antiphon.playback.calls import Calls
from antiphon.playback.channel import Channel, saved_queue
from antiphon.playback.keeper import StateKeeper
from antiphon.playback.models import PlaybackState
from antiphon.playback.programme import Programme, Surroundings
from antiphon.plugins.media import REST

_log = logging.getLogger(__name__)

SETUP_LIMIT_S = 5.0
SOURCES_LIMIT_S = 30.0
_LOOK_EVERY_S = 0.05


class Streams(Protocol):
    """What carries zones' sound to loudspeakers; `antiphon.streams.Snapcast` does."""

    async def provision(self, zones: Mapping[UUID, str]) -> Mapping[UUID, str]:
        """Where the renderer writes each zone's sound to."""

    async def remove(self, zone_id: UUID) -> None:
        """The zone is gone."""


class Channels:
    """Zones by id, and the programmes that they play, of which each has at least one zone."""

    def __init__(
        self, around: Surroundings, streams: Streams, calls: Calls, keeper: StateKeeper
    ) -> None:
        self._around = around
        self._streams = streams
        self._calls = calls
        self._keeper = keeper
        self._channels: dict[UUID, Channel] = {}
        self._programmes: dict[str, Programme] = {}
        self._arriving: dict[UUID, asyncio.Event] = {}
        self._restoring: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[Channel]:
        return iter(self._channels.values())

    def find(self, zone_id: UUID) -> Channel | None:
        """A zone that can sound now."""
        return self._channels.get(zone_id)

    def programme(self, name: str) -> Programme | None:
        """A programme by the renderer's name for it."""
        return self._programmes.get(name)

    async def get(self, zone_id: UUID) -> Channel:
        """A zone that exists. Waits for one that is being set up; Conflict if it is off."""
        arriving = self._arriving.get(zone_id)
        if arriving is not None and zone_id not in self._channels:
            try:
                async with asyncio.timeout(SETUP_LIMIT_S):
                    await arriving.wait()
            except TimeoutError:
                raise PartTimedOut("The zone", "its set-up", SETUP_LIMIT_S) from None
        if (channel := self._channels.get(zone_id)) is None:
            raise Conflict(f"The zone {zone_id} is switched off: set is_active to play in it.")
        return channel

    # --- coming and going ----------------------------------------------------------------------

    def expect(self, zone_id: UUID) -> None:
        """The zone was created; `add` follows."""
        self._arriving.setdefault(zone_id, asyncio.Event())

    async def add(self, zones: Sequence[Zone]) -> None:
        """Let zones sound, and go on with what they played last."""
        try:
            sinks = await self._streams.provision({zone.id: zone.name for zone in zones})
        except Exception:
            _log.exception("Streams could not be set up; %d zones are silent", len(zones))
            sinks = {}
        states = await PlaybackState.filter(zone_id__in=[zone.id for zone in zones])
        by_zone = {state.zone_id: state for state in states}
        playing: dict[str, Programme] = {}
        for zone in zones:
            if (state := by_zone.get(zone.id)) is None:
                state = await PlaybackState.create(zone_id=zone.id, volume=zone.default_volume)
            programme = self._restored(zone, state, playing)
            channel = Channel.of(zone, state, sinks.get(zone.id, "null:"), programme)
            self._channels[zone.id] = channel
            programme.zones.append(zone.id)
            self._programmes[str(programme.id)] = programme
            self._keeper.loaded(zone.id, programme.queue.refs)
            self._around.send(channel.added())
            self._calls.add_zone(zone.id)
            if (arriving := self._arriving.pop(zone.id, None)) is not None:
                arriving.set()
        if playing:
            task = asyncio.create_task(self._go(list(playing.values())), name="restore")
            self._restoring.add(task)
            task.add_done_callback(self._restoring.discard)

    def remove(self, zone_id: UUID) -> None:
        """The zone is gone or switched off: silence, and everything about it is let go."""
        if (channel := self._channels.pop(zone_id, None)) is not None:
            self._leave(channel)
            self._around.send(protocol.RemoveZone(str(zone_id)))
            self._calls.remove_zone(zone_id)
        if (arriving := self._arriving.pop(zone_id, None)) is not None:
            arriving.set()

    def close(self) -> None:
        """Let go of tasks; the sound ends with the renderer."""
        for task in self._restoring:
            task.cancel()
        for programme in self._programmes.values():
            programme.close()

    # --- who plays what ------------------------------------------------------------------------

    def own(self, client_id: UUID) -> Programme:
        """A new programme, without zones yet."""
        return Programme(client_id, self._around)

    def move(self, channel: Channel, programme: Programme) -> None:
        """Let a zone play a programme; the one that it leaves goes on for the others."""
        if channel.programme is programme:
            return
        was_loaded = channel.programme.is_loaded
        self._programmes[str(programme.id)] = programme
        programme.zones.append(channel.zone_id)
        if programme.is_loaded:
            self._attach(channel, programme)
        elif was_loaded:
            self._attach(channel, None)
        self._leave(channel)
        channel.programme = programme

    def _attach(self, channel: Channel, programme: Programme | None) -> None:
        name = str(programme.id) if programme is not None else None
        self._around.send(protocol.Attach(str(channel.zone_id), name))

    def _leave(self, channel: Channel) -> None:
        programme = channel.programme
        programme.zones.remove(channel.zone_id)
        if not programme.zones:
            programme.close()
            self._programmes.pop(str(programme.id), None)

    # --- restoring -----------------------------------------------------------------------------

    def _restored(
        self, zone: Zone, state: PlaybackState, playing: dict[str, Programme]
    ) -> Programme:
        """The programme of a saved state; one for all zones that shared it."""
        name = str(state.programme_id)
        shared = self._programmes.get(name)
        if shared is not None and shared.client_id == zone.client_id:
            return shared
        programme = Programme(zone.client_id, self._around, state.programme_id)
        programme.crossfade_s = state.fade_duration_s
        programme.restore(saved_queue(state), state.playback, state.position_s)
        playing[str(programme.id)] = programme
        return programme

    async def _go(self, programmes: Sequence[Programme]) -> None:
        """Start what played, once those who can resolve it are there: plugins start after us."""
        loop = asyncio.get_running_loop()
        until = loop.time() + SOURCES_LIMIT_S
        waiting = list(programmes)
        while waiting:
            kinds = self._around.media.kinds
            is_late = loop.time() > until
            for programme in tuple(waiting):
                wanted = {ref.kind for ref in programme.queue.refs} - {REST.kind}
                if is_late or kinds >= wanted:
                    programme.go()
                    waiting.remove(programme)
            await asyncio.sleep(_LOOK_EVERY_S)
