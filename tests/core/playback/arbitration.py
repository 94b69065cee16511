"""Reads the table of arbitration.txt, and plays it to the arbiter on a clock advanced by hand."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heapify, heappop, heappush
from itertools import count
from pathlib import Path
from uuid import UUID

from antiphon.playback.arbiter import Arbiter
from antiphon.playback.bids import Rest, Start
from antiphon.playback.gaps import Gaps
from antiphon.playback.record import Part, Record
from antiphon.playback.revival import bid_of, revive
from antiphon.plugins import CallRequest
from antiphon.types import Band, CallState, CallStyle, Principal, Role

TABLE = Path(__file__).with_name("arbitration.txt")
Heard = tuple[str, float, float]
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
OUTSIDE = ("submit", "revoke", "remove", "quiet", "music", "restart", "back")


@dataclass
class Asked:
    """A call as the table has it; times in seconds."""

    at: float
    name: str
    band: Band
    zones: str
    length: float
    wishes: dict[str, str]

    @property
    def priority(self) -> int:
        return int(self.wishes.get("priority", self.band.priority))

    def number(self, wish: str) -> float | None:
        return float(self.wishes[wish]) if wish in self.wishes else None


@dataclass
class Case:
    """What happens, and what has to be heard."""

    title: str
    calls: list[Asked] = field(default_factory=list)
    others: list[tuple[float, list[str]]] = field(default_factory=list)
    heard: dict[str, list[Heard]] = field(default_factory=dict)
    tracks: dict[str, list[Heard]] = field(default_factory=dict)
    ends: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def is_for_real(self) -> bool:
        return self.title.endswith("[heard]")


def cases() -> list[Case]:
    """All cases of the table."""
    return [_case(text) for text in TABLE.read_text().split("\n== ")[1:]]


def _case(text: str) -> Case:
    title, *lines = filter(None, map(str.strip, text.splitlines()))
    case = Case(title)
    for line in lines:
        if line[0].isdigit():
            _happens(case, line.split())
            continue
        name, rest = line.split(": ")
        if name.isupper():
            case.heard[name] = _heard(rest)
        elif name.startswith("music "):
            case.tracks[name.split()[1]] = _heard(rest)
        else:
            words = rest.split()
            for zone, state in zip(words[::2], words[1::2], strict=True):
                case.ends[name, zone] = state
    return case


def _heard(text: str) -> list[Heard]:
    found = re.findall(r"(\w+) (\d+)-(\d+)", text)
    assert found or text == "nothing", text
    return [(name, float(a), float(b)) for name, a, b in found]


def _happens(case: Case, words: list[str]) -> None:
    at, name, kind, *rest = words
    if kind not in list(Band):
        case.others.append((float(at), [name, kind, *rest]))
        return
    zones = [word for word in rest if word.isupper()]
    (length,) = (float(word[:-1]) for word in rest if re.fullmatch(r"\d+s", word))
    wishes = {}
    for word in rest[len(zones) + 1 :]:
        wish, _, value = word.partition("=")
        wishes[wish] = value
    case.calls.append(Asked(float(at), name, Band(kind), "".join(zones), length, wishes))


class Tracks:
    """Music in some zones: tracks one after another, each of a length. Implements `Music`."""

    def __init__(self, simulation: Simulation, zones: str, lengths: list[float]) -> None:
        self.simulation = simulation
        self.names = zones
        self.zones = [_zone(zone) for zone in zones]
        self.left = lengths
        self.number = 1
        self.since: float | None = None
        self.holds = False
        self.is_between = False
        self.heard: list[Heard] = []

    @property
    def sounds(self) -> bool:
        return bool(self.left)

    def hold_next(self, hold: bool) -> None:
        self.holds = hold
        self.is_between = self.is_between and hold
        self.go_or_stand()

    def go_or_stand(self) -> None:
        """It stands between two tracks, and where all its zones are without it."""
        now, pausing = self.simulation.now, self.simulation.pausing
        is_without = all(zone in pausing for zone in self.names)
        stands = self.simulation.is_down or self.is_between or is_without
        if stands and self.since is not None:
            self.left[0] -= now - self.since
            if now > self.since:
                self.heard.append((str(self.number), self.since, now))
            self.since = None
        elif not stands and self.since is None and self.left:
            self.since = now
            self.simulation.later(now + self.left[0], "track", self.names, str(now))

    def ends(self, since: str) -> None:
        if self.since is None or float(since) != self.since:
            return
        self.heard.append((str(self.number), self.since, self.simulation.now))
        self.since = None
        del self.left[0]
        self.number += 1
        self.is_between = self.holds
        self.simulation.gaps.reached(self)
        self.simulation.gaps.changed(self)
        self.go_or_stand()


class Simulation:
    """The arbiter, a renderer that obeys at once, music, and timers."""

    def __init__(self, case: Case) -> None:
        self.now = 0.0
        self.is_down = False
        self.timers: list[tuple[float, int, int, list[str]]] = []
        self.order = count()
        self.calls = {asked.name: asked for asked in case.calls}
        self.names = {asked.name: UUID(int=n) for n, asked in enumerate(case.calls, 1)}
        self.by_id = {key: name for name, key in self.names.items()}
        self.records: dict[str, Record] = {}
        self.music: dict[str, Tracks] = {}
        self.quiet: dict[str, float] = {}
        self.sounding: dict[str, tuple[str, float, int]] = {}
        self.heard: dict[str, list[Heard]] = {zone: [] for zone in case.heard}
        self.sounded: dict[tuple[str, str], float] = {}
        self.ends: dict[tuple[str, str], CallState] = {}
        self.begin()
        for at, words in case.others:
            self.later(at, *words)
        for asked in case.calls:
            self.later(asked.at, "submit", asked.name)

    def begin(self) -> None:
        """A server starts."""
        self.arbiter = Arbiter()
        self.gaps = Gaps(self.music_in, self.arbiter.is_free, self.arbiter.wake)
        for zone in "ABC":
            self.arbiter.add_zone(_zone(zone))

    def music_in(self, zone: UUID) -> Tracks | None:
        return self.music.get(chr(zone.int))

    @property
    def pausing(self) -> set[str]:
        """The zones where a call is heard that the music makes way for."""
        return {
            zone
            for zone, (name, _, _) in self.sounding.items()
            if self.records[name].style is not CallStyle.OVER
        }

    def later(self, at: float, *words: str) -> None:
        """What ends comes before what begins at the same time."""
        rank = 0 if words[0] == "ends" else 1
        heappush(self.timers, (at, rank, next(self.order), list(words)))

    def run(self) -> None:
        while self.timers:
            self.now, rank, _, words = heappop(self.timers)
            self.happens(words)
            if rank or not self.timers or self.timers[0][:2] != (self.now, rank):
                self.obey()
        assert all(self.records[name].is_over for name in self.calls), "something never ends"

    def happens(self, words: list[str]) -> None:
        match words:
            case ["submit", name]:
                self.submit(self.calls[name])
            case ["ready", name]:
                self.ready(self.calls[name])
            case ["broken", name]:
                self.arbiter.failed(self.names[name], "no voice")
            case ["quiet", zone, until]:
                self.quiet[zone] = float(until)
            case ["music", zones, *lengths]:
                tracks = Tracks(self, zones, list(map(float, lengths)))
                self.music |= dict.fromkeys(zones, tracks)
                tracks.go_or_stand()
            case ["track", zones, since]:
                self.music[zones[0]].ends(since)
            case ["expire"]:
                self.arbiter.expire(self.now)
            case ["wake", name, zones]:
                self.wake(name, zones)
            case ["revoke", name, *zones]:
                self.arbiter.revoke(self.names[name], map(_zone, zones) if zones else None)
            case ["remove", zone]:
                self.over(zone)
                self.arbiter.remove_zone(_zone(zone))
            case ["ends", name, zone, launch]:
                if self.sounding.get(zone, ("", 0, 0))[2] == int(launch):
                    self.over(zone)
                    self.records[name].parts[_zone(zone)].times_heard += 1
                    self.arbiter.finished(self.names[name], _zone(zone), CallState.COMPLETED)
            case ["limit", name, zone, launch]:
                if self.sounding.get(zone, ("", 0, 0))[2] == int(launch):
                    ends = CallState.COMPLETED
                    self.arbiter.leave(self.names[name], [_zone(zone)], ends, "long enough")
            case ["restart", seconds]:
                self.die(float(seconds))
            case ["back"]:
                self.come_back()
            case _:
                raise ValueError(words)

    # --- calls ---------------------------------------------------------------------------------

    def submit(self, asked: Asked) -> None:
        expires = asked.number("expires")
        wishes = {k: v for k, v in asked.wishes.items() if k in ("start", "routing", "when_cut")}
        request = CallRequest.model_validate(
            {
                "text": asked.name,
                "zones": [_zone(zone) for zone in asked.zones],
                "priority": asked.priority,
                "repeat": int(asked.wishes.get("times", 1)),
                "repeat_gap_s": asked.number("gap") or 0.0,
                "style": asked.wishes.get("style"),
                **wishes,
            }
        )
        begins = asked.number("at") or asked.at
        self.records[asked.name] = Record(
            id=self.names[asked.name],
            client_id=UUID(int=0),
            request=request,
            principal=Principal(role=Role.CLIENT),
            parts={_zone(zone): Part() for zone in asked.zones},
            title=asked.name,
            band=asked.band,
            created_at=MIDNIGHT + timedelta(seconds=asked.at),
            starts_at=MIDNIGHT + timedelta(seconds=begins),
            expires_at=MIDNIGHT + timedelta(seconds=begins + expires) if expires else None,
            arrival=next(self.order),
        )
        self.take_in(asked)

    def take_in(self, asked: Asked) -> None:
        record, expires_at = self.records[asked.name], None
        if record.expires_at is not None:
            expires_at = (record.expires_at - MIDNIGHT).total_seconds()
            self.later(expires_at, "expire")
        self.arbiter.submit(bid_of(record, expires_at))
        at, clip_s = asked.number("at"), asked.number("clip")
        if at is not None and at > self.now:
            self.arbiter.hold(record.id, "planned")
            self.later(at, "ready", asked.name)
        elif clip_s is not None:
            self.later(self.now + clip_s, "ready", asked.name)
        else:
            self.ready(asked)

    def ready(self, asked: Asked) -> None:
        record = self.records[asked.name]
        is_blocked = asked.priority < Band.PAGE.priorities[0]
        zones = [chr(zone.int) for zone in record.open_zones]
        quiet = [zone for zone in zones if is_blocked and self.quiet.get(zone, 0) > self.now]
        resting = {}
        for zone in quiet:
            if "defer" in asked.wishes:
                resting[_zone(zone)] = "quiet"
                self.later(self.quiet[zone], "wake", asked.name, zone)
            else:
                self.arbiter.failed(record.id, "quiet", [_zone(zone)])
        between = self.between(asked.name, [zone for zone in zones if zone not in quiet])
        resting |= dict.fromkeys(between, "between")
        self.arbiter.ready(record.id, asked.priority, resting)

    def between(self, name: str, zones: Collection[str]) -> set[UUID]:
        if self.records[name].style is not CallStyle.BETWEEN:
            return set()
        return self.gaps.wait(self.names[name], map(_zone, zones))

    def wake(self, name: str, zones: str) -> None:
        open_zones = self.records[name].open_zones
        due = [zone for zone in zones if _zone(zone) in open_zones]
        held = self.between(name, due)
        self.arbiter.wake(self.names[name], [_zone(z) for z in due if _zone(z) not in held])

    # --- what is decided -----------------------------------------------------------------------

    def obey(self) -> None:
        while decisions := self.arbiter.decide():
            for decision in decisions:
                name = self.by_id[decision.call]
                zones = [chr(zone.int) for zone in decision.zones]
                if isinstance(decision, Rest):
                    self.gaps.leave(decision.call, decision.zones)
                    self.later(self.now + decision.gap_s, "wake", name, "".join(zones))
                    continue
                for zone in zones:
                    if isinstance(decision, Start):
                        self.start(name, zone)
                    else:
                        assert self.sounding[zone][0] == name
                        self.over(zone)
                        self.arbiter.finished(decision.call, _zone(zone), CallState.CUT)
            self.tell()
        self.tell()
        for tracks in set(self.music.values()):
            tracks.go_or_stand()

    def tell(self) -> None:
        for change in self.arbiter.drain():
            key = self.by_id[change.call], chr(change.zone.int)
            assert not (key in self.ends and self.ends[key].final), "a second final state"
            self.ends[key] = change.state
            self.records[key[0]].parts[change.zone].state = change.state
            if change.state.final:
                self.gaps.leave(change.call, [change.zone])

    def start(self, name: str, zone: str) -> None:
        assert zone not in self.sounding, "two calls in one zone"
        asked, launch = self.calls[name], next(self.order)
        self.sounding[zone] = name, self.now, launch
        self.records[name].parts[_zone(zone)].delivered_at = MIDNIGHT
        self.arbiter.started(self.names[name], _zone(zone))
        self.later(self.now + asked.length, "ends", name, zone, str(launch))
        if (most := asked.number("max")) is not None:
            left = most - self.sounded.get((name, zone), 0.0)
            self.later(self.now + left, "limit", name, zone, str(launch))

    def over(self, zone: str) -> None:
        if zone in self.sounding:
            name, since, _ = self.sounding.pop(zone)
            key = name, zone
            self.sounded[key] = self.sounded.get(key, 0.0) + self.now - since
            self.heard.setdefault(zone, []).append((name, since, self.now))

    # --- restarts ------------------------------------------------------------------------------

    def die(self, seconds: float) -> None:
        """The server is killed, and nothing is left but what was written down."""
        self.is_down = True
        for zone in tuple(self.sounding):
            self.over(zone)
        for tracks in set(self.music.values()):
            tracks.go_or_stand()
            tracks.holds = tracks.is_between = False
        self.timers = [timer for timer in self.timers if timer[3][0] in OUTSIDE]
        heapify(self.timers)
        self.later(self.now + seconds, "back")
        self.begin()

    def come_back(self) -> None:
        """Another server goes on; see `Calls.restore`."""
        self.is_down = False
        for tracks in set(self.music.values()):
            tracks.go_or_stand()
        moment = MIDNIGHT + timedelta(seconds=self.now)
        for record in sorted(self.records.values(), key=lambda record: record.arrival):
            if not record.is_over:
                endings = revive(record, moment)
                self.take_in(self.calls[record.title])
                for zone, (state, reason) in endings.items():
                    self.arbiter.leave(record.id, [zone], state, reason)
                self.arbiter.expire(self.now)


def _zone(name: str) -> UUID:
    return UUID(int=ord(name))
