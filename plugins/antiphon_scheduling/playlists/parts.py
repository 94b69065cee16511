"""Rounds of much music are drawn in parts, so that none costs more than a small playlist's. Pure.

A round's parts are chosen by a hash of each track and the round's seed: every track lies in one of
them, whatever is added or taken out meanwhile, and nothing about the round has to be remembered
but its seed and which part it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from zlib import crc32

from antiphon.types import Frozen

PART = 150  # less than what a queue knows of its past, so that all of a part is known
_ONE = 2**32

Key = tuple[str, str]
"""Kind and value of a track's reference: quicker than references where there are thousands."""


class Part(Frozen):
    """A part of a round."""

    seed: str
    place: int
    of: int

    def following(self, seed: str, total: int) -> Part:
        """The one after it; the first of a new round (with `seed`) behind the last."""
        if self.place + 1 < self.of:
            return self.model_copy(update={"place": self.place + 1})
        return Part.first(seed, total)

    @classmethod
    def first(cls, seed: str, total: int) -> Part:
        """The first of a round of so many songs."""
        return cls(seed=seed, place=0, of=max(1, -(-total // PART)))

    def copies(self, weights: Mapping[Key, int]) -> dict[Key, int]:
        """The tracks that lie in it, and how often."""
        if self.of == 1:
            return dict(weights)
        found: dict[Key, int] = {}
        salt, low, high = crc32(self.seed.encode()), self.place, self.place + 1
        for key, weight in weights.items():
            chance = crc32(key[1].encode(), salt) / _ONE
            # The copies of a track are spread over the round.
            count = sum(low <= (copy + chance) / weight * self.of < high for copy in range(weight))
            if count:
                found[key] = count
        return found


def left_of(
    part: Mapping[Key, int], played: Sequence[Key], known: Mapping[Key, int]
) -> dict[Key, int]:
    """What of a part was not played yet, judged by what was played last (oldest first).

    A track that is not in the playlist any more tells nothing.
    """
    left = Counter(part)
    for key in reversed(played):
        if left[key] > 0:
            left[key] -= 1
        elif key in known:
            break
    return dict(+left)


def place_behind(listed: Sequence[Key], played: Sequence[Key]) -> int:
    """Where a playlist that is played in its own order goes on behind what was played.

    0 where that is nowhere in it, or its end. Of several places the one that looks most alike.
    """
    there = set(listed)
    tail = [key for key in played if key in there][-PART:]
    if not tail:
        return 0
    ends = [place for place, key in enumerate(listed) if key == tail[-1]]
    best = max(ends, key=lambda place: (_alike(listed, place, tail), -place))
    return (best + 1) % len(listed)


def _alike(listed: Sequence[Key], place: int, tail: Sequence[Key]) -> int:
    count = 0
    for back, key in enumerate(reversed(tail)):
        if place - back < 0 or listed[place - back] != key:
            break
        count += 1
    return count


def in_order(weights: Mapping[Key, int]) -> list[Key]:
    """A round in the playlist's own order: what weighs more comes again in a second pass."""
    heaviest = max(weights.values(), default=0)
    return [key for turn in range(heaviest) for key, weight in weights.items() if weight > turn]
