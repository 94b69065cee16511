"""A renderer without sound: obeys commands, and reports what the test lets happen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from antiphon.engine import protocol
from antiphon.engine.protocol import Clip, Command, Report, Track

C_ = TypeVar("C_", bound=Command)


@dataclass
class FakeProgramme:
    tracks: list[Track] = field(default_factory=list)
    position_s: float = 0.0
    playing: bool = False


@dataclass
class FakeCall:
    clip: Clip
    chime: Clip | None
    zones: set[str]
    waiting: set[str] = field(default_factory=set)  # its time has not come


class FakeRenderer:
    """`is_deaf`: takes commands and never reports. `broken`: paths that it can not read.

    `waits`: programmes that do not go on behind the end of their track.
    """

    def __init__(self, track_s: float = 100.0) -> None:
        self.commands: list[Command] = []
        self.zones: dict[str, protocol.AddZone] = {}
        self.attached: dict[str, str | None] = {}
        self.programmes: dict[str, FakeProgramme] = {}
        self.calls: dict[str, FakeCall] = {}
        self.is_deaf = False
        self.broken: set[str] = set()
        self.waits: set[str] = set()
        self.between: set[str] = set()
        self.track_s = track_s
        self._handlers: list[Callable[[Report], None]] = []
        self._frame = 0

    def subscribe(self, handler: Callable[[Report], None]) -> Callable[[], None]:
        self._handlers.append(handler)
        return lambda: self._handlers.remove(handler)

    def emit(self, report: Report) -> None:
        if not self.is_deaf:
            asyncio.get_running_loop().call_soon(self._tell, report)

    def _tell(self, report: Report) -> None:
        for handler in tuple(self._handlers):
            handler(report)

    def sent(self, kind: type[C_]) -> list[C_]:
        return [command for command in self.commands if isinstance(command, kind)]

    # --- commands ------------------------------------------------------------------------------

    def send(self, command: Command) -> None:
        protocol.decode(protocol.encode(command))  # what can not travel must not be sent
        self.commands.append(command)
        match command:
            case protocol.AddZone(zone=zone):
                self.zones[zone] = command
            case protocol.RemoveZone(zone=zone):
                del self.zones[zone]
                self.attached.pop(zone, None)
                for name, call in list(self.calls.items()):
                    if zone in call.zones:
                        self.end_call(name, zone, "failed")
            case protocol.Attach(zone=zone, programme=name):
                self.attached[zone] = name
            case protocol.LoadProgramme():
                self._load(command)
            case protocol.SetUpcoming(programme=name, tracks=tracks):
                programme = self.programmes[name]
                has_ended = not programme.tracks
                programme.tracks[1:] = tracks
                if has_ended:
                    self._begin(name, 0.0)
            case protocol.Pause(programme=name):
                self.programmes[name].playing = False
            case protocol.Resume(programme=name):
                self.programmes[name].playing = True
            case protocol.HoldNext(programme=name, hold=True):
                self.waits.add(name)
            case protocol.HoldNext(programme=name):
                self._go_on(name)
            case protocol.DropProgramme(programme=name):
                del self.programmes[name]
            case protocol.StartCall():
                self._start_call(command)
            case protocol.StopCall(call=name, zones=zones):
                for zone in zones:
                    if name in self.calls and zone in self.calls[name].zones:
                        self.end_call(name, zone, "stopped")
                    elif name in self.calls and zone in self.calls[name].waiting:
                        self.calls[name].waiting.discard(zone)
                        self.emit(protocol.CallFinished(name, zone, "stopped", 0.0))
            case _:
                pass

    def _load(self, command: protocol.LoadProgramme) -> None:
        name = command.programme
        self.between.discard(name)
        before = self.programmes.get(name)
        if before is not None and before.tracks:
            entry = before.tracks[0].entry
            self.emit(protocol.TrackFinished(name, entry, 2.0, "replaced"))
        self.programmes[name] = FakeProgramme(
            list(command.tracks), command.position_s, command.playing
        )
        self._begin(name, command.position_s)

    def _begin(self, name: str, position_s: float) -> None:
        """The next track that can be read starts."""
        programme = self.programmes[name]
        while programme.tracks and programme.tracks[0].path in self.broken:
            failed = programme.tracks.pop(0)
            self.emit(protocol.TrackFailed(name, failed.entry, "not a sound file"))
        if programme.tracks:
            entry = programme.tracks[0].entry
            self.emit(protocol.TrackStarted(name, entry, position_s, self.track_s))
        else:
            self.emit(protocol.ProgrammeEnded(name))

    def _start_call(self, command: protocol.StartCall) -> None:
        assert command.call not in self.calls, "a call's name is used once"
        self._frame += 960
        call = FakeCall(command.clip, command.chime, set())
        self.calls[command.call] = call
        for zone in command.zones:
            if any(zone in other.zones for other in self.calls.values()):
                self.emit(protocol.CallFinished(command.call, zone, "busy", 0.0))
            elif command.clip.path in self.broken:
                self.emit(protocol.CallFinished(command.call, zone, "failed", 0.0, "unreadable"))
            else:
                started = protocol.CallStarted(command.call, zone, self._frame, 3.0)
                if command.at is None:
                    call.zones.add(zone)
                    self.emit(started)
                    continue
                call.waiting.add(zone)
                left_s = command.at - time.monotonic()
                asyncio.get_running_loop().call_later(left_s, self._begin_call, started)

    def _begin_call(self, started: protocol.CallStarted) -> None:
        call = self.calls.get(started.call)
        if call is not None and started.zone in call.waiting and not self.is_deaf:
            call.waiting.discard(started.zone)
            call.zones.add(started.zone)
            self._tell(started)

    # --- what the test lets happen --------------------------------------------------------------

    def end_track(self, name: str) -> None:
        """The current track plays to its end."""
        programme = self.programmes[name]
        ended = programme.tracks.pop(0)
        self.emit(protocol.TrackFinished(name, ended.entry, self.track_s, "ended"))
        if name in self.waits:
            self.between.add(name)
        else:
            self._begin(name, 0.0)

    def _go_on(self, name: str) -> None:
        self.waits.discard(name)
        if name in self.between:
            self.between.discard(name)
            self._begin(name, 0.0)

    def end_call(self, name: str, zone: str, reason: str = "completed", seconds: float = 3) -> None:
        call = self.calls[name]
        call.zones.discard(zone)
        if not call.zones:
            del self.calls[name]
        self.emit(protocol.CallFinished(name, zone, reason, seconds))

    def end_calls(self) -> None:
        """What sounds now plays to its end, everywhere on the same sample."""
        for name, call in list(self.calls.items()):
            for zone in sorted(call.zones):
                self.end_call(name, zone)

    def move(self, name: str, position_s: float) -> None:
        """The current track has come to a position."""
        programme = self.programmes[name]
        entry = programme.tracks[0].entry
        self.emit(protocol.Position(name, entry, position_s, programme.playing))
