"""Reads the table of arbitration.txt, and plays it to the arbiter on a clock advanced by hand."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from uuid import UUID

from antiphon.playback.arbiter import Arbiter
from antiphon.playback.bids import Bid, Rest, Start
from antiphon.plugins import CallStart, Routing, WhenCut
from antiphon.types import Band, CallState

TABLE = Path(__file__).with_name("arbitration.txt")
Heard = tuple[str, float, float]


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
            found = re.findall(r"(\w+) (\d+)-(\d+)", rest)
            assert found or rest == "nothing", line
            case.heard[name] = [(call, float(a), float(b)) for call, a, b in found]
        else:
            words = rest.split()
            for zone, state in zip(words[::2], words[1::2], strict=True):
                case.ends[name, zone] = state
    return case


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


class Simulation:
    """The arbiter, a renderer that obeys at once, and timers."""

    def __init__(self, case: Case) -> None:
        self.arbiter = Arbiter()
        self.now = 0.0
        self.timers: list[tuple[float, int, int, list[str]]] = []
        self.order = count()
        self.calls = {asked.name: asked for asked in case.calls}
        self.names = {asked.name: UUID(int=n) for n, asked in enumerate(case.calls, 1)}
        self.by_id = {key: name for name, key in self.names.items()}
        self.quiet: dict[str, float] = {}
        self.sounding: dict[str, tuple[str, float, int]] = {}
        self.heard: dict[str, list[Heard]] = {zone: [] for zone in case.heard}
        self.sounded: dict[tuple[str, str], float] = {}
        self.ends: dict[tuple[str, str], CallState] = {}
        for zone in "ABC":
            self.arbiter.add_zone(_zone(zone))
        for at, words in case.others:
            self.later(at, *words)
        for asked in case.calls:
            self.later(asked.at, "submit", asked.name)

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
            case ["expire"]:
                self.arbiter.expire(self.now)
            case ["wake", name, zones]:
                self.arbiter.wake(self.names[name], map(_zone, zones))
            case ["revoke", name, *zones]:
                self.arbiter.revoke(self.names[name], map(_zone, zones) if zones else None)
            case ["remove", zone]:
                self.over(zone)
                self.arbiter.remove_zone(_zone(zone))
            case ["ends", name, zone, launch]:
                if self.sounding.get(zone, ("", 0, 0))[2] == int(launch):
                    self.over(zone)
                    self.arbiter.finished(self.names[name], _zone(zone), CallState.COMPLETED)
            case ["limit", name, zone, launch]:
                if self.sounding.get(zone, ("", 0, 0))[2] == int(launch):
                    ends = CallState.COMPLETED
                    self.arbiter.leave(self.names[name], [_zone(zone)], ends, "long enough")
            case _:
                raise ValueError(words)

    def submit(self, asked: Asked) -> None:
        if (expires := asked.number("expires")) is not None:
            expires += asked.at
            self.later(expires, "expire")
        self.arbiter.submit(
            Bid(
                self.names[asked.name],
                tuple(map(_zone, asked.zones)),
                asked.priority,
                next(self.order),
                expires,
                WhenCut(asked.wishes.get("when_cut", "restart")),
                CallStart(asked.wishes.get("start", "cut_in")),
                Routing(asked.wishes.get("routing", "partial")),
                int(asked.wishes.get("times", 1)),
                asked.number("gap") or 0.0,
            )
        )
        if (at := asked.number("at")) is not None:
            self.arbiter.hold(self.names[asked.name], "planned")
            self.later(at, "ready", asked.name)
        elif (clip_s := asked.number("clip")) is not None:
            self.later(asked.at + clip_s, "ready", asked.name)
        else:
            self.ready(asked)

    def ready(self, asked: Asked) -> None:
        is_blocked = asked.priority < Band.PAGE.priorities[0]
        quiet = [zone for zone in asked.zones if is_blocked and self.quiet.get(zone, 0) > self.now]
        resting = {}
        for zone in quiet:
            if "defer" in asked.wishes:
                resting[_zone(zone)] = "quiet"
                self.later(self.quiet[zone], "wake", asked.name, zone)
            else:
                self.arbiter.failed(self.names[asked.name], "quiet", [_zone(zone)])
        self.arbiter.ready(self.names[asked.name], asked.priority, resting)

    def obey(self) -> None:
        while decisions := self.arbiter.decide():
            for decision in decisions:
                name = self.by_id[decision.call]
                zones = [chr(zone.int) for zone in decision.zones]
                if isinstance(decision, Rest):
                    self.later(self.now + decision.gap_s, "wake", name, "".join(zones))
                    continue
                for zone in zones:
                    if isinstance(decision, Start):
                        self.start(name, zone)
                    else:
                        assert self.sounding[zone][0] == name
                        self.over(zone)
                        self.arbiter.finished(decision.call, _zone(zone), CallState.CUT)
        for change in self.arbiter.drain():
            key = self.by_id[change.call], chr(change.zone.int)
            assert not (key in self.ends and self.ends[key].final), "a second final state"
            self.ends[key] = change.state

    def start(self, name: str, zone: str) -> None:
        assert zone not in self.sounding, "two calls in one zone"
        asked, launch = self.calls[name], next(self.order)
        self.sounding[zone] = name, self.now, launch
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


def _zone(name: str) -> UUID:
    return UUID(int=ord(name))
