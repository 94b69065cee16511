"""What main process and renderer say to each other: one JSON object per line, over a socket.

Plain frozen dataclasses, so that the renderer process needs no pydantic: both ends are ours and
of one version. Times are in seconds, positions count from the start of a track, `frame` counts
48 kHz frames of the renderer's own clock.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

SAMPLE_RATE = 48_000
CHANNELS = 2


@dataclass(frozen=True, slots=True)
class Track:
    """A file in a programme. `entry` is unique within it; `lufs` holds after `gain_db`.

    One that does not blend is never faded into or out of: what is spoken is heard whole.
    """

    entry: str
    path: str
    gain_db: float = 0.0
    lufs: float = -18.0
    blends: bool = True


@dataclass(frozen=True, slots=True)
class Clip:
    """A file that a call plays. `lufs` holds after `gain_db`."""

    path: str
    gain_db: float = 0.0
    lufs: float = -16.0


@dataclass(frozen=True, slots=True)
class Command:
    """Base of what the main process asks for."""


@dataclass(frozen=True, slots=True)
class Configure(Command):
    """Levels and ramps; the first command of a connection. `duck_gap_lu`: see `engine.gains`.

    Decoded files are kept in `cache_folder`, `cache_bytes` of them at most; 0 keeps none.
    """

    true_peak_db: float = -1.5
    duck_gap_lu: float = 12.0
    duck_down_s: float = 0.5
    duck_up_s: float = 1.0
    cache_folder: str = ""
    cache_bytes: int = 0


@dataclass(frozen=True, slots=True)
class AddZone(Command):
    """A zone and where its sound goes: `fifo:/path`, `tcp:host:port`, `listen:host:port`, `null:`.

    `fifo` is created where it does not exist; `tcp` connects, and again after a loss; `listen`
    serves whoever connects.
    """

    zone: str
    sink: str
    volume: int = 100
    background_percent: int | None = None


@dataclass(frozen=True, slots=True)
class RemoveZone(Command):
    """The zone is gone."""

    zone: str


@dataclass(frozen=True, slots=True)
class SetVolume(Command):
    """Move a zone to a volume in percent, without zipper noise."""

    zone: str
    volume: int


@dataclass(frozen=True, slots=True)
class LoadProgramme(Command):
    """Play `tracks` from `position_s` into the first; what played before is faded out.

    The same command starts, skips and seeks. Only a window of the queue needs to be given:
    `SetUpcoming` extends it.
    """

    programme: str
    tracks: tuple[Track, ...]
    position_s: float = 0.0
    crossfade_s: float = 0.0
    playing: bool = True


@dataclass(frozen=True, slots=True)
class SetUpcoming(Command):
    """Replace what follows the current track. Tracks already being crossfaded into stay."""

    programme: str
    tracks: tuple[Track, ...]


@dataclass(frozen=True, slots=True)
class Pause(Command):
    """Fade out and hold the position."""

    programme: str


@dataclass(frozen=True, slots=True)
class Resume(Command):
    """Go on from the held position."""

    programme: str


@dataclass(frozen=True, slots=True)
class HoldNext(Command):
    """Be silent behind the end of the current track, and fade into none, until told otherwise."""

    programme: str
    hold: bool


@dataclass(frozen=True, slots=True)
class DropProgramme(Command):
    """The programme is over; zones that were attached are silent."""

    programme: str


@dataclass(frozen=True, slots=True)
class Attach(Command):
    """Let a zone hear a programme, or none. Zones may share one: it is decoded once."""

    zone: str
    programme: str | None


@dataclass(frozen=True, slots=True)
class SetFallback(Command):
    """What zones hear that should play music and are silent for `after_s`. No tracks: nothing.

    The tracks are repeated for ever. A zone leaves them as soon as its own music is heard again.
    """

    tracks: tuple[Track, ...]
    after_s: float = 15.0


@dataclass(frozen=True, slots=True)
class StartCall(Command):
    """Play a clip in zones, from the same frame in all of them, over the ducked music.

    With `pause` the music is faded out instead. Where all zones that share a programme are without
    it, the programme is held and goes on where it was; else they find it where the others are.
    One call at a time in a zone: a second one that comes while one plays is answered with
    CallFinished, reason `busy`.

    `at` is when its first sound is to leave, on the machine's monotonic clock; without it, or where
    that is over, it leaves as soon as it can. Music is ducked in time before it.
    """

    call: str
    zones: tuple[str, ...]
    clip: Clip
    chime: Clip | None = None
    chime_after: Clip | None = None
    pause: bool = False
    at: float | None = None


@dataclass(frozen=True, slots=True)
class StopCall(Command):
    """End a call in some zones with a short fade."""

    call: str
    zones: tuple[str, ...]
    fade_s: float = 0.02


@dataclass(frozen=True, slots=True)
class OpenTap(Command):
    """Write a zone's sound to a FIFO as well, until CloseTap."""

    zone: str
    path: str


@dataclass(frozen=True, slots=True)
class CloseTap(Command):
    """Nobody listens any more."""

    zone: str


@dataclass(frozen=True, slots=True)
class Report:
    """Base of what the renderer tells."""


@dataclass(frozen=True, slots=True)
class Ready(Report):
    """The renderer takes commands."""

    pid: int


@dataclass(frozen=True, slots=True)
class Heartbeat(Report):
    """Once a second: the renderer is alive. A main process that misses it starts a new one."""

    frame: int


@dataclass(frozen=True, slots=True)
class TrackStarted(Report):
    """The first sample of a track (at `position_s`) goes out."""

    programme: str
    entry: str
    position_s: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class TrackFinished(Report):
    """The last sample of a track went out; `reason` is `ended` or `replaced`."""

    programme: str
    entry: str
    played_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class TrackFailed(Report):
    """A track could not be read, or not to its end; the programme goes on with the next."""

    programme: str
    entry: str
    message: str


@dataclass(frozen=True, slots=True)
class ProgrammeEnded(Report):
    """The last track of the window has ended; nothing follows."""

    programme: str


@dataclass(frozen=True, slots=True)
class CallStarted(Report):
    """The first sample of a call (its chime, else its clip) went out in a zone."""

    call: str
    zone: str
    frame: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class CallFinished(Report):
    """A call is over in a zone: `completed`, `stopped`, `failed` or `busy`."""

    call: str
    zone: str
    reason: str
    seconds: float
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Position(Report):
    """Where a programme is; about once a second while it plays, and when it pauses or is held."""

    programme: str
    entry: str
    position_s: float
    playing: bool


@dataclass(frozen=True, slots=True)
class Level(Report):
    """What left a zone over the last second, in dBFS; −120 is digital silence."""

    zone: str
    rms_db: float
    peak_db: float


@dataclass(frozen=True, slots=True)
class Quiet(Report):
    """A zone that should play has had no music to be heard for so long; each second, and at last 0.

    `has_fallen_back` tells whether it hears the fallback meanwhile.
    """

    zone: str
    seconds: float
    has_fallen_back: bool


@dataclass(frozen=True, slots=True)
class Starved(Report):
    """`seconds` of a zone's sound were lost: `late`, `decode` or `sink`."""

    zone: str
    seconds: float
    reason: str


_COMMANDS = (
    Configure, AddZone, RemoveZone, SetVolume, LoadProgramme, SetUpcoming, Pause, Resume,
    HoldNext, DropProgramme, Attach, SetFallback, StartCall, StopCall, OpenTap, CloseTap,
)  # fmt: skip
_REPORTS = (
    Ready, Heartbeat, TrackStarted, TrackFinished, TrackFailed, ProgrammeEnded, CallStarted,
    CallFinished, Position, Level, Quiet, Starved,
)  # fmt: skip
_BY_NAME: dict[str, type[Command] | type[Report]] = {
    kind.__name__: kind for kind in (*_COMMANDS, *_REPORTS)
}


def encode(message: Command | Report) -> bytes:
    """One line, with its newline."""
    body = dataclasses.asdict(message)
    body["_"] = type(message).__name__
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Command | Report:
    """The message of one line. Raises KeyError, TypeError or ValueError where it is not one."""
    body: dict[str, Any] = json.loads(line)
    kind = _BY_NAME[body.pop("_")]
    if "tracks" in body:
        body["tracks"] = tuple(Track(**row) for row in body["tracks"])
    for clip in ("clip", "chime", "chime_after"):
        if body.get(clip) is not None:
            body[clip] = Clip(**body[clip])
    if "zones" in body:
        body["zones"] = tuple(body["zones"])
    return kind(**body)
