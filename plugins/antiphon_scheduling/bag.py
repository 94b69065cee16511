"""Whose turn it is: in order, or out of a bag that is emptied before it is filled again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from random import Random
from uuid import UUID


def in_turn(announcements: Sequence[UUID], turn: int) -> UUID:
    """The next in order."""
    return announcements[turn % len(announcements)]


def out_of_the_bag(announcements: Sequence[UUID], turn: int, seed: str) -> UUID:
    """The next out of the bag: all come once before any comes again, and none twice in a row.

    What comes depends on the arguments alone, so it is the same after a restart and in a preview.
    """
    # With two, any other order than turn by turn would play one of them twice in a row.
    if (size := len(announcements)) < 3:
        return in_turn(announcements, turn)
    number, place = divmod(turn, size)
    return announcements[_bag(size, number, seed)[place]]


@lru_cache(maxsize=4_096)
def _bag(size: int, number: int, seed: str) -> tuple[int, ...]:
    order = _shuffled(size, number, seed)
    # The last of a bag is never moved, so the bag before this one needs no look at its own past.
    if number and order[0] == _shuffled(size, number - 1, seed)[-1]:
        order[0], order[1] = order[1], order[0]
    return tuple(order)


def _shuffled(size: int, number: int, seed: str) -> list[int]:
    order = list(range(size))
    Random(f"{seed}/{number}").shuffle(order)  # noqa: S311  a programme, not a secret
    return order
