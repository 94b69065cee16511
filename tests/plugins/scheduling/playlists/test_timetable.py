"""When announcements are due: by the local clock, without drift, none in the quiet hours."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon_scheduling.playlists.timetable import Quiet, Slot, Timetable, in_turn

BERLIN = "Europe/Berlin"
MADE = datetime(2026, 3, 1, 7, 13, tzinfo=UTC)
SOME = UUID(int=1)
# A machine that has other things to do is no failure.
busy = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def table(*slots: Slot, quiet: Quiet | None = None) -> Timetable:
    return Timetable(
        playlist_id=SOME,
        client_id=SOME,
        timezone=BERLIN,
        anchor=MADE,
        settled_until=MADE,
        slots=slots,
        quiet=quiet,
    )


def test_times_and_intervals_come_in_order_and_together_where_they_fall_together() -> None:
    often, noon = Slot(item_id=None, every_min=90), Slot(item_id=SOME, fixed_times=(time(12),))
    tracks = Slot(item_id=SOME, every_tracks=3)
    due = list(table(often, noon, tracks).due(MADE + timedelta(hours=5)))
    assert [(f"{at:%H:%M}", slots) for at, slots in due] == [
        ("08:00", (often,)),
        ("09:30", (often,)),
        ("11:00", (often, noon)),  # 12:00 in Berlin
    ]
    assert table(tracks).following(MADE) is None


def test_fixed_times_obey_the_clocks_on_the_day_they_change() -> None:
    times = (time(2, 30), time(3, 0), time(12, 0))
    day = table(Slot(item_id=SOME, fixed_times=times))
    spring = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
    found = day.model_copy(update={"settled_until": spring}).due(spring + timedelta(hours=23))
    # 2:30 does not exist: both fall on 3:00, and that is one instant.
    assert [f"{at:%H:%M}" for at, _ in found] == ["01:00", "10:00"]
    autumn = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
    found = day.model_copy(update={"settled_until": autumn}).due(autumn + timedelta(hours=25))
    assert [f"{at:%H:%M}" for at, _ in found] == ["00:30", "02:00", "11:00"]


@busy
@given(st.integers(1, 1_440), st.integers(0, 10_000))
def test_an_interval_neither_drifts_nor_loses_nor_doubles(every_min: int, start_min: int) -> None:
    slot = Slot(item_id=None, every_min=every_min)
    begin = MADE + timedelta(minutes=start_min)
    due = table(slot).model_copy(update={"settled_until": begin})
    instants = [at for at, _ in due.due(begin + timedelta(minutes=20 * every_min))]
    assert len(instants) == 20
    assert {b - a for a, b in pairwise(instants)} <= {timedelta(minutes=every_min)}


def test_quiet_hours_may_hold_the_night() -> None:
    night = Quiet(begin=time(22), end=time(7, 30))
    quiet = table(quiet=night)
    winter = datetime(2026, 1, 5, tzinfo=UTC)
    hours = {hour for hour in range(24) if quiet.is_quiet(winter.replace(hour=hour))}
    assert hours == {21, 22, 23, 0, 1, 2, 3, 4, 5, 6}, "22:00 to 7:30 in Berlin"
    assert night.covers(time(7, 29))
    assert not night.covers(time(7, 30))
    assert Quiet(begin=time(12), end=time(14)).covers(time(13))
    assert not Quiet(begin=time(12), end=time(14)).covers(time(14))


@busy
@given(st.integers(1, 12), st.text(max_size=4), st.booleans())
def test_each_comes_once_before_any_comes_again(size: int, seed: str, shuffle: bool) -> None:
    choices = list(range(size))
    heard = [in_turn(choices, turn, shuffle=shuffle, seed=seed) for turn in range(size * 5)]
    for start in range(0, len(heard), size):
        assert Counter(heard[start : start + size]) == Counter(choices)
    if size > 1:
        assert all(first != second for first, second in pairwise(heard))
