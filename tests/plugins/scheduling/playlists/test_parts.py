"""Rounds of much music in parts: each track once a round, whatever happens in between."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon_scheduling.playlists.parts import (
    PART,
    Key,
    Part,
    in_order,
    left_of,
    place_behind,
)

busy = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
weights = st.dictionaries(
    st.integers(0, 10_000).map(lambda n: ("music", str(n))), st.integers(1, 10), max_size=300
)


@busy
@given(weights, st.text(max_size=5))
def test_the_parts_of_a_round_hold_each_track_as_often_as_it_weighs(
    tracks: dict[Key, int], seed: str
) -> None:
    total = sum(tracks.values())
    part, found = Part.first(seed, total), Counter[Key]()
    for _ in range(part.of):
        copies = part.copies(tracks)
        found.update(copies)
        if part.of > 1:
            assert sum(copies.values()) <= 3 * PART, "no part is much larger than others"
        part = part.following(seed, total)
    assert dict(found) == tracks
    assert part.place == 0


@busy
@given(st.integers(500, 3_000), st.integers(0, 99))
def test_a_track_that_comes_or_goes_changes_nothing_for_the_others(size: int, seed: int) -> None:
    tracks = {("music", str(n)): 1 for n in range(size)}
    fewer = {key: 1 for key in tracks if key != ("music", "7")}
    part = Part.first(str(seed), size)
    for _ in range(part.of):
        assert part.copies(fewer).keys() == part.copies(tracks).keys() - {("music", "7")}
        part = part.following(str(seed), size)


def test_what_is_left_of_a_part_is_what_was_not_played_since_it_began() -> None:
    part = {("music", name): count for name, count in {"a": 1, "b": 2, "c": 1}.items()}
    known = part | {("music", "x"): 1}
    played = [("music", name) for name in "axbgb"]  # g was taken out of the playlist since
    assert left_of(part, played, known) == {("music", "a"): 1, ("music", "c"): 1}
    assert left_of(part, [("music", "x")], known) == part
    assert left_of(part, [*played, ("music", "a"), ("music", "c")], known) == {}


def test_a_listed_order_goes_on_where_it_was() -> None:
    listed = in_order({("music", "a"): 1, ("music", "b"): 2, ("music", "c"): 2})
    assert "".join(value for _, value in listed) == "abcbc"

    def behind(played: str) -> int:
        return place_behind(listed, [("music", value) for value in played])

    assert [behind(one) for one in ("", "a", "ab", "abc", "abcb", "abcbc", "cb", "z")] == [
        0,
        1,
        2,
        3,
        4,
        0,
        4,
        0,
    ]
