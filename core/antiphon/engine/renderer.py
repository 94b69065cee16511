"""The renderer: commands in, blocks of sound and reports out. No clock and no socket of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from antiphon.engine.cache import PcmCache
from antiphon.engine.deck import Feeder
from antiphon.engine.fallback import endless
from antiphon.engine.lane import METER_EVERY, Fallback, Lane
from antiphon.engine.programme import Programme
from antiphon.engine.protocol import (
    CHANNELS,
    SAMPLE_RATE,
    AddZone,
    Attach,
    CallFinished,
    CallStarted,
    CloseTap,
    Command,
    Configure,
    DropProgramme,
    Heartbeat,
    HoldNext,
    LoadProgramme,
    OpenTap,
    Pause,
    Quiet,
    RemoveZone,
    Report,
    Resume,
    SetFallback,
    SetUpcoming,
    SetVolume,
    StartCall,
    Starved,
    StopCall,
)
from antiphon.engine.sink import NullSink, Sink, TapSink, open_sink
from antiphon.engine.voice import Voice

_log = logging.getLogger(__name__)

BLOCK_FRAMES = 960
_BYTES_PER_S = SAMPLE_RATE * CHANNELS * 2
_STARVED_EVERY_S = 10
_QUIET_FROM_S = 2.0


@dataclass(slots=True)
class _Call:
    voice: Voice
    asked: set[str]
    due: int | None = None
    lanes: set[str] = field(default_factory=set)


class Renderer:
    """All zones of one process, on one clock: `tick` renders the next block of every zone.

    Lives on one thread. A command that makes no sense (an unknown zone, a taken port) is
    answered by a report or by silence in that zone, never by an exception. `began_at` is when its
    first frame was due, on the clock that `StartCall.at` means.
    """

    def __init__(
        self,
        feeder: Feeder,
        report: Callable[[Report], None],
        block_frames: int = BLOCK_FRAMES,
        open_sink: Callable[[str], Sink] = open_sink,
    ) -> None:
        self.frame = 0
        self.began_at = 0.0
        self.block_frames = block_frames
        self._feeder = feeder
        self._report = report
        self._open_sink = open_sink
        self._levels = Configure()
        self._lanes: dict[str, Lane] = {}
        self._programmes: dict[str, Programme] = {}
        self._dropped: list[Programme] = []
        self._fallback: Fallback | None = None
        self._quiet: set[str] = set()
        self._calls: dict[str, _Call] = {}
        self._held: set[str] = set()
        self._lost: dict[tuple[str, str], float] = {}
        self._next_second = SAMPLE_RATE
        self._handlers: dict[type[Command], Callable[..., None]] = {
            Configure: self._configure,
            AddZone: self._add_zone,
            RemoveZone: self._remove_zone,
            SetVolume: self._set_volume,
            LoadProgramme: self._load,
            SetUpcoming: self._set_upcoming,
            Pause: self._pause,
            Resume: self._resume,
            HoldNext: self._hold_next,
            DropProgramme: self._drop,
            Attach: self._attach,
            SetFallback: self._set_fallback,
            StartCall: self._start_call,
            StopCall: self._stop_call,
            OpenTap: self._open_tap,
            CloseTap: self._close_tap,
        }

    def handle(self, command: Command) -> None:
        """Carry out a command; it is heard from the next block on."""
        self._handlers[type(command)](command)

    def tick(self) -> None:
        """Render one block for every zone and hand it to the sinks."""
        frame, frames = self.frame, self.block_frames
        lanes: Iterable[Lane] = self._lanes.values()
        if self._calls:
            self._begin_ready_calls()
            lanes = sorted(lanes, key=_is_silent)  # a call leaves before others' music is mixed
        metered = frame // frames % METER_EVERY == 0
        for lane in lanes:
            lane.process(frame, frames, metered=metered)
        if self._calls:
            self._end_calls()
            self._tell_of_held()
        self.frame = frame + frames
        if self.frame >= self._next_second:
            self._next_second += SAMPLE_RATE
            self._every_second()

    def look_at_queues(self) -> None:
        """Keep what waits in the sinks level; call it often, at moments without any order."""
        for lane in self._lanes.values():
            lane.look_at_queue()

    def late(self, seconds: float) -> None:
        """The clock tells that blocks came so late that sound was lost."""
        for zone, lane in self._lanes.items():
            if lane.audible or lane.voice:
                self._lose(zone, seconds, "late")

    # --- zones ----------------------------------------------------------------------------------

    def _configure(self, command: Configure) -> None:
        kept = (command.cache_folder, command.cache_bytes)
        if kept != (self._levels.cache_folder, self._levels.cache_bytes):
            self._feeder.cache = _cache(command)
        self._levels = command
        for lane in self._lanes.values():
            lane.configure(command)

    def _add_zone(self, command: AddZone) -> None:
        if (lane := self._lanes.get(command.zone)) is not None:
            lane.sink.close()
            lane.sink = self._open(command)
        else:
            lane = Lane(command.zone, self._open(command), command.volume, self._levels)
            self._lanes[command.zone] = lane
            lane.set_fallback(self._fallback)
        lane.background_percent = command.background_percent
        lane.set_volume(command.volume)

    def _open(self, command: AddZone) -> Sink:
        try:
            return self._open_sink(command.sink)
        except (OSError, ValueError) as error:
            self._report(Starved(command.zone, 0.0, f"sink: {error}"))
            return NullSink()

    def _remove_zone(self, command: RemoveZone) -> None:
        self._close_tap(CloseTap(command.zone))
        lane = self._lanes.pop(command.zone, None)
        if lane is None:
            return
        lane.sink.close()
        self._quiet.discard(command.zone)
        for name, call in self._calls.items():
            if command.zone in call.asked | call.lanes:
                call.asked.discard(command.zone)
                call.lanes.discard(command.zone)
                self._finish(name, command.zone, "failed", call.voice, "the zone was removed")

    def _set_volume(self, command: SetVolume) -> None:
        if lane := self._lanes.get(command.zone):
            lane.set_volume(command.volume)

    def _attach(self, command: Attach) -> None:
        if lane := self._lanes.get(command.zone):
            programme = self._programme(command.programme) if command.programme else None
            lane.attach(programme)

    def _open_tap(self, command: OpenTap) -> None:
        self._close_tap(CloseTap(command.zone))
        if lane := self._lanes.get(command.zone):
            try:
                lane.tap = TapSink(command.path)
            except OSError:
                lane.tap = None  # whoever wanted to listen is gone already

    def _close_tap(self, command: CloseTap) -> None:
        if (lane := self._lanes.get(command.zone)) and lane.tap is not None:
            lane.tap.close()
            lane.tap = None

    # --- programmes -----------------------------------------------------------------------------

    def _programme(self, name: str) -> Programme:
        if name not in self._programmes:
            self._programmes[name] = Programme(
                name, self._feeder, self._report, self._levels.true_peak_db
            )
        return self._programmes[name]

    def _load(self, command: LoadProgramme) -> None:
        self._programme(command.programme).load(
            command.tracks, command.position_s, command.crossfade_s, playing=command.playing
        )

    def _set_upcoming(self, command: SetUpcoming) -> None:
        self._programme(command.programme).set_upcoming(command.tracks)

    def _pause(self, command: Pause) -> None:
        self._programme(command.programme).pause()

    def _resume(self, command: Resume) -> None:
        self._programme(command.programme).resume()

    def _hold_next(self, command: HoldNext) -> None:
        self._programme(command.programme).waits = command.hold

    def _drop(self, command: DropProgramme) -> None:
        programme = self._programmes.pop(command.programme, None)
        if programme is not None:
            for lane in self._lanes.values():
                if lane.programme is programme:
                    lane.attach(None)
            self._dropped.append(programme)

    def _set_fallback(self, command: SetFallback) -> None:
        if self._fallback is not None:
            self._dropped.append(self._fallback.programme)
        self._fallback = None
        if command.tracks:
            programme = endless(command.tracks, self._feeder, self._levels.true_peak_db)
            self._fallback = Fallback(programme, command.after_s)
        for lane in self._lanes.values():
            lane.set_fallback(self._fallback)

    # --- calls ----------------------------------------------------------------------------------

    def _start_call(self, command: StartCall) -> None:
        if command.call in self._calls:
            for zone in command.zones:
                self._report(CallFinished(command.call, zone, "busy", 0.0, "it plays already"))
            return
        voice = Voice(command, self._feeder)
        due = None
        if command.at is not None:
            due = round((command.at - self.began_at) * SAMPLE_RATE)
        self._calls[command.call] = _Call(voice, set(command.zones), due)

    def _begin_ready_calls(self) -> None:
        for name, call in self._calls.items():
            if not call.voice.started and call.voice.ready and self._is_time(call):
                self._begin(name, call)

    def _is_time(self, call: _Call) -> bool:
        """Whether the first sound, after its lead-in, can not wait for the next block."""
        if call.due is None or call.voice.error:
            return True
        lanes = [self._lanes[zone] for zone in call.asked if zone in self._lanes]
        lead_in = call.voice.lead_in(self._lead_s(lanes))
        return lead_in + self.block_frames > self._wait(call, lanes)

    def _wait(self, call: _Call, lanes: Sequence[Lane]) -> int:
        """In how many frames a call is due to leave: what waits in the sinks is to leave before."""
        if call.due is None:
            return 0
        queued_s = median([lane.queued_s for lane in lanes]) if lanes else 0.0
        return call.due - round(queued_s * SAMPLE_RATE) - self.frame

    def _lead_s(self, lanes: Iterable[Lane]) -> float:
        """How long the music takes to give way."""
        return self._levels.duck_down_s if any(lane.audible for lane in lanes) else 0.0

    def _begin(self, name: str, call: _Call) -> None:
        lanes: list[Lane] = []
        for zone in sorted(call.asked):
            lane = self._lanes.get(zone)
            if call.voice.error:
                self._finish(name, zone, "failed", call.voice, call.voice.error)
            elif lane is None:
                self._finish(name, zone, "failed", call.voice, "there is no such zone")
            elif lane.voice is not None:
                self._finish(name, zone, "busy", call.voice, "another call plays")
            else:
                lanes.append(lane)
        call.asked.clear()
        starts_at = self.frame + call.voice.begin(self._lead_s(lanes), self._wait(call, lanes))
        for lane in lanes:
            lane.speak(call.voice)
            call.lanes.add(lane.zone)
            self._report(CallStarted(name, lane.zone, starts_at, call.voice.duration_s))

    def _stop_call(self, command: StopCall) -> None:
        call = self._calls.get(command.call)
        if call is None:
            return
        for zone in command.zones:
            if zone in call.asked:
                call.asked.discard(zone)
                self._finish(command.call, zone, "stopped", call.voice)
            elif zone in call.lanes:
                self._lanes[zone].hush(command.fade_s)

    def _end_calls(self) -> None:
        for name, call in tuple(self._calls.items()):
            for zone in sorted(call.lanes):
                lane = self._lanes[zone]
                if call.voice.finished or lane.hushed:
                    call.lanes.discard(zone)
                    lane.release()
                    reason = "completed" if call.voice.finished else "stopped"
                    self._finish(name, zone, reason, call.voice)
            if not call.asked and not call.lanes:
                call.voice.close()
                del self._calls[name]

    def _finish(
        self, call: str, zone: str, reason: str, voice: Voice, message: str | None = None
    ) -> None:
        self._report(CallFinished(call, zone, reason, round(voice.heard_s, 3), message))

    def _tell_of_held(self) -> None:
        """Report which programmes stand still: those that no zone takes anything from."""
        if not self._held and not any(call.voice.pauses for call in self._calls.values()):
            return
        away: set[str] = set()
        heard: set[str] = set()
        for lane in self._lanes.values():
            if (programme := lane.programme) is not None:
                (away if lane.is_away else heard).add(programme.name)
        held = away - heard
        for name in held ^ self._held:
            programme = self._programmes.get(name)
            if programme is not None and (at := programme.position()):
                self._report(replace(at, playing=at.playing and name not in held))
        self._held = held

    # --- reports --------------------------------------------------------------------------------

    def _every_second(self) -> None:
        self._feeder.watch()
        self._report(Heartbeat(self.frame))
        starving = {id(p): p.take_starved_s() for p in self._programmes.values()}
        for zone, lane in self._lanes.items():
            if (level := lane.level()) is not None:
                self._report(level)
            self._tell_quiet(lane)
            self._lose(zone, starving.get(id(lane.programme), 0.0), "decode")
            lost_bytes = lane.sink.take_lost_bytes()
            if lane.audible or lane.voice:  # silence that nobody took is no loss
                self._lose(zone, lost_bytes / _BYTES_PER_S, "sink")
        for name, programme in self._programmes.items():
            if name not in self._held and programme.audible and (at := programme.position()):
                self._report(at)
        for programme in self._dropped:
            programme.close()
        self._dropped.clear()
        if self.frame // SAMPLE_RATE % _STARVED_EVERY_S == 0:
            for (zone, reason), seconds in self._lost.items():
                if seconds:
                    self._report(Starved(zone, round(seconds, 3), reason))
            self._lost.clear()

    def _tell_quiet(self, lane: Lane) -> None:
        is_quiet = lane.quiet_s >= _QUIET_FROM_S
        if is_quiet or lane.zone in self._quiet:
            seconds = round(lane.quiet_s, 1) if is_quiet else 0.0
            self._report(Quiet(lane.zone, seconds, lane.has_fallen_back))
            (self._quiet.add if is_quiet else self._quiet.discard)(lane.zone)

    def _lose(self, zone: str, seconds: float, reason: str) -> None:
        """Count a loss, and tell of the first one at once; more follow in a sum."""
        if seconds <= 0.0:
            return
        if (zone, reason) not in self._lost:
            self._report(Starved(zone, round(seconds, 3), reason))
            self._lost[zone, reason] = 0.0
        else:
            self._lost[zone, reason] += seconds


def _is_silent(lane: Lane) -> bool:
    return lane.voice is None


def _cache(command: Configure) -> PcmCache | None:
    if not command.cache_bytes:
        return None
    try:
        return PcmCache(Path(command.cache_folder), command.cache_bytes)
    except OSError as error:
        _log.warning("Decoded sound is not kept: %s", error)
        return None
