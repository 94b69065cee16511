"""A queue that is changed while it plays, heard as it leaves a real renderer."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from tests.end_to_end.house import House, until
from tests.sounds import RATE, Sound, level_db, tone, tone_db, write_wav

HERTZ = {"one": 300.0, "two": 600.0, "three": 1200.0}
SECONDS = 3.0
LOOK_FRAMES = RATE // 4
WAV_HEADER_BYTES = 44


def test_a_changed_queue_is_heard_in_its_new_order(tmp_path: Path) -> None:
    with House(tmp_path, ANTIPHON_SNAPCAST__MODE="off") as house:
        zone = house.post("zones", {"name": "Lobby"})["id"]
        songs = {}
        for title, hertz in HERTZ.items():
            file = write_wav(tmp_path / f"{title}.wav", tone(SECONDS, hertz))
            songs[title] = house.upload("music", file)["id"]
        playback = f"zones/{zone}/playback"
        order = [songs["one"], songs["two"], songs["three"]]
        house.post(f"{playback}/play", {"music_ids": order, "crossfade_s": 0})

        def is_heard(title: str) -> Callable[[], Any]:
            return lambda: (house.get(playback)["track"] or {}).get("title") == title

        until(is_heard("one"), "the first song")
        order = [songs["three"], songs["two"]]
        changed = house.put(f"{playback}/queue", {"music_ids": order})
        assert (changed["queue_position"], changed["queue_length"]) == (0, 3)
        sound = listen(house, zone, 3 * SECONDS)
        assert songs_in(sound)[:3] == ["one", "three", "two"]
        seen = house.get(f"{playback}/queue")["items"]
        assert [item["track"]["title"] for item in seen] == ["one", "three", "two"]


def listen(house: House, zone: str, seconds: float) -> Sound:
    """What leaves the zone from now on."""
    with house.live(zone) as stream:
        stream.read(WAV_HEADER_BYTES)
        data = stream.read(int(seconds * RATE) * 4)
    return np.frombuffer(data, np.int16).reshape(-1, 2)


def songs_in(sound: Sound) -> list[str]:
    """The songs in the order in which they are heard, told by their tones."""
    looks = [sound[at : at + LOOK_FRAMES] for at in range(0, len(sound), LOOK_FRAMES)]
    loud = [look for look in looks if level_db(look) > -40.0]
    found = [max(HERTZ, key=lambda title: tone_db(look, HERTZ[title])) for look in loud]
    return [title for title, _ in groupby(found)]
