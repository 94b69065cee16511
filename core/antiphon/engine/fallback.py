"""A programme that never ends, for zones whose own music is not to be heard."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from antiphon.engine.deck import Feeder
from antiphon.engine.programme import Programme
from antiphon.engine.protocol import Report, Track, TrackFailed, TrackStarted

_AHEAD = 2


def endless(tracks: tuple[Track, ...], feeder: Feeder, ceiling_db: float) -> Programme:
    """The tracks, again and again, each as a new entry. It gives up when none can be read."""
    numbers = count()
    failures = 0

    def window() -> tuple[Track, ...]:
        chosen = [next(numbers) for _ in range(_AHEAD)]
        return tuple(replace(tracks[n % len(tracks)], entry=str(n)) for n in chosen)

    def go_on(report: Report) -> None:
        nonlocal failures
        if isinstance(report, TrackStarted):
            failures = 0
        elif isinstance(report, TrackFailed):
            failures += 1
        else:
            return
        if failures < len(tracks):
            programme.set_upcoming(window())

    programme = Programme("fallback", feeder, go_on, ceiling_db)
    programme.load(window(), 0.0, 0.0, playing=True)
    return programme
