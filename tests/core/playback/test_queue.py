"""The order of a queue, by hand and by property."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.playback.queue import KEPT, Queue
from antiphon.plugins import MediaRef
from antiphon.types import Repeat


def queue(length: int, *, shuffle: bool = False, repeat: Repeat = Repeat.ALL) -> Queue:
    refs = [MediaRef(kind="music", value=str(n)) for n in range(length)]
    return Queue.fresh(refs, "seed", shuffle=shuffle, repeat=repeat)


def heard(q: Queue, count: int) -> list[int]:
    cursor: int | None = q.cursor
    found: list[int] = []
    while cursor is not None and len(found) < count:
        found.append(int(q.at(cursor).value))
        cursor = q.after(cursor)
    return found


def test_in_order_and_round_again() -> None:
    assert heard(queue(3), 7) == [0, 1, 2, 0, 1, 2, 0]


def test_without_repeat_it_ends() -> None:
    assert heard(queue(3, repeat=Repeat.NONE), 7) == [0, 1, 2]


def test_one_repeats_until_someone_skips() -> None:
    q = queue(3, repeat=Repeat.ONE)
    assert heard(q, 3) == [0, 0, 0]
    assert q.skip(0) == 1


def test_an_empty_queue_has_nothing_to_follow() -> None:
    q = queue(0)
    assert q.after(0) is None
    assert q.skip(0) is None
    assert q.before(0) == 0
    assert q.place == 0
    assert list(q.ahead(0)) == []


def test_the_first_of_all_has_none_before() -> None:
    assert queue(3).before(0) == 0
    shuffled_once = queue(3, shuffle=True, repeat=Repeat.NONE)
    assert shuffled_once.before(shuffled_once.cursor) == shuffled_once.cursor


@settings(deadline=None)
@given(length=st.integers(1, 40), rounds=st.integers(1, 4))
def test_a_shuffled_round_has_every_track_once_and_never_one_twice_in_a_row(
    length: int, rounds: int
) -> None:
    q = queue(length, shuffle=True)
    played = heard(q, length * rounds)
    for n in range(rounds):
        assert sorted(played[n * length : (n + 1) * length]) == list(range(length))
    if length > 2:
        assert all(a != b for a, b in pairwise(played))


@settings(deadline=None)
@given(length=st.integers(1, 40), steps=st.integers(0, 90), shuffle=st.booleans())
def test_going_back_finds_what_was_played(length: int, steps: int, shuffle: bool) -> None:
    q = queue(length, shuffle=shuffle)
    forth = heard(q, steps + 1)
    cursor = q.cursor + steps
    back = [int(q.at(cursor).value)]
    for _ in range(steps):
        cursor = q.before(cursor)
        back.append(int(q.at(cursor).value))
    assert back == forth[::-1]


@settings(deadline=None)
@given(length=st.integers(1, 20), seed=st.text(max_size=5), cursor=st.integers(0, 100))
def test_the_order_survives_a_restart(length: int, seed: str, cursor: int) -> None:
    refs = tuple(MediaRef(kind="music", value=str(n)) for n in range(length))
    once, again = (Queue(refs, seed, cursor, shuffle=True) for _ in range(2))
    assert heard(once, 50) == heard(again, 50)


def test_each_other_track_is_tried_once_when_one_fails() -> None:
    assert [cursor % 3 for cursor in queue(3).ahead(1)] == [2, 0, 1]
    assert list(queue(3, repeat=Repeat.NONE).ahead(1)) == [2]


@settings(deadline=None)
@given(rounds=st.lists(st.integers(1, 90), min_size=1, max_size=12), late=st.integers(0, 100))
def test_a_queue_that_grows_plays_its_rounds_one_after_the_other(
    rounds: list[int], late: int
) -> None:
    names = iter(range(2_000))
    drawn = [[MediaRef(kind="music", value=str(next(names))) for _ in range(n)] for n in rounds]
    q = Queue(tuple(drawn[0]))
    cursor, played = 0, list[int]()
    for refs in [*drawn[1:], None]:
        while not q.begins_round(cursor):
            played.append(int(q.at(cursor).value))
            following = q.after(cursor)
            assert following is not None
            cursor = following
        if refs is not None:
            q.grow(cursor, refs)
        assert [int(ref.value) for ref in q.last(cursor)] == played[-KEPT:]
    assert played == list(range(sum(rounds)))
    for _ in range(late):  # with nothing new, what is kept comes again
        assert q.at(cursor) in q.refs
        cursor += 1
    assert len(q) <= KEPT + max(rounds)
