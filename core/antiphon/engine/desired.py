"""What the renderer should be doing, kept beside it: from this a new process is brought there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from antiphon.engine.protocol import (
    AddZone,
    Attach,
    CallFinished,
    CloseTap,
    Command,
    Configure,
    DropProgramme,
    LoadProgramme,
    OpenTap,
    Pause,
    Position,
    ProgrammeEnded,
    RemoveZone,
    Report,
    Resume,
    SetFallback,
    SetUpcoming,
    SetVolume,
    StartCall,
    StopCall,
    TrackFailed,
    TrackStarted,
)


@dataclass(slots=True)
class _Programme:
    load: LoadProgramme
    position_s: float
    as_of: float
    playing: bool

    def position_at(self, now: float) -> float:
        return self.position_s + (now - self.as_of if self.playing else 0.0)


class DesiredState:
    """Follows commands and reports; `commands` lists what a fresh renderer has to be told.

    Pure: times are handed in, in seconds of one monotonic clock.
    """

    def __init__(self, levels: Configure) -> None:
        self._levels = levels
        self._fallback: SetFallback | None = None
        self._zones: dict[str, AddZone] = {}
        self._attached: dict[str, str] = {}
        self._programmes: dict[str, _Programme] = {}
        self._calls: dict[str, StartCall] = {}
        self._taps: dict[str, OpenTap] = {}

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones that there should be."""
        return tuple(self._zones)

    def sent(self, command: Command, now: float) -> None:
        """A command was given."""
        match command:
            case Configure():
                self._levels = command
            case SetFallback():
                self._fallback = command
            case AddZone():
                self._zones[command.zone] = command
            case RemoveZone():
                self._zones.pop(command.zone, None)
                self._attached.pop(command.zone, None)
                self._taps.pop(command.zone, None)
            case SetVolume():
                if zone := self._zones.get(command.zone):
                    self._zones[command.zone] = replace(zone, volume=command.volume)
            case Attach(programme=None):
                self._attached.pop(command.zone, None)
            case Attach():
                self._attached[command.zone] = command.programme or ""
            case OpenTap():
                self._taps[command.zone] = command
            case CloseTap():
                self._taps.pop(command.zone, None)
            case StartCall():
                self._calls[command.call] = command
            case StopCall():
                self._leave_call(command.call, command.zones)
            case _:
                self._sent_to_programme(command, now)

    def _sent_to_programme(self, command: Command, now: float) -> None:
        if isinstance(command, LoadProgramme):
            self._programmes[command.programme] = _Programme(
                command, command.position_s, now, command.playing
            )
        elif isinstance(command, DropProgramme):
            self._programmes.pop(command.programme, None)
        elif isinstance(command, Pause | Resume | SetUpcoming):
            programme = self._programmes.get(command.programme)
            if programme is None:
                return
            if isinstance(command, SetUpcoming):
                tracks = (*programme.load.tracks[:1], *command.tracks)
                programme.load = replace(programme.load, tracks=tracks)
            else:
                programme.position_s = programme.position_at(now)
                programme.as_of = now
                programme.playing = isinstance(command, Resume)

    def reported(self, report: Report, now: float) -> None:
        """The renderer told something."""
        match report:
            case TrackStarted() | Position():
                self._moved(report.programme, report.entry, report.position_s, now)
            case TrackFailed():
                self._passed_over(report.programme, report.entry)
            case ProgrammeEnded():
                if programme := self._programmes.get(report.programme):
                    programme.load = replace(programme.load, tracks=())
            case CallFinished():
                self._leave_call(report.call, (report.zone,))
            case _:
                pass

    def _moved(self, name: str, entry: str, position_s: float, now: float) -> None:
        programme = self._programmes.get(name)
        if programme is None:
            return
        tracks = programme.load.tracks
        at = next((i for i, track in enumerate(tracks) if track.entry == entry), None)
        if at is not None:
            programme.load = replace(programme.load, tracks=tracks[at:])
            programme.position_s = position_s
            programme.as_of = now

    def _passed_over(self, name: str, entry: str) -> None:
        if programme := self._programmes.get(name):
            kept = tuple(track for track in programme.load.tracks if track.entry != entry)
            programme.load = replace(programme.load, tracks=kept)

    def _leave_call(self, name: str, zones: tuple[str, ...]) -> None:
        if call := self._calls.get(name):
            left = tuple(zone for zone in call.zones if zone not in zones)
            if left:
                self._calls[name] = replace(call, zones=left)
            else:
                del self._calls[name]

    def commands(self, now: float) -> Iterator[Command]:
        """What brings a fresh renderer here; `now` is the moment at which the sound stopped.

        Music goes on at the position it had. A call that was open starts from its beginning.
        """
        yield self._levels
        if self._fallback is not None:
            yield self._fallback
        yield from self._zones.values()
        for programme in self._programmes.values():
            if programme.load.tracks:
                yield replace(
                    programme.load,
                    position_s=programme.position_at(now),
                    playing=programme.playing,
                )
        for zone, name in self._attached.items():
            yield Attach(zone, name)
        yield from self._taps.values()
        yield from self._calls.values()
