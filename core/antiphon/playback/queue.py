"""The order in which a queue is played. Pure; the same seed gives the same order for ever."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from antiphon.plugins.media import MediaRef
from antiphon.types import Repeat

KEPT = 200  # how much of the past a queue with a source knows


@dataclass(slots=True)
class Queue:
    """References and a place among them.

    `cursor` counts on over all rounds: round `cursor // len(refs)`, place `cursor % len(refs)`. A
    shuffled queue has another order in each round, so that a day does not repeat itself, and
    going back finds what was played.

    A queue with a `source` gets its next round from there; see `grow`. `base` is the cursor of its
    first reference. `origin` is what any other queue was made of, where that was one thing.
    """

    refs: tuple[MediaRef, ...] = ()
    seed: str = ""
    cursor: int = 0
    shuffle: bool = False
    repeat: Repeat = Repeat.ALL
    source: MediaRef | None = None
    base: int = 0
    origin: MediaRef | None = None
    _orders: dict[int, list[int]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def fresh(cls, refs: Sequence[MediaRef], seed: str, *, shuffle: bool, repeat: Repeat) -> Queue:
        """A queue at its start; shuffled, it starts in any round, so not always the same."""
        first_round = random.randrange(1_000) if shuffle else 0  # noqa: S311  music, no secret
        return cls(tuple(refs), seed, first_round * len(refs), shuffle, repeat)

    def __len__(self) -> int:
        return len(self.refs)

    @property
    def place(self) -> int:
        """Where the cursor is within its round, from 0."""
        return (self.cursor - self.base) % len(self.refs) if self.refs else 0

    def at(self, cursor: int) -> MediaRef:
        """What is played at a cursor."""
        turn, place = divmod(cursor - self.base, len(self.refs))
        return self.refs[self._order(turn)[place]]

    def begins_round(self, cursor: int) -> bool:
        """Whether a cursor is the first behind the end of a round."""
        return cursor > self.base and (cursor - self.base) % len(self.refs) == 0

    def last(self, cursor: int) -> list[MediaRef]:
        """What came before a cursor, oldest first; no more than is kept of the past."""
        return [self.at(past) for past in range(max(self.base, cursor - KEPT), cursor)]

    def grow(self, cursor: int, refs: Sequence[MediaRef]) -> None:
        """Let `refs` follow from `cursor` on. What came shortly before it stays."""
        past = self.last(cursor)
        self.refs = (*past, *refs)
        self.base = cursor - len(past)
        self._orders.clear()

    def slip_in(self, cursor: int, ref: MediaRef) -> bool:
        """Let `ref` be at `cursor`, and what was there behind it; False where nothing is there."""
        place = cursor - self.base
        if self.source is None or not 0 <= place <= len(self.refs):
            return False
        self.refs = (*self.refs[:place], ref, *self.refs[place:])
        self._orders.clear()
        return True

    def after(self, cursor: int) -> int | None:
        """The cursor that follows by itself; None where the music ends."""
        if not self.refs:
            return None
        if self.repeat is Repeat.ONE:
            return cursor
        return self.skip(cursor)

    def skip(self, cursor: int) -> int | None:
        """The cursor that follows when someone asks for the next track, or this one fails."""
        last_of_round = bool(self.refs) and (cursor + 1 - self.base) % len(self.refs) == 0
        if not self.refs or (self.repeat is Repeat.NONE and last_of_round):
            return None
        return cursor + 1

    def before(self, cursor: int) -> int:
        """The cursor of the track before; the first of all stays where it is."""
        first_of_round = bool(self.refs) and (cursor - self.base) % len(self.refs) == 0
        if cursor <= self.base or (self.repeat is Repeat.NONE and first_of_round):
            return cursor
        return cursor - 1

    def replaced(self, refs: Sequence[MediaRef], cursor: int, *, keep: bool) -> Queue:
        """A queue of other tracks that has at `cursor` what is there in this one.

        To `keep` that, it goes before them if it is not among them; else they begin there.
        """
        here = self.at(cursor) if self.refs else None
        if keep and here is not None and here not in refs:
            refs = (here, *refs)
        place = refs.index(here) if here is not None and here in refs else 0
        return Queue(tuple(refs), self.seed, cursor, repeat=self.repeat, base=cursor - place)

    def reseeded(self, seed: str) -> Queue:
        """The same queue at the same track, in an order of its own from there on."""
        twin = replace(self, seed=seed, _orders={})
        if self.refs:
            turn, place = divmod(self.cursor - self.base, len(self.refs))
            track = self._order(turn)[place]
            twin.cursor = self.base + turn * len(self.refs) + twin._order(turn).index(track)
        return twin

    def rewind(self) -> None:
        """Go to the start of this round."""
        self.cursor -= self.place

    def ahead(self, cursor: int) -> Iterator[int]:
        """The cursors to try when the one at `cursor` can not be played: each track once."""
        for _ in self.refs:
            following = self.skip(cursor)
            if following is None:
                return
            yield (cursor := following)

    def _order(self, turn: int) -> list[int]:
        if (order := self._orders.get(turn)) is None:
            order = list(range(len(self.refs)))
            if self.shuffle:
                order = self._shuffled(turn)
            while len(self._orders) > 2:
                del self._orders[next(iter(self._orders))]
            self._orders[turn] = order
        return order

    def _shuffled(self, turn: int) -> list[int]:
        order = self._drawn(turn)
        # No track twice in a row where two rounds meet. Only the first two places change, so the
        # round before needs no look at the one before it.
        if len(order) > 2 and turn > 0 and self._drawn(turn - 1)[-1] == order[0]:
            order[0], order[1] = order[1], order[0]
        return order

    def _drawn(self, turn: int) -> list[int]:
        order = list(range(len(self.refs)))
        random.Random(f"{self.seed}:{turn}").shuffle(order)  # noqa: S311  music, no secret
        return order
