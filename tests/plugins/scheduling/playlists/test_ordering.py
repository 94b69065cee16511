"""The order of a playlist's music: what holds for any music, and what is said where it can not."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from antiphon.plugins import MediaRef
from antiphon_scheduling.playlists.ordering import Round, Rule, Song, next_round

# A machine that has other things to do is no failure.
busy = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def song(
    number: int, artist: str | None = None, duration_s: float = 180.0, weight: int = 1
) -> Song:
    ref = MediaRef(kind="music", value=str(number))
    return Song(ref, f"Song {number}", artist, duration_s, weight)


@st.composite
def libraries(draw: st.DrawFn, *, heaviest: int = 3, artists: int = 5) -> list[Song]:
    names = st.one_of(st.none(), st.sampled_from([f"Artist {n}" for n in range(artists)]))
    sizes = st.floats(5.0, 900.0)
    weights = st.integers(1, heaviest)
    count = draw(st.integers(1, 30))
    return [song(n, draw(names), draw(sizes), draw(weights)) for n in range(count)]


def order(songs: list[Song], past: list[Song], gap_s: float = 0.0, seed: str = "s") -> Round:
    return next_round(songs, past, shuffle=True, title_gap_s=gap_s, seed=seed)


def violations(past: list[Song], found: Round, gap_s: float) -> list[tuple[Rule, int]]:
    """The rules read off an order by somebody who knows nothing of how it was made."""
    heard, now_s, begun_s = [*past, *found.songs], 0.0, dict[str, float]()
    wrong = []
    for place, one in enumerate(heard):
        last = begun_s.get(one.title)
        at = place - len(past)
        if last is not None and now_s - last < gap_s - 1e-6:
            wrong.append((Rule.TITLE_GAP, at))
        elif place and one.artist is not None and heard[place - 1].artist == one.artist:
            wrong.append((Rule.ARTIST_IN_A_ROW, at))
        begun_s[one.title] = now_s
        now_s += one.duration_s
    return [one for one in wrong if one[1] >= 0]


def gaps_s() -> st.SearchStrategy[float]:
    """Never exactly the sum of some lengths, where the last bit of a float would decide."""
    return st.integers(0, 3_600).map(lambda seconds: seconds + 1 / 3)


@busy
@given(libraries(), st.text(max_size=5), st.booleans(), st.floats(0, 7_200))
def test_a_round_plays_each_song_as_often_as_it_weighs(
    songs: list[Song], seed: str, shuffle: bool, gap_s: float
) -> None:
    found = next_round(songs, [], shuffle=shuffle, title_gap_s=gap_s, seed=seed)
    assert Counter(one.ref for one in found.songs) == {one.ref: one.weight for one in songs}
    again = next_round(songs, [], shuffle=shuffle, title_gap_s=gap_s, seed=seed)
    assert found == again, "the same seed gives the same order"


@busy
@given(libraries(), gaps_s(), st.integers(0, 99))
def test_every_broken_rule_is_reported_and_no_other(
    songs: list[Song], gap_s: float, seed: int
) -> None:
    past: list[Song] = []
    for number in range(3):
        found = order(songs, past, gap_s, f"{seed}.{number}")
        assert [(one.rule, one.place) for one in found.broken] == violations(past, found, gap_s)
        past += found.songs


@busy
@given(libraries(artists=3), st.integers(0, 99))
def test_no_artist_in_a_row_whenever_that_can_be_avoided(songs: list[Song], seed: int) -> None:
    past = [song(999, "Artist 0")]
    copies = [one.artist for one in songs for _ in range(one.weight)]
    total = len(copies)
    counts = Counter(artist for artist in copies if artist is not None)
    # An order without neighbours exists just then, as is known of multisets.
    assume(counts.pop("Artist 0", 0) <= total // 2)
    assume(all(count <= (total + 1) // 2 for count in counts.values()))
    assert order(songs, past, seed=str(seed)).broken == ()


@busy
@given(libraries(heaviest=1), st.integers(0, 99), st.floats(0.1, 0.999))
def test_no_title_too_soon_where_there_is_music_for_longer(
    songs: list[Song], seed: int, share: float
) -> None:
    gap_s = share * sum(one.duration_s for one in songs)
    past: list[Song] = []
    for number in range(4):
        found = order(songs, past, gap_s, f"{seed}.{number}")
        assert found.badness[0] == 0
        past += found.songs


def test_rounds_differ_and_meet_without_a_repeat() -> None:
    songs = [song(n, f"Artist {n % 7}") for n in range(40)]
    past: list[Song] = []
    rounds = []
    for number in range(20):
        found = order(songs, past, 3_600.0, str(number))
        assert found.broken == ()
        rounds.append(tuple(one.ref for one in found.songs))
        past = [*past, *found.songs][-200:]
    assert len(set(rounds)) == 20
    follows = Counter(pairwise(ref for one in rounds for ref in one))
    assert max(follows.values()) <= 8, "hardly any two songs always follow each other"


def test_the_same_song_from_two_albums_is_one_song() -> None:
    twin = song(1, "Abba")
    other = Song(MediaRef(kind="music", value="other"), "song 1 ", "ABBA", 180.0)
    songs = [twin, other, *(song(n, f"Artist {n}") for n in range(2, 20))]
    found = order(songs, [], 20 * 60.0)
    places = [place for place, one in enumerate(found.songs) if one in (twin, other)]
    assert found.broken == ()
    assert places[1] - places[0] >= 7


def test_in_the_playlists_order_nothing_is_moved_and_what_weighs_more_comes_again() -> None:
    songs = [song(1, "A"), song(2, "A", weight=3), song(3, "A", weight=2)]
    found = next_round(songs, [songs[2]], shuffle=False, title_gap_s=600.0, seed="")
    assert [one.title[-1] for one in found.songs] == ["1", "2", "3", "2", "3", "2"]
    assert {one.rule for one in found.broken} == {Rule.TITLE_GAP}
    assert [one.place for one in found.broken] == [2, 3, 4, 5]


def test_too_little_music_is_played_nevertheless_and_said() -> None:
    one = song(1, "Solo")
    found = order([one], [one], 3_600.0)
    assert found.songs == (one,)
    assert found.badness == (1, 0)
    duo = [song(1, "Solo"), song(2, "Solo")]
    assert order(duo, []).badness == (0, 1)
    assert order([], []).songs == ()


@settings(busy, max_examples=5)
@given(st.integers(0, 99))
def test_a_library_of_thousands_is_ordered_at_once(seed: int) -> None:
    rng = random.Random(seed)
    songs = [song(n, f"Artist {rng.randrange(300)}") for n in range(5_000)]
    assert order(songs, songs[-100:], 3 * 3_600.0, str(seed)).broken == ()
