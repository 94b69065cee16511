"""Schedules are heard at their second: real server, real snapserver, a real loudspeaker."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tests.end_to_end.house import House, Loudspeaker
from tests.end_to_end.signals import find, has_gap
from tests.real_time import in_real_time
from tests.sounds import RATE, Sound, noise, write_wav

pytestmark = pytest.mark.alone

EVERY_S = 4
AT_LEAST = 4
SOON_S = 6  # when a schedule that was just made is surely planned
RECORDED_S = SOON_S + AT_LEAST * EVERY_S + 2.0
DAC_S = 0.010  # snapclient asks for what its file player shall play so much later


class Stopwatch:
    """Notes when a loudspeaker writes, so that a frame of its recording has a time."""

    def __init__(self, speaker: Loudspeaker) -> None:
        self._speaker = speaker
        self._written: list[tuple[float, int]] = []
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _watch(self) -> None:
        known = self._speaker.frames
        while not self._stop.wait(0.001):
            frames = self._speaker.frames
            if frames != known:
                self._written.append((time.time(), known))
                known = frames

    @property
    def began_at(self) -> float:
        """When the first frame of the recording would have been heard.

        Of all chunks, the ones that we noticed soonest tell it best.
        """
        origins = [at + DAC_S - frame / RATE for at, frame in self._written]
        return float(np.percentile(origins, 10))


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[tuple[Loudspeaker, Sound]]:
    """A loudspeaker, and the mark that a schedule has spoken over its music every four seconds."""
    with House(tmp_path) as house:
        zone = house.post("zones", {"name": "Hall", "default_volume": 100})["id"]
        music = house.upload("music", write_wav(tmp_path / "music.wav", noise(300.0, -30.0)))
        spoken = noise(0.5, -14.0, seed=3)
        file = write_wav(tmp_path / "mark.wav", spoken)
        clip = house.upload("announcements", file, title="Mark")
        house.measured(f"music/{music['id']}")
        house.measured(f"announcements/{clip['id']}")
        speaker = house.loudspeaker("speaker", zone)
        house.post(f"zones/{zone}/playback/play", {"music_ids": [music["id"]]})
        speaker.until_louder(-60)
        items = [
            {"offset_s": offset, "announcements": [clip["id"]]} for offset in range(0, 60, EVERY_S)
        ]
        timeline = {"kind": "timeline", "cycle_min": 1, "items": items}
        body = {"name": "Marks", "config": timeline, "zones": [zone], "chime": False}
        house.post("schedules", body)
        yield speaker, spoken


@in_real_time
def test_a_timeline_is_heard_at_its_seconds(hall: tuple[Loudspeaker, Sound]) -> None:
    """Over music, which has to give way in time."""
    speaker, spoken = hall
    begin = speaker.frames
    watch = Stopwatch(speaker)
    with watch.running():
        heard = speaker.listen(RECORDED_S)
    assert not has_gap(heard)
    late_ms = _late_ms(heard, spoken, watch.began_at + begin / RATE)
    assert len(late_ms) >= AT_LEAST
    assert max(map(abs, late_ms)) <= 30, late_ms


def _late_ms(heard: Sound, spoken: Sound, began_at: float) -> list[float]:
    """How late each mark is in a recording that began at a time."""
    late_ms = []
    first = int(began_at + SOON_S) // EVERY_S * EVERY_S
    for second in range(first, int(began_at + RECORDED_S) - 2, EVERY_S):
        around = round((second - 1 - began_at) * RATE)
        at = find(heard[around : around + 2 * RATE + len(spoken)], spoken, least=0.3)
        late_ms.append(1_000 * (at / RATE - 1))
    return late_ms
