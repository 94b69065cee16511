"""The order of a channel playlist's music: pure, and the same for the same seed.

A round plays each song as often as its weight says. Every round has an order of its own, which
knows what was played before it, so nothing is heard to repeat where two rounds meet.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from antiphon.plugins import MediaRef

_ATTEMPTS = 6
_ATTEMPTS_UP_TO = 500


class Rule(StrEnum):
    """What an order keeps to where it can."""

    TITLE_GAP = "title_gap"
    ARTIST_IN_A_ROW = "artist_in_a_row"


@dataclass(frozen=True, slots=True)
class Song:
    """A piece of music as the rules see it: two files of one title and artist are one song."""

    ref: MediaRef
    title: str
    artist: str | None
    duration_s: float
    weight: int = 1

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same song."""
        return self.title.casefold().strip(), (self.singer or "")

    @property
    def singer(self) -> str | None:
        """The artist, in the form that is compared; None where nobody knows."""
        return (self.artist or "").casefold().strip() or None


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that could not be kept, at a place of the round."""

    rule: Rule
    place: int
    song: Song


@dataclass(frozen=True, slots=True)
class Round:
    """Songs in order, and where a rule had to be broken."""

    songs: tuple[Song, ...]
    broken: tuple[Broken, ...] = ()

    @property
    def badness(self) -> tuple[int, int]:
        """How often each rule was broken, the graver one first."""
        rules = Counter(one.rule for one in self.broken)
        return rules[Rule.TITLE_GAP], rules[Rule.ARTIST_IN_A_ROW]


def next_round(
    songs: Sequence[Song],
    played: Iterable[Song],
    *,
    shuffle: bool,
    title_gap_s: float,
    seed: str,
) -> Round:
    """The round that follows `played` (oldest first).

    No song begins within `title_gap_s` of its last beginning, and when shuffled no artist follows
    itself, as long as the songs that are left allow it; the gap is the graver rule. In the
    playlist's own order nothing is moved: a song that comes too soon is reported, no more.
    """
    past = list(played)
    if not shuffle:
        return _listed(songs, past, title_gap_s)
    attempts = _ATTEMPTS if len(songs) <= _ATTEMPTS_UP_TO else 1
    best: Round | None = None
    for attempt in range(attempts):
        rng = random.Random(f"{seed}:{attempt}")  # noqa: S311  music, no secret
        found = _Draw(past, title_gap_s).round(_bag(songs, rng))
        if best is None or found.badness < best.badness:
            best = found
        if not best.broken:
            break
    assert best is not None  # noqa: S101  there is at least one attempt
    return best


def _listed(songs: Sequence[Song], past: Sequence[Song], title_gap_s: float) -> Round:
    """The playlist's order; what weighs more comes again in a second pass, and so on."""
    draw = _Draw(past, title_gap_s)
    heaviest = max((song.weight for song in songs), default=0)
    for turn in range(heaviest):
        for song in songs:
            if song.weight > turn:
                draw.take(song, Rule.TITLE_GAP if draw.is_too_soon(song) else None)
    return Round(tuple(draw.songs), tuple(draw.broken))


def _bag(songs: Sequence[Song], rng: random.Random) -> list[Song]:
    """Every song as often as it weighs, shuffled, its copies spread over the round."""
    copies = [
        ((copy + rng.random()) / song.weight, rng.random(), song)
        for song in songs
        for copy in range(song.weight)
    ]
    copies.sort(key=lambda entry: entry[:2], reverse=True)
    return [song for _, _, song in copies]


class _Fault(NamedTuple):
    """What is wrong with taking a song next; all zero is nothing."""

    too_soon: bool
    same_artist: bool
    crowded: bool  # another artist's songs are so many that only now they can be kept apart
    begun_s: float


class _Crowd:
    """The artist with the most songs left."""

    def __init__(self, bag: Sequence[Song]) -> None:
        self.left = Counter(song.singer for song in bag if song.singer is not None)
        self._heap = [(-count, singer) for singer, count in self.left.items()]
        heapq.heapify(self._heap)

    def took(self, song: Song) -> None:
        """A song is no more left."""
        if song.singer is not None:
            self.left[song.singer] -= 1
            heapq.heappush(self._heap, (-self.left[song.singer], song.singer))

    def majority(self, total: int) -> str | None:
        """The artist of more than half of `total` songs."""
        while self._heap and -self._heap[0][0] != self.left[self._heap[0][1]]:
            heapq.heappop(self._heap)
        if self._heap and -self._heap[0][0] * 2 > total:
            return self._heap[0][1]
        return None


@dataclass(slots=True)
class _Draw:
    """An order that comes to be, song by song. Time runs from the start of the round."""

    past: Sequence[Song]
    title_gap_s: float
    songs: list[Song] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    now_s: float = 0.0
    begun_s: dict[tuple[str, str], float] = field(default_factory=dict)
    singer: str | None = None

    def __post_init__(self) -> None:
        for song, begun_s in _backwards(self.past):
            self.begun_s.setdefault(song.key, begun_s)
        self.singer = self.past[-1].singer if self.past else None

    def round(self, bag: list[Song]) -> Round:
        """Empty the bag from its end, taking the first song that breaks no rule."""
        crowd = _Crowd(bag)
        while bag:
            place, fault = self._choose(bag, crowd)
            song = bag.pop(place)
            crowd.took(song)
            rule = Rule.ARTIST_IN_A_ROW if fault.same_artist else None
            self.take(song, Rule.TITLE_GAP if fault.too_soon else rule)
        return Round(tuple(self.songs), tuple(self.broken))

    def take(self, song: Song, broken: Rule | None) -> None:
        """Play a song next."""
        if broken is not None:
            self.broken.append(Broken(broken, len(self.songs), song))
        self.songs.append(song)
        self.begun_s[song.key] = self.now_s
        self.now_s += song.duration_s
        self.singer = song.singer

    def is_too_soon(self, song: Song) -> bool:
        """Whether it began a short while ago."""
        begun_s = self.begun_s.get(song.key)
        return begun_s is not None and self.now_s - begun_s < self.title_gap_s

    def _choose(self, bag: Sequence[Song], crowd: _Crowd) -> tuple[int, _Fault]:
        crowding = crowd.majority(len(bag))
        if crowding == self.singer:
            crowding = None
        # Where only one artist is left, to look for another would be in vain.
        is_alone = self.singer is not None and crowd.left[self.singer] == len(bag)
        best: tuple[_Fault, int] | None = None
        for place in range(len(bag) - 1, -1, -1):
            song = bag[place]
            too_soon = self.is_too_soon(song)
            fault = _Fault(
                too_soon,
                song.singer is not None and song.singer == self.singer,
                crowding is not None and song.singer != crowding,
                self.begun_s[song.key] if too_soon else 0.0,
            )
            if best is None or fault < best[0]:
                best = fault, place
            if not too_soon and not fault.crowded and (is_alone or not fault.same_artist):
                break
        assert best is not None  # noqa: S101  the bag is not empty
        return best[1], best[0]


def _backwards(past: Sequence[Song]) -> Iterator[tuple[Song, float]]:
    """What was played, latest first, with its beginning (below zero)."""
    begun_s = 0.0
    for song in reversed(past):
        begun_s -= song.duration_s
        yield song, begun_s
