"""A zone on a clock that jumps: the server's own programme, arbiter and mixing, into any sink.

Nothing here waits for time to pass; it is as quick as files are decoded and mixed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

from antiphon.engine import protocol
from antiphon.engine.deck import InlineFeeder
from antiphon.engine.protocol import SAMPLE_RATE
from antiphon.engine.renderer import Renderer
from antiphon.engine.sink import Sink
from antiphon.events import CallChanged, EventBus, TrackSkipped, TrackStarted
from antiphon.playback import levels
from antiphon.playback.arbiter import Arbiter
from antiphon.playback.bids import Bid, Rest, Start
from antiphon.playback.channel import saved_queue
from antiphon.playback.clips import prepare
from antiphon.playback.expand import chosen, queue_of
from antiphon.playback.gaps import Gaps
from antiphon.playback.ledger import Ledger
from antiphon.playback.loudspeakers import Loudspeakers
from antiphon.playback.models import PlaybackState
from antiphon.playback.programme import Programme, Surroundings
from antiphon.playback.receipts import Receipts
from antiphon.playback.record import Part, Record, provisional_title
from antiphon.playback.spoken import SpokenBetween
from antiphon.plugins import CallRequest, MediaRegistry, PlayRequest
from antiphon.settings import AudioSettings
from antiphon.types import Band, CallState, CallStyle, Playback, Principal, Via

_LOOK_EVERY_S = 0.001
_ENDINGS = {"completed": CallState.COMPLETED, "stopped": CallState.CUT}


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that begins at a second of the rehearsal: `music`, `announcement` or `trouble`."""

    at_s: float
    what: str
    title: str
    duration_s: float = 0.0


class Rehearsal:
    """One zone, at a `volume` from 0 to 100. `on_track` is awaited when a track has begun."""

    def __init__(
        self,
        media: MediaRegistry,
        client_id: UUID,
        zone_id: UUID,
        audio: AudioSettings,
        sink: Sink,
        *,
        volume: int = 100,
        background_percent: int | None = None,
    ) -> None:
        self.heard: list[Heard] = []
        self.on_track: Callable[[], Awaitable[None]] | None = None
        self._media = media
        self._zone_id = zone_id
        self._audio = audio
        self._tracks = 0
        self._reports: list[protocol.Report] = []
        self._renderer = Renderer(InlineFeeder(), self._reports.append, open_sink=lambda _: sink)
        self._principal = Principal.system(client_id, Via.SCHEDULE)
        self._arbiter = Arbiter()
        self._arbiter.add_zone(zone_id)
        self._gaps = Gaps(lambda _: self._programme, self._arbiter.is_free, self._wake)
        self._records: dict[UUID, Record] = {}
        self._launches: dict[str, Record] = {}
        self._numbers = count(1)
        self._programme = self._make_programme(client_id)
        self._programme.zones.append(zone_id)
        self._renderer.handle(
            protocol.Configure(
                audio.true_peak_db, audio.duck_gap_lu, audio.duck_down_s, audio.duck_up_s
            )
        )
        zone = protocol.AddZone(str(zone_id), "", volume, background_percent)
        self._renderer.handle(zone)

    def _make_programme(self, client_id: UUID) -> Programme:
        bus = EventBus()
        bus.subscribe(TrackStarted, self._track)
        bus.subscribe(TrackSkipped, self._skipped)
        bus.subscribe(CallChanged, self._said)
        # Neither is entered: no receipt is written, and no loudspeaker looked for.
        self._between = SpokenBetween(bus, self._media, Receipts(Ledger()), Loudspeakers(bus))
        around = Surroundings(
            bus,
            self._renderer.handle,
            self._media,
            self._audio,
            self._gaps.changed,
            self._gaps.reached,
            self._between,
        )
        return Programme(client_id, around)

    # --- what is there -------------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        """How much was rendered."""
        return self._renderer.frame / SAMPLE_RATE

    @property
    def programme(self) -> Programme:
        """The zone's music."""
        return self._programme

    # --- commands ------------------------------------------------------------------------------

    async def play(self, request: PlayRequest) -> None:
        """Start music. Raises AntiphonError where there is none."""
        programme = self._programme
        queue = await queue_of(
            self._media,
            programme.client_id,
            chosen(request),
            shuffle=request.shuffle,
            repeat=request.repeat,
        )
        queue.seed = str(programme.id)
        await programme.play(queue, request.crossfade_s)
        await self._settle()

    async def restore(self, zone_id: UUID, *, even_if_stopped: bool = False) -> None:
        """Go on with what a zone plays, from where it was written down last."""
        state = await PlaybackState.get_or_none(zone_id=zone_id)
        if state is None or not (even_if_stopped or state.playback is Playback.PLAYING):
            return
        self._programme.crossfade_s = state.fade_duration_s
        self._programme.restore(saved_queue(state), Playback.PLAYING, state.position_s)
        self._programme.go()
        await self._settle()

    async def resume(self) -> None:
        """Go on with the queue that there is."""
        await self._programme.resume()
        await self._settle()

    def stop(self) -> None:
        """End the music."""
        self._programme.stop()
        self._gaps.changed(self._programme)

    async def go_on(self) -> None:
        """End a rest of the music."""
        self._programme.go_on()
        await self._settle()

    async def say(self, request: CallRequest) -> None:
        """Make a call in the zone. Raises AntiphonError where it can not be played."""
        record = Record(
            client_id=self._programme.client_id,
            request=request,
            principal=self._principal,
            parts={self._zone_id: Part()},
            title=provisional_title(request),
            band=request.band or Band.ANNOUNCEMENT,
        )
        await prepare(record, self._media)
        self._records[record.id] = record
        zones = (self._zone_id,)
        self._arbiter.submit(Bid(record.id, zones, record.priority, next(self._numbers)))
        is_between = record.style is CallStyle.BETWEEN
        held = self._gaps.wait(record.id, zones) if is_between else set()
        waiting = dict.fromkeys(held, "it waits for the end of the track")
        self._arbiter.ready(record.id, record.priority, waiting)
        self._act()

    async def say_between(self, request: CallRequest) -> None:
        """Put an announcement behind the current track. Raises Conflict where there is none."""
        zones = self._programme.zones
        spoken = await self._between.prepare(
            self._principal, self._programme.client_id, lambda: zones, request
        )
        self._programme.insert(spoken)

    async def run_to(self, at_s: float) -> None:
        """Render up to a second of the rehearsal."""
        until = round(at_s * SAMPLE_RATE)
        while self._renderer.frame < until:
            self._renderer.tick()
            if self._reports:
                await self._take_reports()

    # --- what the renderer tells ---------------------------------------------------------------

    async def _take_reports(self) -> None:
        # Behind the tick: what is answered must not meet a mix that is half way.
        while self._reports:
            reports, self._reports[:] = self._reports[:], []
            for report in reports:
                self._take(report)
            tracks, self._tracks = self._tracks, 0
            for _ in range(tracks):
                if self.on_track is not None:
                    await self.on_track()
            await self._settle()

    def _take(self, report: protocol.Report) -> None:
        programme = self._programme
        match report:
            case protocol.TrackStarted():
                programme.track_started(report)
            case protocol.TrackFinished():
                programme.track_finished(report)
            case protocol.TrackFailed():
                programme.track_failed(report)
            case protocol.ProgrammeEnded():
                programme.ended()
            case protocol.CallStarted():
                self._call_started(report)
            case protocol.CallFinished():
                self._call_finished(report)
            case _:
                pass

    def _call_started(self, report: protocol.CallStarted) -> None:
        record = self._launches[report.call]
        self._arbiter.started(record.id, self._zone_id)
        self._note("announcement", record.title, record.length_s, report.frame / SAMPLE_RATE)

    def _call_finished(self, report: protocol.CallFinished) -> None:
        record = self._launches.pop(report.call)
        state = _ENDINGS.get(report.reason, CallState.FAILED)
        if state is CallState.FAILED:
            self._note("trouble", f"{record.title}: {report.message or report.reason}")
        self._arbiter.finished(record.id, self._zone_id, state, report.message)
        self._act()

    async def _settle(self) -> None:
        """Let the programme find its next tracks: on a jumping clock that takes no time."""
        while self._programme.is_looking and self._programme.problem is None:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_EVERY_S)

    # --- calls ---------------------------------------------------------------------------------

    def _wake(self, call: UUID, zones: Any) -> None:
        self._arbiter.wake(call, zones)
        self._act()

    def _act(self) -> None:
        for decision in self._arbiter.decide():
            record = self._records[decision.call]
            if isinstance(decision, Start):
                self._start(record)
            elif isinstance(decision, Rest):
                self._wake(decision.call, decision.zones)
            else:
                names = [name for name, one in self._launches.items() if one is record]
                for name in names:
                    self._renderer.handle(protocol.StopCall(name, (str(self._zone_id),)))
        for change in self._arbiter.drain():
            if change.state.final:
                self._gaps.leave(change.call, [self._zone_id])
                del self._records[change.call]

    def _start(self, record: Record) -> None:
        name = f"{record.id}.{next(self._numbers)}"
        self._launches[name] = record
        clips = [
            None if media is None else levels.clip(media, self._audio)
            for media in (record.media, record.chime, record.chime_after)
        ]
        assert clips[0] is not None, "what is ready has a clip"  # noqa: S101
        self._renderer.handle(
            protocol.StartCall(
                name,
                (str(self._zone_id),),
                clips[0],
                clips[1],
                clips[2],
                pause=record.style is not CallStyle.OVER,
            )
        )

    # --- what is heard -------------------------------------------------------------------------

    def _track(self, event: TrackStarted) -> None:
        self._tracks += 1
        title = f"{event.title} · {event.artist}" if event.artist else event.title
        self._note("music", title, event.duration_s - event.position_s)

    def _skipped(self, event: TrackSkipped) -> None:
        self._note("trouble", f"{event.title}: {event.reason}")

    def _said(self, event: CallChanged) -> None:
        if event.state is CallState.PLAYING:
            self._note("announcement", event.title)
        elif event.state is CallState.FAILED:
            self._note("trouble", f"{event.title}: {event.reason}")

    def _note(
        self, what: str, title: str, duration_s: float = 0.0, at_s: float | None = None
    ) -> None:
        self.heard.append(Heard(self.now_s if at_s is None else at_s, what, title, duration_s))
