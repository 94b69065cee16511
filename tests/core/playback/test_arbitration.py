"""The table that a person can read, held against the arbiter."""

from __future__ import annotations

import pytest
from tests.core.playback.arbitration import Case, Simulation, cases

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=[case.title for case in CASES])
def test_case(case: Case) -> None:
    simulation = Simulation(case)
    simulation.run()
    assert simulation.heard == case.heard
    for zones, tracks in case.tracks.items():
        assert simulation.music[zones[0]].heard == tracks, f"music {zones}"
    for asked in case.calls:
        for zone in asked.zones:
            end = case.ends.get((asked.name, zone), "completed")
            assert simulation.ends[asked.name, zone] == end, (asked.name, zone)


def test_the_table_is_as_large_as_it_says() -> None:
    assert len(CASES) >= 110
    assert sum(case.is_for_real for case in CASES) >= 12
