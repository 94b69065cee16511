"""What has to hold of calls, music and restarts together, whatever is asked for and when."""

from __future__ import annotations

import itertools
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.playback.arbitration import Asked, Case, Simulation

from antiphon.types import Band, CallState

ZONES = ("A", "B", "C", "AB", "BC", "ABC")
SECONDS = st.integers(0, 30).map(float)


@st.composite
def asked(draw: st.DrawFn, name: str) -> Asked:
    wishes: dict[str, str] = {}
    style = draw(st.sampled_from(["over", "pause", "between"]))
    wishes["style"] = style
    wishes["start"] = draw(st.sampled_from(["cut_in", "make_next", "wait"]))
    wishes["when_cut"] = draw(st.sampled_from(["restart", "drop"]))
    if style != "between":
        wishes["routing"] = draw(st.sampled_from(["partial", "together", "all_or_nothing"]))
    wishes["times"] = str(draw(st.integers(1, 2)))
    wishes["gap"] = str(draw(st.integers(0, 3)))
    if draw(st.booleans()):
        wishes["expires"] = str(draw(st.integers(1, 20)))
    band = draw(st.sampled_from(list(Band)))
    zones, length = draw(st.sampled_from(ZONES)), float(draw(st.integers(1, 8)))
    return Asked(draw(SECONDS), name, band, zones, length, wishes)


@st.composite
def houses(draw: st.DrawFn) -> Case:
    """Some calls, music in some zones, shared or not, and now and then a restart."""
    case = Case("any")
    count = draw(st.integers(1, 6))
    case.calls = [draw(asked(f"call{n}")) for n in range(count)]
    for zones in draw(st.sampled_from([(), ("A",), ("AB",), ("A", "B"), ("ABC",), ("A", "BC")])):
        lengths = draw(st.lists(st.integers(2, 15), min_size=1, max_size=4))
        case.others.append((0.0, ["music", zones, *map(str, lengths)]))
    for name in draw(st.lists(st.integers(0, count - 1), max_size=2)):
        call = case.calls[name]
        at = call.at + draw(st.integers(1, 15))
        case.others.append((at, ["revoke", call.name, call.zones[0]]))
    return case


def check(case: Case, simulation: Simulation) -> None:
    heard: dict[tuple[str, str], list[float]] = defaultdict(list)
    for zone, pieces in simulation.heard.items():
        for before, after in itertools.pairwise(pieces):
            assert before[2] <= after[1], "two calls at once"
        for name, since, until in pieces:
            heard[name, zone].append(until - since)
    for call in case.calls:
        for zone in call.zones:
            whole = heard[call.name, zone].count(call.length)
            if call.wishes["when_cut"] == "drop":
                assert all(piece == call.length for piece in heard[call.name, zone][:-1])
            state = simulation.ends[call.name, zone]
            assert state.final
            assert whole <= int(call.wishes["times"]), "heard more often than asked for"
            if state is CallState.COMPLETED:
                assert whole == int(call.wishes["times"])


def whole_music(case: Case, simulation: Simulation) -> None:
    for _, (word, *rest) in case.others:
        if word == "music":
            zones, *lengths = rest
            played: dict[str, float] = defaultdict(float)
            for track, since, until in simulation.music[zones[0]].heard:
                played[track] += until - since
            assert played == {str(n): float(text) for n, text in enumerate(lengths, 1)}


@given(houses())
@settings(max_examples=300, deadline=None)
def test_every_call_ends_once_and_no_music_is_lost(case: Case) -> None:
    simulation = Simulation(case)
    simulation.run()
    check(case, simulation)
    whole_music(case, simulation)


@given(houses(), st.integers(1, 30), st.integers(1, 5))
@settings(max_examples=300, deadline=None)
def test_neither_by_a_restart(case: Case, at: int, seconds: int) -> None:
    asked_for = [call for call in case.calls if not at <= call.at <= at + seconds]
    case.calls = asked_for
    names = {call.name for call in asked_for}
    case.others = [
        (when, words)
        for when, words in case.others
        if words[0] == "music" or (words[1] in names and not at <= when <= at + seconds)
    ]
    case.others.append((float(at), ["restart", str(seconds)]))
    simulation = Simulation(case)
    simulation.run()
    check(case, simulation)
    whole_music(case, simulation)
