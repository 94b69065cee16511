"""Facts travel as event classes on one bus.

An event is frozen, says what happened in the past participle, and is subscribed to by class: a
subscriber of a base class gets all its subclasses. The bus lives on the main loop's thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from pydantic import Field

from antiphon.types import CallState, DeadAirStep, Frozen, Playback

_log = logging.getLogger(__name__)


class Event(Frozen):
    """Base of all facts. `client_id` is None for facts about the server itself."""

    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    client_id: UUID | None = None


class ClientChanged(Event):
    """A client, what it may use, or its subscription changed; `client_id` says whose."""


class SubscriptionEnded(Event):
    """A client may play no more; `zones` of it were playing and were stopped."""

    reason: str
    zones: tuple[UUID, ...]


class ZoneEvent(Event):
    """Something happened in a zone."""

    zone_id: UUID


class ZoneCreated(ZoneEvent):
    """A zone was added to a building."""


class ZoneChanged(ZoneEvent):
    """A zone's name, floor or settings changed."""


class ZoneDeleted(ZoneEvent):
    """A zone was removed; its stream is gone."""


class PlaybackChanged(ZoneEvent):
    """What a zone was asked to do changed: playing, paused, stopped, volume, mute, queue."""

    playback: Playback
    volume: int
    muted: bool = False


class TrackStarted(ZoneEvent):
    """The first sample of a track left the zone."""

    music_id: UUID | None
    title: str
    artist: str | None = None
    duration_s: float
    position_s: float = 0.0


class TrackFinished(ZoneEvent):
    """The last sample of a track left the zone, or it was skipped by a person."""

    music_id: UUID | None
    title: str
    played_s: float


class TrackSkipped(ZoneEvent):
    """A track could not be read and was passed over; the music went on."""

    music_id: UUID | None
    title: str
    reason: str


class ZoneStarved(ZoneEvent):
    """Samples were late or could not be written: `seconds` of the zone's sound were lost."""

    seconds: float
    reason: str


class ZoneSilent(ZoneEvent):
    """A zone should play music and none is heard; told at each `step` that is taken against it."""

    seconds: float
    step: DeadAirStep


class ZoneHeard(ZoneEvent):
    """A zone that was silent plays its own music again."""


class LevelMeasured(ZoneEvent):
    """The level that left the zone over the last second (dBFS; −120 is silence, told once)."""

    rms_db: float
    peak_db: float


class CallChanged(ZoneEvent):
    """A call changed its state in one zone."""

    call_id: UUID
    state: CallState
    announcement_id: UUID | None = None
    title: str = ""
    reason: str | None = None


class DeviceEvent(Event):
    """Something happened to a loudspeaker."""

    device_id: UUID


class DeviceFound(DeviceEvent):
    """A loudspeaker connected for the first time."""


class DeviceChanged(DeviceEvent):
    """A loudspeaker's name, zone, volume, mute or connection changed."""

    is_online: bool
    volume: int
    zone_id: UUID | None
    muted: bool = False


class FloorEvent(Event):
    """Something happened to a floor."""

    floor_id: UUID


class FloorChanged(FloorEvent):
    """A floor was added or its name changed."""


class FloorDeleted(FloorEvent):
    """A floor was removed."""


class ChoicesChanged(Event):
    """What the zones of a client can be set to play changed: a folder, a playlist."""


class DeviceRemoved(DeviceEvent):
    """A loudspeaker was taken out of the server's books; `hardware_id` is its own id."""

    hardware_id: str


class DeviceFellSilent(DeviceEvent):
    """A loudspeaker is connected and its zone plays, but nothing is heard from it."""

    zone_id: UUID
    level_db: float


class DeviceHeard(DeviceEvent):
    """A loudspeaker that had fallen silent is heard again, or has no reason to be heard."""


class DevicePending(Event):
    """A loudspeaker asks to join and shows a code; with `replaces`, under the id of another one."""

    device_key: str
    name: str
    replaces: bool


class MediaImported(Event):
    """A file was added to a library."""

    media_id: UUID
    kind: str
    title: str


class MediaMeasured(Event):
    """Loudness and true peak of a file are known."""

    media_id: UUID
    kind: str
    loudness_lufs: float
    true_peak_db: float


class JobProgressed(Event):
    """A long job moved on. `progress` runs from 0 to 1; `state` is running, done or failed."""

    job_id: UUID
    label: str
    progress: float
    state: str
    message: str | None = None


class PlansChanged(Event):
    """What the schedules of a client will do changed."""


class ScheduleFired(Event):
    """A schedule did what was due; `call_id` is None where that was about music."""

    schedule_id: UUID
    call_id: UUID | None = None
    name: str = ""
    instant: datetime | None = None
    zones: tuple[UUID, ...] = ()


class ScheduleSuppressed(Event):
    """A rule kept a schedule's instant out of `zones`; `reason` says which.

    `announcement_id` is what is not heard; None where that is about music.
    """

    schedule_id: UUID
    name: str = ""
    instant: datetime
    zones: tuple[UUID, ...]
    announcement_id: UUID | None = None
    reason: str


class ScheduleMissed(Event):
    """A schedule's instant passed and nothing was done in `zones`; `reason` says why.

    `announcement_id` is what was not heard, where that is known.
    """

    schedule_id: UUID
    name: str = ""
    instant: datetime | None = None
    zones: tuple[UUID, ...] = ()
    announcement_id: UUID | None = None
    reason: str


class PartChanged(Event):
    """A part of the server (renderer, snapserver, broker, plugin…) came up or went away."""

    part: str
    is_up: bool
    message: str | None = None


E_ = TypeVar("E_", bound=Event)


class EventStream(AsyncIterator[Event]):
    """A bounded view of the bus for one slow reader; `overflowed` tells that events were lost."""

    def __init__(self, size: int) -> None:
        self._queue: asyncio.Queue[Event] = asyncio.Queue(size)
        self.overflowed = False

    def offer(self, event: Event) -> None:
        """Called by the bus: keep the event if there is room."""
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self.overflowed = True

    async def __anext__(self) -> Event:
        return await self._queue.get()


class EventBus:
    """Delivers each event to the subscribers of its class, in the order of subscription.

    Handlers are plain functions that return at once; work that waits belongs in a task of the
    subscriber's own, fed by `stream`. A handler that raises is logged; the others still run.
    """

    def __init__(self) -> None:
        self._handlers: dict[type[Event], list[Callable[[Event], None]]] = {}

    def subscribe(self, kind: type[E_], handler: Callable[[E_], None]) -> Callable[[], None]:
        """Call `handler` for every event of `kind`. Returns the function that ends it."""
        handlers = self._handlers.setdefault(kind, [])
        handlers.append(handler)  # type: ignore[arg-type]  # `publish` hands over this kind alone

        def unsubscribe() -> None:
            if handler in handlers:
                handlers.remove(handler)

        return unsubscribe

    def publish(self, event: Event) -> None:
        """Deliver `event` now, on the caller's (the main loop's) thread."""
        for kind in type(event).__mro__:
            for handler in tuple(self._handlers.get(kind, ())):
                try:
                    handler(event)
                except Exception:
                    _log.exception("A subscriber of %s failed", type(event).__name__)

    @contextmanager
    def stream(self, *kinds: type[Event], size: int = 1000) -> Iterator[EventStream]:
        """Read events of `kinds` (all, if none is named) at the reader's own pace."""
        stream = EventStream(size)
        undo = [self.subscribe(kind, stream.offer) for kind in kinds or (Event,)]
        try:
            yield stream
        finally:
            for unsubscribe in undo:
                unsubscribe()
